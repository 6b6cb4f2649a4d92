// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/learning/ranking.h"

guint64 pen_ranking_count_pairs(guint n, const int *rank)
{
    guint64 pairs = 0;
    for (guint i = 0; i < n; i++)
        for (guint j = i + 1; j < n; j++)
            pairs += rank[i] != rank[j];
    return pairs;
}
