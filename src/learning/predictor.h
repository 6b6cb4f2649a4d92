// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

/**
 * A predictor of picks: from how an artist ranked a few rounds, how he would rank others.
 *
 * Every candidate is a vector of features (src/engine/picture-features.h), and only differences
 * within a round count, so that what a prompt asked for is no taste. With F features, each divided
 * by its standard deviation s over all candidates, the pair of a better candidate a and a worse one
 * b is the row x = (f_a - f_b) / s, and the weights w are those of ridge regression towards 1:
 *
 *     minimise  sum over pairs (x w - 1)^2 + lambda F |w|^2        lambda = PEN_PREDICTOR_RIDGE
 *
 * There are thousands of features and few pairs, so it is solved by the pairs' Gram matrix K:
 *
 *     (K + lambda I) a = 1,   K = X X^T / F,   w = X^T a / F
 *
 * in double, by Cholesky's decomposition: milliseconds for ten picks, and the same on every machine
 * with IEEE arithmetic. A score is w f / s; only differences of scores within a round mean
 * anything: about 1 where the predictor is sure.
 */

#define PEN_PREDICTOR_RIDGE 0.1

/* Of so many pairs, and no more rounds than these come from, the latest are learnt from. */
#define PEN_PREDICTOR_MAX_PAIRS 512

typedef struct {
    guint n;                      /* candidates */
    const float *const *features; /* [n][n_features] */
    const int *ranks;             /* [n]; higher is better */
} PenPredictorRound;

typedef struct _PenPredictor PenPredictor;

/* Learns from `rounds`, the latest first. Candidates with a feature that is not a finite number are
 * left out. NULL where nothing can be learnt: no pair is left, or in no pair do the features
 * differ. */
PenPredictor *pen_predictor_new(gsize n_features, const PenPredictorRound *rounds, guint n_rounds);
void pen_predictor_free(PenPredictor *predictor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenPredictor, pen_predictor_free)

/* NaN where a feature is not finite. */
double pen_predictor_score(const PenPredictor *predictor, const float *features);

/**
 * What to show of n candidates of one round: `chosen[count]`, count <= n. First the ones with the
 * highest scores, best first; the last of them, one of up to five and two of more, are those most
 * unlike all that were chosen before, by the distance of their features, so that what the predictor
 * does not know yet can be seen. With count 1 it is the best.
 */
void pen_predictor_choose(const PenPredictor *predictor, guint n, const float *const *features,
                          guint count, guint *chosen);
