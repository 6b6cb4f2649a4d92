// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/unet.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/models/layers.h"

/* What diffusers writes into Transformer2DModel whatever the configuration says. */
#define TRANSFORMER_NORM_EPSILON 1e-6f
#define LAYER_NORM_EPSILON 1e-5f

typedef struct {
    PenLayers l;
    const PenUNetConfig *config;
    const PenUNetOptions *options;
    PenUNet *unet;
    PenTensor *time; /* SiLU of the time embedding */
    GPtrArray *skips;
    guint blocks; /* whose results are there */
} Builder;

/* --- attention ---------------------------------------------------------------------------- */

/* A projection of an attention, with its adapter: W x + b + s B(A x). */
static PenTensor *projection(Builder *b, PenTensor *x, guint32 out, gboolean bias,
                             const char *attention, const char *name)
{
    PenGraph *graph = b->l.graph;
    PenTensor *y = pen_layer_linear(&b->l, x, out, bias, "%s.%s", attention, name);

    if (!b->options->adapter || !y)
        return y;
    g_autofree char *path = g_strdup_printf("%s.%s", attention, name);
    const PenUNetAdapterModule *module = pen_unet_adapter_find(b->options->adapter, path);
    if (!module) {
        pen_graph_fail(graph, _("The adapter was made for another UNet: it has nothing for %s."),
                       path);
        return NULL;
    }
    PenTensor *down = pen_graph_parameter(graph, module->down);
    PenTensor *up = pen_graph_parameter(graph, module->up);
    gsize i = (gsize)(module - b->options->adapter->modules);
    b->unet->adapter[2 * i] = down;
    b->unet->adapter[2 * i + 1] = up;
    PenTensor *low = pen_graph_linear(graph, x, down, NULL);
    low = pen_graph_scale(graph, low, b->unet->scale);
    return pen_graph_add(graph, y, pen_graph_linear(graph, low, up, NULL));
}

static PenTensor *attention(Builder *b, PenTensor *x, PenTensor *context, guint32 heads,
                            const char *block, const char *name)
{
    g_autofree char *path = g_strdup_printf("%s.%s", block, name);
    guint32 channels = pen_tensor_shape(x).c;

    PenTensor *q = projection(b, x, channels, FALSE, path, "to_q");
    PenTensor *k = projection(b, context, channels, FALSE, path, "to_k");
    PenTensor *v = projection(b, context, channels, FALSE, path, "to_v");
    PenTensor *o = pen_graph_attention(b->l.graph, q, k, v, heads, FALSE);
    return projection(b, o, channels, TRUE, path, "to_out.0");
}

/* BasicTransformerBlock: attention to the picture itself, to the text, and a gated feed-forward
 * layer, each after a norm and around a shortcut. */
static PenTensor *transformer_block(Builder *b, PenTensor *x, guint32 heads, const char *path)
{
    PenGraph *graph = b->l.graph;
    guint32 channels = pen_tensor_shape(x).c;

    PenTensor *h = pen_layer_layer_norm(&b->l, x, LAYER_NORM_EPSILON, "%s.norm1", path);
    x = pen_graph_add(graph, attention(b, h, h, heads, path, "attn1"), x);

    h = pen_layer_layer_norm(&b->l, x, LAYER_NORM_EPSILON, "%s.norm2", path);
    x = pen_graph_add(graph, attention(b, h, b->unet->context, heads, path, "attn2"), x);

    h = pen_layer_layer_norm(&b->l, x, LAYER_NORM_EPSILON, "%s.norm3", path);
    h = pen_layer_linear(&b->l, h, 8 * channels, TRUE, "%s.ff.net.0.proj", path);
    h = pen_graph_geglu(graph, h);
    h = pen_layer_linear(&b->l, h, channels, TRUE, "%s.ff.net.2", path);
    return pen_graph_add(graph, h, x);
}

/* Transformer2DModel. Channels last, its 1x1 convolutions and linear layers are the same. */
static PenTensor *transformer(Builder *b, PenTensor *x, guint32 level, const char *path)
{
    const PenUNetConfig *config = b->config;
    guint32 channels = pen_tensor_shape(x).c;

    PenTensor *h = pen_layer_group_norm(&b->l, x, config->norm_groups, TRANSFORMER_NORM_EPSILON,
                                        PEN_ACTIVATION_NONE, "%s.norm", path);
    h = pen_layer_linear(&b->l, h, channels, TRUE, "%s.proj_in", path);
    for (guint32 i = 0; i < config->transformer_layers[level]; i++) {
        g_autofree char *block = g_strdup_printf("%s.transformer_blocks.%u", path, i);
        h = transformer_block(b, h, config->heads[level], block);
    }
    h = pen_layer_linear(&b->l, h, channels, TRUE, "%s.proj_out", path);
    return pen_graph_add(b->l.graph, h, x);
}

