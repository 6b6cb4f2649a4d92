// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Masks: one byte a pixel, 255 where a picture shows. Nothing here calls GIMP: any thread. */

#include <gegl.h>

G_BEGIN_DECLS

/*
 * Lets the mask reach `grow` pixels further, and then fade over the `soften` pixels inside its
 * edge: what lies beyond the grown mask stays untouched however soft the edge is. The borders of
 * the array are no edges. A mask that is narrower than the fade keeps its ridge: the fade is at
 * most half as wide as the mask there.
 */
void pen_mask_shape(guint8 *mask, int width, int height, int grow, int soften);

/* The smallest rectangle that holds all that is not 0; empty if there is nothing. */
GeglRectangle pen_mask_bounds(const guint8 *mask, int width, int height);

gboolean pen_mask_is_full(const guint8 *mask, int width, int height);

/* to_width x to_height bytes, 255 where anything of the mask below the pixel is not 0. */
guint8 *pen_mask_cover(const guint8 *mask, int width, int height, int to_width, int to_height);

/* The mask in another size. */
guint8 *pen_mask_scale(const guint8 *mask, int width, int height, int to_width, int to_height);

G_END_DECLS
