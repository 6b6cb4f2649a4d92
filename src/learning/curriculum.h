// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

/**
 * What a training run visits, and in which order. Every choice is a pure function of the run's seed
 * and of the place in the run (Philox, see src/sampling/noise.h), so a resumed run equals one that
 * was never interrupted, and nothing about the order has to be saved.
 */

// Fills `order[n]` with the order in which `epoch` visits the run's `n` rounds.
void pen_curriculum_order_rounds(guint64 seed, guint epoch, guint n, guint *order);

/**
 * Chooses the steps of a round's trajectory that `epoch` trains on, and fills `chosen` (room for
 * `steps`) with their indices, rising. Returns how many: floor(steps * fraction), at least one, at
 * most the number of trainable steps. As in the published script every epoch and round has its own
 * choice, which all candidates of the round share.
 *
 * `round` is the round's place in the run's list of rounds (not in the epoch's order). `trainable`
 * has one flag for each step (pen_trainer_trainable_steps()); NULL means all. Returns 0 if no
 * step is trainable.
 */
guint pen_curriculum_choose_steps(guint64 seed, guint epoch, guint round, guint steps,
                                  double fraction, const gboolean *trainable, guint *chosen);

/**
 * Whether an update leaves out the prompt, where the loss is not guided (d3po.h). Half of a round's
 * updates in an epoch do, of an odd number one more or less; those that did in an even epoch do not in
 * the next.
 */
gboolean pen_curriculum_leaves_out_prompt(guint64 seed, guint epoch, guint round, guint update,
                                          guint n_updates);

/*
 * A round's chosen steps are learnt in several updates of the adapter, `per_update` steps each (0:
 * all in one). The number of updates follows from the settings alone, so that the length of a run is
 * known before its trajectories are read; an update without a step (fewer steps can be trained than
 * were asked for) changes nothing.
 */
guint pen_curriculum_count_updates(guint steps, double fraction, guint per_update);

/*
 * Draws the pair that an update is about from those that ranks[n] make, each as likely as another: the
 * loss of the pairs drawn is, in the mean, that of all. FALSE if there is none.
 */
gboolean pen_curriculum_choose_pair(guint64 seed, guint epoch, guint round, guint update, guint n,
                                    const int *ranks, guint *winner, guint *loser);

/*
 * The adapter changes about `wanted` times in a lesson, however many rounds it has (0: once for each of
 * the `n` updates that all rounds have): few are gone through several times, and of more the gradients
 * of several updates are averaged, so that what many picks say is steadier and not weaker. Up to
 * PEN_CURRICULUM_TWICE times `wanted` updates are gone through at least twice: once with the prompt,
 * once without. Sets how often the rounds are gone through and how many updates make one change.
 */
#define PEN_CURRICULUM_TWICE 5
void pen_curriculum_pace(guint n, guint wanted, guint *passes, guint *together);

/* The steps of one update: every n_updates-th of chosen[n_chosen], so that early and late ones meet in
 * each. Writes mine[], returns how many. */
guint pen_curriculum_split_steps(const guint *chosen, guint n_chosen, guint update,
                                 guint n_updates, guint *mine);