/* --- blocks ------------------------------------------------------------------------------- */

/* Layer i of a block: a resnet, then a transformer where the block has them. `skip`, if not NULL,
 * is joined to the input first. */
static PenTensor *layer(Builder *b, PenTensor *x, PenTensor *skip, guint32 level,
                        gboolean with_attention, const char *block, guint32 i)
{
    const PenUNetConfig *config = b->config;

    if (b->options->checkpoint)
        pen_graph_checkpoint_begin(b->l.graph);
    if (skip)
        x = pen_graph_concat(b->l.graph, x, skip);
    x = pen_layer_resnet(&b->l, x, b->time, config->channels[level], config->norm_groups,
                         config->norm_epsilon, "%s.resnets.%u", block, i);
    if (with_attention) {
        g_autofree char *path = g_strdup_printf("%s.attentions.%u", block, i);
        x = transformer(b, x, level, path);
    }
    if (b->options->checkpoint)
        pen_graph_checkpoint_end(b->l.graph);
    return x;
}

/* The result of a block is there. */
static void end_block(Builder *b, PenTensor *x)
{
    if (!b->options->statistics)
        return;
    g_autofree char *name = pen_unet_statistics_name(b->blocks++);
    x = pen_graph_channel_statistics(b->l.graph, x, PEN_UNET_STATISTICS_EPSILON);
    pen_graph_output(b->l.graph, name, x);
}

static PenTensor *down(Builder *b, PenTensor *x)
{
    const PenUNetConfig *config = b->config;

    g_ptr_array_add(b->skips, x);
    for (guint32 i = 0; i < config->levels; i++) {
        g_autofree char *block = g_strdup_printf("down_blocks.%u", i);
        for (guint32 j = 0; j < config->layers[i]; j++) {
            x = layer(b, x, NULL, i, config->down_attention[i], block, j);
            g_ptr_array_add(b->skips, x);
        }
        if (i + 1 < config->levels) {
            x = pen_layer_conv(&b->l, x, config->channels[i], 2, PEN_PADDING_SAME,
                               "%s.downsamplers.0.conv", block);
            g_ptr_array_add(b->skips, x);
        }
        end_block(b, x);
    }
    return x;
}

static PenTensor *up(Builder *b, PenTensor *x)
{
    const PenUNetConfig *config = b->config;

    for (guint32 i = 0; i < config->levels; i++) {
        g_autofree char *block = g_strdup_printf("up_blocks.%u", i);
        guint32 level = config->levels - 1 - i;
        for (guint32 j = 0; j <= config->layers[level]; j++) {
            PenTensor *skip = g_ptr_array_steal_index(b->skips, b->skips->len - 1);
            x = skip ? layer(b, x, skip, level, config->up_attention[i], block, j) : NULL;
        }
        if (level > 0) {
            PenShape next = pen_tensor_shape(b->skips->pdata[b->skips->len - 1]);
            x = pen_graph_upsample(b->l.graph, x, next.h, next.w);
            x = pen_layer_conv(&b->l, x, config->channels[level], 1, PEN_PADDING_SAME,
                               "%s.upsamplers.0.conv", block);
        }
        end_block(b, x);
    }
    return x;
}

/* TimestepEmbedding. */
static PenTensor *embedding(Builder *b, PenTensor *x, const char *path)
{
    guint32 channels = 4 * b->config->channels[0];

    PenTensor *h = pen_layer_linear(&b->l, x, channels, TRUE, "%s.linear_1", path);
    h = pen_graph_activation(b->l.graph, h, PEN_ACTIVATION_SILU);
    return pen_layer_linear(&b->l, h, channels, TRUE, "%s.linear_2", path);
}

static PenTensor *time_embedding(Builder *b)
{
    PenTensor *h = embedding(b, b->unet->timestep_embedding, "time_embedding");
    if (b->unet->added)
        h = pen_graph_add(b->l.graph, embedding(b, b->unet->added, "add_embedding"), h);
    /* Every resnet starts its projection with this. */
    return pen_graph_activation(b->l.graph, h, PEN_ACTIVATION_SILU);
}

