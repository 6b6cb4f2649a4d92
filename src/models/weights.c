// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/weights.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "src/models/model-config.h"

typedef struct {
    char *name;
    PenParameter *parameter;
    const PenSafetensor *tensor; /* NULL for random weights */
    guint32 seed;                /* of random weights */
    gboolean ones;               /* random weights: the scale of a norm */
    gboolean loaded;
} Weight;

struct _PenWeights {
    gint refs;
    PenDevice *device;
    PenDtype dtype;
    PenSafetensors *file; /* NULL for random weights */
    PenMerge *merge;      /* or NULL */
    const char *prefix;   /* of this component's layers in it */
    guint32 seed;
    PenLayout matrices;
    GHashTable *by_name; /* name -> Weight: the latest asked for, the shape may differ */
    GPtrArray *in_order; /* Weight, in the order of asking: that of the graph */
    guint64 bytes;
    GError *error;
};

static void weight_free(gpointer data)
{
    Weight *weight = data;
    pen_parameter_unref(weight->parameter);
    g_free(weight->name);
    g_free(weight);
}

static PenWeights *weights_new(PenDevice *device, PenDtype dtype)
{
    PenWeights *weights = g_new0(PenWeights, 1);
    weights->refs = 1;
    weights->device = device ? pen_device_ref(device) : NULL;
    weights->dtype = dtype;
    weights->matrices = PEN_LAYOUT_PANEL;
    weights->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    weights->in_order = g_ptr_array_new_with_free_func(weight_free);
    return weights;
}

PenWeights *pen_weights_new(PenDevice *device, PenSafetensors *file, PenDtype dtype)
{
    PenWeights *weights = weights_new(device, dtype);
    weights->file = pen_safetensors_ref(file);
    return weights;
}

void pen_weights_set_merge(PenWeights *weights, PenMerge *merge, const char *prefix)
{
    PenMerge *before = weights->merge;
    weights->merge = pen_merge_ref(merge);
    weights->prefix = prefix;
    pen_merge_unref(before);
}

PenWeights *pen_weights_new_random(PenDevice *device, PenDtype dtype, guint32 seed)
{
    PenWeights *weights = weights_new(device, dtype);
    weights->seed = seed;
    return weights;
}

void pen_weights_set_eight_bits(PenWeights *weights)
{
    pen_weights_release(weights);
    weights->matrices = PEN_LAYOUT_EIGHT_BIT_PANEL;
}

void pen_weights_set_dtype(PenWeights *weights, PenDtype dtype)
{
    pen_weights_release(weights);
    weights->dtype = dtype;
}

gboolean pen_weights_eight_bits(const PenWeights *weights)
{
    return weights->matrices == PEN_LAYOUT_EIGHT_BIT_PANEL;
}

PenWeights *pen_weights_ref(PenWeights *weights)
{
    g_atomic_int_inc(&weights->refs);
    return weights;
}

void pen_weights_unref(PenWeights *weights)
{
    if (!weights || !g_atomic_int_dec_and_test(&weights->refs))
        return;
    g_hash_table_unref(weights->by_name);
    g_ptr_array_unref(weights->in_order);
    g_clear_pointer(&weights->file, pen_safetensors_unref);
    g_clear_pointer(&weights->merge, pen_merge_unref);
    if (weights->device)
        pen_device_unref(weights->device);
    g_clear_error(&weights->error);
    g_free(weights);
}

PenDtype pen_weights_dtype(const PenWeights *weights)
{
    return weights->dtype;
}

gboolean pen_weights_check(PenWeights *weights, GError **error)
{
    if (!weights->error)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&weights->error));
    return FALSE;
}

/* --- finding ------------------------------------------------------------------------------ */

/* Until 2023 diffusers wrote a VAE's attention under the second name of each pair. */
static const char *const old_names[][2] = {
    { ".to_q.", ".query." },
    { ".to_k.", ".key." },
    { ".to_v.", ".value." },
    { ".to_out.0.", ".proj_attn." },
};

