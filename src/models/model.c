// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/model.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/formats/adapter-file.h"
#include "src/formats/json.h"
#include "src/models/checkpoint.h"
#include "src/models/ldm-names.h"
#include "src/models/merge.h"

enum { SAMPLE_BYTES = 4096 }; /* of each tensor, for the identity */

static const char *const components[] = { "unet", "vae", "text_encoder", "tokenizer", "scheduler" };
static const char *const weighted[] = { "unet", "vae", "text_encoder" };

static char *config_file(const char *folder, const char *component)
{
    gboolean scheduler = strcmp(component, "scheduler") == 0;
    return g_build_filename(folder, component, scheduler ? "scheduler_config.json" : "config.json",
                            NULL);
}

/* --- identity ------------------------------------------------------------------------------ */

/* A length before each piece keeps pieces apart. */
static void hash_bytes(GChecksum *sum, const void *data, gsize size)
{
    guint64 length = GUINT64_TO_LE(size);
    g_checksum_update(sum, (const guchar *)&length, sizeof length);
    for (const guchar *at = data; size > 0;) {
        gsize chunk = MIN(size, (gsize)G_MAXINT);
        g_checksum_update(sum, at, (gssize)chunk);
        at += chunk;
        size -= chunk;
    }
}

static gboolean hash_file(GChecksum *sum, const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = pen_file_map(path, G_GUINT64_CONSTANT(1) << 28, error);
    if (!bytes)
        return FALSE;
    gsize size;
    const void *data = g_bytes_get_data(bytes, &size);
    hash_bytes(sum, data, size);
    return TRUE;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    const PenSafetensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void hash_text(GChecksum *sum, const char *text)
{
    hash_bytes(sum, text, strlen(text));
}

static void hash_weights(GChecksum *sum, const PenSafetensors *file)
{
    g_autoptr(GPtrArray) tensors = g_ptr_array_new();
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++)
        g_ptr_array_add(tensors, (gpointer)pen_safetensors_nth(file, i));
    g_ptr_array_sort(tensors, compare_names);

    for (guint i = 0; i < tensors->len; i++) {
        const PenSafetensor *tensor = tensors->pdata[i];
        g_autofree char *shape = pen_safetensor_shape(tensor);
        gsize size = MIN(tensor->size, SAMPLE_BYTES);
        hash_text(sum, tensor->name);
        hash_text(sum, pen_safetensor_type_name(tensor->type));
        hash_text(sum, shape);
        hash_bytes(sum, (const guint8 *)tensor->data + (tensor->size - size) / 2, size);
    }
}

static char *folder_identity(const PenModel *model, GError **error)
{
    const char *folder = model->spec->model;
    const PenSafetensors *weights[] = { model->unet_weights, model->vae_weights,
                                        model->text_weights };
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *scheduler = config_file(folder, "scheduler");
    g_autofree char *vocabulary = g_build_filename(folder, "tokenizer", "vocab.json", NULL);
    g_autofree char *merges = g_build_filename(folder, "tokenizer", "merges.txt", NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(weighted); i++) {
        g_autofree char *config = config_file(folder, weighted[i]);
        if (!hash_file(sum, config, error))
            return NULL;
        hash_weights(sum, weights[i]);
    }
    if (!hash_file(sum, vocabulary, error) || !hash_file(sum, merges, error) ||
        !hash_file(sum, scheduler, error))
        return NULL;
    return g_strdup(g_checksum_get_string(sum));
}

static char *checkpoint_identity(const PenModel *model)
{
    const PenSafetensors *weights[] = { model->unet_weights, model->vae_weights,
                                        model->text_weights };
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    gboolean v = pen_schedule_get_prediction(model->schedule) == PEN_PREDICTION_V;

    hash_text(sum, v ? "v_prediction" : "epsilon");
    for (gsize i = 0; i < G_N_ELEMENTS(weights); i++)
        if (weights[i])
            hash_weights(sum, weights[i]);
    return g_strdup(g_checksum_get_string(sum));
}

/* Takes the identity of the model alone over. */
static gboolean list_identities(PenModel *model, char *alone, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autofree char *last = alone;

    g_strv_builder_add(builder, last);
    for (guint i = 0; i < model->spec->loras->len; i++) {
        const PenModelLora *lora = model->spec->loras->pdata[i];
        g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
        g_autoptr(PenSafetensors) file = pen_safetensors_open_model(lora->file, error);
        char strength[G_ASCII_DTOSTR_BUF_SIZE];
        if (!file)
            return FALSE;
        g_autofree char *settings = pen_adapter_settings_file(lora->file, file);
        hash_text(sum, last);
        hash_weights(sum, file);
        if (settings && !hash_file(sum, settings, error))
            return FALSE;
        hash_text(sum, g_ascii_dtostr(strength, sizeof strength, lora->strength));
        g_free(last);
        last = g_strdup(g_checksum_get_string(sum));
        g_strv_builder_add(builder, last);
    }
    model->identity = g_steal_pointer(&last);
    model->identities = g_strv_builder_end(builder);
    return TRUE;
}

