// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

/**
 * What an artist says about a round, as numbers: rank[i] of candidate i, higher is better, equal
 * means no preference. Only the order of ranks counts, not their size.
 */

// The pairs (w, l) with rank[w] > rank[l]. 0 if all are tied: such a round teaches nothing.
guint64 pen_ranking_count_pairs(guint n, const int *rank);
