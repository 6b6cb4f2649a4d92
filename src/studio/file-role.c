// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/file-role.h"

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>

#include "src/formats/adapter-names.h"
#include "src/formats/archive.h"
#include "src/formats/file-kind.h"
#include "src/formats/picture-settings.h"
#include "src/formats/safetensors.h"
#include "src/models/model.h"
#include "src/studio/studio.h"

static PenFileRole nothing(const char *path, GError **error)
{
    g_autofree char *name = g_filename_display_basename(path);
    g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED,
                _("“%s” is nothing that Penchant can use: it takes pictures, models, decoders and "
                  "adapters (.safetensors)."),
                name);
    return PEN_FILE_NOTHING;
}

/* --- weights --------------------------------------------------------------------------------- */

/* Whether a tensor's name begins so; also behind what programs put before it. */
static gboolean begins(const char *name, const char *start)
{
    static const char *const before[] = { "", "model.", "unet.", "vae.", "first_stage_model." };
    for (gsize i = 0; i < G_N_ELEMENTS(before); i++)
        if (g_str_has_prefix(name, before[i]) && g_str_has_prefix(name + strlen(before[i]), start))
            return TRUE;
    return FALSE;
}

/* How many of the tensors are what. */
typedef struct {
    guint n, adapter, unet, vae, tables;
} Census;

static Census count(const PenSafetensors *tensors)
{
    g_autoptr(PenAdapterNames) names = pen_adapter_names_new(PEN_FAMILY_SD1);
    Census census = { .n = pen_safetensors_n_tensors(tensors) };
    for (guint i = 0; i < census.n; i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(tensors, i);
        g_auto(PenAdapterName) name = pen_adapter_names_read(names, tensor->name);
        if (name.role != PEN_ADAPTER_OTHER)
            census.adapter++;
        else if (begins(tensor->name, "diffusion_model.") || begins(tensor->name, "down_blocks."))
            census.unet++;
        else if (begins(tensor->name, "decoder.") || begins(tensor->name, "encoder."))
            census.vae++;
        census.tables += tensor->n_dims == 1 || (tensor->n_dims == 2 && tensor->dims[0] <= 512);
    }
    return census;
}

static PenFileRole role_of_weights(const char *path, const PenSafetensors *tensors, GError **error)
{
    Census census = count(tensors);
    if (census.adapter)
        return pen_safetensors_metadata(tensors, PEN_STYLE_FILE_KEY) ? PEN_FILE_STYLE
                                                                     : PEN_FILE_ADAPTER;
    if (census.unet)
        return PEN_FILE_MODEL;
    if (census.vae)
        return PEN_FILE_VAE;
    /* A few rows of a text encoder's width. */
    if (census.n && census.n <= 8 && census.tables == census.n)
        return PEN_FILE_EMBEDDING;
    return nothing(path, error);
}

/* --- files and folders ----------------------------------------------------------------------- */

static PenFileRole role_of_folder(const char *path, GError **error)
{
    g_autofree char *model = pen_model_find(path, NULL);
    g_autofree char *unet = model ? g_build_filename(model, "unet", NULL) : NULL;
    if (unet && g_file_test(unet, G_FILE_TEST_IS_DIR))
        return PEN_FILE_MODEL;
    if (model && !g_file_test(model, G_FILE_TEST_IS_DIR)) /* the only one in the folder */
        return pen_file_role(model, error);
    g_autoptr(PenSafetensors) tensors = pen_safetensors_open_model(path, NULL);
    PenFileRole role = tensors ? role_of_weights(path, tensors, NULL) : PEN_FILE_NOTHING;
    /* Styles and embeddings are single files. */
    if (role == PEN_FILE_ADAPTER || role == PEN_FILE_VAE)
        return role;
    g_autofree char *name = g_filename_display_basename(path);
    g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED,
                _("The folder “%s” holds no model: choose one with the folder “unet” in it, or a "
                  ".safetensors file."),
                name);
    return PEN_FILE_NOTHING;
}

static gboolean is_picture(const char *path)
{
    int width, height;
    return gdk_pixbuf_get_file_info(path, &width, &height) != NULL;
}

/* The error that names it, if its first bytes tell. */
static PenFileRole explain(const char *path, GError **error)
{
    char start[4096];
    FILE *file = fopen(path, "rb");
    if (!file) {
        g_autofree char *name = g_filename_display_basename(path);
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                    _("“%s” cannot be read: look whether it is there and you may."), name);
        return PEN_FILE_NOTHING;
    }
    gsize size = fread(start, 1, sizeof start, file);
    fclose(file);
    g_autofree char *name = g_filename_display_basename(path);
    return pen_file_kind_explain(name, start, size, error) ? PEN_FILE_NOTHING
                                                           : nothing(path, error);
}

PenFileRole pen_file_role(const char *path, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return role_of_folder(path, error);
    g_autoptr(PenPictureSettings) settings = pen_picture_settings_read(path, NULL);
    if (settings)
        return PEN_FILE_SETTINGS;
    if (is_picture(path))
        return PEN_FILE_PICTURE;
    if (pen_archive_is_one(path))
        return PEN_FILE_PACK;
    g_autoptr(PenSafetensors) tensors = pen_safetensors_open(path, NULL);
    return tensors ? role_of_weights(path, tensors, error) : explain(path, error);
}
