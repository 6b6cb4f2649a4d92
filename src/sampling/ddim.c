// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/method-private.h"

#include <math.h>

/*
 * DDIM (Song et al., arXiv:2010.02502, eq. 12 and 16). With a = abar_t, a' = abar of the timestep
 * that the step leads to, e the noise and D the picture that the model guesses:
 *
 *     sd = eta sqrt((1-a') / (1-a)) sqrt(1 - a/a')
 *     x' = sqrt(a') D + sqrt(1 - a' - sd^2) e + sd noise,    e = (x - sqrt(a) D) / sqrt(1-a)
 *
 * A step goes T div steps timesteps down, as in diffusers, or to the next one of a list.
 */
static gboolean fill(const PenSampling *sampling, const PenSchedule *schedule, PenSteps *steps,
                     GError **error)
{
    guint n = sampling->steps;
    int whole = pen_schedule_get_num_train_timesteps(schedule) / (int)n;
    g_autofree int *t = g_new(int, n);
    if (sampling->timesteps) {
        if (!pen_levels_check_timesteps(schedule, sampling->timesteps, n, error))
            return FALSE;
        memcpy(t, sampling->timesteps, n * sizeof *t);
    } else if (!pen_schedule_get_timesteps(schedule, sampling->spacing, (int)n, t, error)) {
        return FALSE;
    }
    for (guint k = sampling->first; k < n; k++) {
        int previous = !sampling->timesteps ? t[k] - whole : k + 1 < n ? t[k + 1] : -1;
        double a = pen_schedule_get_alpha_cumprod(schedule, t[k]);
        double a_prev = pen_schedule_get_alpha_cumprod(schedule, previous);
        double sd = sampling->eta * sqrt((1 - a_prev) / (1 - a)) * sqrt(MAX(0, 1 - a / a_prev));
        PenStep *step = &steps->step[k];
        pen_step_init(step, schedule, t[k], sqrt(a), sqrt(a_prev));
        // Rounding may go below 0.
        step->from_x[0] = sqrt(MAX(0, 1 - a_prev - sd * sd)) / step->sigma;
        step->from_x0[0] = step->next_alpha - step->from_x[0] * step->alpha;
        step->sd = sd;
    }
    return TRUE;
}

const PenMethod pen_method_ddim = {
    .id = "ddim",
    .name = "DDIM",
    .aliases = { "ddimscheduler" },
    .usual = PEN_SPREAD_AUTOMATIC,
    .uses_eta = TRUE,
    .evaluations = 1,
    .fill = fill,
};