static const PenSafetensor *find_tensor(PenWeights *weights, const char *name, GError **error)
{
    const PenSafetensor *tensor = pen_safetensors_lookup(weights->file, name);

    for (gsize i = 0; !tensor && i < G_N_ELEMENTS(old_names); i++) {
        const char *at = strstr(name, old_names[i][0]);
        if (!at)
            continue;
        g_autofree char *old = g_strdup_printf("%.*s%s%s", (int)(at - name), name, old_names[i][1],
                                               at + strlen(old_names[i][0]));
        tensor = pen_safetensors_lookup(weights->file, old);
    }
    if (!tensor) {
        g_set_error(
            error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
            _("%s has no weight “%s”, which its configuration calls for: the file is incomplete "
              "or belongs to another model."),
            pen_safetensors_name(weights->file), name);
        return NULL;
    }
    switch (tensor->type) {
    case PEN_SAFETENSOR_F16:
    case PEN_SAFETENSOR_BF16:
    case PEN_SAFETENSOR_F32:
    case PEN_SAFETENSOR_F64:
        return tensor;
    default:
        g_set_error(
            error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
            _("%s: weight “%s” has the type %s, which Penchant does not read: choose the version "
              "of the model in 16 or 32 bits."),
            pen_safetensors_name(weights->file), name, pen_safetensor_type_name(tensor->type));
        return NULL;
    }
}

/* Dimensions past the last of either must be 1, so that [out, in, 1, 1] fits [out, in]. */
static gboolean check_dims(PenWeights *weights, const PenSafetensor *tensor, const gsize *dims,
                           guint n_dims, GError **error)
{
    gboolean fits = tensor->n_dims >= n_dims;
    for (guint i = 0; fits && i < tensor->n_dims; i++)
        fits = tensor->dims[i] == (i < n_dims ? dims[i] : 1);
    if (fits)
        return TRUE;

    g_autofree char *found = pen_safetensor_shape(tensor);
    g_autoptr(GString) wanted = g_string_new("[");
    for (guint i = 0; i < n_dims; i++)
        g_string_append_printf(wanted, "%s%" G_GSIZE_FORMAT, i ? ", " : "", dims[i]);
    g_string_append_c(wanted, ']');
    g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                _("%s: weight “%s” has the shape %s where its configuration calls for %s."),
                pen_safetensors_name(weights->file), tensor->name, found, wanted->str);
    return FALSE;
}

static PenParameter *get(PenWeights *weights, const char *name, const gsize *dims, guint n_dims,
                         PenShape shape, PenLayout layout)
{
    if (weights->error)
        return NULL;
    Weight *weight = g_hash_table_lookup(weights->by_name, name);
    if (weight && pen_shape_equal(pen_parameter_shape(weight->parameter), shape))
        return weight->parameter;

    const PenSafetensor *tensor = NULL;
    if (weights->file) {
        tensor = find_tensor(weights, name, &weights->error);
        if (!tensor || !check_dims(weights, tensor, dims, n_dims, &weights->error))
            return NULL;
    }
    PenParameter *parameter =
        weights->device
            ? pen_parameter_new(weights->device, shape, weights->dtype, layout, &weights->error)
            : pen_parameter_new_abstract(shape, weights->dtype, layout);
    if (!parameter)
        return NULL;
    weight = g_new0(Weight, 1);
    weight->name = g_strdup(name);
    weight->parameter = parameter;
    weight->tensor = tensor;
    weight->seed = g_str_hash(name) ^ weights->seed;
    weight->ones = layout == PEN_LAYOUT_PLAIN && g_str_has_suffix(name, ".weight");
    g_hash_table_replace(weights->by_name, weight->name, weight);
    g_ptr_array_add(weights->in_order, weight);
    weights->bytes += pen_parameter_bytes(parameter);
    return parameter;
}

PenParameter *pen_weights_linear(PenWeights *weights, const char *name, guint32 out, guint32 in)
{
    const gsize dims[] = { out, in };
    return get(weights, name, dims, 2, PEN_SHAPE(1, 1, out, in), weights->matrices);
}

