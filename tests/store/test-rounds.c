// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>

#include "tests/store/fixture.h"

static gint64 complete_round(Fixture *fixture, int n)
{
    g_autoptr(GError) error = NULL;
    gint64 round = fixture_complete_round(fixture->store, fixture->style, n, &error);
    g_assert_no_error(error);
    return round;
}

static void pick(Fixture *fixture, gint64 round, int best)
{
    g_autoptr(GError) error = NULL;
    fixture_pick(fixture->store, round, best, 4, &error);
    g_assert_no_error(error);
}

static guint count_picks(Fixture *fixture, gint64 style, gboolean only_new)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) picks = pen_store_list_picks(fixture->store, style, only_new, &error);
    g_assert_no_error(error);
    return picks->len;
}

/* Teaches the style all its new picks, at once. */
static gint64 teach(Fixture *fixture, gint64 style)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) adapter = fixture_content(9);
    gint64 run = fixture_begin_run(fixture->store, style, &error);
    g_assert_no_error(error);
    gint64 version = pen_store_finish_run(fixture->store, run, adapter, &error);
    g_assert_no_error(error);
    return version;
}

static void assert_exists(Fixture *fixture, const char *relative, gboolean exists)
{
    g_autofree char *path = pen_store_path(fixture->store, relative);
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS) == exists);
}

