// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/cli/probe.h"
#include "src/models/layout.h"
#include "src/models/model-layers.h"

static const PenSafetensor *find(const PenProbe *probe, const char *name, guint n_dims, gsize *dims,
                                 GError **error)
{
    const PenSafetensor *tensor = pen_safetensors_require(probe->in, name, error);
    if (!tensor)
        return NULL;
    gboolean fits = tensor->n_dims == n_dims && tensor->n_elements > 0;
    for (guint i = 0; fits && i < n_dims; i++)
        fits = !dims[i] || dims[i] == tensor->dims[i];
    if (!fits) {
        g_autofree char *shape = pen_safetensor_shape(tensor);
        g_autoptr(GString) wanted = g_string_new("[");
        for (guint i = 0; i < n_dims; i++)
            g_string_append_printf(wanted, dims[i] ? "%s%" G_GSIZE_FORMAT : "%s…", i ? ", " : "",
                                   dims[i]);
        pen_cli_usage_error(error,
                            _("%s: the tensor “%s” has the shape %s; for this model it "
                              "must be %s]."),
                            pen_safetensors_name(probe->in), name, shape, wanted->str);
        return NULL;
    }
    memcpy(dims, tensor->dims, n_dims * sizeof *dims);
    return tensor;
}

float *pen_probe_read(const PenProbe *probe, const char *name, guint n_dims, gsize *dims,
                      GError **error)
{
    const PenSafetensor *tensor = find(probe, name, n_dims, dims, error);
    if (!tensor)
        return NULL;
    g_autofree float *values = g_new(float, tensor->n_elements);
    return pen_safetensor_to_f32(tensor, values, error) ? g_steal_pointer(&values) : NULL;
}

static gsize pictures(guint n_dims, const gsize *dims)
{
    gsize n = 1;
    for (guint i = 0; i + 3 < n_dims; i++)
        n *= dims[i];
    return n;
}

float *pen_probe_read_pictures(const PenProbe *probe, const char *name, guint n_dims, gsize *dims,
                               GError **error)
{
    g_autofree float *first = pen_probe_read(probe, name, n_dims, dims, error);
    if (!first)
        return NULL;
    gsize n = pictures(n_dims, dims), c = dims[n_dims - 3], h = dims[n_dims - 2],
          w = dims[n_dims - 1];
    float *last = g_new(float, n *c *h *w);
    pen_nchw_to_nhwc(first, last, n, c, h, w);
    return last;
}

gint64 *pen_probe_read_integers(const PenProbe *probe, const char *name, guint n_dims, gsize *dims,
                                GError **error)
{
    const PenSafetensor *tensor = find(probe, name, n_dims, dims, error);
    if (!tensor)
        return NULL;
    g_autofree gint64 *values = g_new(gint64, tensor->n_elements);
    return pen_safetensor_to_i64(tensor, values, error) ? g_steal_pointer(&values) : NULL;
}

gboolean pen_probe_read_number(const PenProbe *probe, const char *name, double *value,
                               GError **error)
{
    const PenSafetensor *tensor = pen_safetensors_require(probe->in, name, error);
    float number;
    if (!tensor)
        return FALSE;
    if (tensor->n_elements != 1)
        return pen_cli_usage_error(error, _("%s: the tensor “%s” must be one number."),
                                   pen_safetensors_name(probe->in), name);
    if (!pen_safetensor_to_f32(tensor, &number, error))
        return FALSE;
    *value = number;
    return TRUE;
}

PenConditioning **pen_probe_read_conditionings(const PenProbe *probe, const char *prefix, gsize n,
                                               GError **error)
{
    const PenUNetConfig *unet = &probe->model->unet;
    guint32 channels = pen_unet_config_pooled_channels(unet);
    gsize context_dims[3] = { n, 0, unet->context_channels }, pooled_dims[2] = { n, channels };
    gsize sizes_dims[2] = { n, PEN_CONDITIONING_SIZES };
    g_autofree char *context_name = g_strconcat(prefix, "context", NULL);
    g_autofree char *pooled_name = g_strconcat(prefix, "pooled", NULL);
    g_autofree float *pooled = NULL, *sizes = NULL;
    g_autofree float *context = pen_probe_read(probe, context_name, 3, context_dims, error);
    if (!context)
        return NULL;
    if (channels) {
        pooled = pen_probe_read(probe, pooled_name, 2, pooled_dims, error);
        sizes = pooled ? pen_probe_read(probe, "time_ids", 2, sizes_dims, error) : NULL;
        if (!sizes)
            return NULL;
    }
    PenConditioning **conditionings = g_new(PenConditioning *, n);
    for (gsize i = 0; i < n; i++) {
        PenConditioning *to = pen_model_new_conditioning(probe->model, (guint32)context_dims[1]);
        gsize size = context_dims[1] * context_dims[2];
        memcpy(to->hidden, context + i * size, size * sizeof *context);
        if (channels) {
            memcpy(to->pooled, pooled + i * channels, channels * sizeof *pooled);
            memcpy(to->sizes, sizes + i * PEN_CONDITIONING_SIZES, sizeof to->sizes);
        }
        conditionings[i] = to;
    }
    return conditionings;
}