gboolean pen_model_includes(const PenModel *model, const char *identity)
{
    return g_strv_contains((const char *const *)model->identities, identity);
}

/* --- opening ------------------------------------------------------------------------------- */

static gboolean check_folder(const char *folder, GError **error)
{
    g_autofree char *name = g_filename_display_name(folder);

    g_autoptr(GString) missing = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(components); i++) {
        g_autofree char *path = g_build_filename(folder, components[i], NULL);
        if (!g_file_test(path, G_FILE_TEST_IS_DIR))
            g_string_append_printf(missing, "%s%s", missing->len ? ", " : "", components[i]);
    }
    if (missing->len) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
                    _("%s is not a complete model folder in the diffusers layout: it has no %s."),
                    name, missing->str);
        return FALSE;
    }
    return TRUE;
}

/* An object that a folder may do without: *json stays NULL then. */
static gboolean load_optional(const char *folder, const char *name, PenJson **json, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);

    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    *json = pen_json_load_object(path, error);
    return *json != NULL;
}

/* Where a folder says what pipeline it is for, it must be one whose parts are ours. */
static gboolean check_index(const char *folder, GError **error)
{
    g_autoptr(PenJson) json = NULL;
    g_autofree char *pipeline = g_strdup("StableDiffusionPipeline");

    if (!load_optional(folder, "model_index.json", &json, error))
        return FALSE;
    if (!json)
        return TRUE;
    if (!pen_json_get_string(json, "_class_name", &pipeline, error))
        return FALSE;
    gboolean ours = strcmp(pipeline, "StableDiffusionPipeline") == 0 ||
                    strcmp(pipeline, "StableDiffusionInpaintPipeline") == 0;
    if (!ours || pen_json_has(json, "text_encoder_2")) {
        g_autofree char *name = g_filename_display_name(folder);
        g_set_error(
            error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
            _("%s is a model for %.60s; Penchant runs Stable Diffusion 1.x and 2.x models."), name,
            pipeline);
        return FALSE;
    }
    return TRUE;
}

static gboolean load_own_settings(PenModel *model, const char *folder, GError **error)
{
    g_autoptr(PenJson) json = NULL;
    const char *key = "guidance_scale";

    if (!load_optional(folder, "penchant.json", &json, error))
        return FALSE;
    if (!json)
        return TRUE;
    if (!pen_json_get_double(json, key, &model->guidance, error))
        return FALSE;
    if (!(model->guidance > 0 && model->guidance <= PEN_MODEL_MAX_GUIDANCE)) {
        pen_json_set_error(json, key, error, _("must be more than 0 and at most %g."),
                           PEN_MODEL_MAX_GUIDANCE);
        return FALSE;
    }
    return TRUE;
}

static PenSafetensors *open_component(const char *folder, const char *component, GError **error)
{
    g_autofree char *path = g_build_filename(folder, component, NULL);
    return pen_safetensors_open_model(path, error);
}

static gboolean load_folder(PenModel *model, GError **error)
{
    const char *folder = model->spec->model;
    g_autofree char *unet = config_file(folder, "unet");
    g_autofree char *vae = config_file(folder, "vae");
    g_autofree char *text = config_file(folder, "text_encoder");
    g_autofree char *scheduler = config_file(folder, "scheduler");
    g_autofree char *tokenizer = g_build_filename(folder, "tokenizer", NULL);

    if (!check_folder(folder, error) || !check_index(folder, error) ||
        !load_own_settings(model, folder, error) ||
        !pen_unet_config_load(&model->unet, unet, error) ||
        !pen_vae_config_load(&model->vae, vae, error) ||
        !pen_clip_text_config_load(&model->text, text, error))
        return FALSE;
    model->schedule = pen_schedule_load(scheduler, error);
    model->tokenizer = model->schedule ? pen_tokenizer_new(tokenizer, error) : NULL;
    model->unet_weights = model->tokenizer ? open_component(folder, "unet", error) : NULL;
    model->vae_weights = model->unet_weights ? open_component(folder, "vae", error) : NULL;
    g_autoptr(PenSafetensors) clip =
        model->vae_weights ? open_component(folder, "text_encoder", error) : NULL;
    model->text_weights = clip ? pen_ldm_clip(clip, "", error) : NULL;
    char *alone = model->text_weights ? folder_identity(model, error) : NULL;
    return alone && list_identities(model, alone, error);
}

static gboolean load_file(PenModel *model, GError **error)
{
    g_autoptr(PenSafetensors) file = pen_safetensors_open_model(model->spec->model, error);
    return file && pen_checkpoint_load(model, file, error) &&
           list_identities(model, checkpoint_identity(model), error);
}

static gboolean load(PenModel *model, GError **error)
{
    const char *path = model->spec->model;
    g_autofree char *shown = g_filename_display_name(path);

    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
                    _("The model %s does not exist."), shown);
        return FALSE;
    }
    if (!g_file_test(path, G_FILE_TEST_IS_DIR))
        return load_file(model, error);
    if (model->spec->prediction) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("What %s predicts is said in its scheduler_config.json; only a single file "
                      "needs to be told."),
                    shown);
        return FALSE;
    }
    return load_folder(model, error);
}

