// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/notation.h"
#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Picks: how an artist (artists.h) ranks a round's candidates. Picks are never changed: picking
 * again adds a pick, and an artist's valid pick of a round is the latest that has not been undone
 * (actions.h).
 */
typedef struct {
    gint64 id;
    gint64 round;
    gint64 created;
    char *artist; /* whose it is */
    int n;        /* candidates of the round */
    int *ranks;   /* by place; PEN_RANK_NONE: the candidate was not finished */
} PenPick;

PenPick *pen_pick_copy(const PenPick *pick);
void pen_pick_free(PenPick *pick);
/* Whether it prefers any candidate to another: else nothing can be learnt from it. */
gboolean pen_pick_prefers(const PenPick *pick);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenPick, pen_pick_free)

/*
 * Records a pick of the store's own artist: `ranks` has `n` numbers as in notation.h, one for each
 * of the round's candidates. Candidates that are not complete are left out. INVALID if n is not the
 * round's count, or if only unfinished candidates have the highest rank. When it returns, the pick
 * is on disk. Returns the pick's id.
 */
gint64 pen_store_add_pick(PenStore *store, gint64 round, const int *ranks, int n, GError **error);

/* Takes the own artist's pick of a round away: it has none from now on, until that is undone. */
gboolean pen_store_withdraw_pick(PenStore *store, gint64 round, GError **error);

/* The own artist's valid pick of a round; NOT_FOUND if it has none. */
PenPick *pen_store_get_pick(PenStore *store, gint64 round, GError **error);

/* PenPick: the valid picks of a round, of all artists, oldest first. */
GPtrArray *pen_store_list_round_picks(PenStore *store, gint64 round, GError **error);

/* Takes out of a list of PenPick what is not of these artists; NULL: nothing. */
void pen_picks_keep_artists(GPtrArray *picks, const char *const *artists);

/* The picture (a relative path) that was best in the latest pick of the style; NULL: none.
 * g_free().
 */
char *pen_store_find_style_picture(PenStore *store, gint64 style);

/*
 * PenPick, oldest first: the valid picks of all artists (or of those that were chosen: artists.h) that teach a style and prefer anything.
 * With `only_new` only those that the current version has not learnt: no finished training run in
 * its ancestry used them. (So after a return to an earlier version, what only the later ones learnt
 * is new.)
 */
GPtrArray *pen_store_list_picks(PenStore *store, gint64 style, gboolean only_new, GError **error);

/* PenPick, oldest first: those that a new style for that model would adopt. */
GPtrArray *pen_store_list_adoptable_picks(PenStore *store, const char *model_hash, GError **error);

G_END_DECLS
