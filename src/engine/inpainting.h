// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What an inpainting model sees beside the noisy latents, in this order:
 *
 *     1 channel                the mask: 1 where the picture may change
 *     latent_channels channels the latents of the picture with grey in the mask's place
 *
 * as diffusers' StableDiffusionInpaintPipeline makes it: the mask is cut at one half, and each
 * latent takes the mask of its first pixel. (diffusers samples the encoder's distribution; this is
 * its mean.) Without a picture or a mask everything may change, and the picture is all grey.
 */

#include "src/models/runtime.h"

G_BEGIN_DECLS

/* condition[height/factor, width/factor, model->condition_channels] for an inpainting model.
 * `rgb` [height, width, 3] and `mask` [height, width], 255 where it may change, may be NULL. Free
 * with g_free(); NULL with an error. */
float *pen_inpainting_condition(PenRuntime *runtime, const guint8 *rgb, const guint8 *mask,
                                guint32 height, guint32 width, GCancellable *cancellable,
                                GError **error);

G_END_DECLS
