// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a PNG says of its colours, as a conversion to sRGB. Of several statements the one that the
// PNG specification (third edition, 4.3) ranks first counts: cICP, an ICC profile, sRGB, then gAMA
// and cHRM. A picture that says nothing is sRGB.
#pragma once

#include <glib.h>
#include <png.h>

G_BEGIN_DECLS

typedef struct _PenPngColour PenPngColour;

// After png_read_info(). NULL: the pixels are sRGB already, or the picture says what nobody can
// use. `deep`: its channels have 16 bits.
PenPngColour *pen_png_colour_new(png_structp png, png_infop info, gboolean deep);
void pen_png_colour_free(PenPngColour *colour); // may be NULL

// n pixels of R, G, B, A, of 8 or 16 bits (in the machine's order) a channel -> 8-bit sRGB and
// alpha. Of a grey picture R, G and B are equal.
void pen_png_colour_run(const PenPngColour *colour, const void *from, gsize n, guint8 *to);

G_END_DECLS
