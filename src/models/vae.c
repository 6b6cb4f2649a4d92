// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/vae.h"

#include <string.h>

#include "src/models/layers.h"

/* What diffusers writes into its VAE whatever the configuration says. */
#define NORM_EPSILON 1e-6f

typedef struct {
    PenLayers l;
    const PenVaeConfig *config;
} Builder;

static PenTensor *resnet(Builder *b, PenTensor *x, guint32 out, const char *block, guint32 i)
{
    return pen_layer_resnet(&b->l, x, NULL, out, b->config->norm_groups, NORM_EPSILON,
                            "%s.resnets.%u", block, i);
}

/* Attention with one head over all positions. */
static PenTensor *attention(Builder *b, PenTensor *x, const char *path)
{
    guint32 channels = pen_tensor_shape(x).c;

    PenTensor *h = pen_layer_group_norm(&b->l, x, b->config->norm_groups, NORM_EPSILON,
                                        PEN_ACTIVATION_NONE, "%s.group_norm", path);
    PenTensor *q = pen_layer_linear(&b->l, h, channels, TRUE, "%s.to_q", path);
    PenTensor *k = pen_layer_linear(&b->l, h, channels, TRUE, "%s.to_k", path);
    PenTensor *v = pen_layer_linear(&b->l, h, channels, TRUE, "%s.to_v", path);
    h = pen_graph_attention(b->l.graph, q, k, v, 1, FALSE);
    h = pen_layer_linear(&b->l, h, channels, TRUE, "%s.to_out.0", path);
    return pen_graph_add(b->l.graph, h, x);
}

/* The coarsest level, in the encoder and the decoder. */
static PenTensor *middle(Builder *b, PenTensor *x, const char *side)
{
    g_autofree char *block = g_strdup_printf("%s.mid_block", side);
    guint32 channels = b->config->channels[b->config->levels - 1];

    x = resnet(b, x, channels, block, 0);
    if (b->config->mid_attention) {
        g_autofree char *path = g_strdup_printf("%s.attentions.0", block);
        x = attention(b, x, path);
    }
    return resnet(b, x, channels, block, 1);
}

static PenTensor *norm_out(Builder *b, PenTensor *x, const char *side)
{
    return pen_layer_group_norm(&b->l, x, b->config->norm_groups, NORM_EPSILON, PEN_ACTIVATION_SILU,
                                "%s.conv_norm_out", side);
}

static PenGraph *finish(Builder *b, PenGraph **graph, const char *name, PenTensor *out,
                        GError **error)
{
    pen_graph_output(*graph, name, out);
    return pen_layers_check(&b->l, error) ? g_steal_pointer(graph) : NULL;
}

PenGraph *pen_vae_decoder_new(const PenVaeConfig *config, PenWeights *weights, guint32 batch,
                              guint32 height, guint32 width, GError **error)
{
    g_autoptr(PenGraph) graph = pen_graph_new(pen_weights_dtype(weights));
    Builder b = { .l = { graph, weights }, .config = config };

    PenTensor *x =
        pen_graph_input(graph, "latents", PEN_SHAPE(batch, height, width, config->latent_channels));
    if (config->post_quant_conv)
        x = pen_layer_linear(&b.l, x, config->latent_channels, TRUE, "post_quant_conv");
    x = pen_layer_conv(&b.l, x, config->channels[config->levels - 1], 1, PEN_PADDING_SAME,
                       "decoder.conv_in");
    x = middle(&b, x, "decoder");
    for (guint32 i = 0; i < config->levels; i++) {
        g_autofree char *block = g_strdup_printf("decoder.up_blocks.%u", i);
        guint32 level = config->levels - 1 - i;
        for (guint32 j = 0; j <= config->layers; j++)
            x = resnet(&b, x, config->channels[level], block, j);
        if (level > 0) {
            PenShape s = pen_tensor_shape(x);
            x = pen_graph_upsample(graph, x, 2 * s.h, 2 * s.w);
            x = pen_layer_conv(&b.l, x, config->channels[level], 1, PEN_PADDING_SAME,
                               "%s.upsamplers.0.conv", block);
        }
    }
    x = norm_out(&b, x, "decoder");
    x = pen_layer_conv(&b.l, x, config->out_channels, 1, PEN_PADDING_SAME, "decoder.conv_out");
    return finish(&b, &graph, "image", x, error);
}

PenGraph *pen_vae_encoder_new(const PenVaeConfig *config, PenWeights *weights, guint32 batch,
                              guint32 height, guint32 width, GError **error)
{
    g_autoptr(PenGraph) graph = pen_graph_new(pen_weights_dtype(weights));
    Builder b = { .l = { graph, weights }, .config = config };

    PenTensor *x =
        pen_graph_input(graph, "image", PEN_SHAPE(batch, height, width, config->in_channels));
    x = pen_layer_conv(&b.l, x, config->channels[0], 1, PEN_PADDING_SAME, "encoder.conv_in");
    for (guint32 i = 0; i < config->levels; i++) {
        g_autofree char *block = g_strdup_printf("encoder.down_blocks.%u", i);
        for (guint32 j = 0; j < config->layers; j++)
            x = resnet(&b, x, config->channels[i], block, j);
        if (i + 1 < config->levels)
            x = pen_layer_conv(&b.l, x, config->channels[i], 2,
                               (PenPadding){ .bottom = 1, .right = 1 }, "%s.downsamplers.0.conv",
                               block);
    }
    x = middle(&b, x, "encoder");
    x = norm_out(&b, x, "encoder");
    guint32 moments = 2 * config->latent_channels;
    x = pen_layer_conv(&b.l, x, moments, 1, PEN_PADDING_SAME, "encoder.conv_out");
    if (config->quant_conv)
        x = pen_layer_linear(&b.l, x, moments, TRUE, "quant_conv");
    return finish(&b, &graph, "moments", x, error);
}

void pen_vae_split_moments(const PenVaeConfig *config, const float *moments, gsize rows,
                           float *mean, float *log_variance)
{
    gsize c = config->latent_channels;

    for (gsize i = 0; i < rows; i++, moments += 2 * c) {
        if (mean)
            memcpy(mean + i * c, moments, c * sizeof(float));
        for (gsize k = 0; log_variance && k < c; k++)
            log_variance[i * c + k] = CLAMP(moments[c + k], -30.0f, 20.0f);
    }
}
