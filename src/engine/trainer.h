// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The trainer: the gradient of the D3PO loss of a round with respect to the adapter.
 *
 * For each candidate i and trained step j one forward pass gives the policy's log-probability; when
 * all candidates of the step are done, the loss gives each a coefficient (src/learning/d3po.h), and
 * the backward passes, weighted with these, add up to the exact gradient over all pairs. Small
 * pictures are evaluated together, all candidates in one plan; of large ones, and where losing weighs
 * nothing, each candidate's forward pass is followed at once by its backward pass, if it needs one.
 *
 * The bare model never changes, so what it says is asked once, at adapter scale 0. In hindsight
 * without guidance (src/engine/hindsight.h) the trajectories keep its answers. In the other losses
 * they keep the reference's log-probabilities, which belong to the steps as they were sampled or, in
 * hindsight, to those that the finished latents imply: the caller empties what is of another kind.
 */

#include "src/engine/hindsight.h"
#include "src/engine/trajectory.h"
#include "src/learning/d3po.h"
#include "src/models/runtime.h"

G_BEGIN_DECLS

typedef struct {
    guint n; /* candidates, of one size and schedule */
    PenTrajectory **trajectories;
    const int *ranks;
    const PenConditioning *cond, *uncond; /* as for the sampler */
    gboolean without_prompt;              /* of a loss that is not guided: whose turn it is */
    guint n_steps;                        /* trained steps */
    const guint *steps;                   /* their indices, each stochastic */
    const PenHindsight *hindsight; /* fitted; of the loss in hindsight that is not guided */
    gboolean policy_is_bare; /* the adapter has no effect yet: its answers are the bare model's */
} PenTrainerRound;

typedef struct {
    double loss;
    PenD3poStats stats;
    double *log_prob;  /* [n, n_steps]; caller's, or NULL */
    double *reference; /* the same under the bare model */
    guint overflowed;  /* steps that were left out because the model's numbers overflowed there */
} PenTrainerResult;

typedef struct _PenTrainer PenTrainer;

/* For an adapter whose values are uploaded. */
PenTrainer *pen_trainer_new(PenRuntime *runtime, PenUNetAdapter *adapter,
                            const PenD3poConfig *config);
void pen_trainer_free(PenTrainer *trainer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenTrainer, pen_trainer_free)

/* Rounds of at most so many latent pixels in all are evaluated in one go; 0: never. */
#define PEN_TRAINER_BATCH_LATENTS 4096 /* fills a GPU */
void pen_trainer_set_batch_latents(PenTrainer *trainer, guint latents);

/* Plans and takes the memory for rounds of n such trajectories and conditionings of so many tokens,
 * so that a lack of it shows before anything is recorded. */
gboolean pen_trainer_prepare(PenTrainer *trainer, const PenTrajectory *like, guint n,
                             guint32 tokens, GError **error);

/* After preparing: pen_denoiser_recomputes(). */
gboolean pen_trainer_recomputes(const PenTrainer *trainer);

/* Lets the bare model say what the round's trajectories lack (pen_trajectory_keep_answers()): those of
 * earlier versions, which are then as if the bare model had drawn them. */
gboolean pen_trainer_fill_answers(PenTrainer *trainer, const PenTrainerRound *round,
                                  GCancellable *cancellable, GError **error);

/* Fills the missing reference log-probabilities of `steps` in the round's trajectories. `changed[n]`
 * (may be NULL) tells which trajectories learnt something and want to be stored. */
gboolean pen_trainer_fill_reference(PenTrainer *trainer, const PenTrainerRound *round,
                                    gboolean *changed, GCancellable *cancellable, GError **error);

/* Whether the round is of a model of this kind. */
gboolean pen_trainer_check(PenRuntime *runtime, const PenTrainerRound *round, GError **error);

/* Sets gradient[adapter->n_values] and `result`; fills the reference where it is missing.
 * `progress` is called with the share of the round that is done. */
gboolean pen_trainer_gradient(PenTrainer *trainer, const PenTrainerRound *round, float *gradient,
                              PenTrainerResult *result, PenPlanProgress progress,
                              gpointer user_data, GCancellable *cancellable, GError **error);

/*
 * Which steps of a trajectory are worth training: [steps], for pen_curriculum_choose_steps(). Of the
 * published loss, steps without noise have no policy; in hindsight the steps of every sampler have one
 * (src/sampling/steps.h). Of steps with hardly any (the last one or two, of standard deviation
 * below PEN_TRAINER_MIN_SD) nobody sees in the picture what they did, but their log-probability goes
 * with 1/sd^2: on the starter model with 20 steps their gradients are 4 and 12 times as large as the
 * others' and drown them.
 */
#define PEN_TRAINER_MIN_SD 0.05
void pen_trainer_trainable_steps(const PenD3poConfig *config, const PenTrajectory *trajectory,
                                 gboolean *trainable);

G_END_DECLS
