// SPDX-License-Identifier: GPL-3.0-or-later
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store/fixture.h"

/*
 * The store when processes die at any moment, and when several work at once. This program starts
 * itself as the child: `test-durability --child MODE FOLDER [SEED]`. A child says on its standard
 * output what the store has acknowledged.
 */
#define N_KILLS 40
#define N_WRITERS 3
#define N_PICKS_EACH 25
#define N_THREADS 4
#define N_OPENERS 6
#define N_NEW_FOLDERS 100

static const char *program;

static G_NORETURN void fail_child(const GError *error)
{
    g_printerr("child: %s\n", error->message);
    exit(1);
}

static void say(const char *line)
{
    if (write(STDOUT_FILENO, line, strlen(line)) != (gssize)strlen(line))
        exit(1);
}

/* Rounds and picks without end, with a second thought now and then. */
static void child_pick(PenStore *store, guint32 seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    g_autoptr(GError) error = NULL;
    g_autoptr(PenStyle) style = pen_store_find_style(store, "Ink", NULL);
    gint64 id =
        style ? style->id : pen_store_create_style(store, "Ink", "hash", "Model", NULL, 4, &error);
    if (!id)
        fail_child(error);
    for (;;) {
        gint64 round = fixture_complete_round(store, id, 3, &error);
        if (!round)
            fail_child(error);
        for (int i = g_rand_int_range(rand, 1, 4); i > 0; i--) {
            int best = g_rand_int_range(rand, 0, 3);
            if (!fixture_pick(store, round, best, 3, &error))
                fail_child(error);
            g_autofree char *line = g_strdup_printf("%" G_GINT64_FORMAT " %d\n", round, best);
            say(line);
        }
    }
}

static void child_write(PenStore *store)
{
    g_autoptr(GError) error = NULL;
    for (int i = 0; i < N_PICKS_EACH; i++) {
        gint64 round = fixture_complete_round(store, 0, 2, &error);
        if (!round || !fixture_pick(store, round, i % 2, 2, &error))
            fail_child(error);
        if (i % 5 == 4) {
            g_autoptr(GPtrArray) actions = pen_store_list_actions(store, 10, &error);
            if (!actions)
                fail_child(error);
        }
    }
}

/* Makes a round and teaches, three steps and then two without a checkpoint. */
static void child_teach(PenStore *store)
{
    g_autoptr(GError) error = NULL;
    gint64 style = pen_store_create_style(store, "Ink", "hash", "Model", NULL, 4, &error);
    gint64 round = style ? fixture_complete_round(store, style, 2, &error) : 0;
    if (!round || !fixture_pick(store, round, 0, 2, &error))
        fail_child(error);
    gint64 run = fixture_begin_run(store, style, &error);
    if (!run)
        fail_child(error);
    for (int i = 1; i <= 5; i++) {
        PenTrainingStep step = { i, 0.5, 0, 0, 0, 0 };
        g_autoptr(GBytes) state = fixture_content((guint)i);
        if (!pen_store_add_training_step(store, run, &step, &error) ||
            (i <= 3 && !pen_store_checkpoint_run(store, run, i, state, &error)))
            fail_child(error);
    }
    PenRound unfinished = fixture_round(style, "cat");
    const guint64 seeds[] = { 1, 2 };
    g_autoptr(GBytes) picture = fixture_content(1);
    gint64 second = pen_store_begin_round(store, &unfinished, seeds, 2, &error);
    if (!second || !pen_store_finish_candidate(store, second, 0, picture, picture, &error))
        fail_child(error);
    say("ready\n");
    pause();
}

static int child_main(char **argv)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = pen_store_open(argv[1], &error);
    if (!store)
        fail_child(error);
    if (g_str_equal(argv[0], "pick"))
        child_pick(store, (guint32)atoi(argv[2]));
    else if (g_str_equal(argv[0], "write"))
        child_write(store);
    else if (g_str_equal(argv[0], "teach"))
        child_teach(store);
    pen_store_close(store);
    return 0;
}

typedef struct {
    GPid pid;
    int output;
    GString *said;
} Child;

static Child start_child(const char *mode, const char *folder, guint32 seed)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *number = g_strdup_printf("%u", seed);
    const char *argv[] = { program, "--child", mode, folder, number, NULL };
    Child child = { .said = g_string_new(NULL) };
    g_spawn_async_with_pipes(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                             &child.pid, NULL, &child.output, NULL, &error);
    g_assert_no_error(error);
    return child;
}

/* Reads what the child says for so long, or (-1) until the pipe is closed, or it says `until`. */
static void listen_to_child(Child *child, int milliseconds, const char *until)
{
    gint64 deadline = g_get_monotonic_time() + milliseconds * G_GINT64_CONSTANT(1000);
    for (;;) {
        int left = -1;
        if (milliseconds >= 0)
            left = (int)MAX(0, (deadline - g_get_monotonic_time()) / 1000);
        struct pollfd poll_fd = { .fd = child->output, .events = POLLIN };
        if (poll(&poll_fd, 1, left) <= 0)
            return;
        char buffer[4096];
        gssize n = read(child->output, buffer, sizeof buffer);
        if (n <= 0)
            return;
        g_string_append_len(child->said, buffer, n);
        if (until && strstr(child->said->str, until))
            return;
    }
}

