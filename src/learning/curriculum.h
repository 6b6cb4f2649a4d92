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
 * has one flag for each step (see pen_ddim_step_is_stochastic()); NULL means all. Returns 0 if no
 * step is trainable.
 */
guint pen_curriculum_choose_steps(guint64 seed, guint epoch, guint round, guint steps,
                                  double fraction, const gboolean *trainable, guint *chosen);
