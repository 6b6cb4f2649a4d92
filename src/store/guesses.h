// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Guesses: which candidate of a round a predictor of the artist's picks expects to be the best. The
 * predictor itself is not kept: it follows from the picks and from the features of their
 * candidates, so that it forgets what is undone.
 */

/* Keeps a candidate's features, the content of their file. */
gboolean pen_store_set_features(PenStore *store, gint64 candidate, GBytes *features,
                                GError **error);

/* Keeps what the predictor said of the candidates of a round, scores[n] by place; NaN: nothing. */
gboolean pen_store_set_scores(PenStore *store, gint64 round, const double *scores, int n,
                              GError **error);

/* The place of the candidate with the highest score (the first of equal ones), or -1 where the
 * candidates, PenCandidate by place, have none. */
int pen_candidates_get_guess(GPtrArray *candidates);

/* How the guesses of a style's rounds (0: of the rounds without one) fared with the own artist's
 * picks. */
typedef struct {
    int picks;     /* with a guess, that prefer anything */
    int right;     /* of which the guess was the best, or one of the best */
    double chance; /* as many would be right by chance */
} PenGuessRecord;
gboolean pen_store_get_guess_record(PenStore *store, gint64 style, PenGuessRecord *record,
                                    GError **error);

G_END_DECLS