static int end_child(Child *child, int signal_number)
{
    int status;
    if (signal_number)
        kill(child->pid, signal_number);
    listen_to_child(child, -1, NULL);
    g_assert_cmpint(waitpid(child->pid, &status, 0), ==, child->pid);
    close(child->output);
    return status;
}

/* Waits for a child that must succeed. */
static void await_child(Child *child)
{
    int status = end_child(child, 0);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    g_string_free(child->said, TRUE);
}

/* A complete candidate's files are whole, always. */
static guint check_candidates(PenStore *store)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) rounds = pen_store_list_rounds(store, 0, 100000, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < rounds->len; i++) {
        const PenRound *round = rounds->pdata[i];
        g_assert_cmpint(round->state, !=, PEN_ROUND_RUNNING);
        g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, round->id, &error);
        g_assert_no_error(error);
        for (guint j = 0; j < candidates->len; j++) {
            const PenCandidate *candidate = candidates->pdata[j];
            g_assert_cmpint(candidate->state, !=, PEN_ROUND_RUNNING);
            if (candidate->state != PEN_ROUND_COMPLETE)
                continue;
            g_autoptr(GBytes) expected = fixture_content((guint)round->id * 10 + j);
            g_autoptr(GBytes) picture = pen_store_read(store, candidate->picture_file, &error);
            g_assert_no_error(error);
            g_assert_true(g_bytes_equal(picture, expected));
        }
    }
    return rounds->len;
}

/* Kills the picking child at random moments, the first ones while the store is being made. */
static void test_kill(void)
{
    g_autofree char *folder = fixture_folder();
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    /* round -> what was last acknowledged for it */
    g_autoptr(GHashTable) acknowledged = g_hash_table_new(g_direct_hash, g_direct_equal);
    guint n_acknowledged = 0, n_rounds = 0;

    for (int i = 0; i < N_KILLS; i++) {
        gboolean early = i < N_KILLS / 4;
        Child child = start_child("pick", folder, g_rand_int(rand) & 0xffff);
        if (early) {
            g_usleep((gulong)g_rand_int_range(rand, 0, 20000));
        } else {
            listen_to_child(&child, 5000, "\n");
            g_usleep((gulong)g_rand_int_range(rand, 0, 40000));
        }
        int status = end_child(&child, SIGKILL);
        g_assert_true(WIFSIGNALED(status));

        g_auto(GStrv) lines = g_strsplit(child.said->str, "\n", -1);
        gint64 last_round = 0;
        for (int j = 0; lines[j] && lines[j + 1]; j++) {
            gint64 round;
            int best;
            g_assert_cmpint(sscanf(lines[j], "%" G_GINT64_FORMAT " %d", &round, &best), ==, 2);
            g_hash_table_insert(acknowledged, GINT_TO_POINTER((int)round),
                                GINT_TO_POINTER(best + 1));
            last_round = round;
            n_acknowledged++;
        }
        g_string_free(child.said, TRUE);

        g_autoptr(GError) error = NULL;
        g_autoptr(PenStore) store = fixture_open(folder);
        pen_store_check(store, &error);
        g_assert_no_error(error);
        n_rounds = check_candidates(store);
        GHashTableIter iter;
        gpointer key, value;
        g_hash_table_iter_init(&iter, acknowledged);
        while (g_hash_table_iter_next(&iter, &key, &value)) {
            g_autoptr(PenPick) pick = pen_store_get_pick(store, GPOINTER_TO_INT(key), &error);
            g_assert_no_error(error);
            /* One more pick may have been committed, but not yet been acknowledged. */
            if (GPOINTER_TO_INT(key) == last_round)
                g_hash_table_iter_replace(
                    &iter, GINT_TO_POINTER(1 + (pick->ranks[1] == 1) + 2 * (pick->ranks[2] == 1)));
            else
                g_assert_cmpint(pick->ranks[GPOINTER_TO_INT(value) - 1], ==, 1);
        }
    }
    g_test_message("%u picks in %u rounds, %d kills", n_acknowledged, n_rounds, N_KILLS);
    g_assert_cmpuint(n_acknowledged, >, N_KILLS / 2);

    /* What the killed ones left half written can be swept up, and nothing else is. */
    g_autoptr(PenStore) store = fixture_open(folder);
    g_assert_true(pen_store_collect_garbage(store, -1, NULL, NULL));
    g_assert_cmpuint(check_candidates(store), ==, n_rounds);
    fixture_remove(folder);
}

