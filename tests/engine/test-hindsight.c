// SPDX-License-Identifier: GPL-3.0-or-later
/* The targets of hindsight: what candidates share is found and taken off, their luck stays. */
#include <math.h>

#include "src/engine/hindsight.h"
#include "src/sampling/method.h"
#include "src/sampling/noise.h"

enum { SIDE = 12, CHANNELS = 4, N = SIDE * SIDE * CHANNELS, STEPS = 20, CANDIDATES = 40 };

static const double drift[CHANNELS] = { 0.2, -0.1, 0, 0.05 };

static const int timestep = 401; /* any one will do */

static void noise(guint64 seed, float *out)
{
    pen_noise_fill(seed, PEN_STREAM_INITIAL, 0, N, out);
}

/* A candidate's last step but one, whose finished latents are those that answer plus luck, a share of
 * the push and a drift lead to. */
static PenTrajectory *candidate(const PenSchedule *schedule, guint64 seed, double share,
                                gboolean without_prompt, float *luck)
{
    g_autoptr(GError) error = NULL;
    PenTrajectory *t = pen_trajectory_new(SIDE, SIDE, CHANNELS, STEPS, STEPS - 1);
    PenSampling sampling = { .method = pen_methods()[0], .timesteps = &timestep, .steps = 1 };
    g_autoptr(PenSteps) table = pen_sampling_steps(&sampling, schedule, &error);
    g_assert_no_error(error);
    PenStep step = t->table[STEPS - 1] = table->step[0];
    t->guidance = 3;
    pen_trajectory_keep_answers(t, TRUE);
    noise(seed * 4, pen_trajectory_latents(t, STEPS - 1));
    noise(seed * 4 + 1, t->cond);
    noise(seed * 4 + 2, t->uncond);
    noise(seed * 4 + 3, luck);
    const float *x = pen_trajectory_latents(t, STEPS - 1), *o = without_prompt ? t->uncond : t->cond;
    float *x0 = pen_trajectory_latents(t, STEPS);
    for (guint i = 0; i < N; i++) {
        double g = t->uncond[i] + t->guidance * (t->cond[i] - t->uncond[i]);
        double y = o[i] + 0.3 * luck[i] + share * (g - o[i]) + drift[i % CHANNELS];
        x0[i] = (float)(step.x0_from_x * x[i] + step.x0_from_output * y);
    }
    return t;
}

static void test_targets(gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenScheduleConfig config = PEN_SCHEDULE_CONFIG_INIT;
    config.prediction = GPOINTER_TO_UINT(data) & 1 ? PEN_PREDICTION_V : PEN_PREDICTION_EPSILON;
    gboolean turn = (GPOINTER_TO_UINT(data) & 2) != 0;
    g_autoptr(PenSchedule) schedule = pen_schedule_new(&config, &error);
    g_assert_no_error(error);
    PenHindsight hindsight = { 0 };
    g_autofree float *luck = g_new(float, N), *target = g_new(float, N);
    PenTrajectory *t = NULL;
    for (guint i = 0; i < CANDIDATES; i++) {
        pen_trajectory_free(t);
        t = candidate(schedule, 100 + i, 0.6, turn, luck);
        pen_hindsight_add(&hindsight, t);
    }
    double mean[PEN_HINDSIGHT_CHANNELS];
    g_assert_cmpfloat_with_epsilon(pen_hindsight_get_share(&hindsight, timestep, turn, mean), 0.6, 0.01);
    for (guint c = 0; c < CHANNELS; c++)
        g_assert_cmpfloat_with_epsilon(mean[c], drift[c], 0.02);

    /* The target is the drawer's answer and the luck. */
    const float *o = turn ? t->uncond : t->cond;
    pen_hindsight_target(&hindsight, t, STEPS - 1, turn, target);
    double error_square = 0;
    for (guint i = 0; i < N; i++)
        error_square += pow(target[i] - (o[i] + 0.3 * luck[i]), 2);
    g_assert_cmpfloat(sqrt(error_square / N), <, 0.03);

    /* Of a picture that nobody drew it is the answer that leads to it, and the regression stays. */
    PenHindsight before = hindsight;
    t->undrawn = TRUE;
    pen_hindsight_add(&hindsight, t);
    g_assert_cmpmem(&before, sizeof before, &hindsight, sizeof hindsight);
    pen_hindsight_target(&hindsight, t, STEPS - 1, turn, target);
    g_autofree float *found = g_new(float, N);
    pen_step_answer_for_x0(&t->table[STEPS - 1], N, pen_trajectory_latents(t, STEPS - 1),
                           pen_trajectory_latents(t, STEPS), found);
    g_assert_cmpmem(target, N * sizeof *target, found, N * sizeof *found);
    pen_trajectory_free(t);
}

/* Without guidance nothing is pushed, and of timesteps that were never seen nothing is known. */
static void test_no_push(void)
{
    g_autoptr(GError) error = NULL;
    PenScheduleConfig config = PEN_SCHEDULE_CONFIG_INIT;
    g_autoptr(PenSchedule) schedule = pen_schedule_new(&config, &error);
    g_autofree float *luck = g_new(float, N);
    PenHindsight hindsight = { 0 };
    double mean[PEN_HINDSIGHT_CHANNELS];
    PenTrajectory *t = candidate(schedule, 5, 0, FALSE, luck);
    t->guidance = 1;
    g_clear_pointer(&t->uncond, g_free);
    pen_hindsight_add(&hindsight, t);
    g_assert_cmpfloat(pen_hindsight_get_share(&hindsight, timestep, FALSE, mean), ==, 0);
    g_assert_cmpfloat(pen_hindsight_get_share(&hindsight, 901, FALSE, mean), ==, 0);
    g_assert_cmpfloat(mean[0], ==, 0);
    pen_trajectory_free(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/hindsight/targets/epsilon", GUINT_TO_POINTER(0), test_targets);
    g_test_add_data_func("/hindsight/targets/v", GUINT_TO_POINTER(1), test_targets);
    g_test_add_data_func("/hindsight/targets/epsilon-without-prompt", GUINT_TO_POINTER(2), test_targets);
    g_test_add_data_func("/hindsight/targets/v-without-prompt", GUINT_TO_POINTER(3), test_targets);
    g_test_add_func("/hindsight/no-push", test_no_push);
    return g_test_run();
}
