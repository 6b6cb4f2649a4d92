// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <string.h>

#include "src/formats/adapter-file.h"
#include "src/formats/file.h"
#include "src/models/model-private.h"

enum { SAMPLE_BYTES = 4096 }; /* of each tensor */

const char *const pen_model_encoder_folders[PEN_MODEL_MAX_ENCODERS] = { "text_encoder",
                                                                        "text_encoder_2" };
const char *const pen_model_tokenizer_folders[PEN_MODEL_MAX_ENCODERS] = { "tokenizer",
                                                                          "tokenizer_2" };

char *pen_model_config_file(const char *folder, const char *component)
{
    gboolean scheduler = strcmp(component, "scheduler") == 0;
    return g_build_filename(folder, component, scheduler ? "scheduler_config.json" : "config.json",
                            NULL);
}

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

static gboolean hash_component(GChecksum *sum, const char *folder, const char *component,
                               const PenSafetensors *weights, GError **error)
{
    g_autofree char *config = pen_model_config_file(folder, component);
    if (!hash_file(sum, config, error))
        return FALSE;
    hash_weights(sum, weights);
    return TRUE;
}

static gboolean hash_tokenizer(GChecksum *sum, const char *folder, const char *component,
                               GError **error)
{
    g_autofree char *vocabulary = g_build_filename(folder, component, "vocab.json", NULL);
    g_autofree char *merges = g_build_filename(folder, component, "merges.txt", NULL);
    g_autofree char *together = g_build_filename(folder, component, "tokenizer.json", NULL);
    if (!g_file_test(vocabulary, G_FILE_TEST_EXISTS))
        return hash_file(sum, together, error);
    return hash_file(sum, vocabulary, error) && hash_file(sum, merges, error);
}

static char *folder_identity(const PenModel *model, GError **error)
{
    const char *folder = model->spec->model;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *scheduler = pen_model_config_file(folder, "scheduler");

    if (!hash_component(sum, folder, "unet", model->unet_weights, error) ||
        !hash_component(sum, folder, "vae", model->vae_weights, error))
        return NULL;
    for (guint i = 0; i < model->n_encoders; i++)
        if (!hash_component(sum, folder, pen_model_encoder_folders[i], model->encoders[i].weights,
                            error))
            return NULL;
    for (guint i = 0; i < model->n_encoders; i++)
        if (!hash_tokenizer(sum, folder, pen_model_tokenizer_folders[i], error))
            return NULL;
    if (!hash_file(sum, scheduler, error))
        return NULL;
    return g_strdup(g_checksum_get_string(sum));
}

static char *checkpoint_identity(const PenModel *model)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    gboolean v = pen_schedule_get_prediction(model->schedule) == PEN_PREDICTION_V;

    hash_text(sum, v ? "v_prediction" : "epsilon");
    hash_weights(sum, model->unet_weights);
    if (model->vae_weights)
        hash_weights(sum, model->vae_weights);
    for (guint i = 0; i < model->n_encoders; i++)
        hash_weights(sum, model->encoders[i].weights);
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

gboolean pen_model_identify_folder(PenModel *model, GError **error)
{
    char *alone = folder_identity(model, error);
    return alone && list_identities(model, alone, error);
}

gboolean pen_model_identify_file(PenModel *model, GError **error)
{
    return list_identities(model, checkpoint_identity(model), error);
}

gboolean pen_model_includes(const PenModel *model, const char *identity)
{
    return g_strv_contains((const char *const *)model->identities, identity);
}
