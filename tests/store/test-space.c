// SPDX-License-Identifier: GPL-3.0-or-later
//
// How much a store keeps, what can be thinned, and that a large one opens at once.

#include "src/store/history.h"
#include "src/store/private.h"
#include "src/store/repair.h"
#include "src/store/space.h"
#include "src/store/trash.h"
#include "tests/store/fixture.h"

#define CONTENT 300 /* bytes of fixture_content() */

static PenSpace measure(PenStore *store, gint64 round)
{
    g_autoptr(GError) error = NULL;
    PenSpace space;
    g_assert_true(pen_store_measure(store, round, &space, &error));
    g_assert_no_error(error);
    return space;
}

static void test_measure(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    PenSpace space = measure(store, 0);
    g_assert_cmpuint(space.rounds + space.pictures + space.trajectories + space.others, ==, 0);
    g_assert_cmpuint(space.database, >, 0);
    gint64 first = fixture_complete_round(store, 0, 4, &error);
    fixture_complete_round(store, 0, 2, &error);
    g_autoptr(GBytes) content = fixture_content(1);
    g_assert_true(pen_store_set_round_start(store, first, content, content, &error));
    space = measure(store, 0);
    g_assert_cmpuint(space.rounds, ==, 2);
    g_assert_cmpuint(space.thin, ==, 0);
    g_assert_cmpuint(space.pictures, ==, 6 * CONTENT);
    g_assert_cmpuint(space.trajectories, ==, 6 * CONTENT);
    g_assert_cmpuint(space.others, ==, 2 * CONTENT);
    space = measure(store, first);
    g_assert_cmpuint(space.rounds, ==, 1);
    g_assert_cmpuint(space.pictures, ==, 4 * CONTENT);
    g_assert_cmpuint(space.others, ==, 2 * CONTENT);
    g_assert_cmpuint(space.database, ==, 0);
}

static void test_budget(Fixture *fixture, gconstpointer data)
{
    guint64 bytes = 1;
    g_assert_true(pen_store_get_trajectory_budget(fixture->store, &bytes, NULL));
    g_assert_cmpuint(bytes, ==, 0);
    g_assert_true(pen_store_set_trajectory_budget(fixture->store, 20000000000, NULL));
    pen_store_close(fixture->store);
    fixture->store = fixture_open(fixture->folder);
    g_assert_true(pen_store_get_trajectory_budget(fixture->store, &bytes, NULL));
    g_assert_cmpuint(bytes, ==, 20000000000);
}

static GPtrArray *thin_files(guint n)
{
    GPtrArray *thin = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    for (guint i = 0; i < n; i++)
        g_ptr_array_add(thin, g_bytes_new_static("thin", 4));
    return thin;
}

static void assert_thick(PenStore *store, guint n, gint64 oldest)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) rounds = pen_store_list_thick_rounds(store, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(rounds->len, ==, n);
    if (n)
        g_assert_cmpint(g_array_index(rounds, gint64, 0), ==, oldest);
}

static void assert_refused(PenStore *store, gint64 round, GPtrArray *thin)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(pen_store_thin_round(store, round, thin, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_BUSY);
}

static void test_thin(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    gint64 first = fixture_complete_round(store, 0, 3, &error);
    gint64 second = fixture_complete_round(store, 0, 3, &error);
    assert_thick(store, 2, first);
    g_autoptr(GPtrArray) thin = thin_files(3);
    g_autoptr(GPtrArray) before = pen_store_list_candidates(store, first, &error);
    g_assert_true(pen_store_thin_round(store, first, thin, &error));
    g_assert_no_error(error);
    assert_thick(store, 1, second);
    assert_refused(store, first, thin);
    g_autoptr(GPtrArray) after = pen_store_list_candidates(store, first, &error);
    for (guint i = 0; i < 3; i++) {
        const PenCandidate *old = before->pdata[i], *now = after->pdata[i];
        g_autofree char *path = pen_store_path(store, old->trajectory_file);
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
        g_autoptr(GBytes) content = pen_store_read(store, now->trajectory_file, &error);
        g_assert_true(g_bytes_equal(content, thin->pdata[i]));
        g_assert_cmpstr(now->picture_file, ==, old->picture_file);
    }
    PenSpace space = measure(store, 0);
    g_assert_cmpuint(space.thin, ==, 1);
    g_assert_cmpuint(space.trajectories, ==, 3 * 4 + 3 * CONTENT);
    /* Nothing of it is garbage, or missing. */
    PenGarbage deleted;
    g_assert_true(pen_store_collect_garbage(store, -1, &deleted, &error));
    g_assert_cmpuint(deleted.files, ==, 0);
    g_auto(GStrv) missing = pen_store_list_missing_files(store, &error);
    g_assert_null(missing[0]);
}

