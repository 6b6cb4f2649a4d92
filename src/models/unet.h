// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The denoising network: UNet2DConditionModel of diffusers as a graph.
 *
 * Inputs of the graph, by name:
 *   "sample"              [batch, height, width, out_channels] noisy latents
 *   "condition"           [batch, height, width, in_channels - out_channels]  only where a UNet for
 *                                                              inpainting takes more than latents
 *   "timestep_embedding"  [batch, 1, 1, channels of level 0]   pen_unet_timestep_embedding()
 *   "context"             [batch, 1, tokens, context_channels] the text encoder's output
 *   "added"               [batch, 1, 1, added_channels]        only where the configuration has it:
 *                                                              pen_unet_added()
 *   "adapter_scale"       [1, 1, 1, 1]                         only with an adapter: 0 the base
 *                                                              model, 1 the adapted one
 * Outputs:
 *   "out"                 [batch, height, width, out_channels] the predicted noise (or v)
 *   "statistics.B"        [batch, 1, channels, 2]              only where they are asked for: of the
 *                                                              result of block B, each channel's mean
 *                                                              and 1 / sqrt(variance + epsilon)
 *
 * Blocks count from 0: those on the way down, the one in the middle, those on the way up.
 *
 * Latents of any size work: on its way up the UNet resizes to the size of the skip connection.
 */

#include "compute/graph.h"
#include "src/models/model-config.h"
#include "src/models/unet-adapter.h"
#include "src/models/weights.h"

G_BEGIN_DECLS

typedef struct {
    guint32 batch, height, width; /* of latents */
    guint32 tokens;
    PenUNetAdapter *adapter; /* allocated, in the dtype of the weights; or NULL */
    gboolean checkpoint;     /* each resnet with its transformer is a checkpoint block: the backward
                                graph recomputes it, training takes less memory and more time */
    gboolean statistics;     /* of the blocks' results are outputs, too */
} PenUNetOptions;

typedef struct {
    PenGraph *graph;
    PenTensor *sample, *timestep_embedding, *context, *out;
    PenTensor *condition; /* NULL unless the UNet is one for inpainting */
    PenTensor *added;     /* NULL unless the UNet takes it */
    PenTensor *scale;    /* NULL without an adapter */
    PenTensor **adapter; /* A and B of module i at 2i and 2i+1: targets of a gradient */
    guint n_adapter;     /* 2 n_modules, or 0 */
} PenUNet;

/* Builds the graph in the dtype of `weights`; load them (pen_weights_load) before a run. The
 * adapter must outlive the graph's construction only. */
PenUNet *pen_unet_new(const PenUNetConfig *config, PenWeights *weights,
                      const PenUNetOptions *options, GError **error);
void pen_unet_free(PenUNet *unet);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenUNet, pen_unet_free)

/* The graph, for pen_plan_new() or more operations (a gradient). The tensors stay valid with it. */
PenGraph *pen_unet_steal_graph(PenUNet *unet);

#define PEN_UNET_STATISTICS_EPSILON 1e-8f
guint pen_unet_count_blocks(const PenUNetConfig *config);
guint32 pen_unet_block_channels(const PenUNetConfig *config, guint block);
/* "statistics.B". Free with g_free(). */
char *pen_unet_statistics_name(guint block);

/* Sinusoids of n timesteps: out[n, channels of level 0] (diffusers' get_timestep_embedding). */
void pen_unet_timestep_embedding(const PenUNetConfig *config, const double *timesteps, gsize n,
                                 float *out);

/* What a conditioning adds to the time embedding, out[added_channels]: the pooled text and the
 * sinusoids of its sizes. */
void pen_unet_added(const PenUNetConfig *config, const PenConditioning *conditioning, float *out);

G_END_DECLS
