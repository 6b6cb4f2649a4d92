// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/history.h"
#include "src/store/picks.h"
#include "src/store/private.h"
#include "src/store/repair.h"
#include "src/store/rounds.h"
#include "src/store/trash.h"
#include "tests/store/fixture.h"

#define MANY 2000

static void script(PenStore *store, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    g_assert_true(pen_sql_begin(&scope, store->sql, &error));
    g_assert_true(pen_sql_script(store->sql, text, &error));
    g_assert_true(pen_sql_commit(&scope, &error));
}

static GPtrArray *list(Fixture *fixture, const char *words, gint64 style, gint64 before, int limit)
{
    g_autoptr(GError) error = NULL;
    PenHistoryFilter filter = { words, style };
    GPtrArray *rounds = pen_store_list_history(fixture->store, &filter, before, limit, &error);
    g_assert_no_error(error);
    return rounds;
}

static gint64 round_at(GPtrArray *rounds, guint i)
{
    g_assert_cmpuint(i, <, rounds->len);
    return ((PenPastRound *)rounds->pdata[i])->round;
}

static void test_find(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    gint64 ink = fixture_style(store, "Ink");
    gint64 first = fixture_complete_round(store, 0, 3, &error);
    gint64 second = fixture_complete_round(store, ink, 3, &error);
    gint64 third = fixture_complete_round(store, 0, 3, &error);
    script(store, "UPDATE rounds SET prompt = 'Ölbild einer Katze' WHERE id = 1;"
                  "UPDATE rounds SET prompt = '100% cat' WHERE id = 3;");
    g_assert_cmpint(fixture_pick(store, second, 2, 3, &error), >, 0);

    g_autoptr(GPtrArray) all = list(fixture, NULL, 0, 0, 10);
    g_assert_cmpuint(all->len, ==, 3);
    g_assert_cmpint(round_at(all, 0), ==, third);
    g_autoptr(GPtrArray) older = list(fixture, "", 0, third, 1);
    g_assert_cmpuint(older->len, ==, 1);
    g_assert_cmpint(round_at(older, 0), ==, second);
    g_autoptr(GPtrArray) words = list(fixture, " katze ölbild ", 0, 0, 10);
    g_assert_cmpuint(words->len, ==, 1);
    g_assert_cmpint(round_at(words, 0), ==, first);
    g_autoptr(GPtrArray) sign = list(fixture, "%", 0, 0, 10);
    g_assert_cmpuint(sign->len, ==, 1);
    g_autoptr(GPtrArray) styled = list(fixture, NULL, ink, 0, 10);
    g_assert_cmpuint(styled->len, ==, 1);

    /* The best is its face; without a pick the first is. */
    const PenPastRound *voted = styled->pdata[0];
    g_assert_true(voted->voted);
    g_assert_cmpstr(voted->style_name, ==, "Ink");
    g_assert_true(g_str_has_suffix(voted->picture, "/2.png"));
    g_autoptr(PenPastRound) other = pen_store_get_past_round(store, third, &error);
    g_assert_false(other->voted);
    g_assert_true(g_str_has_suffix(other->picture, "/0.png"));
    g_assert_null(pen_store_get_past_round(store, 99, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
}

/* A page of thousands comes as fast as one of ten: well within the time that input may wait. */
static void test_many(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(fixture_complete_round(fixture->store, 0, 4, &error), ==, 1);
    g_autofree char *text = g_strdup_printf(
        "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
        "INSERT INTO rounds (style_strength, prompt, model_path, model_name, model_hash, width, "
        "height, steps, guidance, eta, seed, sampler, prediction_type, start, start_strength, "
        "created, state) SELECT style_strength, 'cat no. ' || i, model_path, model_name, "
        "model_hash, width, height, steps, guidance, eta, seed, sampler, prediction_type, start, "
        "start_strength, r.created, r.state FROM rounds r, n WHERE r.id = 1;"
        "INSERT INTO candidates (round, place, seed, picture_file, state) "
        "SELECT r.id, c.place, c.seed, c.picture_file, c.state FROM rounds r, candidates c "
        "WHERE c.round = 1 AND r.id > 1;"
        "INSERT INTO picks (round, created) SELECT id, 1 FROM rounds;"
        "INSERT INTO pick_ranks SELECT p.id, c.id, c.place = 1 FROM picks p "
        "JOIN candidates c ON c.round = p.round;"
        "INSERT INTO actions (kind, created, state, pick) SELECT 'pick', 1, 'done', id FROM picks;",
        MANY);
    script(fixture->store, text);
    gint64 before = g_get_monotonic_time();
    g_autoptr(GPtrArray) page = list(fixture, NULL, 0, 0, 60);
    g_autoptr(GPtrArray) found = list(fixture, "NO. 17", 0, 0, 60);
    double ms = (double)(g_get_monotonic_time() - before) / 2000;
    g_assert_cmpuint(page->len, ==, 60);
    g_assert_cmpuint(found->len, ==, 60);
    g_test_message("a page of %d rounds: %.1f ms", MANY, ms);
    g_assert_cmpfloat(ms, <, 500); /* a machine may be busy; it takes a few */
}

static guint count_picks(Fixture *fixture, gint64 style, gboolean only_new)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) picks = pen_store_list_picks(fixture->store, style, only_new, &error);
    g_assert_no_error(error);
    return picks->len;
}

