// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/formats/adapter-file.h"
#include "src/models/model-layers.h"
#include "src/studio/job.h"

/* The file's layers as far as they are the model's. */
static PenAdapter *read_adapter(const PenModel *model, const char *path, PenAdapterReport *report,
                                GError **error)
{
    g_autoptr(PenAdapterNames) names = pen_model_layers(model, NULL);
    return pen_adapter_read(path, names, report, error);
}

/* The flat values of a file, in an adapter of the file's rank. */
static PenUNetAdapter *import_values(const PenModel *model, const PenAdapter *file, float **values,
                                     GError **error)
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
    g_autoptr(PenAdapter) file = read_adapter(model, path, NULL, error);
    return file ? import_values(model, file, values, error) : NULL;
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

/* A version's file, which names its layers itself (pen_studio_save_adapter()). */
static PenAdapter *read_own_adapter(PenStudio *studio, gint64 version, GError **error)
{
    static const char start[] = "unet.", end[] = ".lora_A.weight";
    g_autoptr(PenStyleVersion) row = pen_store_get_style_version(studio->store, version, error);
    g_autofree char *path = row ? pen_store_path(studio->store, row->adapter_file) : NULL;
    g_autoptr(PenSafetensors) file = path ? pen_safetensors_open(path, error) : NULL;
    g_autoptr(PenAdapterNames) names = pen_adapter_names_new(PEN_FAMILY_UNKNOWN);
    for (guint i = 0; file && i < pen_safetensors_n_tensors(file); i++) {
        const char *name = pen_safetensors_nth(file, i)->name;
        if (!g_str_has_prefix(name, start) || !g_str_has_suffix(name, end))
            continue;
        g_autofree char *layer =
            g_strndup(name + strlen(start), strlen(name) - strlen(start) - strlen(end));
        pen_adapter_names_add(names, layer, NULL);
    }
    return file ? pen_adapter_read(path, names, NULL, error) : NULL;
}

gboolean pen_studio_export_style(PenStudio *studio, gint64 style, const char *file,
                                 PenExportFormat format, GError **error)
{
    g_autoptr(PenStyle) row = pen_store_get_style(studio->store, style, error);
    if (!row)
        return FALSE;
    if (!row->current_version) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING,
                    _("“%s” has not learnt anything yet. Teach it first."), row->name);
        return FALSE;
    }
    g_autoptr(PenAdapter) content = read_own_adapter(studio, row->current_version, error);
    if (!content)
        return FALSE;
    g_autofree char *description =
        g_strdup_printf("Taught with Penchant (D3PO) on the model %s", row->model_name);
    PenAdapterInfo info = { .title = row->name, .description = description };
    return pen_adapter_write(content, file,
                             format == PEN_EXPORT_KOHYA ? PEN_ADAPTER_KOHYA : PEN_ADAPTER_DIFFUSERS,
                             PEN_SAFETENSOR_F32, &info, error);
}

/* "/a/b/My Style.safetensors" -> "My Style". */
static char *name_of_file(const char *file)
{
    g_autofree char *base = g_path_get_basename(file);
    g_autofree char *name = g_filename_display_name(base);
    char *end = g_strrstr(name, ".safetensors");
    if (end && end != name)
        *end = '\0';
    return g_steal_pointer(&name);
}

/* What of the file the style does not hold: layers of other models, and those a style cannot have.
 */
static char *import_notice(const PenUNetAdapter *adapter, const PenAdapter *content,
                           PenAdapterReport *report)
{
    guint foreign = report->n_unused;
    for (guint i = 0; i < content->layers->len; i++) {
        const PenAdapterLayer *layer = content->layers->pdata[i];
        if (!pen_unet_adapter_find(adapter, layer->path))
            pen_adapter_report_add_unused(report, layer->path);
    }
    g_autofree char *message = pen_adapter_report_message(report);
    return report->n_unused == foreign
               ? g_steal_pointer(&message)
               : g_strdup_printf(
                     _("%s A style holds the attention of the UNet alone; as an adapter "
                       "of the model the file is used whole."),
                     message);
}

gint64 pen_studio_import_style(PenStudio *studio, const char *file, const char *name,
                               const char *model, char **notice, GError **error)
{
    g_autoptr(PenModelInfo) info = pen_studio_model_info(studio, model, 0, error);
    g_autoptr(PenModel) opened = info ? pen_studio_open_model(studio, info->spec, error) : NULL;
    if (!opened)
        return 0;
    g_auto(PenAdapterReport) report = { 0 };
    g_autoptr(PenAdapter) content = read_adapter(opened, file, &report, error);
    g_autofree float *values = NULL;
    g_autoptr(PenUNetAdapter) adapter =
        content ? import_values(opened, content, &values, error) : NULL;
    if (!adapter)
        return 0;
    g_autoptr(GBytes) bytes = pen_studio_save_adapter(adapter, values, error);
    g_autofree char *named = name ? g_strdup(name) : name_of_file(file);
    gint64 style = bytes ? pen_store_create_style(studio->store, named, info->hash, info->name,
                                                  info->spec, (int)adapter->rank, error)
                         : 0;
    if (!style)
        return 0;
    if (!pen_store_add_style_version(studio->store, style, bytes, error)) {
        pen_store_delete_style(studio->store, style, NULL);
        return 0;
    }
    if (notice)
        *notice = import_notice(adapter, content, &report);
    return style;
}