static PenTensor *build(Builder *b)
{
    const PenUNetConfig *config = b->config;

    b->time = time_embedding(b);
    PenTensor *x = b->unet->sample;
    if (b->unet->condition)
        x = pen_graph_concat(b->l.graph, x, b->unet->condition);
    x = pen_layer_conv(&b->l, x, config->channels[0], 1, PEN_PADDING_SAME, "conv_in");
    x = down(b, x);
    x = layer(b, x, NULL, config->levels - 1, TRUE, "mid_block", 0);
    x = layer(b, x, NULL, config->levels - 1, FALSE, "mid_block", 1);
    end_block(b, x);
    x = up(b, x);
    x = pen_layer_group_norm(&b->l, x, config->norm_groups, config->norm_epsilon,
                             PEN_ACTIVATION_SILU, "conv_norm_out");
    return pen_layer_conv(&b->l, x, config->out_channels, 1, PEN_PADDING_SAME, "conv_out");
}

PenUNet *pen_unet_new(const PenUNetConfig *config, PenWeights *weights,
                      const PenUNetOptions *options, GError **error)
{
    const PenUNetOptions *o = options;
    g_autoptr(PenUNet) unet = g_new0(PenUNet, 1);
    g_autoptr(GPtrArray) skips = g_ptr_array_new();

    unet->graph = pen_graph_new(pen_weights_dtype(weights));
    unet->sample = pen_graph_input(unet->graph, "sample",
                                   PEN_SHAPE(o->batch, o->height, o->width, config->out_channels));
    if (config->in_channels > config->out_channels)
        unet->condition = pen_graph_input(unet->graph, "condition",
                                          PEN_SHAPE(o->batch, o->height, o->width,
                                                    config->in_channels - config->out_channels));
    unet->timestep_embedding = pen_graph_input(unet->graph, "timestep_embedding",
                                               PEN_SHAPE(o->batch, 1, 1, config->channels[0]));
    unet->context = pen_graph_input(unet->graph, "context",
                                    PEN_SHAPE(o->batch, 1, o->tokens, config->context_channels));
    if (config->added_channels)
        unet->added =
            pen_graph_input(unet->graph, "added", PEN_SHAPE(o->batch, 1, 1, config->added_channels));
    if (o->adapter) {
        unet->scale = pen_graph_input(unet->graph, "adapter_scale", PEN_SHAPE(1, 1, 1, 1));
        unet->n_adapter = 2 * o->adapter->n_modules;
        unet->adapter = g_new0(PenTensor *, unet->n_adapter);
    }
    Builder b = {
        .l = { unet->graph, weights },
        .config = config,
        .options = o,
        .unet = unet,
        .skips = skips,
    };
    unet->out = build(&b);
    pen_graph_output(unet->graph, "out", unet->out);
    return pen_layers_check(&b.l, error) ? g_steal_pointer(&unet) : NULL;
}

void pen_unet_free(PenUNet *unet)
{
    if (!unet)
        return;
    pen_graph_free(unet->graph);
    g_free(unet->adapter);
    g_free(unet);
}

PenGraph *pen_unet_steal_graph(PenUNet *unet)
{
    return g_steal_pointer(&unet->graph);
}

guint pen_unet_count_blocks(const PenUNetConfig *config)
{
    return 2 * config->levels + 1;
}

guint32 pen_unet_block_channels(const PenUNetConfig *config, guint block)
{
    guint32 levels = config->levels;
    return config->channels[block < levels    ? block
                            : block == levels ? levels - 1
                                              : 2 * levels - block];
}

char *pen_unet_statistics_name(guint block)
{
    return g_strdup_printf("statistics.%u", block);
}

static void sinusoids(const PenUNetConfig *config, double value, guint32 channels, float *out)
{
    guint32 half = channels / 2;
    float *sines = out + (config->flip_sin_to_cos ? half : 0);
    float *cosines = out + (config->flip_sin_to_cos ? 0 : half);

    for (guint32 k = 0; k < half; k++) {
        double angle = value * exp(-log(10000) * k / (half - config->freq_shift));
        sines[k] = (float)sin(angle);
        cosines[k] = (float)cos(angle);
    }
    if (channels % 2)
        out[channels - 1] = 0;
}

void pen_unet_timestep_embedding(const PenUNetConfig *config, const double *timesteps, gsize n,
                                 float *out)
{
    for (gsize i = 0; i < n; i++)
        sinusoids(config, timesteps[i], config->channels[0], out + i * config->channels[0]);
}

void pen_unet_added(const PenUNetConfig *config, const PenConditioning *conditioning, float *out)
{
    guint32 pooled = pen_unet_config_pooled_channels(config);

    memcpy(out, conditioning->pooled, pooled * sizeof *out);
    for (guint i = 0; i < PEN_CONDITIONING_SIZES; i++)
        sinusoids(config, conditioning->sizes[i], config->size_channels,
                  out + pooled + i * config->size_channels);
}
