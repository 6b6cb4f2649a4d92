// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/model-config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/formats/json.h"
#include "src/models/model-config-private.h"
#include "src/models/other-families.h"

G_DEFINE_QUARK(pen - model - error - quark, pen_model_error)

/* The start of a text from a file, for a message. */
static char *shortened(const char *text)
{
    return g_utf8_substring(text, 0, MIN(g_utf8_strlen(text, -1), 60));
}

static gboolean node_is(JsonNode *node, const char *value)
{
    if (JSON_NODE_HOLDS_NULL(node))
        return strcmp(value, "null") == 0 || strcmp(value, "false") == 0;
    if (JSON_NODE_HOLDS_ARRAY(node)) { /* one value for each block */
        JsonArray *array = json_node_get_array(node);
        for (guint i = 0; i < json_array_get_length(array); i++) {
            JsonNode *element = json_array_get_element(array, i);
            if (!JSON_NODE_HOLDS_VALUE(element) || !node_is(element, value))
                return FALSE;
        }
        return TRUE;
    }
    if (!JSON_NODE_HOLDS_VALUE(node))
        return FALSE;

    GType type = json_node_get_value_type(node);
    if (type == G_TYPE_BOOLEAN)
        return strcmp(value, json_node_get_boolean(node) ? "true" : "false") == 0;
    if (type == G_TYPE_STRING) {
        const char *text = json_node_get_string(node);
        gsize n = strlen(text);
        return strlen(value) == n + 2 && value[0] == '"' && memcmp(value + 1, text, n) == 0;
    }
    return g_ascii_isdigit(value[0]) && json_node_get_double(node) == g_ascii_strtod(value, NULL);
}

gboolean pen_config_check_fixed(PenJson *json, const PenFixed *fixed, gsize n, GError **error)
{
    JsonObject *object = json_node_get_object(pen_json_node(json));

    for (gsize i = 0; i < n; i++) {
        JsonNode *node = json_object_get_member(object, fixed[i].key);
        if (!node || node_is(node, fixed[i].value))
            continue;
        g_autofree char *found = json_to_string(node, FALSE);
        g_autofree char *start = shortened(found);
        g_autoptr(GError) place = NULL;
        pen_json_set_error(json, fixed[i].key, &place,
                           _("%s is not supported (Penchant needs %s); choose another model."),
                           start, fixed[i].value);
        g_set_error_literal(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED, place->message);
        return FALSE;
    }
    return TRUE;
}

PenJson *pen_config_load(const char *path, GError **error)
{
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(
            error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
            _("%s is missing: this is not a complete model folder in the diffusers layout."), path);
        return NULL;
    }
    return pen_json_load_object(path, error);
}

static gboolean get_size(PenJson *json, const char *key, gint64 max, guint32 *value, GError **error)
{
    int number = (int)*value;

    if (!pen_json_get_int(json, key, 1, max, &number, error))
        return FALSE;
    *value = (guint32)number;
    return TRUE;
}

/* One for each level, or one number for all. */
static gboolean get_sizes(PenJson *json, const char *key, gint64 max, guint32 n, guint32 *values,
                          GError **error)
{
    int numbers[PEN_MAX_LEVELS];

    for (guint32 i = 0; i < n; i++)
        numbers[i] = (int)values[i];
    if (!pen_json_get_ints(json, key, 1, max, n, numbers, error))
        return FALSE;
    for (guint32 i = 0; i < n; i++)
        values[i] = (guint32)numbers[i];
    return TRUE;
}

static gboolean get_float(PenJson *json, const char *key, double min, double max, float *value,
                          GError **error)
{
    double number = *value;

    if (!pen_json_get_double(json, key, &number, error))
        return FALSE;
    if (!(number >= min && number <= max)) {
        pen_json_set_error(json, key, error, _("%g is not between %g and %g."), number, min, max);
        return FALSE;
    }
    *value = (float)number;
    return TRUE;
}

