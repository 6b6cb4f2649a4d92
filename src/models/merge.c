// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/merge.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/formats/adapter-file.h"
#include "src/models/model-layers.h"

typedef struct {
    const PenAdapterLayer *layer;
    float scale; /* strength alpha / rank */
} Addition;

struct _PenMerge {
    gatomicrefcount refs;
    GPtrArray *adapters;   /* PenAdapter, one a file */
    GHashTable *additions; /* PREFIX PATH -> GArray of Addition */
};

static PenMerge *merge_new(void)
{
    PenMerge *merge = g_new0(PenMerge, 1);
    g_atomic_ref_count_init(&merge->refs);
    merge->adapters = g_ptr_array_new_with_free_func((GDestroyNotify)pen_adapter_free);
    merge->additions =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    return merge;
}

PenMerge *pen_merge_ref(PenMerge *merge)
{
    g_atomic_ref_count_inc(&merge->refs);
    return merge;
}

void pen_merge_unref(PenMerge *merge)
{
    if (!merge || !g_atomic_ref_count_dec(&merge->refs))
        return;
    g_hash_table_unref(merge->additions);
    g_ptr_array_unref(merge->adapters);
    g_free(merge);
}

static gboolean check_layer(const PenAdapterLayer *layer, const PenSafetensor *tensor,
                            const char *file, GError **error)
{
    gsize columns = tensor->dims[0] ? tensor->n_elements / tensor->dims[0] : 0;
    if (layer->n_out == tensor->dims[0] && layer->n_in == columns)
        return TRUE;
    PenModelFamily family = pen_family_of_text_channels(layer->n_in);
    g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                _("The adapter %s belongs to another model (%s): its layer %s maps %zu numbers to "
                  "%zu, the model's %zu to %zu."),
                file, pen_model_family_label(family), layer->path, layer->n_in, layer->n_out,
                columns, tensor->dims[0]);
    return FALSE;
}

static gboolean add_adapter(PenMerge *merge, PenAdapter *adapter, const PenModelLora *lora,
                            GHashTable *tensors, GError **error)
{
    g_autofree char *file = g_filename_display_name(lora->file);

    g_ptr_array_add(merge->adapters, adapter);
    for (guint i = 0; i < adapter->layers->len; i++) {
        const PenAdapterLayer *layer = adapter->layers->pdata[i];
        if (!check_layer(layer, g_hash_table_lookup(tensors, layer->path), file, error))
            return FALSE;
        GArray *list = g_hash_table_lookup(merge->additions, layer->path);
        if (!list) {
            list = g_array_new(FALSE, FALSE, sizeof(Addition));
            g_hash_table_insert(merge->additions, g_strdup(layer->path), list);
        }
        Addition addition = { layer, (float)(lora->strength * layer->alpha / (double)layer->rank) };
        g_array_append_val(list, addition);
    }
    return TRUE;
}

PenMerge *pen_merge_new(const PenModel *model, char **notice, GError **error)
{
    g_autoptr(PenMerge) merge = merge_new();
    g_autoptr(GPtrArray) weights = g_ptr_array_new();
    g_autoptr(PenAdapterNames) names = pen_model_layers(model, weights);
    g_autoptr(GHashTable) tensors = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GString) said = g_string_new(NULL);

    for (guint i = 0; i < weights->len; i++)
        g_hash_table_insert(tensors, (gpointer)pen_adapter_names_path(names, i), weights->pdata[i]);
    for (guint i = 0; i < model->spec->loras->len; i++) {
        const PenModelLora *lora = model->spec->loras->pdata[i];
        g_auto(PenAdapterReport) report = { 0 };
        PenAdapter *adapter = pen_adapter_read(lora->file, names, &report, error);
        if (!adapter || !add_adapter(merge, adapter, lora, tensors, error))
            return NULL;
        g_autofree char *message = pen_adapter_report_message(&report);
        if (message) {
            g_autofree char *file = g_filename_display_basename(lora->file);
            g_string_append_printf(said, "%s%s: %s", said->len ? " " : "", file, message);
        }
    }
    if (notice)
        *notice = said->len ? g_strdup(said->str) : NULL;
    return g_steal_pointer(&merge);
}

void pen_merge_add(const PenMerge *merge, const char *prefix, const char *path, gsize first,
                   gsize count, gsize columns, float *rows)
{
    g_autofree char *key = g_strconcat(prefix, path, NULL);
    const GArray *list = g_hash_table_lookup(merge->additions, key);

    for (guint i = 0; list && i < list->len; i++) {
        const Addition *addition = &g_array_index(list, Addition, i);
        const PenAdapterLayer *layer = addition->layer;
        for (gsize o = 0; o < count; o++)
            for (gsize r = 0; r < layer->rank; r++) {
                float factor = addition->scale * layer->up[(first + o) * layer->rank + r];
                const float *down = layer->down + r * columns;
                float *row = rows + o * columns;
                for (gsize c = 0; c < columns; c++)
                    row[c] += factor * down[c];
            }
    }
}
