// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Between Penchant's pictures (sRGB, 8 bits, GdkPixbuf without alpha) and GIMP's images (any
 * precision and colour profile): what a round starts from, and what is inserted. GEGL and babl
 * convert the colours. All functions call GIMP, so they belong to the main thread.
 */

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <libgimp/gimp.h>

#include "plugin/settings.h"

G_BEGIN_DECLS

/*
 * What GEGL and babl do only once, in a thread where it can be and when nobody waits: without it
 * the first picture that is inserted takes a second. Call it for an image that pictures will go
 * into.
 */
void pen_image_warm(GimpImage *image);

/* Where in which image a round's pictures belong. */
typedef struct {
    gint32 image; /* id */
    int x, y, width, height;
    guint8 *mask; /* width x height, 255: changed; NULL: everywhere */
} PenSpot;

void pen_spot_free(PenSpot *spot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenSpot, pen_spot_free)

/*
 * What a round starts from. FROM_LAYER is the first selected layer (INVALID_ARGUMENT without one),
 * FROM_SELECTION what is seen of the image around the selection, with some of its surroundings
 * (INVALID_ARGUMENT if nothing is selected).
 */
PenSpot *pen_image_find_spot(GimpImage *image, PenFrom from, GError **error);

/* The pixels of a spot, scaled; `*mask` gets one byte a pixel, or NULL. */
GdkPixbuf *pen_image_read_spot(GimpImage *image, PenFrom from, const PenSpot *spot, int width,
                               int height, guint8 **mask, GError **error);

/*
 * The size of a picture of the given proportions that a model of `size` can do well: about
 * size x size pixels, both sides multiples of `multiple`.
 */
void pen_image_fit(double width_over_height, guint size, guint multiple, guint *width,
                   guint *height);

/*
 * Inserts `picture` as a new layer above the selected one, as one undo step. With a spot of this
 * image it covers it (scaled, and only where the mask lets it); else it has its own size and
 * lies on the centre of the selection or of the canvas.
 */
GimpLayer *pen_image_insert(GimpImage *image, const PenSpot *spot, GdkPixbuf *picture,
                            const char *name, GError **error);

/* Makes an image of `picture`, without a window: gimp_display_new(). */
GimpImage *pen_image_new(GdkPixbuf *picture, const char *name, GError **error);

/* A prompt as a layer's name: one line, not too long. Free with g_free(). */
char *pen_image_layer_name(const char *prompt);

G_END_DECLS
