// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The pictures that show how far a taste reaches, and what is measured of them. */

#include "demo/taste.h"

G_BEGIN_DECLS

/* `each` pictures of every motif, motif by motif; filled with pen_gallery_add(). */
typedef struct {
    const char *const *motifs; /* borrowed */
    guint n_motifs, each, n;
    guint8 **rgb;         /* PEN_JUDGE_SIZE pixels a side */
    double *value;        /* of the taste */
    gboolean *recognised; /* the judge sees the motif that was asked for */
    int *style;           /* the judge's first choice */
} PenGallery;

PenGallery *pen_gallery_new(const char *const *motifs, guint n_motifs, guint each);
void pen_gallery_free(PenGallery *gallery);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenGallery, pen_gallery_free)

/* Takes the next picture over, also on failure. */
gboolean pen_gallery_add(PenGallery *gallery, guint8 *rgb, const PenTaste *taste, PenJudge *motifs,
                         PenJudge *styles, GError **error);

/* Shares between 0 and 1. */
double pen_gallery_share_above(const PenGallery *gallery, double threshold);
double pen_gallery_motif_accuracy(const PenGallery *gallery);
double pen_gallery_style_share(const PenGallery *gallery, int style);

double pen_gallery_mean(const PenGallery *gallery);

/* The mean distance of two pictures of one motif: the RMS difference of 16x16 means of R, G, B, as
 * in models/starter/recipe/evaluate.py. 0 if there is one picture each. */
double pen_gallery_distance(const PenGallery *gallery);

/* A contact sheet on which pictures above the threshold have a frame. */
gboolean pen_gallery_write(const PenGallery *gallery, const char *title, double threshold,
                           const char *path, GError **error);

G_END_DECLS