/* Several processes make and fill one store at once. */
static void test_processes(void)
{
    g_autofree char *folder = fixture_folder();
    Child children[N_WRITERS];
    for (guint32 i = 0; i < N_WRITERS; i++)
        children[i] = start_child("write", folder, i);
    g_autoptr(PenStore) store = fixture_open(folder);
    for (int i = 0; i < N_WRITERS; i++)
        await_child(&children[i]);
    g_autoptr(GError) error = NULL;
    g_assert_cmpuint(check_candidates(store), ==, N_WRITERS * N_PICKS_EACH);
    g_autoptr(GPtrArray) actions = pen_store_list_actions(store, 10000, &error);
    g_assert_cmpuint(actions->len, ==, N_WRITERS * N_PICKS_EACH);
    pen_store_check(store, &error);
    g_assert_no_error(error);
    fixture_remove(folder);
}

static gpointer write_in_thread(gpointer data)
{
    child_write(data);
    return NULL;
}

/* Several threads share one PenStore. */
static void test_threads(void)
{
    g_autofree char *folder = fixture_folder();
    g_autoptr(PenStore) store = fixture_open(folder);
    GThread *threads[N_THREADS];
    for (int i = 0; i < N_THREADS; i++)
        threads[i] = g_thread_new("writer", write_in_thread, store);
    for (int i = 0; i < N_THREADS; i++)
        g_thread_join(threads[i]);
    g_assert_cmpuint(check_candidates(store), ==, N_THREADS * N_PICKS_EACH);
    fixture_remove(folder);
}

/* Several open a store that is not there yet: each sees it empty or ours, never another's. */
static void test_first_opening(void)
{
    for (int i = 0; i < N_NEW_FOLDERS; i++) {
        g_autofree char *folder = fixture_folder();
        Child children[N_OPENERS];
        for (int j = 0; j < N_OPENERS; j++)
            children[j] = start_child("open", folder, 0);
        for (int j = 0; j < N_OPENERS; j++)
            await_child(&children[j]);
        fixture_remove(folder);
    }
}

/* While the teaching process lives, its run is its own; when it is killed, it can be resumed. */
static void test_killed_teaching(void)
{
    g_autofree char *folder = fixture_folder();
    g_autoptr(GError) error = NULL;
    Child child = start_child("teach", folder, 0);
    listen_to_child(&child, -1, "ready");
    PenStore *store = fixture_open(folder);
    g_autoptr(PenRun) running = pen_store_find_unfinished_run(store, 1, &error);
    g_assert_no_error(error);
    g_assert_cmpint(running->state, ==, PEN_RUN_RUNNING);
    g_assert_null(pen_store_resume_run(store, running->id, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_cmpint(fixture_begin_run(store, 1, &error), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_false(pen_store_stop_run(store, running->id, PEN_RUN_ABANDONED, NULL, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_clear_error(&error);
    g_autoptr(PenRound) making = pen_store_get_round(store, 2, &error);
    g_assert_cmpint(making->state, ==, PEN_ROUND_RUNNING);

    g_assert_true(WIFSIGNALED(end_child(&child, SIGKILL)));
    g_string_free(child.said, TRUE);
    /* The store that was open all the time sees it, and so does one opened now. */
    g_autoptr(PenStore) second = fixture_open(folder);
    g_autoptr(PenRun) paused = pen_store_get_run(second, running->id, &error);
    g_assert_cmpint(paused->state, ==, PEN_RUN_PAUSED);
    g_autoptr(PenRun) resumed = pen_store_resume_run(store, running->id, &error);
    g_assert_no_error(error);
    g_assert_cmpint(resumed->steps_done, ==, 3);
    g_autoptr(GPtrArray) steps = pen_store_list_training_steps(store, resumed->id, &error);
    g_assert_cmpuint(steps->len, ==, 3);
    g_autoptr(GBytes) state = pen_store_read(store, resumed->checkpoint_file, &error);
    g_autoptr(GBytes) expected = fixture_content(3);
    g_assert_true(g_bytes_equal(state, expected));

    /* Of the round that was being made, the finished candidate can still be picked. */
    g_autoptr(PenRound) failed = pen_store_get_round(store, 2, &error);
    g_assert_cmpint(failed->state, ==, PEN_ROUND_FAILED);
    g_assert_cmpint(fixture_pick(store, 2, 0, 2, &error), >, 0);
    pen_store_close(store);

    /* Closing without an end is like dying. */
    g_autoptr(PenRun) left = pen_store_resume_run(second, resumed->id, &error);
    g_assert_no_error(error);
    fixture_remove(folder);
}

int main(int argc, char **argv)
{
    if (argc >= 4 && g_str_equal(argv[1], "--child"))
        return child_main(argv + 2);
    g_test_init(&argc, &argv, NULL);
    program = argv[0];
    g_test_add_func("/store/durability/kill", test_kill);
    g_test_add_func("/store/durability/processes", test_processes);
    g_test_add_func("/store/durability/threads", test_threads);
    g_test_add_func("/store/durability/first-opening", test_first_opening);
    g_test_add_func("/store/durability/killed-teaching", test_killed_teaching);
    return g_test_run();
}
