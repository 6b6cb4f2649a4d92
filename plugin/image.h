// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * GIMP's images as Penchant knows them: by an id of its own that their files carry, and by a name
 * that tells them apart. What lies where in them is plugin/spot.h, and how pictures get into them
 * plugin/insert.h. All functions call GIMP, so they belong to the main thread.
 */

#include <gegl.h>
#include <libgimp/gimp.h>

G_BEGIN_DECLS

/* Readies GEGL; the other functions do it themselves. Any thread. */
void pen_image_init(void);

/* GIMP's own message about the call that has just failed. */
void pen_image_set_error(GError **error);

/*
 * The image's id, a parasite that is saved with it (XCF) and copied with it; pen_image_identify()
 * gives it one if it has none, which is no step of undo and leaves an image without changes so.
 * Free with g_free(); NULL: none.
 */
char *pen_image_identify(GimpImage *image);
char *pen_image_find_identity(GimpImage *image);

/* Its name with its number, as in the title of its window: "[Untitled]-3". Free with g_free(). */
char *pen_image_label(GimpImage *image);

/* Where a layer lies in its image. */
GeglRectangle pen_image_layer_bounds(GimpLayer *layer);

/* What a new layer with alpha of this image has. The format may be NULL. */
GimpImageType pen_image_layer_type(GimpImage *image);
const Babl *pen_image_layer_format(GimpImage *image);

/*
 * The size of a picture of the given proportions that a model of `size` can do well: about
 * size x size pixels, both sides multiples of `multiple`.
 */
void pen_image_fit(double width_over_height, guint size, guint multiple, guint *width,
                   guint *height);

/* A prompt as a layer's name: one line, not too long. Free with g_free(). */
char *pen_image_layer_name(const char *prompt);

G_END_DECLS
