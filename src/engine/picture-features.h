// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Features: a picture as the model sees it, in a few thousand numbers, from which a taste can be
 * guessed (src/learning/predictor.h). They are
 *
 *   - the mean and the standard deviation of each channel of the results of the UNet's blocks, when
 *     the bare model looks without a prompt at the finished latents with a little noise on them, at
 *     two timesteps: one that leaves details and one that leaves shapes and colours;
 *   - the mean and the standard deviation of each channel of the latents themselves.
 *
 * Their number depends on the model alone, so pictures of any size can be compared; the noise is
 * the same for all pictures of a size.
 */

#include "src/engine/trajectory.h"
#include "src/models/runtime.h"

G_BEGIN_DECLS

gsize pen_features_count(const PenModel *model);

/* Of n finished latents of one size: features[n, pen_features_count()]. `conditions[n]`, of an
 * inpainting model, are what the pictures were drawn with (src/engine/inpainting.h); else NULL. */
gboolean pen_features_extract(PenRuntime *runtime, guint n, guint32 height, guint32 width,
                              const float *const *latents, const float *const *conditions,
                              float *features, GCancellable *cancellable, GError **error);

G_END_DECLS
