// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/private.h"
#include "tests/store/fixture.h"

static void assert_name(PenStore *store, gint64 style, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenStyle) row = pen_store_get_style(store, style, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(row->name, ==, name);
}

static void assert_number(PenStore *store, gint64 style, int number)
{
    g_autoptr(PenStyle) row = pen_store_get_style(store, style, NULL);
    g_assert_cmpint(row->current_number, ==, number);
}

/* The living styles' names, joined. */
static void assert_living(PenStore *store, const char *names)
{
    g_autoptr(GPtrArray) styles = pen_store_list_styles(store, FALSE, NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < styles->len; i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "", ((PenStyle *)styles->pdata[i])->name);
    g_assert_cmpstr(text->str, ==, names);
}

static void test_create(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 ink = fixture_style(fixture->store, "  Ink ");
    g_autoptr(PenStyle) row = pen_store_get_style(fixture->store, ink, &error);
    g_assert_no_error(error);
    g_assert_cmpint(row->id, ==, ink);
    g_assert_cmpstr(row->name, ==, "Ink");
    g_assert_cmpstr(row->model_hash, ==, "hash");
    g_assert_cmpstr(row->model_name, ==, "Model");
    g_assert_cmpstr(row->model_path, ==, "/m/Model");
    g_assert_cmpint(row->rank, ==, 4);
    g_assert_cmpfloat(row->strength, ==, 1);
    g_assert_cmpint(row->deleted, ==, 0);
    g_assert_cmpint(row->current_version, ==, 0);
    g_assert_cmpint(row->current_number, ==, 0);
    g_assert_true(g_uuid_string_is_valid(row->uuid));
    g_assert_cmpint(ABS(g_get_real_time() - row->created), <, 60 * G_USEC_PER_SEC);

    g_autoptr(PenStyle) copy = pen_style_copy(row);
    g_assert_true(copy->name != row->name);
    g_assert_cmpstr(copy->name, ==, row->name);
    g_assert_null(pen_style_copy(NULL));

    g_autoptr(PenStyle) found = pen_store_find_style(fixture->store, "iNK", &error);
    g_assert_no_error(error);
    g_assert_cmpint(found->id, ==, ink);
    g_assert_null(pen_store_find_style(fixture->store, "Oil", &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_null(pen_store_get_style(fixture->store, 99, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_assert_cmpstr(error->message, ==, "There is no style 99.");
}

static void test_names(Fixture *fixture, gconstpointer data)
{
    static const char *const bad[] = { "", "  ", "a\nb", "a\x7f", "\xff\xfe" };
    static const char *const taken[] = { "straße", "STRASSE", "Strasse", " straße " };
    g_autoptr(GError) error = NULL;
    g_autofree char *longest = g_strnfill(PEN_STYLE_NAME_MAX, 'x');
    g_autofree char *too_long = g_strnfill(PEN_STYLE_NAME_MAX + 1, 'y');

    fixture_style(fixture->store, "Straße");
    fixture_style(fixture->store, "墨絵");
    fixture_style(fixture->store, "Ink “fine”, 50% ' \" ;");
    fixture_style(fixture->store, longest);
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_cmpint(pen_store_create_style(fixture->store, bad[i], "h", "M", NULL, 4, &error),
                        ==, 0);
        g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
        g_clear_error(&error);
    }
    g_assert_cmpint(pen_store_create_style(fixture->store, too_long, "h", "M", NULL, 4, &error), ==,
                    0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    for (gsize i = 0; i < G_N_ELEMENTS(taken); i++) {
        g_assert_cmpint(pen_store_create_style(fixture->store, taken[i], "h", "M", NULL, 4, &error),
                        ==, 0);
        g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NAME_TAKEN);
        g_clear_error(&error);
    }
    /* Composed and decomposed are the same name. */
    fixture_style(fixture->store, "Caf\xc3\xa9");
    g_assert_cmpint(
        pen_store_create_style(fixture->store, "Cafe\xcc\x81", "h", "M", NULL, 4, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NAME_TAKEN);
    g_clear_error(&error);
    /* A style without a model or with a senseless rank is refused. */
    g_assert_cmpint(pen_store_create_style(fixture->store, "A", NULL, "M", NULL, 4, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    g_assert_cmpint(pen_store_create_style(fixture->store, "A", "h", "M", NULL, 0, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
}

static void test_rename(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 ink = fixture_style(fixture->store, "Ink");
    fixture_style(fixture->store, "Oil");

    g_assert_false(pen_store_rename_style(fixture->store, ink, "OIL", &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NAME_TAKEN);
    g_clear_error(&error);
    g_assert_false(pen_store_rename_style(fixture->store, 99, "New", &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    /* Only the case changes: not taken by itself. */
    g_assert_true(pen_store_rename_style(fixture->store, ink, "INK", &error));
    assert_name(fixture->store, ink, "INK");
    g_assert_true(pen_store_rename_style(fixture->store, ink, "Tusche", &error));
    g_assert_no_error(error);
    assert_living(fixture->store, "Oil, Tusche");
    /* Renaming to the same name is no action. */
    g_assert_true(pen_store_rename_style(fixture->store, ink, "Tusche", &error));
    g_autoptr(GPtrArray) actions = pen_store_list_actions(fixture->store, 10, &error);
    g_assert_cmpuint(actions->len, ==, 2);

    g_autoptr(PenAction) undone = pen_store_undo(fixture->store, &error);
    g_assert_no_error(error);
    g_assert_cmpint(undone->kind, ==, PEN_ACTION_RENAME);
    g_assert_cmpint(undone->state, ==, PEN_ACTION_UNDONE);
    g_assert_cmpint(undone->style, ==, ink);
    g_assert_cmpstr(undone->old_name, ==, "INK");
    g_assert_cmpstr(undone->new_name, ==, "Tusche");
    g_assert_cmpstr(undone->style_name, ==, "INK");
    assert_name(fixture->store, ink, "INK");

    /* Its old name is taken now: it gets a free one, and redoing gives the new name back. */
    fixture_style(fixture->store, "Ink 2");
    g_autoptr(PenAction) redone = pen_store_redo(fixture->store, &error);
    g_assert_no_error(error);
    assert_name(fixture->store, ink, "Tusche");
    fixture_style(fixture->store, "ink");
    g_autoptr(PenAction) varied = pen_store_undo(fixture->store, &error);
    g_assert_cmpstr(varied->style_name, ==, "INK 3");
    assert_living(fixture->store, "ink, Ink 2, INK 3, Oil");
}

static void test_delete(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 ink = fixture_style(fixture->store, "Ink");

    g_assert_true(pen_store_delete_style(fixture->store, ink, &error));
    g_assert_true(pen_store_delete_style(fixture->store, ink, &error)); /* no second action */
    assert_living(fixture->store, "");
    g_autoptr(GPtrArray) deleted = pen_store_list_styles(fixture->store, TRUE, &error);
    g_assert_cmpuint(deleted->len, ==, 1);
    g_assert_null(pen_store_find_style(fixture->store, "Ink", &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_false(pen_store_rename_style(fixture->store, ink, "New", &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);

    gint64 second = fixture_style(fixture->store, "ink");
    g_autoptr(PenAction) undone = pen_store_undo(fixture->store, &error);
    g_assert_no_error(error);
    g_assert_cmpint(undone->kind, ==, PEN_ACTION_DELETE);
    g_assert_cmpstr(undone->style_name, ==, "Ink 2");
    assert_living(fixture->store, "ink, Ink 2");
    g_autoptr(PenAction) redone = pen_store_redo(fixture->store, &error);
    g_assert_no_error(error);
    assert_living(fixture->store, "ink");

    g_assert_true(pen_store_restore_style(fixture->store, ink, &error));
    g_assert_true(pen_store_delete_style(fixture->store, second, &error));
    assert_living(fixture->store, "Ink 2");
    g_assert_false(pen_store_delete_style(fixture->store, 99, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);

    /* All the way back, and all the way forth. */
    for (int i = 0; i < 3; i++) {
        g_autoptr(PenAction) action = pen_store_undo(fixture->store, &error);
        g_assert_no_error(error);
    }
    g_assert_null(pen_store_undo(fixture->store, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOTHING);
    g_clear_error(&error);
    assert_living(fixture->store, "ink, Ink 2");
    for (int i = 0; i < 3; i++) {
        g_autoptr(PenAction) action = pen_store_redo(fixture->store, &error);
        g_assert_no_error(error);
    }
    g_assert_null(pen_store_redo(fixture->store, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOTHING);
    assert_living(fixture->store, "Ink 2");
}

static void test_new_action_ends_redo(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 style = fixture_style(fixture->store, "A");
    g_assert_true(pen_store_rename_style(fixture->store, style, "B", &error));
    g_autoptr(PenAction) undone = pen_store_undo(fixture->store, &error);
    g_assert_true(pen_store_rename_style(fixture->store, style, "C", &error));
    g_assert_null(pen_store_redo(fixture->store, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOTHING);
    assert_name(fixture->store, style, "C");
    g_autoptr(PenAction) again = pen_store_undo(fixture->store, NULL);
    assert_name(fixture->store, style, "A");
}

static void test_versions(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    gint64 ink = fixture_style(store, "Ink");
    gint64 oil = fixture_style(store, "Oil");
    g_autoptr(GBytes) first = fixture_content(1);
    g_autoptr(GBytes) second = fixture_content(2);

    gint64 v1 = pen_store_add_style_version(store, ink, first, &error);
    g_assert_no_error(error);
    gint64 v2 = pen_store_add_style_version(store, ink, second, &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) versions = pen_store_list_style_versions(store, ink, &error);
    g_assert_cmpuint(versions->len, ==, 2);
    const PenStyleVersion *one = versions->pdata[0], *two = versions->pdata[1];
    g_assert_cmpint(one->id, ==, v1);
    g_assert_cmpint(one->number, ==, 1);
    g_assert_cmpint(one->parent, ==, 0);
    g_assert_cmpint(two->id, ==, v2);
    g_assert_cmpint(two->number, ==, 2);
    g_assert_cmpint(two->parent, ==, v1);
    g_assert_true(g_str_has_suffix(two->adapter_file, "/v2.safetensors"));
    g_autoptr(GBytes) read = pen_store_read(store, two->adapter_file, &error);
    g_assert_no_error(error);
    g_assert_true(g_bytes_equal(read, second));
    assert_number(store, ink, 2);

    /* Back to the first; the next one descends from it, and numbers go on. */
    g_assert_true(pen_store_set_style_version(store, ink, v1, &error));
    assert_number(store, ink, 1);
    gint64 v3 = pen_store_add_style_version(store, ink, second, &error);
    g_autoptr(PenStyleVersion) three = pen_store_get_style_version(store, v3, &error);
    g_assert_cmpint(three->number, ==, 3);
    g_assert_cmpint(three->parent, ==, v1);
    g_assert_true(pen_store_set_style_version(store, ink, 0, &error));
    assert_number(store, ink, 0);

    /* 2 -> 1 -> 3 -> 0, backwards. */
    static const int numbers[] = { 3, 1, 2, 1, 0 };
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autoptr(PenAction) action = pen_store_undo(store, &error);
        g_assert_no_error(error);
        g_assert_cmpint(action->kind, ==, PEN_ACTION_VERSION);
        assert_number(store, ink, numbers[i]);
    }
    for (int i = 0; i < 2; i++) {
        g_autoptr(PenAction) action = pen_store_redo(store, &error);
        g_assert_no_error(error);
    }
    assert_number(store, ink, 2);

    g_assert_false(pen_store_set_style_version(store, oil, v1, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    g_assert_false(pen_store_set_style_version(store, ink, 99, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
}

static void test_duplicate(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    gint64 ink = fixture_style(store, "Ink");
    gint64 bare = pen_store_duplicate_style(store, ink, "Bare", &error);
    g_assert_no_error(error);
    assert_number(store, bare, 0);

    g_autoptr(GBytes) content = fixture_content(1);
    gint64 version = pen_store_add_style_version(store, ink, content, &error);
    version = pen_store_add_style_version(store, ink, content, &error);
    g_assert_true(pen_store_set_style_strength(store, ink, 0.75, &error));
    gint64 copy = pen_store_duplicate_style(store, ink, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(PenStyle) row = pen_store_get_style(store, copy, &error);
    g_assert_cmpstr(row->name, ==, "Ink 2");
    g_assert_cmpfloat(row->strength, ==, 0.75);
    g_assert_cmpint(row->current_number, ==, 1);
    g_autoptr(PenStyleVersion) first =
        pen_store_get_style_version(store, row->current_version, &error);
    g_assert_cmpint(first->parent, ==, version);
    g_autoptr(GBytes) read = pen_store_read(store, first->adapter_file, &error);
    g_assert_true(g_bytes_equal(read, content));

    g_assert_cmpint(pen_store_duplicate_style(store, ink, "bare", &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NAME_TAKEN);
    g_clear_error(&error);
    g_assert_cmpint(pen_store_duplicate_style(store, 99, NULL, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_false(pen_store_set_style_strength(store, ink, 0.0 / 0.0, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    assert_living(store, "Bare, Ink, Ink 2");
}

static double strength_of(PenStore *store, gint64 style)
{
    g_autoptr(PenStyle) row = pen_store_get_style(store, style, NULL);
    return row->strength;
}

/* A strength that is turned step by step is one action. */
static void test_strength(Fixture *fixture, gconstpointer data)
{
    PenStore *store = fixture->store;
    g_autoptr(GError) error = NULL;
    gint64 ink = fixture_style(store, "Ink"), chalk = fixture_style(store, "Chalk");
    for (int i = 1; i <= 5; i++)
        g_assert_true(pen_store_set_style_strength(store, ink, 1 - i * 0.1, &error));
    g_assert_true(pen_store_set_style_strength(store, chalk, 1.5, &error));
    g_autoptr(PenAction) one = pen_store_undo(store, &error);
    g_assert_cmpint(one->kind, ==, PEN_ACTION_STRENGTH);
    g_assert_cmpfloat(strength_of(store, chalk), ==, 1);
    g_autoptr(PenAction) two = pen_store_undo(store, &error);
    g_assert_cmpfloat(strength_of(store, ink), ==, 1);
    g_autoptr(PenAction) again = pen_store_redo(store, &error);
    g_assert_cmpfloat(strength_of(store, ink), ==, 0.5);
    g_assert_no_error(error);
}

static void assert_recipe(PenStore *store, gint64 style, const char *recipe)
{
    g_autoptr(PenStyle) row = pen_store_get_style(store, style, NULL);
    g_assert_cmpstr(row->recipe, ==, recipe);
}

/* It comes and goes like a name, and goes along with a copy. */
static void test_recipe(Fixture *fixture, gconstpointer data)
{
    PenStore *store = fixture->store;
    g_autoptr(GError) error = NULL;
    gint64 ink = fixture_style(store, "Ink");
    assert_recipe(store, ink, NULL);
    g_assert_true(pen_store_set_style_recipe(store, ink, "{\"steps\":8}", &error));
    g_assert_true(pen_store_set_style_recipe(store, ink, "{\"steps\":8}", &error)); /* no action */
    g_assert_true(pen_store_set_style_recipe(store, ink, NULL, &error));
    g_autoptr(PenAction) one = pen_store_undo(store, &error);
    g_assert_cmpint(one->kind, ==, PEN_ACTION_RECIPE);
    assert_recipe(store, ink, "{\"steps\":8}");
    gint64 copy = pen_store_duplicate_style(store, ink, NULL, &error);
    assert_recipe(store, copy, "{\"steps\":8}");
    g_autoptr(PenAction) two = pen_store_undo(store, &error);
    assert_recipe(store, ink, NULL);
    g_autoptr(PenAction) again = pen_store_redo(store, &error);
    assert_recipe(store, ink, "{\"steps\":8}");
    g_assert_no_error(error);
    g_assert_true(pen_store_delete_style(store, ink, &error));
    g_assert_false(pen_store_set_style_recipe(store, ink, NULL, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
}

/* What was done before there were recipes can be undone still. */
static void test_actions_before_recipes(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    const char *older[16] = { NULL };
    for (int i = 0; i < 11; i++)
        older[i] = pen_store_migrations[i];
    g_autofree char *folder = fixture_folder();
    PenStore *store = pen_store_open_with_migrations(folder, older, &error);
    g_assert_no_error(error);
    g_assert_true(pen_sql_run(store->sql, &error,
                              "INSERT INTO styles (id, uuid, name, name_key, created, model_hash, "
                              "model_name, rank, strength) VALUES (1, 'u', 'Oil', 'oil', 1, 'h', 'M', 4, 1)"));
    g_assert_true(pen_sql_run(store->sql, &error,
                              "INSERT INTO actions (kind, created, state, style, old_name, new_name) "
                              "VALUES ('rename', 1, 'done', 1, 'Ink', 'Oil')"));
    pen_store_close(store);
    store = fixture_open(folder);
    assert_recipe(store, 1, NULL);
    g_autoptr(PenAction) undone = pen_store_undo(store, &error);
    g_assert_no_error(error);
    assert_name(store, 1, "Ink");
    pen_store_close(store);
    fixture_remove(folder);
}

/* Each place of the window undoes what was done there, and nothing that is older than itself. */
static void test_scopes(Fixture *fixture, gconstpointer data)
{
    PenStore *store = fixture->store;
    g_autoptr(GError) error = NULL;
    gint64 round = fixture_complete_round(store, 0, 2, &error);
    g_assert_cmpint(fixture_pick(store, round, 0, 2, &error), >, 0);
    g_autoptr(GPtrArray) before = pen_store_list_actions(store, 1, NULL);
    gint64 after = ((PenAction *)before->pdata[0])->id;
    g_assert_false(pen_store_can_undo(store, PEN_SCOPE_PICKS, after, FALSE));
    g_assert_true(pen_store_can_undo(store, PEN_SCOPE_PICKS, 0, FALSE));
    g_assert_null(pen_store_undo_in(store, PEN_SCOPE_PICKS, after, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOTHING);
    g_clear_error(&error);

    gint64 second = fixture_pick(store, round, 1, 2, &error);
    gint64 ink = fixture_style(store, "Ink");
    g_assert_true(pen_store_rename_style(store, ink, "Tusche", &error));
    g_autoptr(PenAction) pick = pen_store_undo_in(store, PEN_SCOPE_PICKS, after, &error);
    g_assert_cmpint(pick->pick, ==, second);
    assert_living(store, "Tusche");
    g_assert_null(pen_store_undo_in(store, PEN_SCOPE_COMPARISONS, after, NULL));
    g_assert_null(pen_store_redo_in(store, PEN_SCOPE_STYLES, after, NULL));
    g_autoptr(PenAction) name = pen_store_undo_in(store, PEN_SCOPE_STYLES, after, &error);
    assert_living(store, "Ink");
    g_assert_true(pen_store_can_undo(store, PEN_SCOPE_PICKS, after, TRUE));
    g_autoptr(PenAction) again = pen_store_redo_in(store, PEN_SCOPE_PICKS, after, &error);
    g_assert_cmpint(again->pick, ==, second);
    g_autoptr(PenPick) valid = pen_store_get_pick(store, round, &error);
    g_assert_cmpint(valid->id, ==, second);
    g_assert_no_error(error);
}

/* What is written stays after closing. */
static void test_reopen(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 ink = fixture_style(fixture->store, "Ink");
    g_assert_true(pen_store_rename_style(fixture->store, ink, "Tusche", &error));
    pen_store_close(fixture->store);
    fixture->store = fixture_open(fixture->folder);
    assert_living(fixture->store, "Tusche");
    g_autoptr(PenAction) undone = pen_store_undo(fixture->store, &error);
    g_assert_no_error(error);
    assert_living(fixture->store, "Ink");
}

#define ADD(name, func) g_test_add("/store/" name, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("styles/create", test_create);
    ADD("styles/names", test_names);
    ADD("styles/rename", test_rename);
    ADD("styles/delete", test_delete);
    ADD("styles/new-action-ends-redo", test_new_action_ends_redo);
    ADD("styles/versions", test_versions);
    ADD("styles/duplicate", test_duplicate);
    ADD("styles/strength", test_strength);
    ADD("styles/recipe", test_recipe);
    ADD("styles/actions-before-recipes", test_actions_before_recipes);
    ADD("styles/undo-scopes", test_scopes);
    ADD("styles/reopen", test_reopen);
    return g_test_run();
}
