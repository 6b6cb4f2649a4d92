// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/method-private.h"

#include <math.h>

/*
 * Euler's method and Euler ancestral (k-diffusion's; Karras et al., arXiv:2206.00364, algorithm 1).
 * Latents X = x0 + s noise go along the line through the guess D from the level s to s_down;
 * ancestral steps then add fresh noise to reach the level s':
 *
 *     X' = X + (X - D) / s (s_down - s) + s_up noise
 *     s_up = 0, s_down = s'                                      Euler
 *     s_up = s' sqrt(s^2 - s'^2) / s, s_down = s'^2 / s          ancestral
 *
 * An ancestral step is the forward process's own, q(x' | x, x0 = D): DDIM with eta 1 on these
 * levels.
 */

// In float, as diffusers does: where s is 4096, rounding decides on s_down.
static void divide(double s, double next, double *up, double *down)
{
    float from = (float)s * (float)s, to = (float)next * (float)next;
    float up2 = to * (from - to) / from;
    *up = sqrtf(up2);
    *down = sqrtf(MAX(to - up2, 0));
}

static gboolean fill(const PenSampling *sampling, const PenSchedule *schedule, PenSteps *steps,
                     GError **error)
{
    g_autoptr(PenLevels) levels = pen_sampling_levels(sampling, schedule, error);
    if (!levels)
        return FALSE;
    for (guint k = sampling->first; k < levels->n; k++) {
        double s = levels->sigma[k], next = levels->sigma[k + 1];
        double up = 0, down = next;
        if (sampling->method->stochastic)
            divide(s, next, &up, &down);
        PenStep *step = &steps->step[k];
        pen_step_init_levels(step, schedule, levels->timestep[k], s, next);
        step->from_x[0] = down / s * step->next_alpha / step->alpha;
        step->from_x0[0] = (1 - down / s) * step->next_alpha;
        step->sd = up * step->next_alpha;
    }
    return TRUE;
}

const PenMethod pen_method_euler = {
    .id = "euler",
    .name = "Euler",
    .aliases = { "keuler", "eulerdiscretescheduler" },
    .usual = PEN_SPREAD_NORMAL,
    .divided = TRUE,
    .evaluations = 1,
    .fill = fill,
};

const PenMethod pen_method_euler_a = {
    .id = "euler-a",
    .name = "Euler a",
    .aliases = { "keulera", "eulerancestral", "eulerancestraldiscretescheduler" },
    .usual = PEN_SPREAD_NORMAL,
    .stochastic = TRUE,
    .divided = TRUE,
    .evaluations = 1,
    .fill = fill,
};
