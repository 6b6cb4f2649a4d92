// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The variational autoencoder between pictures and latents: AutoencoderKL of diffusers as two
 * graphs.
 *
 * Decoder:  "latents" [batch, height, width, latent_channels], already divided by the scaling
 * factor "image"   [batch, f height, f width, out_channels], about -1 to 1 Encoder:  "image"
 * [batch, height, width, in_channels], -1 to 1; multiples of f "moments" [batch, height/f, width/f,
 * 2 latent_channels]: mean, then log-variance with f = pen_vae_config_factor(). Both are built in
 * the dtype of their weights.
 */

#include "compute/graph.h"
#include "src/models/model-config.h"
#include "src/models/weights.h"

G_BEGIN_DECLS

PenGraph *pen_vae_decoder_new(const PenVaeConfig *config, PenWeights *weights, guint32 batch,
                              guint32 height, guint32 width, GError **error);
PenGraph *pen_vae_encoder_new(const PenVaeConfig *config, PenWeights *weights, guint32 batch,
                              guint32 height, guint32 width, GError **error);

/* Splits "moments" of `rows` latent positions into mean and log-variance (which may be NULL), each
 * [rows, latent_channels]; the log-variance is kept between -30 and 20. */
void pen_vae_split_moments(const PenVaeConfig *config, const float *moments, gsize rows,
                           float *mean, float *log_variance);

G_END_DECLS
