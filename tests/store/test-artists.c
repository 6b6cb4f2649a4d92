// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/artists.h"

#include "src/store/private.h"
#include "tests/store/fixture.h"

static gint64 make_round(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    gint64 round = fixture_complete_round(fixture->store, fixture->style, 4, &error);
    g_assert_no_error(error);
    return round;
}

static void pick(Fixture *fixture, const char *artist, gint64 round, int best)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(pen_store_set_artist(fixture->store, artist, &error));
    g_assert_cmpint(fixture_pick(fixture->store, round, best, 4, &error), >, 0);
}

static void test_own_name(Fixture *fixture, gconstpointer data)
{
    static const char *const bad[] = { "", " anna", "anna ", "anna,bo", "an\nna", "\xff" };
    g_autoptr(GError) error = NULL;
    g_autofree char *login = pen_store_get_artist(fixture->store);
    g_assert_cmpstr(login, ==, g_get_user_name());
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_false(pen_store_set_artist(fixture->store, bad[i], &error));
        g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
        g_clear_error(&error);
    }
    g_assert_true(pen_store_set_artist(fixture->store, "Änne Berg", &error));
    pen_store_close(fixture->store);
    fixture->store = fixture_open(fixture->folder);
    g_autofree char *name = pen_store_get_artist(fixture->store);
    g_assert_cmpstr(name, ==, "Änne Berg");
    g_setenv("PENCHANT_ARTIST", "bo", TRUE);
    g_autofree char *other = pen_store_get_artist(fixture->store);
    g_assert_cmpstr(other, ==, "bo");
    g_unsetenv("PENCHANT_ARTIST");
}

static void assert_picks(Fixture *fixture, const char *const *artists, guint n)
{
    g_autoptr(GPtrArray) picks = pen_store_list_picks(fixture->store, fixture->style, FALSE, NULL);
    pen_picks_keep_artists(picks, artists);
    g_assert_cmpuint(picks->len, ==, n);
}

static void test_two_rankings(Fixture *fixture, gconstpointer data)
{
    static const char *const anna[] = { "anna", NULL };
    static const char *const both[] = { "bo", "anna", NULL };
    static const char *const nobody[] = { "cy", NULL };
    PenStore *store = fixture->store;
    g_autoptr(GError) error = NULL;
    gint64 round = make_round(fixture), other = make_round(fixture);
    pick(fixture, "anna", round, 1);
    pick(fixture, "bo", round, 2);
    pick(fixture, "bo", other, 3);
    assert_picks(fixture, NULL, 3);
    assert_picks(fixture, both, 3);
    assert_picks(fixture, anna, 1);
    assert_picks(fixture, nobody, 0);
    pen_store_choose_artists(store, anna);
    assert_picks(fixture, NULL, 1);
    pen_store_choose_artists(store, NULL);
    assert_picks(fixture, NULL, 3);

    /* Each sees, changes and takes back what is theirs. */
    fixture_assert_pick(store, round, "2>0=1=3");
    pick(fixture, "anna", round, 0);
    fixture_assert_pick(store, round, "0>1=2=3");
    assert_picks(fixture, NULL, 3);
    g_autoptr(PenAction) undone = pen_store_undo(store, &error);
    fixture_assert_pick(store, round, "1>0=2=3");
    g_assert_true(pen_store_withdraw_pick(store, round, &error));
    fixture_assert_pick(store, round, NULL);
    assert_picks(fixture, NULL, 2);
    g_assert_true(pen_store_set_artist(store, "bo", &error));
    fixture_assert_pick(store, round, "2>0=1=3");
    g_assert_no_error(error);
}

static void test_agreement(Fixture *fixture, gconstpointer data)
{
    PenStore *store = fixture->store;
    g_autoptr(GError) error = NULL;
    PenAgreement agreement;
    gint64 alike = make_round(fixture), unlike = make_round(fixture), alone = make_round(fixture);
    pick(fixture, "anna", alike, 0);
    pick(fixture, "anna", unlike, 0);
    pick(fixture, "anna", alone, 0);
    pick(fixture, "bo", alike, 0);
    pick(fixture, "bo", unlike, 1);
    g_autoptr(GPtrArray) artists = pen_store_list_artists(store, fixture->style, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(artists->len, ==, 2);
    const PenArtist *anna = artists->pdata[0], *bo = artists->pdata[1];
    g_assert_cmpstr(anna->name, ==, "anna");
    g_assert_cmpint(anna->picks, ==, 3);
    g_assert_cmpstr(bo->name, ==, "bo");
    g_assert_cmpint(bo->picks, ==, 2);
    /* The same best is better than three for both; of two bests that pair alone is preferred by
     * both. */
    g_assert_true(pen_store_get_agreement(store, fixture->style, "anna", "bo", &agreement, &error));
    g_assert_cmpint(agreement.pairs, ==, 4);
    g_assert_cmpint(agreement.alike, ==, 3);
    g_assert_true(pen_store_get_agreement(store, fixture->style, "anna", "cy", &agreement, &error));
    g_assert_cmpint(agreement.pairs, ==, 0);
    g_assert_cmpint(agreement.alike, ==, 0);
}

/* Picks of a store that knew no names are the login's. */
static void test_older_store(Fixture *fixture, gconstpointer data)
{
    enum { BEFORE = 16 };
    const char *older[BEFORE + 1] = { NULL };
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = fixture_folder();
    for (int i = 0; i < BEFORE; i++)
        older[i] = pen_store_migrations[i];
    PenStore *store = pen_store_open_with_migrations(folder, older, &error);
    g_assert_no_error(error);
    gint64 style = fixture_style(store, "Ink");
    gint64 round = fixture_complete_round(store, style, 2, &error);
    {
        g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
        pen_sql_lock(&scope, store->sql);
        pen_sql_script(
            store->sql,
            "INSERT INTO picks (round, created) VALUES (1, 1);"
            "INSERT INTO pick_ranks SELECT 1, id, place FROM candidates;"
            "INSERT INTO actions (kind, created, state, pick) VALUES ('pick', 1, 'done', 1)",
            &error);
        g_assert_no_error(error);
    }
    pen_store_close(store);
    store = fixture_open(folder);
    g_autoptr(PenPick) pick = pen_store_get_pick(store, round, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(pick->artist, ==, g_get_user_name());
    fixture_assert_pick(store, round, "1>0");
    pen_store_close(store);
    fixture_remove(folder);
}

#define ADD(path, function)                                                                        \
    g_test_add("/store/artists/" path, Fixture, NULL, fixture_set_up_style, function, fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_unsetenv("PENCHANT_ARTIST");
    ADD("own-name", test_own_name);
    ADD("two-rankings", test_two_rankings);
    ADD("agreement", test_agreement);
    ADD("older-store", test_older_store);
    return g_test_run();
}
