// SPDX-License-Identifier: GPL-3.0-or-later
/* In which order candidates are made, and that it changes none of them. */
#include <string.h>

#include "src/engine/sampler.h"

enum { N = 4, SIDE = 8, STEPS = 3 };

typedef struct {
    PenDevice *device;
    PenRuntime *runtime;
    PenConditioning *conditionings[2]; /* of the prompt, then of no text */
    GString
        *course; /* "1" for a step of candidate 1, "(1)" when it is finished, "|" for the choice */
} Fixture;

static void set_up(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = pen_model_find(NULL, &error);
    g_autoptr(PenModel) model = pen_model_open(folder, &error);
    g_assert_no_error(error);
    fixture->device = pen_device_open(NULL, &error);
    g_assert_no_error(error);
    fixture->runtime = pen_runtime_new(model, fixture->device, PEN_DTYPE_F32, &error);
    g_assert_no_error(error);
    pen_runtime_encode_texts(fixture->runtime, (const char *const[]){ "a bird", NULL }, 2,
                             fixture->conditionings, NULL, NULL, &error);
    g_assert_no_error(error);
    fixture->course = g_string_new(NULL);
}

static void tear_down(Fixture *fixture)
{
    g_string_free(fixture->course, TRUE);
    for (guint i = 0; i < 2; i++)
        pen_conditioning_free(fixture->conditionings[i]);
    pen_runtime_free(fixture->runtime);
    pen_device_unref(fixture->device);
}

static gboolean on_step(double done, guint first, guint n, float *const *predicted, gpointer data,
                        GError **error)
{
    Fixture *fixture = data;
    for (guint i = first; i < first + n; i++)
        g_string_append_printf(fixture->course, "%u", i);
    g_assert_cmpfloat(done, <=, 1);
    return TRUE;
}

static gboolean on_finished(guint candidate, const PenTrajectory *trajectory, gpointer data,
                            GError **error)
{
    Fixture *fixture = data;
    g_string_append_printf(fixture->course, "(%u)", candidate);
    return TRUE;
}

static gboolean choose_last(float *const *predicted, guint *chosen, gpointer data, GError **error)
{
    Fixture *fixture = data;
    g_string_append(fixture->course, "|");
    chosen[0] = 3;
    chosen[1] = 1;
    return TRUE;
}

static void make(Fixture *fixture, guint together, guint keep, PenTrajectory **trajectories)
{
    g_autoptr(GError) error = NULL;
    PenSamplerJob job = {
        .n = N,
        .keep = keep,
        .choose = choose_last,
        .together = together,
        .height = SIDE,
        .width = SIDE,
        .sampling = { .method = pen_methods()[0], .steps = STEPS, .eta = 1 },
        .guidance = 5,
        .cond = fixture->conditionings[0],
        .uncond = fixture->conditionings[1],
        .seed = 7,
        .progress = on_step,
        .finished = on_finished,
        .progress_data = fixture,
    };
    pen_sampling_set_spread(&job.sampling, PEN_SPREAD_AUTOMATIC,
                            pen_runtime_model(fixture->runtime)->schedule);
    g_string_truncate(fixture->course, 0);
    pen_sampler_run(fixture->runtime, &job, trajectories, NULL, &error);
    g_assert_no_error(error);
}

static void assert_same(const PenTrajectory *a, const PenTrajectory *b)
{
    gsize n = pen_trajectory_elements(a);
    for (guint k = 0; k <= STEPS; k++)
        g_assert_cmpmem(pen_trajectory_latents(a, k), n * sizeof(float),
                        pen_trajectory_latents(b, k), n * sizeof(float));
}

static void clear(PenTrajectory **trajectories)
{
    for (guint i = 0; i < N; i++)
        g_clear_pointer(&trajectories[i], pen_trajectory_free);
}

/* One after another or beside each other: the candidates are the same, bit for bit. */
static void test_together(void)
{
    Fixture fixture;
    PenTrajectory *alone[N], *beside[N];
    set_up(&fixture);
    make(&fixture, 1, 0, alone);
    g_assert_cmpstr(fixture.course->str, ==, "000(0)111(1)222(2)333(3)");
    for (guint together = 2; together <= N; together *= 2) {
        make(&fixture, together, 0, beside);
        g_assert_cmpstr(fixture.course->str, ==,
                        together == 2 ? "010101(0)(1)232323(2)(3)" : "012301230123(0)(1)(2)(3)");
        for (guint i = 0; i < N; i++)
            assert_same(alone[i], beside[i]);
        clear(beside);
    }
    clear(alone);
    tear_down(&fixture);
}

/* Those that were not chosen are not made to the end, and the chosen ones are what they would have
 * been. */
static void test_choice(void)
{
    Fixture fixture;
    PenTrajectory *all[N], *chosen[N];
    set_up(&fixture);
    make(&fixture, 0, 0, all);
    make(&fixture, 1, 2, chosen);
    g_assert_cmpstr(fixture.course->str, ==, "00112233|0(0)1(1)");
    assert_same(all[3], chosen[0]);
    assert_same(all[1], chosen[1]);
    g_assert_null(chosen[2]);
    clear(all);
    clear(chosen);
    tear_down(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sampler/together", test_together);
    g_test_add_func("/sampler/choice", test_choice);
    return g_test_run();
}
