// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Packs: rounds and picks on their way from one store to another, as one tar archive.
 *
 *     penchant-pack.json              what is in it; the first file (pack-fields.c)
 *     rounds/<content>/<n>.png, <n>.safetensors, <n>-features.safetensors, start.png, mask.png
 *
 * A whole pack has everything that a style can be taught with; a light one has no trajectories, and
 * is enough to look and pick; one of picks has no files at all. Neither a device nor a model is
 * needed to make one or to take one in. Rounds are known by their content (src/store/import.h), so
 * packs can be merged twice and in any order. Where an image in GIMP a round belongs to, and the
 * way to its model on the machine that made it, stay there.
 */

#include "src/store/import.h"
#include "src/studio/studio.h"

G_BEGIN_DECLS

typedef enum {
    PEN_PACK_WHOLE,
    PEN_PACK_LIGHT, /* without trajectories */
    PEN_PACK_PICKS, /* picks alone */
} PenPackKind;

/* What goes into a pack: the rounds that are over and have a picture, with ids from `first` to
 * `last`. */
typedef struct {
    PenPackKind kind;
    gint64 first, last;  /* `last` 0: to the end */
    const char *of_pack; /* only the rounds of that pack; NULL: all */
    gboolean own;        /* for a store of one's own: says where the model is */
} PenPackSelection;

typedef struct {
    guint rounds, picks;
} PenPackContent;

/* Most rounds of a pack. */
#define PEN_PACK_MAX_ROUNDS 20000

/* Writes the rounds of the selection and the valid picks of all artists from them.
 * PEN_STUDIO_ERROR_NOTHING if there are none. */
gboolean pen_studio_write_pack(PenStudio *studio, const PenPackSelection *selection,
                               const char *file, PenPackContent *content, GError **error);

/* A set of the contents of the rounds that a pack has. */
GHashTable *pen_pack_list_contents(const char *file, GError **error);

/* Takes a pack in, or leaves the store as it was. Rounds of a style that is here too teach it. `own` is for a
 * pack that was written so by a process of one's own (or NULL): the id that its first round wishes for. */
gboolean pen_studio_merge_pack(PenStudio *studio, const char *file, const gint64 *own,
                               PenImported *imported, GError **error);

G_END_DECLS
