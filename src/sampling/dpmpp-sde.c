// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/method-private.h"

#include <math.h>

/*
 * DPM++ SDE (k-diffusion's sample_dpmpp_sde; arXiv:2211.01095): the model is asked twice between
 * the levels s and s'. The first answer takes an ancestral step (euler.c) to the level in the
 * middle, sqrt(s s'); the second one, from there, takes an ancestral step from the latents where
 * the first began, all the way to s'. The last step, to 0, asks once. A step of the table is one
 * evaluation:
 *
 *     first    X_m = s_down/s X + (1 - s_down/s) D   + s_up noise       to the level in the middle
 *     second   X'  = s_down/s X + (1 - s_down/s) D_m + s_up noise       to s'
 *
 * Both evaluations take noise of their own, where k-diffusion may be given a Brownian tree.
 */
static void fill_step(const PenSchedule *schedule, const PenLevels *levels, guint i, PenStep *step)
{
    double s = levels->sigma[i], next = levels->sigma[i + 1];
    gboolean last = i + 1 == levels->n;
    double middle = sqrt(s * next);
    for (guint stage = 0; stage < (last ? 1 : 2); stage++) {
        double from = stage ? middle : s, to = stage || last ? next : middle;
        double t = stage ? pen_levels_timestep_at(schedule, middle) : levels->timestep[i];
        double down = to * to / s;
        pen_step_init_levels(&step[stage], schedule, t, from, to);
        step[stage].from_x[stage] = down / s * step[stage].next_alpha / step[0].alpha;
        step[stage].from_x0[0] = (1 - down / s) * step[stage].next_alpha;
        step[stage].sd = to * sqrt(s * s - to * to) / s * step[stage].next_alpha;
    }
}

static gboolean fill(const PenSampling *sampling, const PenSchedule *schedule, PenSteps *steps,
                     GError **error)
{
    g_autoptr(PenLevels) levels = pen_sampling_levels(sampling, schedule, error);
    if (!levels)
        return FALSE;
    for (guint i = sampling->first / 2; i < levels->n; i++)
        fill_step(schedule, levels, i, &steps->step[2 * i]);
    return TRUE;
}

const PenMethod pen_method_dpmpp_sde = {
    .id = "dpmpp-sde",
    .name = "DPM++ SDE",
    .aliases = { "dpmsolversdescheduler" },
    .usual = PEN_SPREAD_KARRAS,
    .stochastic = TRUE,
    .divided = TRUE,
    .evaluations = 2,
    .fill = fill,
};
