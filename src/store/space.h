// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Space: how many bytes the store keeps, and which of them an artist who is short of space can do
 * without.
 *
 * Nearly all of a round is its trajectories, the latents of every step of every candidate and what
 * the model said there. Of an old round the finished latents do: src/studio/thinning.h makes such
 * thin trajectories, and says what they cost. Nothing is thinned unless the artist has set a
 * budget.
 */
typedef struct {
    guint rounds, thin; /* that have trajectories, and those of them that are thin */
    guint64 pictures, trajectories, others; /* bytes of rounds; others: features, starts, masks */
    guint64 styles, runs, database;         /* adapters, checkpoints, the database with its log */
} PenSpace;

/* Looks at every file that a row names. `round` 0: all; else only that round's own are counted. */
gboolean pen_store_measure(PenStore *store, gint64 round, PenSpace *space, GError **error);

/* What all trajectories together may take, in bytes; 0 is no bound, as in a new store. */
gboolean pen_store_get_trajectory_budget(PenStore *store, guint64 *bytes, GError **error);
gboolean pen_store_set_trajectory_budget(PenStore *store, guint64 bytes, GError **error);

/* The rounds (gint64), oldest first, whose trajectories can be thinned: those that are over, are
 * not thin yet, and that no unfinished lesson needs. */
GArray *pen_store_list_thick_rounds(PenStore *store, GError **error);

/* Exchanges the trajectories of one of them, at once: `thin` has a GBytes, the file's content, for
 * each of its candidates by place, or NULL for those without one. BUSY if it is none of them any
 * more. */
gboolean pen_store_thin_round(PenStore *store, gint64 round, GPtrArray *thin, GError **error);

G_END_DECLS
