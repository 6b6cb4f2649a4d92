// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/method-private.h"

#include <math.h>

/*
 * Trajectory consistency distillation (Zheng et al., arXiv:2402.19159, algorithm 4). The answer
 * leads from t down to s = (1 - eta) t', with its own noise e, and fresh noise leads back up to t',
 * the next timestep; eta is the paper's gamma, 0 for no fresh noise:
 *
 *     z  = sqrt(a_s) D + sqrt(1 - a_s) e,    e = (x - sqrt(a) D) / sqrt(1 - a)
 *     x' = sqrt(a' / a_s) z + sqrt(1 - a' / a_s) noise
 *
 * The last step ends at timestep 0.
 */
static gboolean fill(const PenSampling *sampling, const PenSchedule *schedule, PenSteps *steps,
                     GError **error)
{
    guint n = sampling->steps;
    g_autofree int *t = g_new(int, n);
    if (!pen_consistency_timesteps(sampling, schedule, t, error))
        return FALSE;
    for (guint k = sampling->first; k < n; k++) {
        int next = k + 1 < n ? t[k + 1] : 0;
        int s = (int)floorf((float)(1 - sampling->eta) * (float)next); // as PyTorch rounds it
        double a = pen_schedule_get_alpha_cumprod(schedule, t[k]);
        double a_next = pen_schedule_get_alpha_cumprod(schedule, next);
        double a_s = pen_schedule_get_alpha_cumprod(schedule, s);
        double up = sqrt(a_next / a_s);
        PenStep *step = &steps->step[k];
        pen_step_init(step, schedule, t[k], sqrt(a), sqrt(a_next));
        step->from_x[0] = up * sqrt(1 - a_s) / step->sigma;
        step->from_x0[0] = up * sqrt(a_s) - step->from_x[0] * step->alpha;
        step->sd = sqrt(MAX(0, 1 - a_next / a_s));
    }
    return TRUE;
}

const PenMethod pen_method_tcd = {
    .id = "tcd",
    .name = "TCD",
    .aliases = { "tcdscheduler" },
    .usual = PEN_SPREAD_AUTOMATIC,
    .uses_eta = TRUE,
    .evaluations = 1,
    .fill = fill,
};
