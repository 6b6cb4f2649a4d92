// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/method-private.h"

#include <math.h>

/*
 * DPM-Solver++ (Lu et al., arXiv:2211.01095), multistep: 2M, and 2M SDE, its form for the reverse
 * SDE. With lambda = log(alpha / sigma), h = lambda' - lambda, the guess D0 at this step and its
 * divided differences over the steps before, D1 and D2:
 *
 *     2M      x' = sigma'/sigma x        + alpha' (E D0 + c1 D1 + c2 D2),    E = 1 - e^-h
 *     2M SDE  x' = sigma'/sigma e^-h x   + alpha' (E D0 + c1 D1 + c2 D2)     E = 1 - e^-2h
 *                  + sigma' sqrt(E) noise
 *
 * Order 1 has D0 alone, order 2 adds D1 with c1 = E/2 ("midpoint"), order 3 has the Taylor terms of
 * both. The first steps and the last one, which ends at sigma 0, are of lower order; and the last
 * but one if there are fewer than 15.
 */
#define FEW_STEPS 15

static guint order_of(const PenSampling *sampling, guint k)
{
    guint left = sampling->steps - k, taken = k - sampling->first;
    guint order = sampling->order ? sampling->order : 2;
    if (left == 1)
        return 1;
    if (left == 2 && sampling->steps < FEW_STEPS)
        order = MIN(order, 2);
    return MIN(order, taken + 1);
}

// Adds `factor` times the differences of the guesses to their coefficients.
static void add_differences(const PenLevels *levels, guint k, guint order, double h,
                            const double c[3], double factor, double *from_x0)
{
    double r0 = log(levels->sigma[k - 1] / levels->sigma[k]) / h;
    double first = c[1], second = 0; // of (D_k - D_{k-1}) / r0 and (D_{k-1} - D_{k-2}) / r1
    double r1 = 1;
    if (order == 3) {
        r1 = log(levels->sigma[k - 2] / levels->sigma[k - 1]) / h;
        double bend = (c[1] * r0 + c[2]) / (r0 + r1);
        first += bend;
        second = -bend;
    }
    from_x0[0] += factor * first / r0;
    from_x0[1] += factor * (second / r1 - first / r0);
    from_x0[2] -= factor * second / r1;
}

static gboolean fill(const PenSampling *sampling, const PenSchedule *schedule, PenSteps *steps,
                     GError **error)
{
    gboolean sde = sampling->method->stochastic;
    g_autoptr(PenLevels) levels = pen_sampling_levels(sampling, schedule, error);
    if (!levels)
        return FALSE;
    for (guint k = sampling->first; k < levels->n; k++) {
        double s = levels->sigma[k], next = levels->sigma[k + 1];
        double h = log(s / next), g = sde ? 2 * h : h; // infinite in the last step
        double e = -expm1(-g);
        guint order = order_of(sampling, k);
        PenStep *step = &steps->step[k];
        pen_step_init_levels(step, schedule, levels->timestep[k], s, next);
        step->from_x[0] = step->next_sigma / step->sigma * (sde ? next / s : 1);
        step->from_x0[0] = step->next_alpha * e;
        step->sd = sde ? step->next_sigma * sqrt(e) : 0;
        if (order == 1)
            continue;
        double c[3] = { e, e / 2, 0 };
        if (order == 3) {
            c[1] = 1 - e / g;
            c[2] = (e - g) / (g * g) + (sde ? -0.5 : 0.5); // the sign that diffusers has
        }
        add_differences(levels, k, order, h, c, step->next_alpha, step->from_x0);
    }
    return TRUE;
}

const PenMethod pen_method_dpmpp_2m = {
    .id = "dpmpp-2m",
    .name = "DPM++ 2M",
    .aliases = { "dpmsolvermultistepscheduler", "dpmsolverpp" },
    .usual = PEN_SPREAD_KARRAS,
    .multistep = TRUE,
    .evaluations = 1,
    .fill = fill,
};

const PenMethod pen_method_dpmpp_2m_sde = {
    .id = "dpmpp-2m-sde",
    .name = "DPM++ 2M SDE",
    .usual = PEN_SPREAD_KARRAS,
    .stochastic = TRUE,
    .multistep = TRUE,
    .evaluations = 1,
    .fill = fill,
};