/* After the identity, which is that of the model's own VAE. */
static gboolean exchange_vae(PenModel *model, GError **error)
{
    guint32 channels = model->unet.out_channels;
    if (!model->spec->vae)
        return TRUE;
    g_clear_pointer(&model->vae_weights, pen_safetensors_unref);
    model->vae_weights = pen_checkpoint_open_vae(model->spec->vae, &model->vae, error);
    if (model->vae_weights && model->vae.latent_channels != channels) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                    _("The VAE %s belongs to another kind of model: its latents have %u channels, "
                      "the model's %u."),
                    pen_safetensors_name(model->vae_weights), model->vae.latent_channels, channels);
        return FALSE;
    }
    return model->vae_weights != NULL;
}

/* Adapters that do not fit are found out here; the runtime reads them again when it merges them,
 * so that their matrices do not stay in memory with every model that was opened. */
static gboolean check_adapters(PenModel *model, GError **error)
{
    g_autoptr(PenMerge) merge = pen_merge_new(model, &model->notice, error);
    return merge != NULL;
}

/* Parts of different models cannot work together. */
static gboolean check_parts(const PenModel *model, GError **error)
{
    const PenUNetConfig *unet = &model->unet;
    const char *path = model->name;
    guint32 latent = model->vae.latent_channels;

    /* An inpainting model's takes a mask and a picture's latents, too. */
    if (unet->out_channels != latent ||
        (unet->in_channels != latent && unet->in_channels != 2 * latent + 1))
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                    _("%s: its UNet takes %u channels and gives %u, its VAE has %u; special models "
                      "other than those for inpainting are not supported."),
                    path, unet->in_channels, unet->out_channels, latent);
    else if (model->vae.in_channels != 3 || model->vae.out_channels != 3)
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                    _("%s: its VAE makes pictures of %u channels, not of red, green and blue."),
                    path, model->vae.out_channels);
    else if (unet->context_channels != model->text.hidden)
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("%s: its UNet reads texts of %u channels, its text encoder writes %u: they "
                      "belong to different models."),
                    path, unet->context_channels, model->text.hidden);
    else if ((guint32)pen_tokenizer_max_length(model->tokenizer) > model->text.positions ||
             (guint32)pen_tokenizer_n_tokens(model->tokenizer) > model->text.vocabulary)
        g_set_error(
            error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
            _("%s: its tokenizer makes %d tokens out of %d, its text encoder takes %u out of "
              "%u: they belong to different models."),
            path, pen_tokenizer_max_length(model->tokenizer),
            pen_tokenizer_n_tokens(model->tokenizer), model->text.positions,
            model->text.vocabulary);
    else
        return TRUE;
    return FALSE;
}

/* "/a/b/Model.safetensors" -> "Model". */
static char *model_name(const char *path)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *base = g_path_get_basename(absolute);
    char *end = g_strrstr(base, ".safetensors");
    if (end && end != base && g_file_test(path, G_FILE_TEST_IS_REGULAR))
        *end = '\0';
    return g_filename_display_name(base);
}

PenModel *pen_model_open(const char *text, GError **error)
{
    g_autoptr(PenModel) model = g_new0(PenModel, 1);
    model->refs = 1;
    model->guidance = PEN_MODEL_GUIDANCE;
    model->spec = pen_model_spec_parse(text, error);
    if (!model->spec)
        return NULL;
    if (!model->spec->model) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID, _("Which model? Name one."));
        return NULL;
    }
    model->name = model_name(model->spec->model);
    if (!load(model, error) || !exchange_vae(model, error) || !check_parts(model, error) ||
        !check_adapters(model, error))
        return NULL;
    model->tokens = (guint32)pen_tokenizer_max_length(model->tokenizer);
    model->factor = pen_vae_config_factor(&model->vae);
    model->condition_channels = model->unet.in_channels - model->unet.out_channels;
    return g_steal_pointer(&model);
}

PenModel *pen_model_ref(PenModel *model)
{
    g_atomic_int_inc(&model->refs);
    return model;
}

void pen_model_unref(PenModel *model)
{
    if (!model || !g_atomic_int_dec_and_test(&model->refs))
        return;
    g_clear_pointer(&model->tokenizer, pen_tokenizer_free);
    g_clear_pointer(&model->schedule, pen_schedule_free);
    g_clear_pointer(&model->unet_weights, pen_safetensors_unref);
    g_clear_pointer(&model->vae_weights, pen_safetensors_unref);
    g_clear_pointer(&model->text_weights, pen_safetensors_unref);
    g_clear_pointer(&model->spec, pen_model_spec_free);
    g_strfreev(model->identities);
    g_free(model->name);
    g_free(model->notice);
    g_free(model->identity);
    g_free(model);
}
