// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/history.h"
#include "src/store/picks.h"
#include "src/store/private.h"
#include "src/store/rounds.h"
#include "tests/store/fixture.h"

#define MANY 2000

typedef struct {
    char *folder;
    PenStore *store;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->folder = fixture_folder();
    fixture->store = fixture_open(fixture->folder);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    pen_store_close(fixture->store);
    fixture_remove(fixture->folder);
    g_free(fixture->folder);
}

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

#define ADD(name, func) g_test_add("/store/" name, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("history/find", test_find);
    ADD("history/many", test_many);
    return g_test_run();
}
