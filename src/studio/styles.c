// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>

#include "src/formats/adapter-file.h"
#include "src/models/model-layers.h"
#include "src/studio/job.h"

PenAdapter *pen_studio_read_adapter(const PenModel *model, const char *path,
                                    PenAdapterReport *report, GError **error)
{
    g_autoptr(PenAdapterNames) names = pen_model_layers(model, NULL);
    return pen_adapter_read(path, names, report, error);
}

PenUNetAdapter *pen_studio_import_values(const PenModel *model, const PenAdapter *file,
                                         float **values, GError **error)
{
    guint32 rank = pen_unet_adapter_file_rank(&model->unet, file);
    if (!rank)
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("The adapter has no layer in the attention of the UNet, which is all that a "
                      "style holds: use it as an adapter of the model."));
    g_autoptr(PenUNetAdapter) adapter =
        rank ? pen_unet_adapter_new(&model->unet, rank, error) : NULL;
    if (!adapter)
        return NULL;
    *values = g_new0(float, adapter->n_values);
    if (!pen_unet_adapter_import(adapter, file, *values, error)) {
        g_clear_pointer(values, g_free);
        return NULL;
    }
    return g_steal_pointer(&adapter);
}

PenUNetAdapter *pen_studio_load_adapter(PenStudio *studio, const PenModel *model, gint64 version,
                                        float **values, GError **error)
{
    g_autoptr(PenStyleVersion) row = pen_store_get_style_version(studio->store, version, error);
    if (!row)
        return NULL;
    g_autofree char *path = pen_store_path(studio->store, row->adapter_file);
    g_autoptr(PenAdapter) file = pen_studio_read_adapter(model, path, NULL, error);
    return file ? pen_studio_import_values(model, file, values, error) : NULL;
}

GBytes *pen_studio_save_adapter(const PenUNetAdapter *adapter, const float *values, GError **error)
{
    g_autoptr(PenAdapter) file = pen_unet_adapter_export(adapter, values);
    return pen_adapter_to_bytes(file, PEN_ADAPTER_DIFFUSERS, PEN_SAFETENSOR_F32, NULL, error);
}

gint64 pen_studio_create_style(PenStudio *studio, const char *name, const char *model,
                               GError **error)
{
    g_autoptr(PenModelInfo) info = pen_studio_model_info(studio, model, 0, error);
    PenD3poConfig defaults = PEN_D3PO_CONFIG_INIT;
    return info ? pen_store_create_style(studio->store, name, info->hash, info->name, info->spec,
                                         (int)defaults.adapter_rank, error)
                : 0;
}

int pen_studio_adopt_rounds(PenStudio *studio, gint64 style, GError **error)
{
    return pen_store_adopt_rounds(studio->store, style, error);
}

int pen_studio_count_picks(PenStudio *studio, gint64 style, const char *model, gboolean only_new,
                           GError **error)
{
    if (style) {
        g_autoptr(GPtrArray) picks = pen_store_list_picks(studio->store, style, only_new, error);
        return picks ? (int)picks->len : -1;
    }
    g_autoptr(PenModelInfo) info = pen_studio_model_info(studio, model, 0, error);
    return info ? pen_store_count_adoptable(studio->store, info->hash, error) : -1;
}