static gboolean has_files(Fixture *fixture, gint64 round)
{
    g_autofree char *folder = g_strdup_printf("%s/rounds/%d", fixture->folder, (int)round);
    return g_file_test(folder, G_FILE_TEST_EXISTS);
}

/* Out of sight everywhere, and back as it was. */
static void test_delete(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    gint64 ink = fixture_style(store, "Ink");
    gint64 rounds[3];
    for (int i = 0; i < 3; i++) {
        rounds[i] = fixture_complete_round(store, ink, 3, &error);
        fixture_pick(store, rounds[i], 1, 3, &error);
    }
    script(store, "UPDATE rounds SET prompt = 'a thing of round ' || id;");
    g_assert_true(pen_store_delete_round(store, rounds[1], &error));

    g_autoptr(GPtrArray) seen = list(fixture, NULL, 0, 0, 10);
    g_autoptr(GPtrArray) found = list(fixture, "round 2", 0, 0, 10);
    g_autoptr(GPtrArray) all = pen_store_list_rounds(store, 0, 10, &error);
    g_auto(GStrv) prompts = pen_store_list_prompts(store, 10, &error);
    g_assert_cmpuint(seen->len, ==, 2);
    g_assert_cmpuint(found->len, ==, 0);
    g_assert_cmpuint(all->len, ==, 2);
    g_assert_cmpuint(g_strv_length(prompts), ==, 2);
    g_assert_cmpint(pen_store_find_neighbour(store, rounds[2], -1), ==, rounds[0]);
    g_assert_cmpint(pen_store_find_neighbour(store, rounds[0], 1), ==, rounds[2]);
    g_assert_cmpuint(count_picks(fixture, ink, FALSE), ==, 2);
    fixture_assert_pick(store, rounds[1], NULL);
    g_assert_cmpint(fixture_pick(store, rounds[1], 0, 3, NULL), ==, 0);

    /* Undo passes over its pick: the one of round 3, then that of round 1. */
    for (int i = 2; i >= 0; i -= 2) {
        g_autoptr(PenAction) action = pen_store_undo(store, &error);
        g_assert_cmpint(action->round, ==, rounds[i]);
    }
    g_assert_false(pen_store_can_undo(store, PEN_SCOPE_PICKS, 0, FALSE));

    g_assert_false(pen_store_delete_round(store, rounds[1], &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_true(pen_store_undelete_round(store, rounds[1], &error));
    fixture_assert_pick(store, rounds[1], "1>0=2");
    g_assert_true(has_files(fixture, rounds[1]));
    g_assert_false(pen_store_undelete_round(store, rounds[0], NULL)); /* it is not deleted */
}

/* What a style has learnt stays learnt; the files go when nobody needs them. */
static void test_trash(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    gint64 ink = fixture_style(store, "Ink");
    gint64 learnt = fixture_complete_round(store, ink, 3, &error);
    fixture_pick(store, learnt, 1, 3, &error);
    gint64 run = fixture_begin_run(store, ink, &error);
    g_assert_true(pen_store_delete_round(store, learnt, &error));
    gint64 kept = fixture_complete_round(store, ink, 3, &error);

    PenRound plan = fixture_round(ink, "a bird");
    gint64 making = pen_store_begin_round(store, &plan, (const guint64[]){ 1 }, 1, &error);
    g_assert_false(pen_store_delete_round(store, making, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);

    /* The lesson that is under way still has its round. */
    g_assert_true(pen_store_empty_trash(store, -1, &error));
    g_assert_true(has_files(fixture, learnt));
    g_assert_true(pen_store_stop_run(store, run, PEN_RUN_FAILED, NULL, &error));
    g_assert_true(pen_store_empty_trash(store, 60, &error)); /* too young */
    g_assert_true(has_files(fixture, learnt));
    g_assert_true(pen_store_empty_trash(store, -1, &error));
    g_assert_no_error(error);
    g_assert_false(has_files(fixture, learnt));
    g_assert_true(has_files(fixture, kept));

    g_autoptr(GPtrArray) picks = pen_store_list_run_picks(store, run, &error);
    g_assert_cmpuint(picks->len, ==, 1);
    g_auto(GStrv) missing = pen_store_list_missing_files(store, &error);
    g_assert_cmpuint(g_strv_length(missing), ==, 0);
    g_assert_false(pen_store_undelete_round(store, learnt, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_true(pen_store_check(store, &error));
}

#define ADD(name, func) g_test_add("/store/" name, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("history/find", test_find);
    ADD("history/many", test_many);
    ADD("history/delete", test_delete);
    ADD("history/trash", test_trash);
    return g_test_run();
}
