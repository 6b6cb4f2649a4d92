// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Where in which image a round's pictures belong. Images and layers are named so that they are
 * found again when their file is opened another day: the image by an id of Penchant's own that its
 * file carries, the layer by its tattoo. Lengths are pixels of the image.
 */
typedef struct {
    gint64 id;
    gint64 round;
    char *image;             /* Penchant's id of the image */
    char *image_name;        /* what the artist knew it as */
    int layer;               /* the tattoo of the layer that the round started from; 0: none */
    int x, y, width, height; /* what the picture covers, maybe beyond the canvas; width and height
                                are 0 for a round that belongs nowhere in particular */
    char *mask_file;         /* relative: width x height, white where it shows; NULL: everywhere */
} PenPlace;

PenPlace *pen_place_copy(const PenPlace *place);
void pen_place_free(PenPlace *place);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenPlace, pen_place_free)

/* Keeps the place of a round that has none yet. `mask`: its PNG, or NULL. Of `place`, id, round and
 * mask_file are ignored. */
gboolean pen_store_set_place(PenStore *store, gint64 round, const PenPlace *place, GBytes *mask,
                             GError **error);

/* NOT_FOUND for a round without a place. */
PenPlace *pen_store_get_place(PenStore *store, gint64 round, GError **error);

/* The latest round that was made for that image; 0: none, or an error. */
gint64 pen_store_get_latest_round_of_image(PenStore *store, const char *image, GError **error);

G_END_DECLS
