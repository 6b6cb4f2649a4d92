// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/vae.h"

#include <string.h>

#include "src/models/layers.h"

typedef struct {
    PenLayers l;
    const PenVaeConfig *config;
} Builder;

/* --- stages -------------------------------------------------------------------------------- */

static void stage_clear(gpointer data)
{
    PenVaeStage *stage = data;
    g_free(stage->path);
    g_free(stage->norm);
    g_free(stage->shortcut);
}

static void add_stage(GArray *stages, PenVaeStage stage)
{
    g_array_append_val(stages, stage);
}

/* ResnetBlock2D: two stages around a shortcut. */
static void add_resnet(GArray *stages, guint32 in, guint32 out, const char *side, const char *blocks,
                       guint32 block, guint32 i)
{
    g_autofree char *path = g_strdup_printf("%s.%s.%u.resnets.%u", side, blocks, block, i);
    add_stage(stages, (PenVaeStage){ .path = g_strconcat(path, ".conv1", NULL),
                                     .norm = g_strconcat(path, ".norm1", NULL),
                                     .in = in,
                                     .out = out });
    add_stage(stages, (PenVaeStage){ .path = g_strconcat(path, ".conv2", NULL),
                                     .norm = g_strconcat(path, ".norm2", NULL),
                                     .in = out,
                                     .out = out,
                                     .residual = in,
                                     .shortcut = in == out ? NULL
                                                           : g_strconcat(path, ".conv_shortcut",
                                                                         NULL) });
}

static void add_decoder_stages(GArray *stages, const PenVaeConfig *config)
{
    guint32 c = config->channels[config->levels - 1];
    for (guint32 i = 0; i < config->levels; i++) {
        guint32 level = config->levels - 1 - i;
        for (guint32 j = 0; j <= config->layers; j++) {
            add_resnet(stages, c, config->channels[level], "decoder", "up_blocks", i, j);
            c = config->channels[level];
        }
        if (level > 0)
            add_stage(stages, (PenVaeStage){ .path = g_strdup_printf(
                                                 "decoder.up_blocks.%u.upsamplers.0.conv", i),
                                             .in = c,
                                             .out = c,
                                             .up = TRUE });
    }
    add_stage(stages, (PenVaeStage){ .path = g_strdup("decoder.conv_out"),
                                     .norm = g_strdup("decoder.conv_norm_out"),
                                     .in = c,
                                     .out = config->out_channels });
}

static void add_encoder_stages(GArray *stages, const PenVaeConfig *config)
{
    guint32 c = config->channels[0];
    add_stage(stages, (PenVaeStage){ .path = g_strdup("encoder.conv_in"),
                                     .in = config->in_channels,
                                     .out = c });
    for (guint32 i = 0; i < config->levels; i++) {
        for (guint32 j = 0; j < config->layers; j++) {
            add_resnet(stages, c, config->channels[i], "encoder", "down_blocks", i, j);
            c = config->channels[i];
        }
        if (i + 1 < config->levels)
            add_stage(stages, (PenVaeStage){ .path = g_strdup_printf(
                                                 "encoder.down_blocks.%u.downsamplers.0.conv", i),
                                             .in = c,
                                             .out = c,
                                             .down = TRUE });
    }
}

GArray *pen_vae_stages(const PenVaeConfig *config, PenVaeSide side)
{
    GArray *stages = g_array_new(FALSE, FALSE, sizeof(PenVaeStage));
    g_array_set_clear_func(stages, stage_clear);
    if (side == PEN_VAE_DECODER)
        add_decoder_stages(stages, config);
    else
        add_encoder_stages(stages, config);
    return stages;
}

/* `statistics`: NULL where x is the whole picture. */
static PenTensor *build_stage(Builder *b, const PenVaeStage *stage, PenTensor *x,
                              PenTensor *statistics, PenTensor *residual, gboolean at_top,
                              gboolean at_bottom)
{
    if (stage->norm && statistics)
        x = pen_layer_group_norm_given(&b->l, x, statistics, b->config->norm_groups,
                                       PEN_ACTIVATION_SILU, "%s", stage->norm);
    else if (stage->norm)
        x = pen_layer_group_norm(&b->l, x, b->config->norm_groups, PEN_VAE_NORM_EPSILON,
                                 PEN_ACTIVATION_SILU, "%s", stage->norm);
    if (stage->up && x) {
        PenShape s = pen_tensor_shape(x);
        x = pen_graph_upsample(b->l.graph, x, 2 * s.h, 2 * s.w);
    }
    /* diffusers pads only right and below before it halves. */
    PenPadding padding = { .left = !stage->down,
                           .right = 1,
                           .top = at_top && !stage->down,
                           .bottom = at_bottom };
    x = pen_layer_conv(&b->l, x, stage->out, stage->down ? 2 : 1, padding, "%s", stage->path);
    if (!stage->residual)
        return x;
    if (stage->shortcut)
        residual = pen_layer_linear(&b->l, residual, stage->out, TRUE, "%s", stage->shortcut);
    return pen_graph_add(b->l.graph, x, residual);
}

static PenTensor *build_stages(Builder *b, PenVaeSide side, PenTensor *x)
{
    g_autoptr(GArray) stages = pen_vae_stages(b->config, side);
    PenTensor *before = NULL;
    for (guint i = 0; i < stages->len; i++) {
        PenTensor *in = x;
        x = build_stage(b, &g_array_index(stages, PenVaeStage, i), x, NULL, before, TRUE, TRUE);
        before = in;
    }
    return x;
}

/* --- the coarsest level -------------------------------------------------------------------- */

