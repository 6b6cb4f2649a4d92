// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Lays temporaries out in memory by lifetime. */

#include <glib.h>

G_BEGIN_DECLS

/* A temporary: used from step `first` to step `last` (both included). */
typedef struct {
    guint first, last;
    guint64 size;
    guint64 offset; /* set by pen_arena_pack(); a multiple of the alignment */
} PenInterval;

/* Places all intervals so that no two that are alive at the same step overlap and none reaches
 * across a multiple of `piece`, a multiple of the alignment that is no smaller than any of them:
 * the memory can be had in pieces of that size. Returns the size of the whole. Largest first, each
 * at the lowest gap that fits: for the lifetimes of a network this stays within a few percent of
 * the lower bound (the largest sum alive at one step). */
guint64 pen_arena_pack(PenInterval *intervals, guint n, guint64 alignment, guint64 piece);

/* That lower bound. */
guint64 pen_arena_lower_bound(const PenInterval *intervals, guint n, guint64 alignment);

G_END_DECLS
