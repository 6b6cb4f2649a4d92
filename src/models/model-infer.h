// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Configurations of components that come without a configuration file, from the names and shapes of
 * their weights (diffusers' names; src/models/ldm-names.h).
 *
 * What shapes do not tell is what Stable Diffusion has everywhere:
 *   - the norms have 32 groups (where channels do not divide by that, the largest power of two that
 *     they divide by: no published model has such)
 *   - a UNet whose transformers' proj_in is a convolution (1.x) has 8 heads at every level, one where
 *     it is a linear layer (2.x, SDXL) heads of 64 channels. diffusers decides by the width of the text
 *     (768 or 1024) between the same two
 *   - text encoders have heads of 64 channels
 * Weights of other kinds (an upscaler's class embedding) are PEN_MODEL_ERROR_UNSUPPORTED. Sizes
 * are as checked as those of a file; whether every weight is there and fits, src/models/weights.h
 * finds out.
 */

#include "src/formats/safetensors.h"
#include "src/models/model-config.h"

G_BEGIN_DECLS

/* `sample_size` and `size_channels` stay 0. */
gboolean pen_unet_config_infer(PenUNetConfig *config, const PenSafetensors *weights,
                               GError **error);

/* `scaling_factor` and `force_upcast` stay what they are. */
gboolean pen_vae_config_infer(PenVaeConfig *config, const PenSafetensors *weights, GError **error);

/* `quick_gelu`: OpenAI's CLIP (1.x) has it, OpenCLIP (2.x) has GELU. */
gboolean pen_clip_text_config_infer(PenClipTextConfig *config, const PenSafetensors *weights,
                                    gboolean quick_gelu, GError **error);

G_END_DECLS
