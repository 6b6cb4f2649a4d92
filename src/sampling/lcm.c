// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/method-private.h"

#include <math.h>

/*
 * Latent consistency models (Luo et al., arXiv:2310.04378). The model's answer leads to the
 * finished latents in one go, through the consistency function f; a step puts fresh noise on them:
 *
 *     f(x) = c_skip x + c_out D,    c_skip = 1/4 / (u^2 + 1/4), c_out = u / sqrt(u^2 + 1/4), u = 10
 * t x'   = sqrt(a') f(x) + sqrt(1 - a') noise
 *
 * and the last step is f(x) itself. So a step is a Gaussian of mean sqrt(a') f(x) and deviation
 * sqrt(1 - a'): its policy is the whole guess of the picture.
 */
#define DISTILLED_STEPS 50

gboolean pen_consistency_timesteps(const PenSampling *sampling, const PenSchedule *schedule,
                                   int *timesteps, GError **error)
{
    guint n = sampling->steps;
    int whole = pen_schedule_get_num_train_timesteps(schedule) / DISTILLED_STEPS;
    if (sampling->timesteps) {
        memcpy(timesteps, sampling->timesteps, n * sizeof *timesteps);
        return pen_levels_check_timesteps(schedule, timesteps, n, error);
    }
    if (n > DISTILLED_STEPS || whole < 1) {
        pen_schedule_set_steps_error((int)n, whole < 1 ? 0 : DISTILLED_STEPS, error);
        return FALSE;
    }
    for (guint i = 0; i < n; i++) {
        int below = (int)floor(i * ((double)DISTILLED_STEPS / n));
        timesteps[i] = (DISTILLED_STEPS - below) * whole - 1;
    }
    return TRUE;
}

static gboolean fill(const PenSampling *sampling, const PenSchedule *schedule, PenSteps *steps,
                     GError **error)
{
    guint n = sampling->steps;
    g_autofree int *t = g_new(int, n);
    if (!pen_consistency_timesteps(sampling, schedule, t, error))
        return FALSE;
    for (guint k = sampling->first; k < n; k++) {
        gboolean last = k + 1 == n;
        double a = pen_schedule_get_alpha_cumprod(schedule, t[k]);
        double a_next = last ? 1 : pen_schedule_get_alpha_cumprod(schedule, t[k + 1]);
        double u = 10.0 * t[k], size = u * u + 0.25;
        PenStep *step = &steps->step[k];
        pen_step_init(step, schedule, t[k], sqrt(a), sqrt(a_next));
        step->from_x[0] = step->next_alpha * 0.25 / size;
        step->from_x0[0] = step->next_alpha * u / sqrt(size);
        step->sd = step->next_sigma;
    }
    return TRUE;
}

const PenMethod pen_method_lcm = {
    .id = "lcm",
    .name = "LCM",
    .aliases = { "lcmscheduler" },
    .usual = PEN_SPREAD_AUTOMATIC,
    .stochastic = TRUE,
    .evaluations = 1,
    .fill = fill,
};
