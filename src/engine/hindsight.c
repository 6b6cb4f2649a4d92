// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/engine/hindsight.h"

static guint span(double timestep)
{
    return (guint)MIN(timestep * PEN_HINDSIGHT_SPANS / 1000, PEN_HINDSIGHT_SPANS - 1);
}

/* What drew at step k: the answer of this turn, and the push g - o = factor (cond - uncond) on it. */
static const float *drawn(const PenTrajectory *t, guint k, gboolean without_prompt,
                          const float **cond, const float **uncond, double *factor)
{
    *cond = pen_trajectory_answer(t, t->cond, k);
    *uncond = t->uncond ? pen_trajectory_answer(t, t->uncond, k) : *cond;
    *factor = without_prompt ? t->guidance : t->guidance - 1;
    return without_prompt ? *uncond : *cond;
}

static void add_turn(PenHindsightSums *sums, const PenTrajectory *t, guint k, gboolean turn,
                     const float *found)
{
    gsize n = pen_trajectory_elements(t);
    const float *cond, *uncond;
    double factor;
    const float *output = drawn(t, k, turn, &cond, &uncond, &factor);
    for (gsize i = 0; i < n; i++) {
        double r = (double)found[i] - output[i], p = factor * ((double)cond[i] - uncond[i]);
        gsize c = i % t->channels;
        sums->rp += r * p;
        sums->pp += p * p;
        if (c < PEN_HINDSIGHT_CHANNELS) {
            sums->r[c] += r;
            sums->p[c] += p;
        }
    }
    sums->n += (double)(n / t->channels);
}

void pen_hindsight_add(PenHindsight *hindsight, const PenTrajectory *t)
{
    gsize n = pen_trajectory_elements(t);
    g_autofree float *found = g_new(float, n);
    if (t->undrawn)
        return;
    for (guint k = t->first; k < t->steps; k++) {
        const PenStep *step = &t->table[k];
        pen_step_answer_for_x0(step, n, pen_trajectory_latents(t, k),
                               pen_trajectory_latents(t, t->steps), found);
        for (guint turn = 0; turn < 2; turn++)
            add_turn(&hindsight->sums[turn][span(step->timestep)], t, k, turn, found);
    }
}

double pen_hindsight_get_share(const PenHindsight *hindsight, double timestep,
                               gboolean without_prompt, double mean[PEN_HINDSIGHT_CHANNELS])
{
    const PenHindsightSums *sums = &hindsight->sums[without_prompt][span(timestep)];
    double n = MAX(sums->n, 1), rp = sums->rp, pp = sums->pp;
    for (guint c = 0; c < PEN_HINDSIGHT_CHANNELS; c++) {
        rp -= sums->r[c] * sums->p[c] / n;
        pp -= sums->p[c] * sums->p[c] / n;
    }
    /* Without guidance there is no push, and pp is nothing but rounding. */
    double share = pp > 1e-9 * sums->pp && pp > 0 ? CLAMP(rp / pp, 0, 1) : 0;
    for (guint c = 0; c < PEN_HINDSIGHT_CHANNELS; c++)
        mean[c] = (sums->r[c] - share * sums->p[c]) / n;
    return share;
}

void pen_hindsight_target(const PenHindsight *hindsight, const PenTrajectory *t, guint k,
                          gboolean without_prompt, float *target)
{
    const PenStep *step = &t->table[k];
    gsize n = pen_trajectory_elements(t);
    pen_step_answer_for_x0(step, n, pen_trajectory_latents(t, k),
                           pen_trajectory_latents(t, t->steps), target);
    if (t->undrawn)
        return;
    const float *cond, *uncond;
    double factor, mean[PEN_HINDSIGHT_CHANNELS];
    drawn(t, k, without_prompt, &cond, &uncond, &factor);
    factor *= pen_hindsight_get_share(hindsight, step->timestep, without_prompt, mean);
    for (gsize i = 0; i < n; i++) {
        gsize c = i % t->channels;
        target[i] = (float)(target[i] - factor * ((double)cond[i] - uncond[i]) -
                            (c < PEN_HINDSIGHT_CHANNELS ? mean[c] : 0));
    }
}
