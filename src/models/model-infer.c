// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/model-infer.h"

#include <glib/gi18n-lib.h>

#include "src/models/other-families.h"

enum { GROUPS = 32, HEADS = 8, HEAD_CHANNELS = 64 };

static const PenSafetensor *find(const PenSafetensors *weights, const char *format, ...)
    G_GNUC_PRINTF(2, 3);
static const PenSafetensor *find(const PenSafetensors *weights, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *name = g_strdup_vprintf(format, args);
    va_end(args);
    return pen_safetensors_lookup(weights, name);
}

static gboolean unsupported(const PenSafetensors *weights, const char *what, GError **error)
{
    g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                _("%s is not a Stable Diffusion 1.x, 2.x or SDXL model that Penchant can run: %s."),
                pen_safetensors_name(weights), what);
    return FALSE;
}

/* A dimension of the weight `name`. */
static gboolean get_size(const PenSafetensors *weights, const char *name, guint dim, gsize max,
                         guint32 *size, GError **error)
{
    const PenSafetensor *tensor = pen_safetensors_lookup(weights, name);

    if (!tensor) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
                    _("%s has no weight “%s”: the file is incomplete or of another kind."),
                    pen_safetensors_name(weights), name);
        return FALSE;
    }
    if (dim >= tensor->n_dims || tensor->dims[dim] < 1 || tensor->dims[dim] > max) {
        g_autofree char *shape = pen_safetensor_shape(tensor);
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("%s: weight “%s” has the impossible shape %s."),
                    pen_safetensors_name(weights), name, shape);
        return FALSE;
    }
    *size = (guint32)tensor->dims[dim];
    return TRUE;
}

/* How many of "FORMAT % i" there are, at most `max`; more is an error. */
static gboolean count(const PenSafetensors *weights, const char *before, const char *after,
                      guint32 max, guint32 *n, GError **error)
{
    for (*n = 0; find(weights, "%s.%u.%s", before, *n, after); ++*n)
        if (*n == max)
            return unsupported(weights, _("it has too many layers"), error);
    return TRUE;
}

static guint32 norm_groups(const guint32 *channels, guint32 levels)
{
    guint32 groups = GROUPS;
    for (guint32 i = 0; i < levels; i++)
        while (channels[i] % groups)
            groups /= 2;
    return groups;
}

/* --- UNet --------------------------------------------------------------------------------- */

static gboolean infer_level(PenUNetConfig *config, const PenSafetensors *weights, guint32 i,
                            GError **error)
{
    guint32 up = config->levels - 1 - i;
    g_autofree char *resnets = g_strdup_printf("down_blocks.%u.resnets", i);
    g_autofree char *first = g_strdup_printf("%s.0.conv1.weight", resnets);
    g_autofree char *transformer =
        find(weights, "down_blocks.%u.attentions.0.norm.weight", i)
            ? g_strdup_printf("down_blocks.%u.attentions.0.transformer_blocks", i)
        : find(weights, "up_blocks.%u.attentions.0.norm.weight", up)
            ? g_strdup_printf("up_blocks.%u.attentions.0.transformer_blocks", up)
            : g_strdup("mid_block.attentions.0.transformer_blocks");

    config->down_attention[i] = find(weights, "down_blocks.%u.attentions.0.norm.weight", i) != NULL;
    config->up_attention[up] = find(weights, "up_blocks.%u.attentions.0.norm.weight", up) != NULL;
    return get_size(weights, first, 0, PEN_MAX_CHANNELS, &config->channels[i], error) &&
           count(weights, resnets, "conv1.weight", PEN_MAX_LAYERS, &config->layers[i], error) &&
           count(weights, transformer, "norm1.weight", PEN_MAX_LAYERS,
                 &config->transformer_layers[i], error);
}