/* The number of levels and block_out_channels, each divisible by the norm's groups. */
static gboolean get_channels(PenJson *json, guint32 groups, guint32 *levels, guint32 *channels,
                             GError **error)
{
    JsonNode *node =
        json_object_get_member(json_node_get_object(pen_json_node(json)), "block_out_channels");

    if (!node || !JSON_NODE_HOLDS_ARRAY(node)) {
        pen_json_set_error(json, "block_out_channels", error, _("expected a list of channels."));
        return FALSE;
    }
    guint n = json_array_get_length(json_node_get_array(node));
    if (n < 1 || n > PEN_MAX_LEVELS) {
        pen_json_set_error(json, "block_out_channels", error,
                           _("%u levels are not supported (1 to %d are)."), n, PEN_MAX_LEVELS);
        return FALSE;
    }
    *levels = n;
    if (!get_sizes(json, "block_out_channels", PEN_MAX_CHANNELS, n, channels, error))
        return FALSE;
    for (guint i = 0; i < n; i++) {
        if (channels[i] % groups != 0) {
            pen_json_set_error(json, "block_out_channels", error,
                               _("%u channels do not divide into %u groups."), channels[i], groups);
            return FALSE;
        }
    }
    return TRUE;
}

/* A list of `n` block types, each `plain` or `attention` (which may be NULL). Without the key, all
 * but the one at `plain_default` have attention. */
static gboolean get_blocks(PenJson *json, const char *key, const char *plain, const char *attention,
                           guint32 n, guint32 plain_default, gboolean *is_attention, GError **error)
{
    g_auto(GStrv) names = NULL;

    if (!pen_json_get_strings(json, key, &names, error))
        return FALSE;
    if (!names) {
        for (guint32 i = 0; i < n && is_attention; i++)
            is_attention[i] = attention && i != plain_default;
        return TRUE;
    }
    if (g_strv_length(names) != n) {
        pen_json_set_error(json, key, error, _("%u blocks where block_out_channels has %u levels."),
                           g_strv_length(names), n);
        return FALSE;
    }
    for (guint32 i = 0; i < n; i++) {
        gboolean with_attention = attention && strcmp(names[i], attention) == 0;
        if (!with_attention && strcmp(names[i], plain) != 0) {
            g_autoptr(GError) place = NULL;
            g_autofree char *name = shortened(names[i]);
            pen_json_set_error(json, key, &place,
                               _("blocks of type “%s” are not supported; choose another model."),
                               name);
            g_set_error_literal(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                                place->message);
            return FALSE;
        }
        if (is_attention)
            is_attention[i] = with_attention;
    }
    return TRUE;
}

/* --- UNet --------------------------------------------------------------------------------- */

static const PenFixed unet_fixed[] = {
    { "_class_name", "\"UNet2DConditionModel\"" },
    { "act_fn", "\"silu\"" },
    { "attention_type", "\"default\"" },
    { "center_input_sample", "false" },
    { "class_embed_type", "null" },
    { "class_embeddings_concat", "false" },
    { "conv_in_kernel", "3" },
    { "conv_out_kernel", "3" },
    { "cross_attention_norm", "null" },
    { "downsample_padding", "1" },
    { "dual_cross_attention", "false" },
    { "encoder_hid_dim", "null" },
    { "encoder_hid_dim_type", "null" },
    { "mid_block_only_cross_attention", "false" },
    { "mid_block_scale_factor", "1" },
    { "mid_block_type", "\"UNetMidBlock2DCrossAttn\"" },
    { "num_class_embeds", "null" },
    { "only_cross_attention", "false" },
    { "resnet_out_scale_factor", "1" },
    { "resnet_skip_time_act", "false" },
    { "resnet_time_scale_shift", "\"default\"" },
    { "reverse_transformer_layers_per_block", "null" },
    { "time_cond_proj_dim", "null" },
    { "time_embedding_act_fn", "null" },
    { "time_embedding_dim", "null" },
    { "time_embedding_type", "\"positional\"" },
    { "timestep_post_act", "null" },
};

