// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Adapters of other trainers, merged into a model's weights on the host as they are loaded:
 *
 *     W += strength (alpha / rank) up down
 *
 * for linear layers and convolutions ([out, in kh kw], with up a 1x1 convolution: LoCon) of the UNet
 * and linear layers of the text encoders. Ranks may differ between layers and layers may be missing.
 * Merging costs no memory on the device and no time in a step, works for any number of adapters at
 * once, and leaves the graph alone; a taught style's own adapter stays apart from it.
 */

#include "src/formats/safetensors.h"
#include "src/models/model.h"

G_BEGIN_DECLS

/* The matrices stay in memory as float32 while it lives. Read only once made. */
typedef struct _PenMerge PenMerge;

/* Reads the adapters that the model's spec names and checks that each layer fits the weight of the
 * same name in the model. `notice` (may be NULL) gets a sentence about what was left out (free with
 * g_free()), or NULL. */
PenMerge *pen_merge_new(const PenModel *model, char **notice, GError **error);
PenMerge *pen_merge_ref(PenMerge *merge);
void pen_merge_unref(PenMerge *merge);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenMerge, pen_merge_unref)

/* Adds what the adapters say to rows[count, columns] of the layer PREFIX PATH (with the prefixes of
 * src/models/model-layers.h), which are those from
 * `first` on of its matrix [out, columns]. */
void pen_merge_add(const PenMerge *merge, const char *prefix, const char *path, gsize first,
                   gsize count, gsize columns, float *rows);

G_END_DECLS
