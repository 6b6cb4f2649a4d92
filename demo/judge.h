// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A judge of the starter model's pictures: which style, or which motif. It is the convolutional
 * classifier of models/starter/recipe/classify.py, trained on drawings of real clip art and never
 * on anything that a model made, evaluated with the product's own tensor compiler.
 *
 * Four 3x3 convolutions, of which the first three halve the picture, each followed by group
 * normalisation and SiLU, and a linear layer over all places. Its file holds the weights and, as
 * the metadata "classes", the names with commas between them.
 */

#include "compute/device.h"

G_BEGIN_DECLS

#define PEN_JUDGE_SIZE 64 /* pixels a side of what it looks at */

typedef struct _PenJudge PenJudge;

PenJudge *pen_judge_new(PenDevice *device, const char *path, GError **error);
void pen_judge_free(PenJudge *judge);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenJudge, pen_judge_free)

/* NULL-terminated. */
const char *const *pen_judge_classes(const PenJudge *judge);

/* The index of a class, or -1. */
int pen_judge_class(const PenJudge *judge, const char *name);

/* Fills probabilities[classes] for rgb[PEN_JUDGE_SIZE, PEN_JUDGE_SIZE, 3]. */
gboolean pen_judge_look(PenJudge *judge, const guint8 *rgb, double *probabilities, GError **error);

/* How likely one class is. */
gboolean pen_judge_look_for(PenJudge *judge, const guint8 *rgb, int class, double *probability,
                            GError **error);

/* The likeliest class, or -1 with an error. */
int pen_judge_decide(PenJudge *judge, const guint8 *rgb, GError **error);

G_END_DECLS
