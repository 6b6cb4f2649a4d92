// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * How a picture gets into an image: scaled, masked, converted to the image's precision and profile
 * (by GEGL and babl, in a thread), and copied in pieces (plugin/transfer.h).
 *
 * Scaling: NoHalo for what becomes larger, which adds neither halos nor stairs, and LoHalo for what
 * becomes smaller, which leaves out what would only flicker; both in linear light.
 */

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "plugin/spot.h"

G_BEGIN_DECLS

/*
 * What GEGL and babl do only once, in a thread where it can be and when nobody waits: without it
 * the first picture that is inserted takes a second. Call it for an image that pictures will go
 * into.
 */
void pen_insert_warm(GimpImage *image);

/*
 * A new layer, one step of undo, above the layer that the spot's round started from, else above the
 * selected one. `spot` (taken) says what of the picture shows where; the layer is no larger than
 * that.
 */
void pen_insert_async(GimpImage *image, PenSpot *spot, GdkPixbuf *picture, const char *name,
                      GAsyncReadyCallback callback, gpointer data);
/* `*spot` is where it went, with its mask loaded, and the caller's; `spot` may be NULL. */
GimpLayer *pen_insert_finish(GAsyncResult *result, PenSpot **spot, GError **error);

/* A new image of `picture`, without a window: gimp_display_new(). */
void pen_insert_as_image_async(GdkPixbuf *picture, const char *name, GAsyncReadyCallback callback,
                               gpointer data);
GimpImage *pen_insert_as_image_finish(GAsyncResult *result, GError **error);

/* The picture as it shows at its place: straight R, G, B, A in sRGB, the spot's place cut to
 * `*area` of the image. The spot's mask is loaded. Calls no GIMP. Any thread. */
GeglBuffer *pen_insert_render(PenSpot *spot, GdkPixbuf *picture, const Babl *format,
                              GeglRectangle *area, GError **error);

G_END_DECLS