/* What an unfinished lesson needs, what is in the trash, and what is being made, stays as it is. */
static void test_in_use(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    gint64 style = fixture_style(store, "Ink");
    gint64 taught = fixture_complete_round(store, style, 2, &error);
    fixture_pick(store, taught, 0, 2, &error);
    gint64 run = fixture_begin_run(store, style, &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) thin = thin_files(2);
    assert_thick(store, 0, 0);
    assert_refused(store, taught, thin);
    g_assert_true(pen_store_stop_run(store, run, PEN_RUN_PAUSED, NULL, &error));
    assert_thick(store, 0, 0);
    g_assert_true(pen_store_stop_run(store, run, PEN_RUN_ABANDONED, NULL, &error));
    assert_thick(store, 1, taught);
    g_assert_true(pen_store_delete_round(store, taught, &error));
    assert_thick(store, 0, 0);
    PenRound round = fixture_round(style, "a cat");
    const guint64 seeds[2] = { 1, 2 };
    gint64 running = pen_store_begin_round(store, &round, seeds, 2, &error);
    g_autoptr(GBytes) content = fixture_content(1);
    g_assert_true(pen_store_finish_candidate(store, running, 0, content, content, &error));
    assert_thick(store, 0, 0);
    /* A candidate that was never finished has nothing to thin. */
    g_assert_true(pen_store_end_round(store, running, PEN_ROUND_CANCELLED, &error));
    assert_thick(store, 1, running);
    g_ptr_array_set_size(thin, 1);
    g_assert_true(pen_store_thin_round(store, running, thin, &error));
    assert_thick(store, 0, 0);
}

/* After a lost database, thinned rounds come back, too. */
static void test_repair(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 round = fixture_complete_round(fixture->store, 0, 2, &error);
    g_autoptr(GPtrArray) thin = thin_files(2);
    g_assert_true(pen_store_thin_round(fixture->store, round, thin, &error));
    pen_store_close(fixture->store);
    g_assert_true(pen_store_move_aside(fixture->folder, NULL, &error));
    fixture->store = fixture_open(fixture->folder);
    PenRound row = fixture_round(0, "a bird");
    row.id = round;
    row.created = 1;
    const guint64 seeds[2] = { 1, 2 };
    pen_store_restore_round(fixture->store, &row, seeds, 2, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(measure(fixture->store, 0).thin, ==, 1);
}

/* Ten thousand picked rounds of four candidates. */
static void fill(PenStore *store)
{
    static const char script[] =
        "BEGIN;"
        "CREATE TEMP TABLE numbers AS WITH RECURSIVE n (value) AS "
        "  (SELECT 0 UNION ALL SELECT value + 1 FROM n WHERE value < 10000) SELECT value FROM n;"
        "INSERT INTO rounds (id, style_strength, prompt, model_path, model_name, model_hash, width,"
        "  height, steps, guidance, eta, seed, sampler, prediction_type, start, start_strength, created,"
        "  state)"
        "  SELECT value, 1, 'a bird ' || value, '/m', 'M', 'hash', 64, 64, 20, 5, 1, value, 'ddim',"
        "  'epsilon', 'text', 1, value, 'complete' FROM numbers WHERE value > 0;"
        "INSERT INTO candidates (round, place, seed, picture_file, trajectory_file, state)"
        "  SELECT r.id, value, r.id, 'rounds/' || r.id || '/' || value || '.png',"
        "  'rounds/' || r.id || '/' || value || '.safetensors', 'complete'"
        "  FROM rounds r, numbers WHERE value < 4;"
        "INSERT INTO picks (id, round, created) SELECT id, id, id FROM rounds;"
        "INSERT INTO actions (kind, created, state, pick) SELECT 'pick', id, 'done', id FROM picks;"
        "INSERT INTO pick_ranks SELECT round, id, place FROM candidates;"
        "DROP TABLE numbers;"
        "COMMIT";
    g_autoptr(GError) error = NULL;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    pen_sql_script(store->sql, script, &error);
    g_assert_no_error(error);
}

/* What the window does before anything can be seen. The machine may be busy: the best of some tries. */
static void test_large(Fixture *fixture, gconstpointer data)
{
    gint64 best = G_MAXINT64;
    fill(fixture->store);
    for (int i = 0; i < 10; i++) {
        g_autoptr(GError) error = NULL;
        pen_store_close(fixture->store);
        gint64 begun = g_get_monotonic_time();
        fixture->store = fixture_open(fixture->folder);
        PenHistoryFilter filter = { 0 };
        g_autoptr(GPtrArray) history = pen_store_list_history(fixture->store, &filter, 0, 50, &error);
        g_autoptr(GPtrArray) styles = pen_store_list_styles(fixture->store, FALSE, &error);
        g_autoptr(GPtrArray) candidates = pen_store_list_candidates(fixture->store, 10000, &error);
        best = MIN(best, g_get_monotonic_time() - begun);
        g_assert_no_error(error);
        g_assert_cmpuint(history->len, ==, 50);
        g_assert_cmpuint(candidates->len, ==, 4);
    }
    g_test_message("10,000 rounds open in %.1f ms", (double)best / 1e3);
    g_assert_cmpint(best, <, 100000);
}

#define ADD(name, func) g_test_add("/space/" name, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("measure", test_measure);
    ADD("budget", test_budget);
    ADD("thin", test_thin);
    ADD("in-use", test_in_use);
    ADD("repair", test_repair);
    ADD("large", test_large);
    return g_test_run();
}
