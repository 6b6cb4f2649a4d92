// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What a UNet is told besides the noisy latents: a text as the model's encoders see it and, of a
 * model of the SDXL family, a summary of that text and the sizes that the picture shall look as if
 * it had. pen_runtime_encode_texts() makes one of a text; the denoiser, the sampler and the trainer
 * take it as a whole.
 */

#include <glib.h>

G_BEGIN_DECLS

#define PEN_CONDITIONING_SIZES 6

typedef struct {
    guint32 tokens, channels;
    float *hidden; /* [tokens, channels]: what the cross-attention sees; of several encoders side by
                      side */
    guint32 pooled_channels; /* 0: the model has no pooled text */
    float *pooled;           /* [pooled_channels]: the whole text in one row */
    /* In pixels: original height and width, top and left of the crop, target height and width. All
     * zero: the size of the latents, uncropped, which is what people ask for. */
    float sizes[PEN_CONDITIONING_SIZES];
} PenConditioning;

/* All zeros. */
PenConditioning *pen_conditioning_new(guint32 tokens, guint32 channels, guint32 pooled_channels);
PenConditioning *pen_conditioning_copy(const PenConditioning *conditioning);
void pen_conditioning_free(PenConditioning *conditioning); /* may be NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenConditioning, pen_conditioning_free)

G_END_DECLS
