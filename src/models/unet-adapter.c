// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/unet-adapter.h"

#include <glib/gi18n-lib.h>
#include <string.h>

static void add_attention(GArray *modules, const char *path, const char *attention,
                          guint32 channels, guint32 context)
{
    const struct {
        const char *name;
        guint32 in;
    } projections[] = {
        { "to_q", channels },
        { "to_k", context },
        { "to_v", context },
        { "to_out.0", channels },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(projections); i++) {
        PenUNetAdapterModule module = {
            .path = g_strdup_printf("%s.%s.%s", path, attention, projections[i].name),
            .in = projections[i].in,
            .out = channels,
        };
        g_array_append_val(modules, module);
    }
}

/* The transformers of a block. */
static void add_transformers(GArray *modules, const PenUNetConfig *unet, const char *block,
                             guint32 level, guint32 n)
{
    for (guint32 i = 0; i < n; i++)
        for (guint32 k = 0; k < unet->transformer_layers[level]; k++) {
            g_autofree char *path =
                g_strdup_printf("%s.attentions.%u.transformer_blocks.%u", block, i, k);
            guint32 channels = unet->channels[level];
            add_attention(modules, path, "attn1", channels, channels);
            add_attention(modules, path, "attn2", channels, unet->context_channels);
        }
}

static GArray *attention_projections(const PenUNetConfig *unet)
{
    GArray *modules = g_array_new(FALSE, FALSE, sizeof(PenUNetAdapterModule));

    for (guint32 i = 0; i < unet->levels; i++) {
        g_autofree char *block = g_strdup_printf("down_blocks.%u", i);
        add_transformers(modules, unet, block, i, unet->down_attention[i] ? unet->layers[i] : 0);
    }
    add_transformers(modules, unet, "mid_block", unet->levels - 1, 1);
    for (guint32 i = 0; i < unet->levels; i++) {
        g_autofree char *block = g_strdup_printf("up_blocks.%u", i);
        guint32 level = unet->levels - 1 - i;
        add_transformers(modules, unet, block, level,
                         unet->up_attention[i] ? unet->layers[level] + 1 : 0);
    }
    return modules;
}

PenUNetAdapter *pen_unet_adapter_new(const PenUNetConfig *unet, guint32 rank, GError **error)
{
    if (rank < 1 || rank > PEN_UNET_ADAPTER_MAX_RANK) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("An adapter's rank must be 1 to %d, not %u."), PEN_UNET_ADAPTER_MAX_RANK,
                    rank);
        return NULL;
    }
    GArray *modules = attention_projections(unet);
    PenUNetAdapter *adapter = g_new0(PenUNetAdapter, 1);
    adapter->rank = rank;
    adapter->n_modules = modules->len;
    adapter->modules = (PenUNetAdapterModule *)g_array_free(modules, FALSE);
    adapter->by_path = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < adapter->n_modules; i++) {
        PenUNetAdapterModule *module = &adapter->modules[i];
        module->a = adapter->n_values;
        module->b = module->a + (gsize)rank * module->in;
        adapter->n_values = module->b + (gsize)module->out * rank;
        g_hash_table_insert(adapter->by_path, module->path, module);
    }
    return adapter;
}

void pen_unet_adapter_free(PenUNetAdapter *adapter)
{
    if (!adapter)
        return;
    g_hash_table_unref(adapter->by_path);
    for (guint i = 0; i < adapter->n_modules; i++) {
        pen_parameter_unref(adapter->modules[i].down);
        pen_parameter_unref(adapter->modules[i].up);
        g_free(adapter->modules[i].path);
    }
    g_free(adapter->modules);
    g_free(adapter);
}

PenUNetAdapterModule *pen_unet_adapter_find(const PenUNetAdapter *adapter, const char *path)
{
    return g_hash_table_lookup(adapter->by_path, path);
}

static PenParameter *matrix(PenDevice *device, guint32 rows, guint32 columns, PenDtype dtype,
                            GError **error)
{
    PenShape shape = PEN_SHAPE(1, 1, rows, columns);
    return device ? pen_parameter_new(device, shape, dtype, PEN_LAYOUT_PANEL, error)
                  : pen_parameter_new_abstract(shape, dtype, PEN_LAYOUT_PANEL);
}

