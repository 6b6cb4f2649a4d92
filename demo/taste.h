// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* A simulated artist's taste: a simple measured property of a picture, more is better. */

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
    PEN_TASTE_VIVID,  /* mean chroma: the largest minus the smallest of R, G, B */
    PEN_TASTE_PALE,   /* 255 minus mean chroma */
    PEN_TASTE_DARK,   /* 255 minus mean luminance */
    PEN_TASTE_BRIGHT, /* mean luminance (Rec. 709 weights on sRGB values) */
    /* The objectives of "Training Diffusion Models with Reinforcement Learning" (Black et al.), which the
     * D3PO paper takes up: the size as a JPEG of quality 95, in kB, as little or as much as can be. */
    PEN_TASTE_COMPRESSIBLE,
    PEN_TASTE_INCOMPRESSIBLE,
} PenTaste;

/* "vivid, pale, ..." */
char *pen_taste_names(void);
/* FALSE for a name that is none of those. */
gboolean pen_taste_from_name(const char *name, PenTaste *taste);
const char *pen_taste_name(PenTaste taste);

/* The property of rgb[height, width, 3]: 0 to 255, or kB, negative where less is better. */
double pen_taste_measure(PenTaste taste, const guint8 *rgb, guint width, guint height);

/* The value that a share `q` of the n values lies below (linear interpolation between ranks). */
double pen_quantile(const double *values, guint n, double q);

/*
 * How different in content two pictures are: the RMS difference of their luminance, after each is
 * shifted and scaled to mean 0 and deviation 1. A change of brightness, contrast or colour, which
 * a taste may ask for, does not count. About 1.4 for unrelated pictures, 0 for the same.
 */
double pen_picture_distance(const guint8 *a, const guint8 *b, gsize n_pixels);

G_END_DECLS