PenParameter *pen_weights_conv(PenWeights *weights, const char *name, guint32 out, guint32 kernel,
                               guint32 in)
{
    const gsize dims[] = { out, in, kernel, kernel };
    return get(weights, name, dims, 4, PEN_SHAPE(out, kernel, kernel, in), weights->matrices);
}

PenParameter *pen_weights_vector(PenWeights *weights, const char *name, guint32 n)
{
    const gsize dims[] = { n };
    return get(weights, name, dims, 1, PEN_SHAPE(1, 1, 1, n), PEN_LAYOUT_PLAIN);
}

/* --- filling ------------------------------------------------------------------------------ */

/* `count` elements from `first` on, as a tensor of their own. */
static PenSafetensor part(const PenSafetensor *tensor, gsize first, gsize count)
{
    gsize size = pen_safetensor_type_size(tensor->type);
    PenSafetensor piece = *tensor;

    piece.data = (const guint8 *)tensor->data + first * size;
    piece.n_dims = 1;
    piece.dims[0] = count;
    piece.n_elements = count;
    piece.size = count * size;
    return piece;
}

/* Merges adapters into `count` rows, from `first` on, of a weight as it is in the file. */
static void merge_rows(const PenWeights *weights, const Weight *weight, gsize first, gsize count,
                       gsize columns, float *rows)
{
    if (!weights->merge || !g_str_has_suffix(weight->name, ".weight"))
        return;
    g_autofree char *path = g_strndup(weight->name, strlen(weight->name) - strlen(".weight"));
    pen_merge_add(weights->merge, weights->prefix, path, first, count, columns, rows);
}

/* [out, in, h, w] -> [out, h, w, in], one `out` at a time. */
static gboolean convert_conv(const PenWeights *weights, const Weight *weight, float *values,
                             GError **error)
{
    PenShape s = pen_parameter_shape(weight->parameter);
    gsize area = (gsize)s.h * s.w, length = area * s.c;
    g_autofree float *filter = g_new(float, length);

    for (gsize o = 0; o < s.n; o++) {
        PenSafetensor piece = part(weight->tensor, o * length, length);
        if (!pen_safetensor_to_f32(&piece, filter, error))
            return FALSE;
        merge_rows(weights, weight, o, 1, length, filter);
        float *to = values + o * length;
        for (gsize i = 0; i < s.c; i++)
            for (gsize p = 0; p < area; p++)
                to[p * s.c + i] = filter[i * area + p];
    }
    return TRUE;
}

/* Matrices: evenly spread numbers of variance 1/inputs. A norm's scale is 1, a bias 0. */
static void make_random(const Weight *weight, float *values)
{
    PenShape s = pen_parameter_shape(weight->parameter);
    gsize n = pen_shape_elements(s);
    gsize inputs = s.n > 1 || s.h > 1 ? (gsize)s.h * s.w * s.c : s.c;
    float range = sqrtf(3.0f / (float)inputs);
    guint32 state = weight->seed;

    if (pen_parameter_layout(weight->parameter) == PEN_LAYOUT_PLAIN)
        range = 0;
    for (gsize i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223; /* a linear congruential generator is enough here */
        values[i] = range * ((float)(state >> 8) / (1 << 23) - 1) + (weight->ones ? 1 : 0);
    }
}

static float *convert(const PenWeights *weights, const Weight *weight, GError **error)
{
    PenShape s = pen_parameter_shape(weight->parameter);
    g_autofree float *values = g_try_new(float, pen_shape_elements(s));

    if (!values) {
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_OUT_OF_MEMORY,
                    _("Not enough memory to convert a weight of %" PRIu64 " MiB."),
                    pen_shape_elements(s) * sizeof(float) >> 20);
        return NULL;
    }
    if (!weight->tensor) {
        make_random(weight, values);
        return g_steal_pointer(&values);
    }
    if (s.n > 1 || s.h > 1)
        return convert_conv(weights, weight, values, error) ? g_steal_pointer(&values) : NULL;
    if (!pen_safetensor_to_f32(weight->tensor, values, error))
        return NULL;
    if (pen_parameter_layout(weight->parameter) != PEN_LAYOUT_PLAIN)
        merge_rows(weights, weight, 0, s.w, s.c, values);
    return g_steal_pointer(&values);
}

