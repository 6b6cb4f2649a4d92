// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * How a lesson that found a word ends, for src/studio alone: the adapter learns to draw as guidance would
 * draw the word (src/engine/distiller.h).
 *
 * As many steps as the lesson had, of the same rate, each about pictures of the lesson that are noised
 * anew, with what they are compared with and by turns with their own prompts and with random ones. What a step is about follows from the run's
 * seed and the step's number, so a resumed lesson ends as one that was never interrupted.
 */

#include "src/studio/teaching.h"

G_BEGIN_DECLS

/* How many steps that will be; 0 where nothing is drawn with guidance, and the word as it is does. */
guint pen_distillation_count_steps(const PenTeaching *teaching);

/* Goes on from teaching->distilled to the end: the values are in teaching->values then. Frees the trainer, for
 * whose place in memory there is other use now. */
gboolean pen_distillation_run(PenTeaching *teaching, GError **error);

G_END_DECLS
