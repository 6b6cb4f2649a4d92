// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Layers: tensor operations together with their weights, as the builders of the UNet, the VAE and
 * the text encoder use them.
 *
 * The last arguments of each function are a printf format for the layer's path in the weight file
 * ("down_blocks.%u.resnets.%u.conv1"); the layer's weights are PATH.weight and PATH.bias. All take
 * and return NULL after a mistake, which pen_layers_check() reports.
 */

#include "compute/graph.h"
#include "src/models/unet-adapter.h"
#include "src/models/weights.h"

G_BEGIN_DECLS

typedef struct {
    PenGraph *graph;
    PenWeights *weights;
} PenLayers;

/* The first mistake in the weights or the graph. */
gboolean pen_layers_check(const PenLayers *l, GError **error);

/* Without `bias` for the projections of a UNet's attention. 1x1 convolutions are linear layers. */
PenTensor *pen_layer_linear(const PenLayers *l, PenTensor *x, guint32 out, gboolean bias,
                            const char *path, ...) G_GNUC_PRINTF(5, 6);

/* A 3x3 convolution. */
PenTensor *pen_layer_conv(const PenLayers *l, PenTensor *x, guint32 out, guint32 stride,
                          PenPadding padding, const char *path, ...) G_GNUC_PRINTF(6, 7);
#define PEN_PADDING_SAME ((PenPadding){ 1, 1, 1, 1 })

PenTensor *pen_layer_group_norm(const PenLayers *l, PenTensor *x, guint32 groups, float epsilon,
                                PenActivation activation, const char *path, ...)
    G_GNUC_PRINTF(6, 7);

/* With given statistics: pen_graph_group_norm_given(). */
PenTensor *pen_layer_group_norm_given(const PenLayers *l, PenTensor *x, PenTensor *statistics,
                                      guint32 groups, PenActivation activation, const char *path,
                                      ...) G_GNUC_PRINTF(6, 7);

PenTensor *pen_layer_layer_norm(const PenLayers *l, PenTensor *x, float epsilon, const char *path,
                                ...) G_GNUC_PRINTF(4, 5);

/* ResnetBlock2D: norm, SiLU, convolution, twice, around a shortcut (a 1x1 convolution where the
 * channels change). `time`, if not NULL, is SiLU of the time embedding [n,1,1,c]; its projection is
 * added in the middle. */
PenTensor *pen_layer_resnet(const PenLayers *l, PenTensor *x, PenTensor *time, guint32 out,
                            guint32 groups, float epsilon, const char *path, ...)
    G_GNUC_PRINTF(7, 8);

G_END_DECLS