/* attention_head_dim is, for historical reasons, the number of heads; num_attention_heads, where a
 * file has it, says the same under its right name. */
static gboolean get_heads(PenJson *json, PenUNetConfig *config, GError **error)
{
    const char *key =
        pen_json_has(json, "num_attention_heads") ? "num_attention_heads" : "attention_head_dim";

    if (!get_sizes(json, key, 1024, config->levels, config->heads, error))
        return FALSE;
    for (guint32 i = 0; i < config->levels; i++) {
        if (config->channels[i] % config->heads[i] != 0) {
            pen_json_set_error(json, key, error, _("%u channels do not divide into %u heads."),
                               config->channels[i], config->heads[i]);
            return FALSE;
        }
    }
    return TRUE;
}

/* One number; or one for each level, all the same, because all levels see the same text. */
static gboolean get_context_channels(PenJson *json, PenUNetConfig *config, GError **error)
{
    guint32 dims[PEN_MAX_LEVELS];

    for (guint32 i = 0; i < config->levels; i++)
        dims[i] = 1280;
    if (!get_sizes(json, "cross_attention_dim", PEN_MAX_CHANNELS, config->levels, dims, error))
        return FALSE;
    for (guint32 i = 1; i < config->levels; i++) {
        if (dims[i] != dims[0]) {
            pen_json_set_error(json, "cross_attention_dim", error,
                               _("widths that differ between blocks are not supported."));
            return FALSE;
        }
    }
    config->context_channels = dims[0];
    return TRUE;
}

/* Before 0.9 diffusers wrote 32 for models of 512 pixels, and corrects what is below 64 since. */
static gboolean correct_sample_size(PenJson *json, PenUNetConfig *config, GError **error)
{
    g_autofree char *version = NULL;
    if (!pen_json_get_string(json, "_diffusers_version", &version, error))
        return FALSE;
    if (version && g_str_has_prefix(version, "0.") && g_ascii_strtoull(version + 2, NULL, 10) < 9 &&
        config->sample_size && config->sample_size < 64)
        config->sample_size = 64;
    return TRUE;
}

/* An int, or [height, width], of which the height counts: it is only a default. */
static gboolean get_sample_size(PenJson *json, PenUNetConfig *config, GError **error)
{
    int sizes[2] = { 0, 0 };

    if (!pen_json_get_ints(json, "sample_size", 1, PEN_MAX_CHANNELS, 2, sizes, error))
        return FALSE;
    config->sample_size = (guint32)sizes[0];
    return correct_sample_size(json, config, error);
}

/* What SDXL adds to the time embedding. */
static gboolean get_added(PenJson *json, PenUNetConfig *config, GError **error)
{
    static const PenFixed fixed[] = { { "addition_embed_type", "\"text_time\"" } };
    const char *key = "projection_class_embeddings_input_dim";

    if (!pen_json_has(json, "addition_embed_type"))
        return TRUE;
    if (!pen_config_check_fixed(json, fixed, G_N_ELEMENTS(fixed), error) ||
        !pen_json_require(json, error, key, "addition_time_embed_dim", NULL) ||
        !get_size(json, key, PEN_MAX_CHANNELS, &config->added_channels, error) ||
        !get_size(json, "addition_time_embed_dim", 1024, &config->size_channels, error))
        return FALSE;
    if (config->added_channels <= PEN_CONDITIONING_SIZES * config->size_channels) {
        pen_json_set_error(json, key, error, _("%u channels are too few for %d sizes of %u."),
                           config->added_channels, PEN_CONDITIONING_SIZES, config->size_channels);
        return FALSE;
    }
    return TRUE;
}

