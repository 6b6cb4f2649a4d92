// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/engine/forward.h"

#include <math.h>
#include <string.h>

#include "src/sampling/method.h"
#include "src/sampling/noise.h"

gboolean pen_forward_fill(PenTrajectory *t, const PenSchedule *schedule, guint64 seed, GError **error)
{
    PenSampling sampling = { .method = pen_methods()[0], .steps = t->steps, .eta = 1 };
    pen_sampling_set_spread(&sampling, PEN_SPREAD_AUTOMATIC, schedule);
    g_autoptr(PenSteps) table = pen_sampling_steps(&sampling, schedule, error);
    if (!table)
        return FALSE;
    gsize n = pen_trajectory_elements(t);
    g_autofree float *noise = g_new(float, n);
    memcpy(t->table, table->step, t->steps * sizeof *t->table);
    t->undrawn = TRUE;
    double less = 1; /* the abar of the step above */
    for (guint k = t->steps; k-- > 0;) {
        double a = t->table[k].alpha * t->table[k].alpha;
        double keep = sqrt(a / less), add = sqrt(fmax(1 - a / less, 0));
        const float *x = pen_trajectory_latents(t, k + 1);
        float *noisier = pen_trajectory_latents(t, k);
        pen_noise_fill(seed, pen_noise_step_stream(k), 0, n, noise);
        for (gsize i = 0; i < n; i++)
            noisier[i] = (float)(keep * x[i] + add * noise[i]);
        less = a;
    }
    return TRUE;
}

PenTrajectory *pen_forward_trajectory(const PenModel *model, const float *latents, guint32 height,
                                      guint32 width, const float *condition, guint steps,
                                      double guidance, guint64 seed, GError **error)
{
    g_autoptr(PenTrajectory) t =
        pen_trajectory_new(height, width, model->unet.out_channels, steps, 0);
    t->guidance = guidance;
    if (model->condition_channels)
        pen_trajectory_set_condition(t, model->condition_channels, condition);
    memcpy(pen_trajectory_latents(t, steps), latents,
           pen_trajectory_elements(t) * sizeof *latents);
    return pen_forward_fill(t, model->schedule, seed, error) ? g_steal_pointer(&t) : NULL;
}