/* Attention with one head over all positions. */
static PenTensor *attention(Builder *b, PenTensor *x, const char *path)
{
    guint32 channels = b->config->channels[b->config->levels - 1];

    PenTensor *h = pen_layer_group_norm(&b->l, x, b->config->norm_groups, PEN_VAE_NORM_EPSILON,
                                        PEN_ACTIVATION_NONE, "%s.group_norm", path);
    PenTensor *q = pen_layer_linear(&b->l, h, channels, TRUE, "%s.to_q", path);
    PenTensor *k = pen_layer_linear(&b->l, h, channels, TRUE, "%s.to_k", path);
    PenTensor *v = pen_layer_linear(&b->l, h, channels, TRUE, "%s.to_v", path);
    h = pen_graph_attention(b->l.graph, q, k, v, 1, FALSE);
    h = pen_layer_linear(&b->l, h, channels, TRUE, "%s.to_out.0", path);
    return pen_graph_add(b->l.graph, h, x);
}

static PenTensor *mid_block(Builder *b, PenTensor *x, const char *side)
{
    g_autofree char *block = g_strdup_printf("%s.mid_block", side);
    guint32 channels = b->config->channels[b->config->levels - 1];
    guint32 groups = b->config->norm_groups;

    x = pen_layer_resnet(&b->l, x, NULL, channels, groups, PEN_VAE_NORM_EPSILON, "%s.resnets.0", block);
    if (b->config->mid_attention) {
        g_autofree char *path = g_strdup_printf("%s.attentions.0", block);
        x = attention(b, x, path);
    }
    return pen_layer_resnet(&b->l, x, NULL, channels, groups, PEN_VAE_NORM_EPSILON, "%s.resnets.1", block);
}

static PenTensor *build_decoder_middle(Builder *b, PenTensor *latents)
{
    const PenVaeConfig *config = b->config;
    PenTensor *x = latents;
    if (config->post_quant_conv)
        x = pen_layer_linear(&b->l, x, config->latent_channels, TRUE, "post_quant_conv");
    x = pen_layer_conv(&b->l, x, config->channels[config->levels - 1], 1, PEN_PADDING_SAME,
                       "decoder.conv_in");
    return mid_block(b, x, "decoder");
}

static PenTensor *build_encoder_middle(Builder *b, PenTensor *x)
{
    const PenVaeConfig *config = b->config;
    guint32 moments = 2 * config->latent_channels;
    x = mid_block(b, x, "encoder");
    x = pen_layer_group_norm(&b->l, x, config->norm_groups, PEN_VAE_NORM_EPSILON, PEN_ACTIVATION_SILU,
                             "encoder.conv_norm_out");
    x = pen_layer_conv(&b->l, x, moments, 1, PEN_PADDING_SAME, "encoder.conv_out");
    return config->quant_conv ? pen_layer_linear(&b->l, x, moments, TRUE, "quant_conv") : x;
}

/* --- graphs -------------------------------------------------------------------------------- */

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
    x = build_decoder_middle(&b, x);
    x = build_stages(&b, PEN_VAE_DECODER, x);
    return finish(&b, &graph, "image", x, error);
}

PenGraph *pen_vae_encoder_new(const PenVaeConfig *config, PenWeights *weights, guint32 batch,
                              guint32 height, guint32 width, GError **error)
{
    g_autoptr(PenGraph) graph = pen_graph_new(pen_weights_dtype(weights));
    Builder b = { .l = { graph, weights }, .config = config };
    PenTensor *x =
        pen_graph_input(graph, "image", PEN_SHAPE(batch, height, width, config->in_channels));
    x = build_stages(&b, PEN_VAE_ENCODER, x);
    x = build_encoder_middle(&b, x);
    return finish(&b, &graph, "moments", x, error);
}

PenGraph *pen_vae_middle_new(const PenVaeConfig *config, PenWeights *weights, PenVaeSide side,
                             guint32 height, guint32 width, GError **error)
{
    g_autoptr(PenGraph) graph = pen_graph_new(pen_weights_dtype(weights));
    Builder b = { .l = { graph, weights }, .config = config };
    guint32 channels = config->channels[config->levels - 1];
    if (side == PEN_VAE_DECODER) {
        PenTensor *latents =
            pen_graph_input(graph, "latents", PEN_SHAPE(1, height, width, config->latent_channels));
        return finish(&b, &graph, "x", build_decoder_middle(&b, latents), error);
    }
    PenTensor *x = pen_graph_input(graph, "x", PEN_SHAPE(1, height, width, channels));
    return finish(&b, &graph, "moments", build_encoder_middle(&b, x), error);
}

PenGraph *pen_vae_stage_new(const PenVaeConfig *config, PenWeights *weights,
                            const PenVaeStage *stage, guint32 height, guint32 width,
                            gboolean at_top, gboolean at_bottom, GError **error)
{
    g_autoptr(PenGraph) graph = pen_graph_new(pen_weights_dtype(weights));
    Builder b = { .l = { graph, weights }, .config = config };
    PenTensor *x = pen_graph_input(graph, "x", PEN_SHAPE(1, height, width, stage->in));
    PenTensor *statistics =
        stage->norm ? pen_graph_input_f32(graph, "statistics",
                                          PEN_SHAPE(1, 1, config->norm_groups, 2))
                    : NULL;
    guint32 rows = height - (at_top ? 0 : 1) - (at_bottom ? 0 : 1);
    PenTensor *residual =
        stage->residual ? pen_graph_input(graph, "residual",
                                          PEN_SHAPE(1, rows, width, stage->residual))
                        : NULL;
    x = build_stage(&b, stage, x, statistics, residual, at_top, at_bottom);
    return finish(&b, &graph, "y", x, error);
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