/* What was read of a file that changed meanwhile must not be used: it is forgotten. */
static gboolean check_file(PenWeights *weights, GError **error)
{
    if (pen_safetensors_check(weights->file, error))
        return TRUE;
    for (guint i = 0; i < weights->in_order->len; i++)
        ((Weight *)weights->in_order->pdata[i])->loaded = FALSE;
    return FALSE;
}

gboolean pen_weights_load(PenWeights *weights, PenPlanProgress progress, gpointer user_data,
                          GCancellable *cancellable, GError **error)
{
    guint64 total = 0, done = 0;

    if (!pen_weights_check(weights, error))
        return FALSE;
    for (guint i = 0; i < weights->in_order->len; i++) {
        Weight *weight = weights->in_order->pdata[i];
        if (!weight->loaded)
            total += pen_parameter_bytes(weight->parameter);
    }
    for (guint i = 0; i < weights->in_order->len; i++) {
        Weight *weight = weights->in_order->pdata[i];
        if (weight->loaded)
            continue;
        if (g_cancellable_set_error_if_cancelled(cancellable, error))
            return FALSE;
        g_autofree float *values = convert(weights, weight, error);
        if (!values || !pen_parameter_write(weight->parameter, values, error))
            return FALSE;
        weight->loaded = TRUE;
        done += pen_parameter_bytes(weight->parameter);
        if (progress)
            progress((double)done / (double)total, user_data);
    }
    return !total || !weights->file || check_file(weights, error);
}

float *pen_weights_values(PenWeights *weights, const PenParameter *parameter, GError **error)
{
    for (guint i = 0; i < weights->in_order->len; i++) {
        Weight *weight = weights->in_order->pdata[i];
        if (weight->parameter == parameter)
            return convert(weights, weight, error);
    }
    return NULL;
}

gboolean pen_weights_gather(PenWeights *weights, const char *name, guint32 n_rows, guint32 columns,
                            const gint32 *rows, gsize n, float *out, GError **error)
{
    const gsize dims[] = { n_rows, columns };
    g_return_val_if_fail(weights->file, FALSE);
    const PenSafetensor *tensor = find_tensor(weights, name, error);

    if (!tensor || !check_dims(weights, tensor, dims, 2, error))
        return FALSE;
    for (gsize i = 0; i < n; i++) {
        if (rows[i] < 0 || (guint32)rows[i] >= n_rows) {
            g_set_error(
                error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                _("Token %d is not in the model's vocabulary of %u: the tokenizer belongs to "
                  "another model."),
                rows[i], n_rows);
            return FALSE;
        }
        PenSafetensor row = part(tensor, (gsize)rows[i] * columns, columns);
        if (!pen_safetensor_to_f32(&row, out + i * columns, error))
            return FALSE;
    }
    return check_file(weights, error);
}

const char *pen_weights_find_unused(const PenWeights *weights)
{
    for (guint i = 0; weights->file && i < pen_safetensors_n_tensors(weights->file); i++) {
        const char *name = pen_safetensors_nth(weights->file, i)->name;
        if (!g_hash_table_contains(weights->by_name, name))
            return name;
    }
    return NULL;
}

guint64 pen_weights_bytes(const PenWeights *weights)
{
    return weights->bytes;
}

guint64 pen_weights_total_bytes(const PenWeights *weights)
{
    guint64 elements = 0;
    if (!weights->file)
        return weights->bytes;
    for (guint i = 0; i < pen_safetensors_n_tensors(weights->file); i++)
        elements += pen_safetensors_nth(weights->file, i)->n_elements;
    if (pen_weights_eight_bits(weights)) /* nearly all elements are in matrices */
        return elements + elements / PEN_EIGHT_BIT_BLOCK * sizeof(float);
    return elements * pen_dtype_size(weights->dtype);
}

void pen_weights_release(PenWeights *weights)
{
    g_hash_table_remove_all(weights->by_name);
    g_ptr_array_set_size(weights->in_order, 0);
    weights->bytes = 0;
}
