// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/engine/hindsight.h"

static guint span(int timestep)
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

gboolean pen_hindsight_add(PenHindsight *hindsight, const PenSchedule *schedule,
                           const PenTrajectory *t, GError **error)
{
    gsize n = pen_trajectory_elements(t);
    g_autofree float *found = g_new(float, n);
    for (guint k = t->first; k < t->steps; k++) {
        PenDdimStep step;
        if (!pen_ddim_step_init(&step, schedule, t->timesteps[k], (int)t->steps, t->eta, error))
            return FALSE;
        pen_ddim_find_output(&step, n, pen_trajectory_latents(t, k),
                             pen_trajectory_latents(t, t->steps), found);
        for (guint turn = 0; turn < 2; turn++) {
            const float *cond, *uncond;
            double factor, along = 0, push = 0;
            const float *output = drawn(t, k, turn, &cond, &uncond, &factor);
            for (gsize i = 0; i < n; i++) {
                double pushed = factor * ((double)cond[i] - uncond[i]);
                along += ((double)found[i] - output[i]) * pushed;
                push += pushed * pushed;
            }
            hindsight->along[turn][span(step.timestep)] += along;
            hindsight->push[turn][span(step.timestep)] += push;
        }
    }
    return TRUE;
}

double pen_hindsight_get_share(const PenHindsight *hindsight, int timestep, gboolean without_prompt)
{
    double push = hindsight->push[without_prompt][span(timestep)];
    return push > 0 ? CLAMP(hindsight->along[without_prompt][span(timestep)] / push, 0, 1) : 0;
}

void pen_hindsight_target(const PenHindsight *hindsight, const PenDdimStep *step,
                          const PenTrajectory *t, guint k, gboolean without_prompt,
                          const float *bare, float *target)
{
    gsize n = pen_trajectory_elements(t);
    const float *cond, *uncond;
    double factor;
    const float *output = drawn(t, k, without_prompt, &cond, &uncond, &factor);
    factor *= pen_hindsight_get_share(hindsight, step->timestep, without_prompt);
    pen_ddim_find_output(step, n, pen_trajectory_latents(t, k),
                         pen_trajectory_latents(t, t->steps), target);
    for (gsize i = 0; i < n; i++)
        target[i] = (float)((double)bare[i] + target[i] - output[i] -
                            factor * ((double)cond[i] - uncond[i]));
}
