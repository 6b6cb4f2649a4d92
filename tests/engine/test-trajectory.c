// SPDX-License-Identifier: GPL-3.0-or-later
//
// Trajectory files: what was saved comes back bit for bit, and damaged files are errors.

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "src/engine/trajectory.h"
#include "src/formats/safetensors-writer.h"

static char *folder;
static PenSchedule *schedule;

static PenTrajectory *example(guint first)
{
    PenTrajectory *t = pen_trajectory_new(3, 5, 4, 6, first);
    t->guidance = 5.5;
    for (guint k = 0; k < t->steps; k++)
        t->table[k] = (PenStep){ .timestep = 901 - k * 150.5, .alpha = 0.25 * k, .sd = 0.5 };
    t->reference[4] = -0.125;
    /* Of an inpainting model. */
    float condition[3 * 5 * 2];
    for (gsize i = 0; i < G_N_ELEMENTS(condition); i++)
        condition[i] = (float)i / 8;
    if (first)
        pen_trajectory_set_condition(t, 2, condition);
    /* Half of them without guidance; what halves hold exactly. */
    gsize answers = (t->steps - first) * pen_trajectory_elements(t);
    pen_trajectory_keep_answers(t, first != 0);
    t->drawn_scale = 0.75;
    for (gsize i = 0; i < answers; i++) {
        t->cond[i] = (float)(i % 64) / 16;
        if (t->uncond)
            t->uncond[i] = -(float)(i % 32) / 8;
    }
    gsize n = (t->steps - first + 1) * pen_trajectory_elements(t);
    for (gsize i = 0; i < n; i++)
        t->latents[i] = sinf((float)i) * 3;
    return t;
}

