// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Hindsight: what the model should have said at a step, now that the picture is finished. It is the
 * step that the loss of a few picks trains (src/learning/d3po.h, `hindsight` without `guided`). Lessons about a
 * word (src/engine/word.h) noise the picture anew, so that nobody drew its steps, and y' is y* itself.
 *
 * At a step with latents x, let y* be the answer that leads from x to the finished latents x0
 * (pen_step_answer_for_x0()). The trained policy is one of the two answers, o: c with the prompt, u with
 * the negative prompt or none. What drew said o_d, and guidance made g_d = u_d + w (c_d - u_d) of it.
 * So y* differs from o_d by
 *
 *     y* - o_d = luck + f_t (g_d - o_d) + m_t
 *
 * The luck is what the noise of this and the later steps did. Candidates of a round differ in nothing
 * else. The rest they share: the push of guidance, as far as the finished picture kept it. In the
 * published loss, where winner and loser weigh alike, what they share cancels. With a loser weight
 * below 1 it does not, and guidance itself would be learnt: pictures as if drawn at a higher w,
 * whatever was picked. m_t, a number for each channel, is what the model gets wrong in the mean;
 * learnt, it would tint all pictures. Therefore the step that counts leads to
 *
 *     y' = y* - f_t (g_d - o_d) - m_t = o_d + luck
 *
 * Where a style drew, o_d has the style's shift, and that stays in: the artist liked a picture that has
 * it. A winner is worth the same whoever drew it, and lessons from the bare model keep what earlier ones
 * had won; without the shift, picks among pictures that all are to the taste would say nothing but
 * their luck, and drown those that taught it.
 *
 * How much to take off. Where an adapter shifts c and u alike, by D, it shifts g by D, since
 * g = u + w (c - u). The log-ratio of the guided policy at y*, which is the one that D3PO derives, is
 * then that of c or u at y* - (g - o): f = 1. But y* is not g and some noise: one step's push is
 * partly undone by those that follow, the earlier the more. f_t is the share that is left, and m_t its
 * intercept: the linear regression of y* - o_d on g_d - o_d over all elements of all candidates that
 * are learnt from, winners and losers alike, for each turn and span of timesteps. What remains has no
 * mean and is uncorrelated with the push. f_t is about 0.4 in the first steps and 0.95 in the last. It
 * follows from the trajectories alone: a resumed run finds the same.
 *
 * A picture that the artist has was drawn by nobody: nothing was pushed, and y' is y* itself. It takes no
 * part in the regression.
 *
 * For models that predict v, y is v: at one x, v is linear in epsilon with the same factor for all
 * terms above, so that f_t and the step that y' leads to are the same.
 */

#include "src/engine/trajectory.h"

G_BEGIN_DECLS

/* Sums over one turn and span, with r = y* - o_d and p = g_d - o_d. */
#define PEN_HINDSIGHT_CHANNELS 16 /* of those above, m_t is 0 */
typedef struct {
    double rp, pp;
    double r[PEN_HINDSIGHT_CHANNELS], p[PEN_HINDSIGHT_CHANNELS];
    double n; /* elements of a channel */
} PenHindsightSums;

/* The regression, for each turn (0: with the prompt, 1: without) and span of timesteps. Start from
 * zeros. */
#define PEN_HINDSIGHT_SPANS 20
typedef struct {
    PenHindsightSums sums[2][PEN_HINDSIGHT_SPANS];
} PenHindsight;

/* Adds the steps of a trajectory that has its answers, or is undrawn: then none. */
void pen_hindsight_add(PenHindsight *hindsight, const PenTrajectory *trajectory);

/* f_t, from 0 to 1; 0 where nothing was pushed. `mean` becomes m_t. */
double pen_hindsight_get_share(const PenHindsight *hindsight, double timestep,
                               gboolean without_prompt, double mean[PEN_HINDSIGHT_CHANNELS]);

/* y' of step k of a trajectory that has its answers, into target[n]. */
void pen_hindsight_target(const PenHindsight *hindsight, const PenTrajectory *trajectory, guint k,
                          gboolean without_prompt, float *target);

G_END_DECLS