void pen_probe_write(PenProbe *probe, const char *name, guint n_dims, const gsize *dims,
                     const float *values)
{
    gsize n = 1;
    for (guint i = 0; i < n_dims; i++)
        n *= dims[i];
    g_autoptr(GBytes) bytes = g_bytes_new(values, n * sizeof *values);
    pen_safetensors_writer_add_bytes(probe->out, name, PEN_SAFETENSOR_F32, n_dims, dims, bytes);
}

void pen_probe_write_pictures(PenProbe *probe, const char *name, guint n_dims, const gsize *dims,
                              const float *values)
{
    gsize n = pictures(n_dims, dims), c = dims[n_dims - 3], h = dims[n_dims - 2],
          w = dims[n_dims - 1];
    g_autofree float *first = g_new(float, n *c *h *w);
    pen_nhwc_to_nchw(values, first, n, c, h, w);
    pen_probe_write(probe, name, n_dims, dims, first);
}

/* --- adapters ----------------------------------------------------------------------------------
 */

void pen_probe_adapter_free(gpointer data)
{
    PenProbeAdapter *adapter = data;
    if (!adapter)
        return;
    pen_safetensors_unref(adapter->names);
    g_clear_pointer(&adapter->file, pen_adapter_free);
    g_clear_pointer(&adapter->adapter, pen_unet_adapter_free);
    g_free(adapter);
}

static gboolean load(const PenProbe *probe, const char *path, PenProbeAdapter *adapter,
                     GError **error)
{
    const PenUNetConfig *unet = &probe->model->unet;
    g_autoptr(PenAdapterNames) layers = pen_model_layers(probe->model, NULL);
    adapter->names = pen_safetensors_open(path, error);
    if (!adapter->names)
        return FALSE;
    adapter->file = pen_adapter_read(path, layers, NULL, error);
    if (!adapter->file)
        return FALSE;
    adapter->adapter = pen_unet_adapter_new(unet, pen_unet_adapter_file_rank(unet, adapter->file), error);
    if (!adapter->adapter)
        return FALSE;
    g_autofree float *values = g_new0(float, adapter->adapter->n_values);
    return pen_unet_adapter_import(adapter->adapter, adapter->file, values, error) &&
           pen_unet_adapter_allocate(adapter->adapter, probe->device,
                                     pen_runtime_dtype(probe->runtime), error) &&
           pen_unet_adapter_upload(adapter->adapter, values, error);
}

PenProbeAdapter *pen_probe_adapter_load(const PenProbe *probe, const char *path, GError **error)
{
    PenProbeAdapter *adapter = g_new0(PenProbeAdapter, 1);
    if (load(probe, path, adapter, error))
        return adapter;
    pen_probe_adapter_free(adapter);
    return NULL;
}

/* How the file calls a layer's matrix; without the file's name for it, as diffusers does. */
static char *tensor_name(const PenProbeAdapter *adapter, const char *path, gboolean up)
{
    g_autofree char *flat = g_strdelimit(g_strdup(path), ".", '_');
    char *names[] = {
        g_strdup_printf("unet.%s.lora_%c.weight", path, up ? 'B' : 'A'),
        g_strdup_printf("%s.lora_%c.weight", path, up ? 'B' : 'A'),
        g_strdup_printf("lora_unet_%s.lora_%s.weight", flat, up ? "up" : "down"),
        g_strdup_printf("unet.%s.lora.%s.weight", path, up ? "up" : "down"),
        g_strdup_printf("base_model.model.%s.lora_%c.weight", path, up ? 'B' : 'A'),
    };
    guint found = 0;
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (pen_safetensors_lookup(adapter->names, names[i])) {
            found = i;
            break;
        }
    char *name = g_steal_pointer(&names[found]);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        g_free(names[i]);
    return name;
}

static void write_matrix(PenProbe *probe, const PenProbeAdapter *adapter,
                         const PenAdapterLayer *layer, gboolean up, const float *values)
{
    g_autofree char *name = tensor_name(adapter, layer->path, up);
    g_autofree char *full = g_strconcat("grad.", name, NULL);
    gsize dims[] = { up ? layer->n_out : layer->rank, up ? layer->rank : layer->n_in };
    pen_probe_write(probe, full, 2, dims, values);
}

void pen_probe_write_gradient(PenProbe *probe, const PenProbeAdapter *adapter,
                              const float *gradient)
{
    gsize rank = adapter->adapter->rank;
    for (guint i = 0; i < adapter->file->layers->len; i++) {
        const PenAdapterLayer *layer = adapter->file->layers->pdata[i];
        const PenUNetAdapterModule *module = pen_unet_adapter_find(adapter->adapter, layer->path);
        if (!module)
            continue;
        /* A file of a smaller rank fills the first rows of A and the first columns of B; its factor
         * was multiplied into B. */
        write_matrix(probe, adapter, layer, FALSE, gradient + module->a);
        float factor = layer->alpha / (float)layer->rank;
        g_autofree float *b = g_new(float, layer->n_out * layer->rank);
        for (gsize o = 0; o < layer->n_out; o++)
            for (gsize r = 0; r < layer->rank; r++)
                b[o * layer->rank + r] = factor * gradient[module->b + o * rank + r];
        write_matrix(probe, adapter, layer, TRUE, b);
    }
}
