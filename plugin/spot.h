// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Where in an open image a round's pictures belong, and what the round starts from there. The store
 * keeps the place (src/store/places.h); a spot is that place while somebody works with it.
 * Penchant's pictures are sRGB, 8 bits, without alpha; GIMP's images have any precision and
 * profile.
 *
 * A place has exactly the proportions of the picture that covers it, so nothing is ever squashed:
 * what is read around a selection is at least square where the canvas has the room, and where layer
 * or canvas do not reach, their border is repeated.
 *
 * Only the main thread may call these functions, but for pen_spot_load_mask().
 */

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <gegl.h>
#include <libgimp/gimp.h>

#include "plugin/settings.h"
#include "src/store/places.h"

G_BEGIN_DECLS

typedef struct {
    PenPlace place; /* its strings are the spot's */
    PenFrom from;
    GeglRectangle bounds;        /* of the layer or the canvas: nothing shows beyond */
    int grow, soften;            /* of the selection (plugin/mask.h) */
    guint8 *mask;                /* place.width x place.height; NULL: everywhere, or not read yet */
    int mask_width, mask_height; /* of a mask that is still to be scaled to the place; else 0 */
    char *mask_path;             /* the stored mask, until it is loaded */
    gboolean
        matte; /* the mask is the alpha of the layer that the picture was made from, over white */
    gboolean own_size; /* as large as the picture has pixels, whatever the image's size */
} PenSpot;

void pen_spot_free(PenSpot *spot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenSpot, pen_spot_free)

/* How pictures are wanted. */
typedef struct {
    double shape;         /* width over height; 0: that of the start */
    guint size, multiple; /* of the model: pen_image_fit() */
    guint width, height;  /* of the pictures, in place of those three; 0: as the others say */
    PenFit fit;
    int grow, soften;
} PenSpotWish;

/*
 * What a round starts from, and the size of its pictures. FROM_LAYER is the first selected layer
 * (INVALID_ARGUMENT without one), FROM_SELECTION what is seen around the selection
 * (INVALID_ARGUMENT if nothing is selected), FROM_TEXT nowhere in particular. `image` may be NULL,
 * which gives NULL and the size, for FROM_TEXT alone. Reads no pixels.
 */
PenSpot *pen_spot_find(GimpImage *image, PenFrom from, const PenSpotWish *wish, guint *width,
                       guint *height, GError **error);

/* Where a finished picture of that size goes that belongs nowhere: by `fit` on the selection or,
 * where there is none, on the canvas. */
PenSpot *pen_spot_find_for_picture(GimpImage *image, int width, int height, PenFit fit, int grow,
                                   int soften);

/* Where the round's pictures belong in this image; NULL: nowhere, or in another image. A layer that
 * was moved takes its place along. */
PenSpot *pen_spot_load(PenStore *store, gint64 round, GimpImage *image);

/* Where an insert puts the round's picture: where it belongs, or as the settings say. */
PenSpot *pen_spot_for_insert(PenStore *store, gint64 round, GimpImage *image,
                             const GdkPixbuf *picture, const PenSettings *settings);

/*
 * Where a picture of width x height goes that replaces another one, which was put at `spot`, seen
 * in `area` of the image, and is `layer` now. Where that was moved or scaled meanwhile, the place
 * was, too. Any other change of its size, e.g. to the content's, leaves the place alone.
 */
PenSpot *pen_spot_follow(const PenSpot *spot, const GeglRectangle *area, GimpLayer *layer,
                         int width, int height);

/* Whether the mask is that of the selection of now, and has to be read: pen_spot_read_async(). */
gboolean pen_spot_needs_mask(const PenSpot *spot);

/* A place's start, as a round asks for it. */
typedef struct {
    PenSpot *spot;
    guint8 *rgb;  /* width x height; NULL for FROM_TEXT */
    guint8 *mask; /* of the same size, 255 where it may change; NULL: everywhere */
} PenSpotStart;

void pen_spot_start_free(PenSpotStart *start);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenSpotStart, pen_spot_start_free)

/* Reads the spot's pixels, scaled to width x height, and its mask (only that with width 0). Takes
 * the spot. */
void pen_spot_read_async(PenSpot *spot, GimpImage *image, int width, int height,
                         GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);
PenSpotStart *pen_spot_read_finish(GAsyncResult *result, GError **error);

/* Brings the stored mask in, if there is one, and the mask to the place's size. Any thread. */
gboolean pen_spot_load_mask(PenSpot *spot, GError **error);

G_END_DECLS