static void test_round(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    PenRound round = fixture_round(fixture->style, "ein Käfig voller 鳥");
    const guint64 seeds[] = { 0, G_MAXUINT64, 7 };
    round.seed = G_MAXUINT64 - 1;
    round.negative_prompt = (char *)"blurry";
    round.start = PEN_START_SELECTION;
    round.start_strength = 0.6;

    gint64 id = pen_store_begin_round(store, &round, seeds, 3, &error);
    g_assert_no_error(error);
    g_autoptr(GBytes) start = fixture_content(5);
    g_autoptr(GBytes) mask = fixture_content(6);
    g_assert_true(pen_store_set_round_start(store, id, start, mask, &error));
    g_autoptr(PenRound) row = pen_store_get_round(store, id, &error);
    g_assert_no_error(error);
    g_assert_cmpint(row->style, ==, fixture->style);
    g_assert_cmpint(row->style_version, ==, 0);
    g_assert_cmpstr(row->prompt, ==, round.prompt);
    g_assert_cmpstr(row->negative_prompt, ==, "blurry");
    g_assert_cmpstr(row->model_path, ==, "/models/model");
    g_assert_cmpint(row->width, ==, 64);
    g_assert_cmpint(row->steps, ==, 20);
    g_assert_cmpfloat(row->guidance, ==, 5);
    g_assert_true(row->seed == G_MAXUINT64 - 1);
    g_assert_cmpstr(row->sampler, ==, "ddim");
    g_assert_cmpstr(row->precision, ==, "f32");
    g_assert_cmpint(row->start, ==, PEN_START_SELECTION);
    g_assert_cmpfloat(row->start_strength, ==, 0.6);
    g_assert_cmpint(row->state, ==, PEN_ROUND_RUNNING);
    g_autoptr(GBytes) read_mask = pen_store_read(store, row->mask_file, &error);
    g_assert_true(g_bytes_equal(read_mask, mask));

    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, id, &error);
    g_assert_cmpuint(candidates->len, ==, 3);
    const PenCandidate *second = candidates->pdata[1];
    g_assert_cmpint(second->place, ==, 1);
    g_assert_true(second->seed == G_MAXUINT64);
    g_assert_null(second->picture_file);

    g_autoptr(GBytes) picture = fixture_content(1);
    g_assert_true(pen_store_finish_candidate(store, id, 1, picture, NULL, &error));
    g_assert_false(pen_store_finish_candidate(store, id, 1, picture, NULL, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    g_assert_false(pen_store_finish_candidate(store, id, 3, picture, NULL, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    g_assert_false(pen_store_end_round(store, id, PEN_ROUND_COMPLETE, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    g_assert_true(pen_store_end_round(store, id, PEN_ROUND_CANCELLED, &error));

    g_autoptr(GPtrArray) after = pen_store_list_candidates(store, id, &error);
    g_assert_cmpint(((PenCandidate *)after->pdata[0])->state, ==, PEN_ROUND_CANCELLED);
    g_assert_cmpint(((PenCandidate *)after->pdata[1])->state, ==, PEN_ROUND_COMPLETE);
    g_assert_cmpstr(((PenCandidate *)after->pdata[1])->picture_file, ==, "rounds/1/1.png");
    g_assert_null(((PenCandidate *)after->pdata[1])->trajectory_file);
    g_autoptr(PenRound) ended = pen_store_get_round(store, id, &error);
    g_assert_cmpint(ended->state, ==, PEN_ROUND_CANCELLED);
    g_assert_cmpstr(pen_round_state_name(ended->state), ==, "cancelled");

    g_assert_null(pen_store_get_round(store, 77, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_null(pen_store_list_candidates(store, 77, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_false(pen_store_end_round(store, 77, PEN_ROUND_FAILED, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
}

static void test_bad_round(Fixture *fixture, gconstpointer data)
{
    const guint64 seeds[] = { 1, 2 };
    PenRound rounds[5];
    for (int i = 0; i < 5; i++)
        rounds[i] = fixture_round(fixture->style, "x");
    rounds[0].style = 99;
    rounds[1].model_hash = (char *)"another";
    rounds[2].prompt = (char *)"\xff";
    rounds[3].prompt = NULL;
    rounds[4].guidance = NAN;
    for (int i = 0; i < 5; i++) {
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(pen_store_begin_round(fixture->store, &rounds[i], seeds, 2, &error), ==, 0);
        int expected = i == 0 ? PEN_STORE_ERROR_NOT_FOUND : PEN_STORE_ERROR_INVALID;
        g_assert_error(error, PEN_STORE_ERROR, expected);
    }
    g_autoptr(GError) error = NULL;
    PenRound empty = fixture_round(fixture->style, "x");
    g_assert_cmpint(pen_store_begin_round(fixture->store, &empty, seeds, 0, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_autoptr(GPtrArray) none = pen_store_list_rounds(fixture->store, 0, 10, NULL);
    g_assert_cmpuint(none->len, ==, 0);
}

static void test_place(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    gint64 first = complete_round(fixture, 2), second = complete_round(fixture, 2);
    g_autoptr(GBytes) mask = fixture_content(3);
    PenPlace place = { .image = (char *)"an image",
                       .image_name = (char *)"Sea",
                       .layer = 5,
                       .x = -20,
                       .y = 10,
                       .width = 300,
                       .height = 200 };
    g_assert_true(pen_store_set_place(store, first, &place, mask, &error));
    g_assert_no_error(error);
    g_autoptr(PenPlace) read = pen_store_get_place(store, first, &error);
    g_assert_cmpstr(read->image, ==, "an image");
    g_assert_cmpstr(read->image_name, ==, "Sea");
    g_assert_cmpint(read->layer, ==, 5);
    g_assert_cmpint(read->x, ==, -20);
    g_assert_cmpint(read->height, ==, 200);
    g_autoptr(GBytes) content = pen_store_read(store, read->mask_file, &error);
    g_assert_true(g_bytes_equal(content, mask));
    g_assert_cmpint(pen_store_get_latest_round_of_image(store, "an image", &error), ==, first);

    /* The latest one of the image; a round has one place; another image has none. */
    g_assert_null(pen_store_get_place(store, second, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_true(pen_store_set_place(store, second, &place, NULL, &error));
    g_assert_cmpint(pen_store_get_latest_round_of_image(store, "an image", &error), ==, second);
    g_assert_cmpint(pen_store_get_latest_round_of_image(store, "another", &error), ==, 0);
    g_assert_no_error(error);
    g_assert_false(pen_store_set_place(store, second, &place, NULL, &error));
    g_clear_error(&error);
    g_assert_false(pen_store_set_place(store, 99, &place, mask, &error));
    g_assert_nonnull(error);
}

static void test_lists(Fixture *fixture, gconstpointer data)
{
    static const char *const prompts[] = { "cat", "dog", "cat", "", "bird" };
    const guint64 seed = 1;
    gint64 oil = fixture_style(fixture->store, "Oil");
    for (gsize i = 0; i < G_N_ELEMENTS(prompts); i++) {
        PenRound round = fixture_round(i % 2 ? oil : fixture->style, prompts[i]);
        g_assert_cmpint(pen_store_begin_round(fixture->store, &round, &seed, 1, NULL), >, 0);
    }
    PenRound loose = fixture_round(0, "cat");
    g_assert_cmpint(pen_store_begin_round(fixture->store, &loose, &seed, 1, NULL), >, 0);

    g_auto(GStrv) recent = pen_store_list_prompts(fixture->store, 10, NULL);
    g_autofree char *joined = g_strjoinv(",", recent);
    g_assert_cmpstr(joined, ==, "cat,bird,dog");
    g_auto(GStrv) one = pen_store_list_prompts(fixture->store, 1, NULL);
    g_assert_cmpuint(g_strv_length(one), ==, 1);
    g_autoptr(GPtrArray) all = pen_store_list_rounds(fixture->store, 0, 100, NULL);
    g_assert_cmpuint(all->len, ==, 6);
    g_assert_cmpint(((PenRound *)all->pdata[0])->id, ==, 6);
    g_autoptr(GPtrArray) oils = pen_store_list_rounds(fixture->store, oil, 100, NULL);
    g_assert_cmpuint(oils->len, ==, 2);
    g_autoptr(GPtrArray) latest = pen_store_list_rounds(fixture->store, 0, 1, NULL);
    g_assert_cmpuint(latest->len, ==, 1);
}

static void test_picks(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    gint64 first = complete_round(fixture, 4);
    gint64 second = complete_round(fixture, 4);
    fixture_assert_pick(store, first, NULL);

    pick(fixture, first, 2);
    fixture_assert_pick(store, first, "2>0=1=3");
    pick(fixture, second, 0);
    pick(fixture, first, 1);
    fixture_assert_pick(store, first, "1>0=2=3");
    g_assert_cmpuint(count_picks(fixture, fixture->style, FALSE), ==, 2);

    g_autoptr(PenAction) undone = pen_store_undo(store, &error);
    g_assert_no_error(error);
    g_assert_cmpint(undone->kind, ==, PEN_ACTION_PICK);
    g_assert_cmpint(undone->round, ==, first);
    fixture_assert_pick(store, first, "2>0=1=3");
    fixture_assert_pick(store, second, "0>1=2=3");
    g_autoptr(PenAction) redone = pen_store_redo(store, &error);
    fixture_assert_pick(store, first, "1>0=2=3");

    /* Three back: first's second pick, second's, first's. */
    static const char *const firsts[] = { "2>0=1=3", "2>0=1=3", NULL };
    static const char *const seconds[] = { "0>1=2=3", NULL, NULL };
    for (int i = 0; i < 3; i++) {
        g_autoptr(PenAction) action = pen_store_undo(store, &error);
        g_assert_no_error(error);
        fixture_assert_pick(store, first, firsts[i]);
        fixture_assert_pick(store, second, seconds[i]);
    }
    g_assert_null(pen_store_undo(store, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOTHING);
    g_clear_error(&error);
    g_assert_cmpuint(count_picks(fixture, fixture->style, FALSE), ==, 0);

    /* A new pick after undoing; the undone ones stay away. */
    pick(fixture, first, 3);
    g_assert_null(pen_store_redo(store, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOTHING);
    g_clear_error(&error);
    pick(fixture, second, 3);

    /* Taking a pick away is an action too, and nothing older comes up from below it. */
    pick(fixture, first, 2);
    g_assert_true(pen_store_withdraw_pick(store, first, &error));
    fixture_assert_pick(store, first, NULL);
    fixture_assert_pick(store, second, "3>0=1=2");
    g_assert_cmpuint(count_picks(fixture, fixture->style, FALSE), ==, 1);
    g_autoptr(PenAction) back = pen_store_undo(store, &error);
    fixture_assert_pick(store, first, "2>0=1=3");
    g_autoptr(PenAction) away = pen_store_redo(store, &error);
    fixture_assert_pick(store, first, NULL);
    g_assert_no_error(error);
}

/* Random picking and undoing against the obvious model: a stack. */
static void test_undo_model(Fixture *fixture, gconstpointer data)
{
    enum { ROUNDS = 3, N_STEPS = 300 };
    gint64 rounds[ROUNDS];
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    struct {
        int round, best;
    } log[N_STEPS];
    int n = 0, top = 0; /* entries, and how many of them are not undone */

    for (int i = 0; i < ROUNDS; i++)
        rounds[i] = complete_round(fixture, 4);
    for (int step = 0; step < N_STEPS; step++) {
        int what = g_rand_int_range(rand, 0, 4);
        if (what <= 1) {
            n = top;
            log[n].round = g_rand_int_range(rand, 0, ROUNDS);
            log[n].best = g_rand_int_range(rand, 0, 4);
            pick(fixture, rounds[log[n].round], log[n].best);
            top = ++n;
        } else {
            g_autoptr(GError) error = NULL;
            g_autoptr(PenAction) action = what == 2 ? pen_store_undo(fixture->store, &error)
                                                    : pen_store_redo(fixture->store, &error);
            gboolean possible = what == 2 ? top > 0 : top < n;
            g_assert_true((action != NULL) == possible);
            if (possible)
                top += what == 2 ? -1 : 1;
        }
        for (int i = 0; i < ROUNDS; i++) {
            int best = -1;
            for (int j = 0; j < top; j++)
                best = log[j].round == i ? log[j].best : best;
            g_autoptr(PenPick) valid = pen_store_get_pick(fixture->store, rounds[i], NULL);
            g_assert_true((valid != NULL) == (best >= 0));
            if (valid)
                g_assert_cmpint(valid->ranks[best], ==, 1);
        }
    }
}

static void test_bad_picks(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    PenRound round = fixture_round(fixture->style, "x");
    const guint64 seeds[] = { 1, 2, 3 };
    g_autoptr(GBytes) picture = fixture_content(1);
    gint64 id = pen_store_begin_round(store, &round, seeds, 3, &error);
    const int best_first[] = { 1, 0, 0 }, best_last[] = { 0, 0, 1 }, none[] = { 0, 0, 0 };

    g_assert_cmpint(pen_store_add_pick(store, 77, none, 3, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_cmpint(pen_store_add_pick(store, id, none, 2, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    g_assert_cmpint(pen_store_add_pick(store, id, best_first, 3, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);

    /* Two of three are finished. */
    g_assert_true(pen_store_finish_candidate(store, id, 0, picture, picture, &error));
    g_assert_true(pen_store_finish_candidate(store, id, 1, picture, picture, &error));
    g_assert_true(pen_store_end_round(store, id, PEN_ROUND_FAILED, &error));
    g_assert_cmpint(pen_store_add_pick(store, id, best_last, 3, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    fixture_assert_pick(store, id, NULL);
    g_assert_cmpint(pen_store_add_pick(store, id, best_first, 3, &error), >, 0);
    g_autoptr(PenPick) valid = pen_store_get_pick(store, id, &error);
    g_assert_cmpint(valid->n, ==, 3);
    g_assert_cmpint(valid->ranks[0], ==, 1);
    g_assert_cmpint(valid->ranks[1], ==, 0);
    g_assert_cmpint(valid->ranks[2], ==, PEN_RANK_NONE);
    g_autoptr(PenPick) copy = pen_pick_copy(valid);
    g_assert_cmpmem(copy->ranks, 3 * sizeof(int), valid->ranks, 3 * sizeof(int));

    /* "None of these" is a valid pick that teaches nothing. */
    g_assert_cmpuint(count_picks(fixture, fixture->style, FALSE), ==, 1);
    g_assert_cmpint(pen_store_add_pick(store, id, none, 3, &error), >, 0);
    fixture_assert_pick(store, id, "0=1");
    g_assert_cmpuint(count_picks(fixture, fixture->style, FALSE), ==, 0);
    /* A thumb down alone prefers the others, the unfinished one among them. */
    const int down[] = { 0, -1, 0 };
    g_assert_cmpint(pen_store_add_pick(store, id, down, 3, &error), >, 0);
    fixture_assert_pick(store, id, "0>1");
}

static void test_new_picks(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    gint64 ink = fixture->style;
    gint64 rounds[4];
    for (int i = 0; i < 4; i++)
        rounds[i] = complete_round(fixture, 4);

    g_assert_cmpint(fixture_begin_run(store, ink, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    pick(fixture, rounds[0], 1);
    pick(fixture, rounds[1], 2);
    g_assert_cmpuint(count_picks(fixture, ink, TRUE), ==, 2);
    gint64 v1 = teach(fixture, ink);
    g_assert_cmpuint(count_picks(fixture, ink, TRUE), ==, 0);
    g_assert_cmpuint(count_picks(fixture, ink, FALSE), ==, 2);

    /* Picking again is new; undoing that is not. */
    pick(fixture, rounds[1], 3);
    g_assert_cmpuint(count_picks(fixture, ink, TRUE), ==, 1);
    g_autoptr(PenAction) undone = pen_store_undo(store, &error);
    g_assert_cmpuint(count_picks(fixture, ink, TRUE), ==, 0);

    pick(fixture, rounds[2], 0);
    gint64 v2 = teach(fixture, ink);
    g_assert_cmpuint(count_picks(fixture, ink, TRUE), ==, 0);
    /* Back at version 1, what only version 2 learnt is new. */
    g_assert_true(pen_store_set_style_version(store, ink, v1, &error));
    g_assert_cmpuint(count_picks(fixture, ink, TRUE), ==, 1);
    g_assert_true(pen_store_set_style_version(store, ink, 0, &error));
    g_assert_cmpuint(count_picks(fixture, ink, TRUE), ==, 3);
    g_assert_true(pen_store_set_style_version(store, ink, v2, &error));
    g_assert_cmpuint(count_picks(fixture, ink, TRUE), ==, 0);

    /* Undoing the teaching makes version 1 current. */
    pick(fixture, rounds[3], 0);
    teach(fixture, ink);
    g_autoptr(PenAction) taught = pen_store_undo(store, &error);
    g_assert_cmpint(taught->kind, ==, PEN_ACTION_VERSION);
    g_assert_cmpint(taught->old_version, ==, v2);
    g_assert_cmpuint(count_picks(fixture, ink, TRUE), ==, 1);

    /* A copy has learnt what the original had, and has no picks of its own. */
    gint64 copy = pen_store_duplicate_style(store, ink, NULL, &error);
    g_assert_cmpuint(count_picks(fixture, copy, FALSE), ==, 0);
}

static void test_run(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    gint64 round = complete_round(fixture, 4);
    pick(fixture, round, 1);
    g_assert_null(pen_store_find_unfinished_run(store, fixture->style, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    gint64 run = fixture_begin_run(store, fixture->style, &error);
    g_assert_no_error(error);
    g_assert_cmpint(fixture_begin_run(store, fixture->style, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_BUSY);
    g_clear_error(&error);

    for (int i = 1; i <= 5; i++) {
        PenTrainingStep step = { i, 0.7 - i / 10.0, i * 0.1, i == 1 ? NAN : 0.5, 1e30, 2.5 };
        g_assert_true(pen_store_add_training_step(store, run, &step, &error));
        if (i == 2 || i == 3) {
            g_autoptr(GBytes) state = fixture_content((guint)i);
            g_assert_true(pen_store_checkpoint_run(store, run, i, state, &error));
        }
    }
    assert_exists(fixture, "runs/1/step-2.safetensors", FALSE);
    assert_exists(fixture, "runs/1/step-3.safetensors", TRUE);
    g_assert_true(pen_store_stop_run(store, run, PEN_RUN_PAUSED, "cancelled", &error));
    /* Once stopped, it takes nothing. */
    PenTrainingStep late = { 6, 0, 0, 0, 0, 0 };
    g_assert_false(pen_store_add_training_step(store, run, &late, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);

    /* An undone pick stays in the run that has it. */
    g_autoptr(PenAction) undone = pen_store_undo(store, &error);
    g_autoptr(PenRun) found = pen_store_find_unfinished_run(store, fixture->style, &error);
    g_assert_cmpint(found->id, ==, run);
    g_assert_cmpint(found->state, ==, PEN_RUN_PAUSED);
    g_assert_cmpstr(found->message, ==, "cancelled");
    g_assert_cmpint(found->ended, >=, found->created);
    g_assert_cmpfloat(found->d3po.learning_rate, ==, 3e-5);
    g_assert_cmpfloat(found->d3po.loser_weight, ==, 0.25);
    g_assert_cmpfloat(found->d3po.timestep_fraction, ==, 0.5);
    g_assert_cmpint(found->d3po.timesteps_per_update, ==, 3);
    g_assert_true(found->d3po.hindsight);
    g_assert_false(found->d3po.guided);
    g_assert_true(found->seed == G_MAXUINT64);
    g_assert_cmpint(found->steps_done, ==, 3);
    g_assert_cmpint(found->steps_total, ==, 12);
    g_autoptr(PenRun) resumed = pen_store_resume_run(store, run, &error);
    g_assert_no_error(error);
    g_assert_cmpint(resumed->state, ==, PEN_RUN_RUNNING);
    g_assert_null(resumed->message);
    g_assert_cmpint(resumed->ended, ==, 0);
    g_assert_null(pen_store_resume_run(store, run, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_BUSY);
    g_clear_error(&error);
    g_autoptr(GBytes) state = pen_store_read(store, resumed->checkpoint_file, &error);
    g_autoptr(GBytes) expected = fixture_content(3);
    g_assert_true(g_bytes_equal(state, expected));
    g_autoptr(GPtrArray) steps = pen_store_list_training_steps(store, run, &error);
    g_assert_cmpuint(steps->len, ==, 3);
    const PenTrainingStep *first = steps->pdata[0];
    g_assert_cmpint(first->step, ==, 1);
    g_assert_cmpfloat(first->loss, ==, 0.7 - 1 / 10.0);
    g_assert_true(isnan(first->agreement));
    g_assert_cmpfloat(first->grad_norm, ==, 1e30);
    g_autoptr(GPtrArray) picks = pen_store_list_run_picks(store, run, &error);
    g_assert_cmpuint(picks->len, ==, 1);
    g_assert_cmpint(((PenPick *)picks->pdata[0])->ranks[1], ==, 1);

    g_autoptr(GBytes) adapter = fixture_content(4);
    gint64 version = pen_store_finish_run(store, run, adapter, &error);
    g_assert_no_error(error);
    g_autoptr(PenRun) finished = pen_store_get_run(store, run, &error);
    g_assert_cmpint(finished->state, ==, PEN_RUN_FINISHED);
    g_assert_cmpstr(pen_run_state_name(finished->state), ==, "finished");
    g_assert_cmpint(finished->to_version, ==, version);
    g_assert_cmpint(finished->steps_done, ==, 12);
    g_assert_null(finished->checkpoint_file);
    assert_exists(fixture, "runs/1/step-3.safetensors", FALSE);
    g_autoptr(PenStyleVersion) made = pen_store_get_style_version(store, version, &error);
    g_assert_cmpint(made->run, ==, run);
    g_autoptr(PenStyle) style = pen_store_get_style(store, fixture->style, &error);
    g_assert_cmpint(style->current_version, ==, version);
    g_assert_null(pen_store_resume_run(store, run, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    g_assert_cmpint(pen_store_finish_run(store, run, adapter, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    g_assert_false(pen_store_stop_run(store, run, PEN_RUN_FAILED, NULL, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
}

static void test_run_ends(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    g_autoptr(GBytes) state = fixture_content(1);
    pick(fixture, complete_round(fixture, 4), 1);

    gint64 failed = fixture_begin_run(store, fixture->style, &error);
    g_assert_true(pen_store_checkpoint_run(store, failed, 1, state, &error));
    g_assert_true(pen_store_stop_run(store, failed, PEN_RUN_FAILED, "the loss is NaN", &error));
    assert_exists(fixture, "runs/1/step-1.safetensors", FALSE);
    g_assert_null(pen_store_resume_run(store, failed, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);

    /* Beginning anew abandons what was paused. */
    gint64 paused = fixture_begin_run(store, fixture->style, &error);
    g_assert_true(pen_store_stop_run(store, paused, PEN_RUN_PAUSED, NULL, &error));
    gint64 next = fixture_begin_run(store, fixture->style, &error);
    g_assert_no_error(error);
    g_autoptr(PenRun) old = pen_store_get_run(store, paused, &error);
    g_assert_cmpint(old->state, ==, PEN_RUN_ABANDONED);
    g_assert_true(pen_store_stop_run(store, next, PEN_RUN_PAUSED, NULL, &error));
    g_assert_true(pen_store_stop_run(store, next, PEN_RUN_ABANDONED, NULL, &error));
    g_autoptr(GPtrArray) runs = pen_store_list_runs(store, fixture->style, &error);
    g_assert_cmpuint(runs->len, ==, 3);
    g_assert_cmpint(((PenRun *)runs->pdata[0])->id, ==, next);

    /* Neither unknown picks nor a deleted style can be learnt. */
    PenRun run = { .style = fixture->style };
    const gint64 unknown = 99;
    g_assert_cmpint(pen_store_begin_run(store, &run, &unknown, 1, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    g_assert_true(pen_store_delete_style(store, fixture->style, &error));
    g_assert_cmpint(fixture_begin_run(store, fixture->style, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
}

/* A new style takes the picks that it can learn from, which "none of these" is not. */
static void test_adopt(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    gint64 picked = fixture_complete_round(store, 0, 3, &error);
    gint64 none = fixture_complete_round(store, 0, 3, &error);
    g_assert_cmpint(fixture_pick(store, picked, 1, 3, &error), >, 0);
    int ranks[] = { 0, 0, 0 };
    g_assert_cmpint(pen_store_add_pick(store, none, ranks, 3, &error), >, 0);
    g_assert_cmpint(pen_store_count_adoptable(store, "hash", &error), ==, 1);
    g_assert_cmpint(pen_store_adopt_rounds(store, fixture->style, &error), ==, 1);
    g_autoptr(PenRound) row = pen_store_get_round(store, picked, &error);
    g_assert_cmpint(row->style, ==, fixture->style);
    g_assert_no_error(error);
}

static void test_comparisons(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    g_autoptr(GBytes) adapter = fixture_content(1);
    gint64 version = pen_store_add_style_version(store, fixture->style, adapter, &error);
    static const PenChoice choices[] = { PEN_CHOICE_WITH, PEN_CHOICE_WITHOUT, PEN_CHOICE_WITH,
                                         PEN_CHOICE_NEITHER, PEN_CHOICE_WITH };
    for (gsize i = 0; i < G_N_ELEMENTS(choices); i++) {
        PenComparison comparison = {
            .style_version = version, .seed = i, .prompt = (char *)"cat", .choice = choices[i]
        };
        g_assert_cmpint(pen_store_add_comparison(store, &comparison, &error), >, 0);
    }
    PenTally tally;
    g_assert_true(pen_store_get_tally(store, version, &tally, &error));
    g_assert_cmpint(tally.count[PEN_CHOICE_WITH], ==, 3);
    g_assert_cmpint(tally.count[PEN_CHOICE_WITHOUT], ==, 1);
    g_assert_cmpint(tally.count[PEN_CHOICE_NEITHER], ==, 1);
    g_autoptr(GPtrArray) rows = pen_store_list_comparisons(store, version, &error);
    g_assert_cmpuint(rows->len, ==, 5);
    const PenComparison *latest = rows->pdata[0];
    g_assert_cmpint(latest->choice, ==, PEN_CHOICE_WITH);
    g_assert_cmpuint(latest->seed, ==, 4);
    g_assert_cmpstr(latest->prompt, ==, "cat");

    /* What was undone counts no more. */
    g_autoptr(PenAction) undone = pen_store_undo_in(store, PEN_SCOPE_COMPARISONS, 0, &error);
    g_assert_true(pen_store_get_tally(store, version, &tally, &error));
    g_assert_cmpint(tally.count[PEN_CHOICE_WITH], ==, 2);
    g_autoptr(PenAction) redone = pen_store_redo_in(store, PEN_SCOPE_COMPARISONS, 0, &error);
    g_assert_true(pen_store_get_tally(store, version, &tally, &error));
    g_assert_cmpint(tally.count[PEN_CHOICE_WITH], ==, 3);

    PenComparison lost = { .style_version = 99, .prompt = (char *)"cat" };
    g_assert_cmpint(pen_store_add_comparison(store, &lost, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
}

#define ADD(name, func) g_test_add("/store/" name, Fixture, NULL, fixture_set_up_style, func, fixture_tear_down)

/* Guesses count once there is a pick that prefers anything, and one of several best is right. */
static void test_guesses(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    const double scores[3][4] = { { 0.1, 0.7, NAN, 0.7 }, { -3, -2, -1, -9 }, { 1, 2, 3, 4 } };
    const int ranks[3][4] = { { 0, 1, 1, 0 }, { 2, 1, 0, 0 }, { 1, 1, 1, 1 } };
    const int guesses[3] = { 1, 2, 3 };
    PenGuessRecord record;
    for (int i = 0; i < 3; i++) {
        gint64 round = complete_round(fixture, 4);
        g_autoptr(GPtrArray) before = pen_store_list_candidates(store, round, &error);
        g_assert_cmpint(pen_candidates_get_guess(before), ==, -1);
        g_assert_true(pen_store_set_scores(store, round, scores[i], 4, &error));
        g_autoptr(GPtrArray) after = pen_store_list_candidates(store, round, &error);
        g_assert_cmpint(pen_candidates_get_guess(after), ==, guesses[i]);
        g_assert_true(isnan(((PenCandidate *)after->pdata[2])->score) == (i == 0));
        g_assert_true(pen_store_get_guess_record(store, fixture->style, &record, &error));
        g_assert_cmpint(record.picks, ==, i);
        g_assert_cmpint(pen_store_add_pick(store, round, ranks[i], 4, &error), >, 0);
    }
    pick(fixture, complete_round(fixture, 4), 0); /* without a guess */
    g_assert_true(pen_store_get_guess_record(store, fixture->style, &record, &error));
    g_assert_cmpint(record.picks, ==, 2);
    g_assert_cmpint(record.right, ==, 1);
    g_assert_cmpfloat(record.chance, ==, 0.75);
    g_assert_true(pen_store_get_guess_record(store, 0, &record, &error));
    g_assert_cmpint(record.picks, ==, 0);

    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, 1, &error);
    g_autoptr(GBytes) features = fixture_content(4);
    gint64 id = ((PenCandidate *)candidates->pdata[2])->id;
    g_assert_true(pen_store_set_features(store, id, features, &error));
    g_autoptr(PenCandidate) row = pen_store_get_candidate(store, id, &error);
    g_assert_cmpstr(row->features_file, ==, "rounds/1/2-features.safetensors");
    g_assert_true(pen_store_collect_garbage(store, 0, NULL, &error));
    g_autoptr(GBytes) kept = pen_store_read(store, row->features_file, &error);
    g_assert_true(g_bytes_equal(kept, features));
    g_assert_false(pen_store_set_features(store, 999, features, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("rounds/round", test_round);
    ADD("rounds/bad-round", test_bad_round);
    ADD("rounds/place", test_place);
    ADD("rounds/lists", test_lists);
    ADD("picks/picks", test_picks);
    ADD("picks/undo-model", test_undo_model);
    ADD("picks/bad-picks", test_bad_picks);
    ADD("picks/new-picks", test_new_picks);
    ADD("runs/run", test_run);
    ADD("runs/ends", test_run_ends);
    ADD("rounds/adopt", test_adopt);
    ADD("comparisons", test_comparisons);
    ADD("guesses", test_guesses);
    return g_test_run();
}