static gboolean check_known(PenJson *json, const char *path, GError **error)
{
    g_autofree char *other = pen_other_unet_config(json_node_get_object(pen_json_node(json)));
    g_autofree char *name = g_filename_display_name(path);
    if (other)
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                    _("%s cannot be used as a model: %s."), name, other);
    return !other;
}

gboolean pen_unet_config_load(PenUNetConfig *config, const char *path, GError **error)
{
    *config = (PenUNetConfig){
        .in_channels = 4,
        .out_channels = 4,
        .norm_groups = 32,
        .norm_epsilon = 1e-5f,
        .flip_sin_to_cos = TRUE,
    };
    for (guint i = 0; i < PEN_MAX_LEVELS; i++) {
        config->layers[i] = 2;
        config->heads[i] = 8;
        config->transformer_layers[i] = 1;
    }

    g_autoptr(PenJson) json = pen_config_load(path, error);
    if (!json || !check_known(json, path, error) ||
        !pen_config_check_fixed(json, unet_fixed, G_N_ELEMENTS(unet_fixed), error))
        return FALSE;
    if (!get_size(json, "in_channels", 256, &config->in_channels, error) ||
        !get_size(json, "out_channels", 256, &config->out_channels, error) ||
        !get_size(json, "norm_num_groups", 1024, &config->norm_groups, error) ||
        !get_float(json, "norm_eps", 1e-12, 1, &config->norm_epsilon, error) ||
        !get_channels(json, config->norm_groups, &config->levels, config->channels, error))
        return FALSE;

    guint32 n = config->levels;
    if (!get_sizes(json, "layers_per_block", PEN_MAX_LAYERS, n, config->layers, error) ||
        !get_sizes(json, "transformer_layers_per_block", PEN_MAX_LAYERS, n,
                   config->transformer_layers, error) ||
        !get_heads(json, config, error) || !get_context_channels(json, config, error) ||
        !get_blocks(json, "down_block_types", "DownBlock2D", "CrossAttnDownBlock2D", n, n - 1,
                    config->down_attention, error) ||
        !get_blocks(json, "up_block_types", "UpBlock2D", "CrossAttnUpBlock2D", n, 0,
                    config->up_attention, error))
        return FALSE;

    return get_sample_size(json, config, error) && get_added(json, config, error) &&
           pen_json_get_bool(json, "flip_sin_to_cos", &config->flip_sin_to_cos, error) &&
           get_float(json, "freq_shift", 0, 1, &config->freq_shift, error);
}

guint32 pen_unet_config_pooled_channels(const PenUNetConfig *config)
{
    return config->added_channels - PEN_CONDITIONING_SIZES * config->size_channels;
}

/* --- VAE ---------------------------------------------------------------------------------- */

static const PenFixed vae_fixed[] = {
    { "_class_name", "\"AutoencoderKL\"" },
    { "act_fn", "\"silu\"" },
    { "latents_mean", "null" },
    { "latents_std", "null" },
    { "shift_factor", "null" },
};

gboolean pen_vae_config_load(PenVaeConfig *config, const char *path, GError **error)
{
    *config = (PenVaeConfig){
        .in_channels = 3,
        .out_channels = 3,
        .latent_channels = 4,
        .layers = 1,
        .norm_groups = 32,
        .scaling_factor = PEN_VAE_SCALING,
        .mid_attention = TRUE,
        .quant_conv = TRUE,
        .post_quant_conv = TRUE,
    };

    g_autoptr(PenJson) json = pen_config_load(path, error);
    if (!json || !pen_config_check_fixed(json, vae_fixed, G_N_ELEMENTS(vae_fixed), error))
        return FALSE;
    return get_size(json, "in_channels", 256, &config->in_channels, error) &&
           get_size(json, "out_channels", 256, &config->out_channels, error) &&
           get_size(json, "latent_channels", 256, &config->latent_channels, error) &&
           get_size(json, "norm_num_groups", 1024, &config->norm_groups, error) &&
           get_channels(json, config->norm_groups, &config->levels, config->channels, error) &&
           get_size(json, "layers_per_block", PEN_MAX_LAYERS, &config->layers, error) &&
           get_blocks(json, "down_block_types", "DownEncoderBlock2D", NULL, config->levels, 0, NULL,
                      error) &&
           get_blocks(json, "up_block_types", "UpDecoderBlock2D", NULL, config->levels, 0, NULL,
                      error) &&
           get_float(json, "scaling_factor", 1e-6, 1e6, &config->scaling_factor, error) &&
           pen_json_get_bool(json, "mid_block_add_attention", &config->mid_attention, error) &&
           pen_json_get_bool(json, "force_upcast", &config->force_upcast, error) &&
           pen_json_get_bool(json, "use_quant_conv", &config->quant_conv, error) &&
           pen_json_get_bool(json, "use_post_quant_conv", &config->post_quant_conv, error);
}

