// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/picks.h"
#include "src/store/rounds.h"
#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Rounds and picks of other stores (src/studio/packs/pack.h). A round is known everywhere by its content:
 * the SHA-256 of its model, its prompt and the pictures of its finished candidates. So what arrives
 * twice, or by another way, is there once.
 */

/* The content of a round that is over, in hexadecimal, worked out when it is first asked for.
 * g_free(). */
char *pen_store_get_content(PenStore *store, gint64 round, GError **error);

/* The same of a round's model and prompt and its pictures' SHA-256, by place; NULL: not finished.
 */
char *pen_content_work_out(const PenRound *round, char *const *pictures, guint n);

/* Makes sure that a round of this content and seed is found by it. Call it before
 * pen_store_import(). */
gboolean pen_store_know_content(PenStore *store, guint64 seed, GError **error);

/* A round that arrives. Its files lie in a folder of pen_store_make_incoming() under the names that
 * the store gives them: 0.png, 0.safetensors, 0-features.safetensors, start.png, mask.png. */
typedef struct {
    PenRound
        *round; /* style and version are those of this store; id is as for
                        pen_store_begin_round(), *_file are ignored */
    char *content;
    char *folder; /* relative */
    GPtrArray
        *candidates; /* PenCandidate by place: seed and state; *_file not NULL where there is one */
} PenIncomingRound;

PenIncomingRound *pen_incoming_round_new(void);
void pen_incoming_round_free(PenIncomingRound *incoming);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenIncomingRound, pen_incoming_round_free)

/* A pick that arrives: artist, created and ranks by place. */
typedef struct {
    PenPick *pick;
    char *content; /* of its round */
} PenIncomingPick;

void pen_incoming_pick_free(PenIncomingPick *incoming);

typedef struct {
    guint rounds;    /* are new */
    guint known;     /* were there */
    guint completed; /* of these got files that they lacked */
    guint deleted;   /* were thrown away here, and stay so */
    guint picks;     /* are new */
    gint64 first;    /* the first round of those that arrived, as it is called here; 0: none */
} PenImported;

/* Makes a folder to put files into, and deletes what an earlier import that was killed has left.
 * Relative. */
char *pen_store_make_incoming(PenStore *store, GError **error);
void pen_store_remove_incoming(PenStore *store, const char *folder);

/*
 * Takes rounds and picks in, all or none. Of each artist the pick that was made last counts,
 * whichever arrives last. Whoever picked from a round that was thrown away here is passed over.
 * NOT_FOUND for a pick of a round that neither arrives nor is here; INVALID for one that does not
 * fit its round.
 */
gboolean pen_store_import(PenStore *store, const GPtrArray *rounds, const GPtrArray *picks,
                          PenImported *imported, GError **error);

G_END_DECLS
