// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/store/fixture.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

char *fixture_folder(void)
{
    g_autoptr(GError) error = NULL;
    char *folder = g_dir_make_tmp("penchant-store-XXXXXX", &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_chmod(folder, 0755), ==, 0);
    return folder;
}

void fixture_remove(const char *path)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK)) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;
        while (dir && (name = g_dir_read_name(dir))) {
            g_autofree char *child = g_build_filename(path, name, NULL);
            fixture_remove(child);
        }
    }
    g_remove(path);
}

PenStore *fixture_open(const char *folder)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = pen_store_open(folder, &error);
    g_assert_no_error(error);
    g_assert_nonnull(store);
    return store;
}

void fixture_set_up(Fixture *fixture, gconstpointer data)
{
    fixture->folder = fixture_folder();
    fixture->store = fixture_open(fixture->folder);
}

void fixture_set_up_style(Fixture *fixture, gconstpointer data)
{
    fixture_set_up(fixture, data);
    fixture->style = fixture_style(fixture->store, "Ink");
}

void fixture_tear_down(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    pen_store_check(fixture->store, &error);
    g_assert_no_error(error);
    pen_store_close(fixture->store);
    fixture_remove(fixture->folder);
    g_free(fixture->folder);
}

gint64 fixture_style(PenStore *store, const char *name)
{
    g_autoptr(GError) error = NULL;
    gint64 style = pen_store_create_style(store, name, "hash", "Model", "/m/Model", 4, &error);
    g_assert_no_error(error);
    g_assert_cmpint(style, >, 0);
    return style;
}

PenRound fixture_round(gint64 style, const char *prompt)
{
    return (PenRound){ .style = style,
                       .style_strength = 1,
                       .prompt = (char *)prompt,
                       .model_path = (char *)"/models/model",
                       .model_name = (char *)"Model",
                       .model_hash = (char *)"hash",
                       .width = 64,
                       .height = 64,
                       .steps = 20,
                       .guidance = 5,
                       .eta = 1,
                       .seed = 42,
                       .sampler = (char *)"ddim",
                       .prediction_type = (char *)"epsilon",
                       .device = (char *)"llvmpipe",
                       .precision = (char *)"f32",
                       .start = PEN_START_TEXT,
                       .start_strength = 1 };
}

gint64 fixture_complete_round(PenStore *store, gint64 style, int n, GError **error)
{
    PenRound round = fixture_round(style, "a bird");
    g_autofree guint64 *seeds = g_new0(guint64, n);
    gint64 id = pen_store_begin_round(store, &round, seeds, (guint)n, error);
    if (!id)
        return 0;
    for (int i = 0; i < n; i++) {
        g_autoptr(GBytes) picture = fixture_content((guint)id * 10 + (guint)i);
        g_autoptr(GBytes) trajectory = fixture_content((guint)id * 10 + (guint)i + 1);
        if (!pen_store_finish_candidate(store, id, i, picture, trajectory, error))
            return 0;
    }
    return pen_store_end_round(store, id, PEN_ROUND_COMPLETE, error) ? id : 0;
}

gint64 fixture_begin_run(PenStore *store, gint64 style, GError **error)
{
    PenRun run = { .style = style,
                   .d3po = PEN_D3PO_CONFIG_INIT,
                   .seed = G_MAXUINT64,
                   .steps_total = 12 };
    run.d3po.loser_weight = 0.25;
    run.d3po.epochs = 2;
    run.d3po.timestep_fraction = 0.5;
    run.d3po.timesteps_per_update = 3;
    run.d3po.hindsight = TRUE;
    run.d3po.guided = FALSE;
    run.d3po.afresh = TRUE;
    run.d3po.updates = 70;
    run.d3po.falling_rate = TRUE;
    run.d3po.one_pair = TRUE;
    run.d3po.word = TRUE;
    g_autoptr(GPtrArray) picks = pen_store_list_picks(store, style, TRUE, error);
    if (!picks)
        return 0;
    g_autofree gint64 *ids = g_new0(gint64, picks->len + 1);
    for (guint i = 0; i < picks->len; i++)
        ids[i] = ((PenPick *)picks->pdata[i])->id;
    return pen_store_begin_run(store, &run, ids, picks->len, error);
}

gint64 fixture_pick(PenStore *store, gint64 round, int best, int n, GError **error)
{
    g_autofree int *ranks = g_new0(int, n);
    ranks[best] = 1;
    return pen_store_add_pick(store, round, ranks, n, error);
}

void fixture_assert_pick(PenStore *store, gint64 round, const char *order)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenPick) pick = pen_store_get_pick(store, round, &error);
    if (!order) {
        g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
        return;
    }
    g_assert_no_error(error);
    g_autofree char *text = pen_notation_write(pick->ranks, pick->n);
    g_assert_cmpstr(text, ==, order);
}

GBytes *fixture_content(guint number)
{
    guint8 data[300];
    for (guint i = 0; i < sizeof data; i++)
        data[i] = (guint8)(number * 31 + i * 7);
    return g_bytes_new(data, sizeof data);
}
