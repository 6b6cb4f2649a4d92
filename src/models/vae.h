// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The variational autoencoder between pictures and latents: AutoencoderKL of diffusers as two graphs,
 * built in the dtype of their weights, with f = pen_vae_config_factor():
 *
 * Decoder:  "latents" [batch, height, width, latent_channels], already divided by the scaling factor
 *           -> "image" [batch, f height, f width, out_channels], about -1 to 1
 * Encoder:  "image" [batch, height, width, in_channels], -1 to 1, multiples of f
 *           -> "moments" [batch, height/f, width/f, 2 latent_channels]: mean, then log-variance
 *
 * src/models/vae-coder.h runs them, also for pictures whose graph would not fit on the device. For
 * that, each half is also to be had in parts: the coarsest level, which looks at all positions at
 * once, and a chain of stages, each of which a 3x3 convolution makes from its neighbourhood alone:
 *
 *     y = conv(SiLU(group_norm(up(x)))) + shortcut(residual)
 *
 * where each part but the convolution may be missing.
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

/* --- in parts ------------------------------------------------------------------------------ */

/* Of every group norm: what diffusers writes into its VAE whatever the configuration says. */
#define PEN_VAE_NORM_EPSILON 1e-6f

typedef enum { PEN_VAE_DECODER, PEN_VAE_ENCODER } PenVaeSide;

typedef struct {
    char *path;         /* of the convolution */
    char *norm;         /* path of the group norm before it; NULL: neither norm nor SiLU */
    guint32 in, out;    /* channels */
    gboolean up, down;  /* doubles height and width before the convolution; halves them by it */
    guint32 residual;   /* channels of the residual, the input of the stage before; 0: none */
    char *shortcut;     /* path of its 1x1 convolution; NULL: added as it is */
} PenVaeStage;

/* The stages of a half, in order: the decoder's follow the coarsest level, the encoder's lead to it.
 * An array of PenVaeStage, owned by it. */
GArray *pen_vae_stages(const PenVaeConfig *config, PenVaeSide side);

/* The coarsest level: of the decoder from "latents", of the encoder to "moments". Its other end is
 * called "x". */
PenGraph *pen_vae_middle_new(const PenVaeConfig *config, PenWeights *weights, PenVaeSide side,
                             guint32 height, guint32 width, GError **error);

/* A band of a stage: "x" [1, height, width, in], with a norm also the "statistics" of the whole x
 * (pen_graph_group_norm_given), with a residual also "residual" [1, rows of y, width, residual]
 * -> "y". Above and below, the convolution is padded where the band ends at the picture's edge and
 * is not where its x reaches on. */
PenGraph *pen_vae_stage_new(const PenVaeConfig *config, PenWeights *weights,
                            const PenVaeStage *stage, guint32 height, guint32 width,
                            gboolean at_top, gboolean at_bottom, GError **error);

G_END_DECLS
