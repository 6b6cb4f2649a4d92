// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The trajectory of a picture that no sampler drew: what a sampler would have gone through had it
 * come to just this picture. It is the forward process backwards. From the finished latents x0 up to
 * the noisy end, with fresh noise at each step (a: abar of the step's timestep, a': of the step that
 * follows it in sampling, 1 after the last),
 *
 *     x_k = sqrt(a / a') x_(k+1) + sqrt(1 - a / a') noise,
 *
 * which are the states that DDIM with eta 1 visits where the model is right. In hindsight
 * (src/learning/d3po.h) such a picture can be learnt from like one that was drawn.
 */

#include "src/engine/trajectory.h"
#include "src/models/model.h"

G_BEGIN_DECLS

/* Makes of a trajectory with all its steps (first 0), of which the finished latents are there, one that leads
 * to them: its table, and the latents before. The noise is of `seed`, as that of a candidate's steps. */
gboolean pen_forward_fill(PenTrajectory *trajectory, const PenSchedule *schedule, guint64 seed,
                          GError **error);

/* `latents` of the UNet, [height, width, channels]; `condition` as for the sampler, or NULL. */
PenTrajectory *pen_forward_trajectory(const PenModel *model, const float *latents, guint32 height,
                                      guint32 width, const float *condition, guint steps,
                                      double guidance, guint64 seed, GError **error);

G_END_DECLS