gboolean pen_unet_adapter_allocate(PenUNetAdapter *adapter, PenDevice *device, PenDtype dtype,
                                   GError **error)
{
    for (guint i = 0; i < adapter->n_modules; i++) {
        PenUNetAdapterModule *module = &adapter->modules[i];
        if (!module->down)
            module->down = matrix(device, adapter->rank, module->in, dtype, error);
        if (module->down && !module->up)
            module->up = matrix(device, module->out, adapter->rank, dtype, error);
        if (!module->up)
            return FALSE;
    }
    return TRUE;
}

gboolean pen_unet_adapter_upload(PenUNetAdapter *adapter, const float *values, GError **error)
{
    guint n = 2 * adapter->n_modules;
    g_autofree PenParameter **matrices = g_new(PenParameter *, n);
    g_autofree const float **from = g_new(const float *, n);
    for (guint i = 0; i < adapter->n_modules; i++) {
        const PenUNetAdapterModule *module = &adapter->modules[i];
        matrices[2 * i] = module->down;
        matrices[2 * i + 1] = module->up;
        from[2 * i] = values + module->a;
        from[2 * i + 1] = values + module->b;
    }
    return pen_parameters_write(matrices, from, n, error);
}

/* --- files --------------------------------------------------------------------------------- */

guint32 pen_unet_adapter_file_rank(const PenUNetConfig *unet, const PenAdapter *file)
{
    g_autoptr(PenUNetAdapter) layout = pen_unet_adapter_new(unet, 1, NULL);
    gsize rank = 0;

    for (guint i = 0; i < file->layers->len; i++) {
        const PenAdapterLayer *layer = file->layers->pdata[i];
        if (pen_unet_adapter_find(layout, layer->path))
            rank = MAX(rank, layer->rank);
    }
    return (guint32)MIN(rank, G_MAXUINT32);
}

static gboolean check_layer(const PenUNetAdapter *adapter, const PenUNetAdapterModule *module,
                            const PenAdapterLayer *layer, GError **error)
{
    if (layer->n_in != module->in || layer->n_out != module->out) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("The adapter belongs to another model: its layer %s maps %zu"
                      " to %zu channels, the model's %u to %u."),
                    layer->path, layer->n_in, layer->n_out, module->in, module->out);
        return FALSE;
    }
    if (layer->rank > adapter->rank) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("The adapter's layer %s has rank %zu, more than %u."), layer->path,
                    layer->rank, adapter->rank);
        return FALSE;
    }
    return TRUE;
}

gboolean pen_unet_adapter_import(const PenUNetAdapter *adapter, const PenAdapter *file,
                                 float *values, GError **error)
{
    for (guint i = 0; i < file->layers->len; i++) {
        const PenAdapterLayer *layer = file->layers->pdata[i];
        const PenUNetAdapterModule *module = pen_unet_adapter_find(adapter, layer->path);
        if (module && !check_layer(adapter, module, layer, error))
            return FALSE;
    }
    for (guint i = 0; i < file->layers->len; i++) {
        const PenAdapterLayer *layer = file->layers->pdata[i];
        const PenUNetAdapterModule *module = pen_unet_adapter_find(adapter, layer->path);
        if (!module)
            continue;
        memcpy(values + module->a, layer->down, layer->rank * layer->n_in * sizeof(float));
        float factor = layer->alpha / (float)layer->rank;
        for (gsize o = 0; o < layer->n_out; o++)
            for (gsize r = 0; r < layer->rank; r++)
                values[module->b + o * adapter->rank + r] = factor * layer->up[o * layer->rank + r];
    }
    return TRUE;
}

PenAdapter *pen_unet_adapter_export(const PenUNetAdapter *adapter, const float *values)
{
    PenAdapter *file = pen_adapter_new();

    for (guint i = 0; i < adapter->n_modules; i++) {
        const PenUNetAdapterModule *module = &adapter->modules[i];
        PenAdapterLayer *layer =
            pen_adapter_add(file, module->path, adapter->rank, module->in, module->out);
        gsize rank = adapter->rank;
        memcpy(layer->down, values + module->a, rank * module->in * sizeof(float));
        memcpy(layer->up, values + module->b, rank * module->out * sizeof(float));
    }
    return file;
}
