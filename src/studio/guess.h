// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Guesses, for src/studio alone: what the artist's picks say of pictures that he has not seen
 * (src/learning/predictor.h, src/engine/picture-features.h).
 *
 * Features are computed once and kept with the candidate: those of a round when it is made while
 * there is something to guess by, those of a round that was picked before that when they are
 * needed, some rounds at a time.
 */

#include "src/learning/predictor.h"
#include "src/studio/job.h"

G_BEGIN_DECLS

/* Fewer picks say too little. */
#define PEN_GUESS_MIN_PICKS 3

/* About one round: which candidates it is made of, and which of them may be the best. */
typedef struct {
    PenJob *job;
    PenRuntime *runtime;
    guint32 height, width;  /* of latents */
    const float *condition; /* of an inpainting model */
    guint made, count;      /* candidates that are begun, and those of the round */
    gboolean has_chosen;
    guint chosen[PEN_ROUND_MAX]; /* [count] which of those that are begun */
    PenPredictor *predictor;     /* NULL: nothing to go by */
} PenGuess;

void pen_guess_clear(PenGuess *guess);

/* Learns the picks of a style (0: those that belong to none and are of the runtime's model). Where
 * they say enough, and `wide` is not 0, so many are begun. Only a wide round fails when that fails.
 */
gboolean pen_guess_learn(PenGuess *guess, gint64 style, guint wide, GError **error);

gboolean pen_guess_is_wide(const PenGuess *guess);

/* Chooses those of a wide round by what they are about to become, latents[made]. */
gboolean pen_guess_choose(PenGuess *guess, const float *const *latents, GError **error);

/* Of the finished latents[count] of a recorded round: keeps features and scores, and tells the
 * place of the best, -1 where there is nothing to go by or it could not be done, which is no reason
 * to lose the round. Fails when cancelled, or when the store does. */
gboolean pen_guess_best(PenGuess *guess, gint64 round, const float *const *latents, int *best,
                        GError **error);

G_END_DECLS