guint32 pen_vae_config_factor(const PenVaeConfig *config)
{
    return 1u << (config->levels - 1);
}

/* --- text encoder ------------------------------------------------------------------------- */

gboolean pen_clip_text_config_load(PenClipTextConfig *config, const char *path, GError **error)
{
    static const PenFixed fixed[] = { { "model_type", "\"clip_text_model\"" } };

    *config = (PenClipTextConfig){
        .hidden = 512,
        .intermediate = 2048,
        .heads = 8,
        .layers = 12,
        .positions = 77,
        .vocabulary = 49408,
        .final_norm = TRUE,
        .norm_epsilon = 1e-5f,
    };

    g_autoptr(PenJson) json = pen_config_load(path, error);
    if (!json || !pen_config_check_fixed(json, fixed, G_N_ELEMENTS(fixed), error))
        return FALSE;
    g_autofree char *activation = g_strdup("quick_gelu");
    g_auto(GStrv) classes = NULL;
    if (!pen_json_get_strings(json, "architectures", &classes, error))
        return FALSE;
    if (classes && g_strv_contains((const char *const *)classes, "CLIPTextModelWithProjection"))
        config->projection = 512;
    if (config->projection &&
        !get_size(json, "projection_dim", PEN_MAX_CHANNELS, &config->projection, error))
        return FALSE;
    if (!get_size(json, "hidden_size", PEN_MAX_CHANNELS, &config->hidden, error) ||
        !get_size(json, "intermediate_size", 4 * PEN_MAX_CHANNELS, &config->intermediate, error) ||
        !get_size(json, "num_attention_heads", 1024, &config->heads, error) ||
        !get_size(json, "num_hidden_layers", PEN_MAX_LAYERS, &config->layers, error) ||
        !get_size(json, "max_position_embeddings", PEN_MAX_POSITIONS, &config->positions, error) ||
        !get_size(json, "vocab_size", PEN_MAX_VOCABULARY, &config->vocabulary, error) ||
        !get_float(json, "layer_norm_eps", 1e-12, 1, &config->norm_epsilon, error) ||
        !pen_json_get_string(json, "hidden_act", &activation, error))
        return FALSE;

    if (config->hidden % config->heads != 0) {
        pen_json_set_error(json, "num_attention_heads", error,
                           _("%u channels do not divide into %u heads."), config->hidden,
                           config->heads);
        return FALSE;
    }
    config->quick_gelu = strcmp(activation, "quick_gelu") == 0;
    if (!config->quick_gelu && strcmp(activation, "gelu") != 0) {
        g_autofree char *name = shortened(activation);
        pen_json_set_error(json, "hidden_act", error,
                           _("“%s” is not supported (quick_gelu and gelu are)."), name);
        return FALSE;
    }
    return TRUE;
}

void pen_clip_text_config_set_sdxl(PenClipTextConfig *config)
{
    config->layers_left_out = 1;
    config->final_norm = FALSE;
}
