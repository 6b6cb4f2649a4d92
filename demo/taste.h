// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* A simulated artist's taste: a measured property of a picture, more is better. */

#include "demo/judge.h"

G_BEGIN_DECLS

typedef enum {
    PEN_TASTE_VIVID,  /* mean chroma: the largest minus the smallest of R, G, B */
    PEN_TASTE_PALE,   /* 255 minus mean chroma */
    PEN_TASTE_DARK,   /* 255 minus mean luminance */
    PEN_TASTE_BRIGHT, /* mean luminance (Rec. 709 weights on sRGB values) */
    /* The objectives of "Training Diffusion Models with Reinforcement Learning" (Black et al.),
     * which the D3PO paper takes up: the size as a JPEG of quality 95, in kB, as little or as much
     * as can be. */
    PEN_TASTE_COMPRESSIBLE,
    PEN_TASTE_INCOMPRESSIBLE,
    PEN_TASTE_SMALL, /* percent of the picture that is ground: within 40 levels of its border's colour */
    PEN_TASTE_BLUE,  /* how much bluer the ground is than it is red or green */
    PEN_TASTE_RANDOM, /* picks by lot: a control, from which nothing is to be learnt */
    PEN_TASTE_STYLE, /* how sure the judge is that the picture has a style, in percent */
} PenTasteKind;

typedef struct {
    const char *name; /* the judge's, or static */
    PenTasteKind kind;
    PenJudge *judge; /* of styles, borrowed */
    int style;
} PenTaste;

/* "vivid, pale, ..., flat, ..." */
char *pen_taste_names(const PenJudge *styles);
/* FALSE for a name that is none of those. */
gboolean pen_taste_from_name(PenTaste *taste, const char *name, PenJudge *styles);

/* The property of rgb[height, width, 3]: levels of 255, kB (negative where less is better) or percent.
 */
gboolean pen_taste_measure(const PenTaste *taste, const guint8 *rgb, guint width, guint height,
                           double *value, GError **error);

/* Ranks as the store has them, higher is better: how many of values[n] lie below each. */
void pen_taste_rank(const double *values, guint n, int *ranks);

/* Pictures above this are the preferred ones: for a style 50 %, else the 5/6 quantile of what the
 * bare model makes, values[n], so that its share is 1/6. */
double pen_taste_threshold(const PenTaste *taste, const double *values, guint n);

G_END_DECLS
