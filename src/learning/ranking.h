// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

/**
 * What an artist says about a round, as numbers: rank[i] of candidate i, higher is better, equal
 * means no preference. Only the order of ranks counts, not their size.
 */

typedef enum {
    PEN_RANKING_ERROR_INVALID, // a choice that does not fit the round
} PenRankingError;

#define PEN_RANKING_ERROR (pen_ranking_error_quark())
GQuark pen_ranking_error_quark(void);

// The pairs (w, l) with rank[w] > rank[l]. 0 if all are tied: such a round teaches nothing.
guint64 pen_ranking_count_pairs(guint n, const int *rank);

// `best` is better than all others, which are tied. An error if there is no such candidate.
gboolean pen_ranking_from_best(guint n, guint best, int *rank, GError **error);

/**
 * Thumbs: candidates listed in `up` are better than those in neither list, these better than
 * those in `down`. An error if a candidate is in both lists or not in the round.
 */
gboolean pen_ranking_from_thumbs(guint n, guint n_up, const guint *up, guint n_down,
                                 const guint *down, int *rank, GError **error);

/**
 * An order such as "2>0>1=3", best first, "=" for ties, spaces allowed. Every candidate of the
 * round must be named exactly once; anything else is an error.
 */
gboolean pen_ranking_from_order(guint n, const char *order, int *rank, GError **error);