gboolean pen_unet_config_infer(PenUNetConfig *config, const PenSafetensors *weights, GError **error)
{
    *config = (PenUNetConfig){ .norm_epsilon = 1e-5f, .flip_sin_to_cos = TRUE };
    if (find(weights, "label_emb.weight") || find(weights, "class_embedding.weight"))
        return unsupported(weights, _("it is an upscaler or another model with classes"), error);
    g_autofree char *other = pen_other_unet(weights);
    if (other)
        return unsupported(weights, other, error);
    if (!get_size(weights, "conv_in.weight", 1, 256, &config->in_channels, error) ||
        !get_size(weights, "conv_out.weight", 0, 256, &config->out_channels, error) ||
        !get_size(weights, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1,
                  PEN_MAX_CHANNELS, &config->context_channels, error) ||
        !count(weights, "down_blocks", "resnets.0.conv1.weight", PEN_MAX_LEVELS, &config->levels,
               error))
        return FALSE;
    if (config->levels == 0)
        return unsupported(weights, _("its UNet has no levels"), error);
    for (guint32 i = 0; i < config->levels; i++)
        if (!infer_level(config, weights, i, error))
            return FALSE;

    if (find(weights, "add_embedding.linear_1.weight") &&
        !get_size(weights, "add_embedding.linear_1.weight", 1, PEN_MAX_CHANNELS,
                  &config->added_channels, error))
        return FALSE;

    const PenSafetensor *proj_in = find(weights, "mid_block.attentions.0.proj_in.weight");
    gboolean linear = proj_in && proj_in->n_dims == 2;
    config->norm_groups = norm_groups(config->channels, config->levels);
    for (guint32 i = 0; i < config->levels; i++) {
        guint32 channels = config->channels[i];
        config->heads[i] = linear ? MAX(channels / HEAD_CHANNELS, 1) : HEADS;
        if (channels % config->heads[i] || config->transformer_layers[i] == 0)
            return unsupported(weights, _("its attention has another form"), error);
    }
    return TRUE;
}

/* --- VAE ---------------------------------------------------------------------------------- */

gboolean pen_vae_config_infer(PenVaeConfig *config, const PenSafetensors *weights, GError **error)
{
    *config = (PenVaeConfig){
        .scaling_factor = config->scaling_factor,
        .force_upcast = config->force_upcast,
    };
    config->quant_conv = find(weights, "quant_conv.weight") != NULL;
    config->post_quant_conv = find(weights, "post_quant_conv.weight") != NULL;
    config->mid_attention =
        find(weights, "decoder.mid_block.attentions.0.group_norm.weight") != NULL;
    if (!get_size(weights, "encoder.conv_in.weight", 1, 256, &config->in_channels, error) ||
        !get_size(weights, "decoder.conv_out.weight", 0, 256, &config->out_channels, error) ||
        !get_size(weights, "decoder.conv_in.weight", 1, 256, &config->latent_channels, error) ||
        !count(weights, "encoder.down_blocks", "resnets.0.conv1.weight", PEN_MAX_LEVELS,
               &config->levels, error) ||
        !count(weights, "encoder.down_blocks.0.resnets", "conv1.weight", PEN_MAX_LAYERS,
               &config->layers, error))
        return FALSE;
    if (config->levels == 0)
        return unsupported(weights, _("its VAE has no levels"), error);
    for (guint32 i = 0; i < config->levels; i++) {
        g_autofree char *name = g_strdup_printf("encoder.down_blocks.%u.resnets.0.conv1.weight", i);
        if (!get_size(weights, name, 0, PEN_MAX_CHANNELS, &config->channels[i], error))
            return FALSE;
    }
    config->norm_groups = norm_groups(config->channels, config->levels);
    return TRUE;
}

/* --- text encoder ------------------------------------------------------------------------- */

gboolean pen_clip_text_config_infer(PenClipTextConfig *config, const PenSafetensors *weights,
                                    gboolean quick_gelu, GError **error)
{
    *config = (PenClipTextConfig){
        .quick_gelu = quick_gelu,
        .final_norm = TRUE,
        .norm_epsilon = 1e-5f,
    };
    if (!get_size(weights, "text_model.embeddings.token_embedding.weight", 0, PEN_MAX_VOCABULARY,
                  &config->vocabulary, error) ||
        !get_size(weights, "text_model.embeddings.token_embedding.weight", 1, PEN_MAX_CHANNELS,
                  &config->hidden, error) ||
        !get_size(weights, "text_model.embeddings.position_embedding.weight", 0, PEN_MAX_POSITIONS,
                  &config->positions, error) ||
        !get_size(weights, "text_model.encoder.layers.0.mlp.fc1.weight", 0, 4 * PEN_MAX_CHANNELS,
                  &config->intermediate, error) ||
        !count(weights, "text_model.encoder.layers", "layer_norm1.weight", PEN_MAX_LAYERS,
               &config->layers, error))
        return FALSE;
    if (find(weights, "text_projection.weight") &&
        !get_size(weights, "text_projection.weight", 0, PEN_MAX_CHANNELS, &config->projection,
                  error))
        return FALSE;
    config->heads = MAX(config->hidden / HEAD_CHANNELS, 1);
    if (config->hidden % config->heads)
        return unsupported(weights, _("its text encoder has another form"), error);
    return TRUE;
}
