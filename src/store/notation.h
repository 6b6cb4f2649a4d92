// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * How a pick is written on the command line. A ranking of n candidates is an array of n integers,
 * higher is better, equal is a tie; only their order matters. PEN_RANK_NONE means "not ranked": a
 * candidate that was never finished. "None of these" is a ranking without any preference: all ranks
 * equal.
 *
 * The functions that read fill ranks[0] to ranks[n - 1] and return TRUE, or leave `ranks` alone and
 * set PEN_STORE_ERROR_INVALID. Candidates are numbered from 0.
 */
#define PEN_RANK_NONE G_MININT

/* `best` above all others, which are tied. */
gboolean pen_notation_read_best(int best, int *ranks, int n, GError **error);

/*
 * "2>0>1=3": '>' is better than, '=' as good as, spaces are free. Candidates that are not named
 * rank below all that are, tied with each other.
 */
gboolean pen_notation_read_order(const char *order, int *ranks, int n, GError **error);

/*
 * Thumbs: those of `up` above those in neither list, and these above those of `down`. A list is
 * numbers between commas or spaces: "0,3" or "0 3"; NULL or empty names nobody.
 */
gboolean pen_notation_read_votes(const char *up, const char *down, int *ranks, int n,
                                 GError **error);

/* The ranking as an order, best first, ties by number: "2>0=1=3". Free with g_free(). */
char *pen_notation_write(const int *ranks, int n);

G_END_DECLS
