// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/method-private.h"

#include <math.h>

/*
 * UniPC (Zhao et al., arXiv:2302.04867), predicting x0, with B(h) = e^-h - 1 ("bh2"). A predictor
 * leads from x^c to the next level; when the model has been asked there, a corrector of the same
 * order mends what the predictor said with the new guess, and the next predictor starts from the
 * mended x^c:
 *
 *     x_{k+1} = sigma'/sigma x^c_k - alpha' B (D_k + sum_i p_i (D_{k-i} - D_k) / r_i)
 *     x^c_{k+1} = sigma'/sigma x^c_k
 *                 - alpha' B (D_k + sum_i c_i (D_{k-i} - D_k) / r_i + c (D_{k+1} - D_k))
 *
 * The model is shown x; x^c is never shown. The two differ in guesses alone, so x^c_k is x_k and a
 * sum of guesses, and the table needs no other latents than those visited.
 */
static double lambda(const PenLevels *levels, guint k)
{
    return -log(levels->sigma[k]);
}

// The order of the predictor from k, and of the corrector at k + 1.
static guint order_of(const PenSampling *sampling, guint k)
{
    guint order = MIN(sampling->order ? sampling->order : 2, sampling->steps - k);
    return MIN(order, k - sampling->first + 1);
}

/*
 * The weights of the differences (D_{k-i} - D_k) / r_i, i = 1 … order - 1, and with `corrects` of
 * D_{k+1} - D_k as the last one: they match the Taylor series of the solution (eq. 9 there). Those
 * of the lowest orders are 1/2 by convention.
 */
static guint weights(const PenLevels *levels, guint k, guint order, gboolean corrects,
                     double r[PEN_STEP_HISTORY], double rho[PEN_STEP_HISTORY])
{
    double h = lambda(levels, k + 1) - lambda(levels, k), phi = expm1(-h) / -h - 1, factorial = 1;
    double a[PEN_STEP_HISTORY][PEN_STEP_HISTORY];
    guint m = corrects ? order : order - 1;
    for (guint i = 0; i + 1 < order; i++)
        r[i] = (lambda(levels, k - i - 1) - lambda(levels, k)) / h;
    r[order - 1] = 1;
    for (guint i = 0; i < m; i++) {
        for (guint j = 0; j < m; j++)
            a[i][j] = pow(r[j], i);
        rho[i] = phi * factorial / expm1(-h);
        factorial *= i + 2;
        phi = phi / -h - 1 / factorial;
    }
    if (m == 1)
        rho[0] = 0.5;
    else
        pen_solve(m, a, rho);
    return m;
}

// Adds factor * sum of the weighted differences to the coefficients of D_k, D_{k-1}, ….
static void add_differences(const PenLevels *levels, guint k, guint order, double factor,
                            double *from_x0)
{
    double r[PEN_STEP_HISTORY], rho[PEN_STEP_HISTORY];
    guint m = weights(levels, k, order, FALSE, r, rho);
    for (guint i = 0; i < m; i++) {
        from_x0[i + 1] += factor * rho[i] / r[i];
        from_x0[0] -= factor * rho[i] / r[i];
    }
}

// x^c_{k+1} - x_{k+1}: factor times it, added to the coefficients of D_{k+1}, D_k, ….
static void add_correction(const PenLevels *levels, guint k, guint order, double alpha,
                           double factor, double *from_x0)
{
    double r[PEN_STEP_HISTORY], rho[PEN_STEP_HISTORY];
    double b = -alpha * expm1(lambda(levels, k) - lambda(levels, k + 1));
    add_differences(levels, k, order, -factor * b, from_x0 + 1);
    weights(levels, k, order, TRUE, r, rho);
    for (guint i = 0; i + 1 < order; i++) {
        from_x0[i + 2] += factor * b * rho[i] / r[i];
        from_x0[1] -= factor * b * rho[i] / r[i];
    }
    from_x0[0] += factor * b * rho[order - 1];
    from_x0[1] -= factor * b * rho[order - 1];
}

static gboolean fill(const PenSampling *sampling, const PenSchedule *schedule, PenSteps *steps,
                     GError **error)
{
    g_autoptr(PenLevels) levels = pen_sampling_levels(sampling, schedule, error);
    if (!levels)
        return FALSE;
    for (guint k = sampling->first; k < levels->n; k++) {
        double s = levels->sigma[k], next = levels->sigma[k + 1];
        guint order = order_of(sampling, k);
        PenStep *step = &steps->step[k];
        pen_step_init_levels(step, schedule, levels->timestep[k], s, next);
        double b = step->next_alpha * (1 - next / s);
        step->from_x[0] = step->next_sigma / step->sigma;
        step->from_x0[0] = b;
        if (order > 1)
            add_differences(levels, k, order, b, step->from_x0);
        if (k > sampling->first)
            add_correction(levels, k - 1, order_of(sampling, k - 1), step->alpha, step->from_x[0],
                           step->from_x0);
    }
    return TRUE;
}

const PenMethod pen_method_unipc = {
    .id = "unipc",
    .name = "UniPC",
    .aliases = { "unipcmultistepscheduler" },
    .usual = PEN_SPREAD_NORMAL,
    .multistep = TRUE,
    .evaluations = 1,
    .fill = fill,
};