static char *write_file(const void *data, gsize size)
{
    char *path = g_build_filename(folder, "trajectory.safetensors", NULL);
    g_assert_true(g_file_set_contents_full(path, data, (gssize)size, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    return path;
}

static void test_round_trip(gconstpointer data)
{
    GError *error = NULL;
    g_autoptr(PenTrajectory) t = example(GPOINTER_TO_UINT(data));
    g_autoptr(GBytes) bytes = pen_trajectory_save(t, &error);
    g_assert_no_error(error);
    g_autofree char *path =
        write_file(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_autoptr(PenTrajectory) back = pen_trajectory_load(path, schedule, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(back->height, ==, 3);
    g_assert_cmpuint(back->width, ==, 5);
    g_assert_cmpuint(back->channels, ==, 4);
    g_assert_cmpuint(back->steps, ==, t->steps);
    g_assert_cmpuint(back->first, ==, t->first);
    g_assert_cmpfloat(back->guidance, ==, 5.5);
    g_assert_cmpmem(back->table, t->steps * sizeof *t->table, t->table,
                    t->steps * sizeof *t->table);
    gsize n = (t->steps - t->first + 1) * pen_trajectory_elements(t) * sizeof(float);
    g_assert_cmpmem(back->latents, n, t->latents, n);
    g_assert_cmpuint(back->condition_channels, ==, t->condition_channels);
    if (t->condition)
        g_assert_cmpmem(back->condition, 3 * 5 * 2 * sizeof(float), t->condition,
                        3 * 5 * 2 * sizeof(float));
    gsize answers = (t->steps - t->first) * pen_trajectory_elements(t) * sizeof(float);
    g_assert_cmpfloat(back->drawn_scale, ==, 0.75);
    g_assert_cmpmem(back->cond, answers, t->cond, answers);
    g_assert_true((back->uncond == NULL) == (t->uncond == NULL));
    if (t->uncond)
        g_assert_cmpmem(back->uncond, answers, t->uncond, answers);
    g_assert_null(pen_trajectory_get_bare(back, t->first, FALSE));
    pen_trajectory_set_bare(back, t->first + 1, TRUE, t->cond);
    g_assert_null(pen_trajectory_get_bare(back, t->first, TRUE));
    g_assert_cmpfloat(pen_trajectory_get_bare(back, t->first + 1, TRUE)[1], ==, t->cond[1]);
    for (guint k = 0; k < t->steps; k++)
        g_assert_true(back->reference[k] == t->reference[k] ||
                      (isnan(back->reference[k]) && isnan(t->reference[k])));
    /* Step k leads from latents k to latents k + 1. */
    g_assert_true(pen_trajectory_latents(back, t->first) == back->latents);
    g_assert_true(pen_trajectory_latents(back, t->steps) ==
                  back->latents + (t->steps - t->first) * pen_trajectory_elements(t));
}

/* Whatever is in a file, loading gives a trajectory or an error. */
static void load_anything(const guint8 *data, gsize size)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = write_file(data, size);
    g_autoptr(PenTrajectory) t = pen_trajectory_load(path, schedule, &error);
    g_assert_true((t == NULL) == (error != NULL));
}

static void test_truncated(void)
{
    g_autoptr(PenTrajectory) t = example(0);
    g_autoptr(GBytes) bytes = pen_trajectory_save(t, NULL);
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    for (gsize cut = 0; cut < size; cut += 1 + cut / 40) {
        g_autoptr(GError) error = NULL;
        g_autofree char *path = write_file(data, cut);
        g_assert_null(pen_trajectory_load(path, schedule, &error));
        g_assert_nonnull(error);
    }
}

static void test_mutated(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(11);
    g_autoptr(PenTrajectory) t = example(2);
    g_autoptr(GBytes) bytes = pen_trajectory_save(t, NULL);
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    for (guint trial = 0; trial < 400; trial++) {
        g_autofree guint8 *copy = g_memdup2(data, size);
        for (int i = g_rand_int_range(random, 1, 5); i > 0; i--) {
            /* Mostly the header, where lies do most. */
            gsize at = (gsize)g_rand_int_range(random, 0, (gint32)(trial % 4 ? 420 : size));
            copy[at] = (guint8)g_rand_int(random);
        }
        load_anything(copy, size);
    }
}

/* Files of earlier versions have no answers. */
static void test_no_answers(void)
{
    GError *error = NULL;
    g_autoptr(PenTrajectory) t = example(0);
    g_clear_pointer(&t->cond, g_free);
    g_autoptr(GBytes) bytes = pen_trajectory_save(t, &error);
    g_assert_no_error(error);
    g_autofree char *path = write_file(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_autoptr(PenTrajectory) back = pen_trajectory_load(path, schedule, &error);
    g_assert_no_error(error);
    g_assert_null(back->cond);
    g_assert_true(pen_trajectory_lacks_answers(back));
    g_assert_null(pen_trajectory_answer(back, back->cond, 2));
}

/* A picture that the artist has never had any. */
static void test_undrawn(void)
{
    GError *error = NULL;
    g_autoptr(PenTrajectory) t = example(0);
    g_clear_pointer(&t->cond, g_free);
    t->undrawn = TRUE;
    g_autoptr(GBytes) bytes = pen_trajectory_save(t, &error);
    g_assert_no_error(error);
    g_autofree char *path = write_file(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_autoptr(PenTrajectory) back = pen_trajectory_load(path, schedule, &error);
    g_assert_no_error(error);
    g_assert_true(back->undrawn);
    g_assert_false(pen_trajectory_lacks_answers(back));
}

/* A thin file keeps where a trajectory led; the way there is drawn anew, always the same. */
static void test_thin(void)
{
    GError *error = NULL;
    g_autoptr(PenTrajectory) t = example(3);
    g_autoptr(GBytes) bytes = pen_trajectory_save(t, &error);
    g_autofree char *path = write_file(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_autoptr(GBytes) thin = pen_trajectory_thin(path, 7, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(2 * g_bytes_get_size(thin), <, g_bytes_get_size(bytes));
    g_autofree char *file = write_file(g_bytes_get_data(thin, NULL), g_bytes_get_size(thin));
    g_autoptr(PenTrajectory) back = pen_trajectory_load(file, schedule, &error);
    g_assert_no_error(error);
    g_autoptr(PenTrajectory) again = pen_trajectory_load(file, schedule, &error);
    gsize n = pen_trajectory_elements(t) * sizeof(float);
    g_assert_cmpuint(back->steps, ==, t->steps);
    g_assert_cmpuint(back->first, ==, 0);
    g_assert_true(back->undrawn);
    g_assert_cmpfloat(back->guidance, ==, t->guidance);
    g_assert_cmpmem(pen_trajectory_latents(back, back->steps), n,
                    pen_trajectory_latents(t, t->steps), n);
    g_assert_cmpmem(back->condition, 3 * 5 * 2 * sizeof(float), t->condition,
                    3 * 5 * 2 * sizeof(float));
    g_assert_cmpmem(back->latents, (t->steps + 1) * n, again->latents, (t->steps + 1) * n);
    g_autoptr(GBytes) same = pen_trajectory_thin(file, 8, NULL);
    g_assert_true(g_bytes_equal(same, thin));
    gsize size;
    const guint8 *data = g_bytes_get_data(thin, &size);
    for (gsize cut = 0; cut < size; cut += 1 + cut / 40) {
        g_autoptr(GError) failure = NULL;
        g_autofree char *damaged = write_file(data, cut);
        g_assert_null(pen_trajectory_load(damaged, schedule, &failure));
        g_assert_nonnull(failure);
    }
    g_autoptr(GRand) random = g_rand_new_with_seed(12);
    for (guint trial = 0; trial < 200; trial++) {
        g_autofree guint8 *copy = g_memdup2(data, size);
        for (int i = g_rand_int_range(random, 1, 5); i > 0; i--)
            copy[g_rand_int_range(random, 0, (gint32)size)] = (guint8)g_rand_int(random);
        load_anything(copy, size);
    }
}

static void test_not_finite(void)
{
    GError *error = NULL;
    g_autoptr(PenTrajectory) t = example(0);
    t->latents[7] = INFINITY;
    g_autoptr(GBytes) bytes = pen_trajectory_save(t, &error);
    g_assert_no_error(error);
    g_autofree char *path =
        write_file(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_assert_null(pen_trajectory_load(path, schedule, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
}

/* A file of the versions that had DDIM alone: the table follows from its timesteps. */
static void test_earlier_form(void)
{
    enum { STEPS = 4, N = 2 * 2 * 4 };
    static const gint32 timesteps[STEPS] = { 751, 501, 251, 1 };
    const double settings[2] = { 5, 0.5 }, reference[STEPS] = { NAN, -1, -2, -3 };
    const float latents[STEPS * N] = { 1 }; /* the first step was left out */
    gsize steps = STEPS;
    GError *error = NULL;
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    pen_safetensors_writer_add(writer, "timesteps", PEN_SAFETENSOR_I32, 1, &steps, timesteps);
    pen_safetensors_writer_add(writer, "guidance_eta", PEN_SAFETENSOR_F64, 1, (gsize[]){ 2 },
                               settings);
    pen_safetensors_writer_add(writer, "reference_log_prob", PEN_SAFETENSOR_F64, 1, &steps,
                               reference);
    pen_safetensors_writer_add(writer, "latents", PEN_SAFETENSOR_F32, 4,
                               (gsize[]){ STEPS, 2, 2, 4 }, latents);
    g_autoptr(GBytes) bytes = pen_safetensors_writer_to_bytes(writer, &error);
    g_autofree char *path = write_file(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_autoptr(PenTrajectory) t = pen_trajectory_load(path, schedule, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(t->first, ==, 1);
    g_assert_cmpfloat(t->guidance, ==, 5);
    double a = pen_schedule_get_alpha_cumprod(schedule, 501);
    double b = pen_schedule_get_alpha_cumprod(schedule, 251);
    g_assert_cmpfloat(t->table[1].timestep, ==, 501);
    g_assert_cmpfloat_with_epsilon(t->table[1].sd, 0.5 * sqrt((1 - b) / (1 - a) * (1 - a / b)),
                                   1e-9);
}

/* A step cannot look back on what is not in the file. */
static void test_history(void)
{
    for (guint step = 0; step < 2; step++) {
        GError *error = NULL;
        g_autoptr(PenTrajectory) t = example(0);
        t->table[step].from_x0[1] = 0.5;
        g_clear_pointer(&t->cond, g_free);
        g_clear_pointer(&t->uncond, g_free);
        g_autoptr(GBytes) bytes = pen_trajectory_save(t, &error);
        g_autofree char *path = write_file(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        g_assert_null(pen_trajectory_load(path, schedule, &error));
        g_assert_nonnull(error);
        g_clear_error(&error);
        if (step == 0)
            continue;
        pen_trajectory_keep_answers(t, FALSE);
        g_autoptr(GBytes) whole = pen_trajectory_save(t, &error);
        g_autofree char *good = write_file(g_bytes_get_data(whole, NULL), g_bytes_get_size(whole));
        g_autoptr(PenTrajectory) back = pen_trajectory_load(good, schedule, &error);
        g_assert_no_error(error);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    PenScheduleConfig config = PEN_SCHEDULE_CONFIG_INIT;
    schedule = pen_schedule_new(&config, NULL);
    folder = g_dir_make_tmp("penchant-XXXXXX", NULL);
    g_test_add_data_func("/trajectory/round-trip/whole", GUINT_TO_POINTER(0), test_round_trip);
    g_test_add_data_func("/trajectory/round-trip/from-picture", GUINT_TO_POINTER(3),
                         test_round_trip);
    g_test_add_func("/trajectory/truncated", test_truncated);
    g_test_add_func("/trajectory/mutated", test_mutated);
    g_test_add_func("/trajectory/no-answers", test_no_answers);
    g_test_add_func("/trajectory/undrawn", test_undrawn);
    g_test_add_func("/trajectory/thin", test_thin);
    g_test_add_func("/trajectory/not-finite", test_not_finite);
    g_test_add_func("/trajectory/earlier-form", test_earlier_form);
    g_test_add_func("/trajectory/history", test_history);
    int failures = g_test_run();
    pen_schedule_free(schedule);
    g_autofree char *path = g_build_filename(folder, "trajectory.safetensors", NULL);
    g_unlink(path);
    g_rmdir(folder);
    g_free(folder);
    return failures;
}
