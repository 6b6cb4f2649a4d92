// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/model.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/formats/json.h"
#include "src/formats/safetensors.h"

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

static gboolean hash_weights(GChecksum *sum, const char *path, GError **error)
{
    g_autoptr(PenSafetensors) file = pen_safetensors_open_model(path, error);
    if (!file)
        return FALSE;
    g_autoptr(GPtrArray) tensors = g_ptr_array_new();
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++)
        g_ptr_array_add(tensors, (gpointer)pen_safetensors_nth(file, i));
    g_ptr_array_sort(tensors, compare_names);

    for (guint i = 0; i < tensors->len; i++) {
        const PenSafetensor *tensor = tensors->pdata[i];
        const char *type = pen_safetensor_type_name(tensor->type);
        g_autofree char *shape = pen_safetensor_shape(tensor);
        gsize size = MIN(tensor->size, SAMPLE_BYTES);
        hash_bytes(sum, tensor->name, strlen(tensor->name));
        hash_bytes(sum, type, strlen(type));
        hash_bytes(sum, shape, strlen(shape));
        hash_bytes(sum, (const guint8 *)tensor->data + (tensor->size - size) / 2, size);
    }
    return TRUE;
}

char *pen_model_identity(const char *folder, GError **error)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *scheduler = config_file(folder, "scheduler");
    g_autofree char *vocabulary = g_build_filename(folder, "tokenizer", "vocab.json", NULL);
    g_autofree char *merges = g_build_filename(folder, "tokenizer", "merges.txt", NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(weighted); i++) {
        g_autofree char *config = config_file(folder, weighted[i]);
        g_autofree char *path = g_build_filename(folder, weighted[i], NULL);
        if (!hash_file(sum, config, error) || !hash_weights(sum, path, error))
            return NULL;
    }
    if (!hash_file(sum, vocabulary, error) || !hash_file(sum, merges, error) ||
        !hash_file(sum, scheduler, error))
        return NULL;
    return g_strdup(g_checksum_get_string(sum));
}

/* --- opening ------------------------------------------------------------------------------- */

static gboolean check_folder(const char *folder, GError **error)
{
    g_autofree char *name = g_filename_display_name(folder);

    if (!g_file_test(folder, G_FILE_TEST_EXISTS)) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
                    _("The model folder %s does not exist."), name);
        return FALSE;
    }
    if (!g_file_test(folder, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                    _("%s is a file: Penchant needs a model folder in the diffusers layout, with "
                      "unet, vae, text_encoder, tokenizer and scheduler in it."),
                    name);
        return FALSE;
    }
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

/* Where a folder says what pipeline it is for, it must be one whose parts are ours. */
static gboolean check_index(const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "model_index.json", NULL);
    g_autofree char *pipeline = g_strdup("StableDiffusionPipeline");

    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    g_autoptr(PenJson) json = pen_json_load(path, error);
    if (!json)
        return FALSE;
    if (!pen_json_is_object(json)) {
        pen_json_set_error(json, NULL, error, _("expected an object."));
        return FALSE;
    }
    if (!pen_json_get_string(json, "_class_name", &pipeline, error))
        return FALSE;
    if (strcmp(pipeline, "StableDiffusionPipeline") != 0 || pen_json_has(json, "text_encoder_2")) {
        g_autofree char *name = g_filename_display_name(folder);
        g_set_error(
            error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
            _("%s is a model for %.60s; Penchant runs Stable Diffusion 1.x and 2.x models."), name,
            pipeline);
        return FALSE;
    }
    return TRUE;
}

static gboolean load_configs(PenModel *model, GError **error)
{
    g_autofree char *unet = config_file(model->folder, "unet");
    g_autofree char *vae = config_file(model->folder, "vae");
    g_autofree char *text = config_file(model->folder, "text_encoder");
    g_autofree char *scheduler = config_file(model->folder, "scheduler");
    g_autofree char *tokenizer = g_build_filename(model->folder, "tokenizer", NULL);

    if (!pen_unet_config_load(&model->unet, unet, error) ||
        !pen_vae_config_load(&model->vae, vae, error) ||
        !pen_clip_text_config_load(&model->text, text, error))
        return FALSE;
    model->schedule = pen_schedule_load(scheduler, error);
    if (!model->schedule)
        return FALSE;
    model->tokenizer = pen_tokenizer_new(tokenizer, error);
    return model->tokenizer != NULL;
}

/* Parts of different models cannot work together. */
static gboolean check_parts(const PenModel *model, GError **error)
{
    const PenUNetConfig *unet = &model->unet;

    if (unet->in_channels != model->vae.latent_channels || unet->out_channels != unet->in_channels)
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                    _("%s: its UNet takes %u channels and gives %u, its VAE has %u; inpainting and "
                      "other special models are not supported."),
                    model->folder, unet->in_channels, unet->out_channels,
                    model->vae.latent_channels);
    else if (model->vae.in_channels != 3 || model->vae.out_channels != 3)
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                    _("%s: its VAE makes pictures of %u channels, not of red, green and blue."),
                    model->folder, model->vae.out_channels);
    else if (unet->context_channels != model->text.hidden)
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("%s: its UNet reads texts of %u channels, its text encoder writes %u: they "
                      "belong to different models."),
                    model->folder, unet->context_channels, model->text.hidden);
    else if ((guint32)pen_tokenizer_max_length(model->tokenizer) > model->text.positions ||
             (guint32)pen_tokenizer_n_tokens(model->tokenizer) > model->text.vocabulary)
        g_set_error(
            error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
            _("%s: its tokenizer makes %d tokens out of %d, its text encoder takes %u out of "
              "%u: they belong to different models."),
            model->folder, pen_tokenizer_max_length(model->tokenizer),
            pen_tokenizer_n_tokens(model->tokenizer), model->text.positions,
            model->text.vocabulary);
    else
        return TRUE;
    return FALSE;
}

PenModel *pen_model_open(const char *folder, GError **error)
{
    if (!check_folder(folder, error) || !check_index(folder, error))
        return NULL;
    g_autoptr(PenModel) model = g_new0(PenModel, 1);
    model->refs = 1;
    model->folder = g_canonicalize_filename(folder, NULL);
    g_autofree char *base = g_path_get_basename(model->folder);
    model->name = g_filename_display_name(base);
    if (!load_configs(model, error) || !check_parts(model, error))
        return NULL;
    model->tokens = (guint32)pen_tokenizer_max_length(model->tokenizer);
    model->factor = pen_vae_config_factor(&model->vae);
    model->identity = pen_model_identity(model->folder, error);
    return model->identity ? g_steal_pointer(&model) : NULL;
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
    g_free(model->folder);
    g_free(model->name);
    g_free(model->identity);
    g_free(model);
}
