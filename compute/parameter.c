// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/parameter-private.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "compute/half.h"

/* Rows of a weight matrix, and the length of each. */
static void matrix_size(PenShape s, guint64 *out, guint64 *in)
{
    gboolean convolution = s.n > 1 || s.h > 1;
    *out = convolution ? s.n : s.w;
    *in = convolution ? (guint64)s.h * s.w * s.c : s.c;
}

guint64 pen_parameter_stored_elements(const PenParameter *p)
{
    if (p->layout == PEN_LAYOUT_PLAIN)
        return pen_shape_elements(p->shape);
    guint64 out, in;
    matrix_size(p->shape, &out, &in);
    return (out + PEN_PANEL - 1) / PEN_PANEL * PEN_PANEL * in;
}

/* Of a parameter in 8 bits. */
static guint64 count_blocks(const PenParameter *p)
{
    return (pen_parameter_stored_elements(p) + PEN_EIGHT_BIT_BLOCK - 1) / PEN_EIGHT_BIT_BLOCK;
}

PenParameter *pen_parameter_new_abstract(PenShape shape, PenDtype dtype, PenLayout layout)
{
    PenParameter *p = g_new0(PenParameter, 1);
    p->refs = 1;
    p->shape = shape;
    p->dtype = dtype;
    p->layout = layout;
    return p;
}

PenParameter *pen_parameter_new(PenDevice *device, PenShape shape, PenDtype dtype, PenLayout layout,
                                GError **error)
{
    g_autoptr(PenParameter) p = pen_parameter_new_abstract(shape, dtype, layout);
    guint64 bytes = pen_parameter_bytes(p);
    if (bytes > device->info->max_binding) {
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED,
                    _("A weight of %u MiB is larger than %s can bind (%u MiB)."),
                    (guint)(bytes >> 20), device->info->name,
                    (guint)(device->info->max_binding >> 20));
        return NULL;
    }
    p->device = pen_device_ref(device);
    if (!pen_buffer_init(device, &p->buffer, bytes, PEN_BUFFER_DEVICE, _("a weight"), error))
        return NULL;
    return g_steal_pointer(&p);
}

PenParameter *pen_parameter_ref(PenParameter *parameter)
{
    g_atomic_int_inc(&parameter->refs);
    return parameter;
}

void pen_parameter_unref(PenParameter *parameter)
{
    if (!parameter || !g_atomic_int_dec_and_test(&parameter->refs))
        return;
    if (parameter->device) {
        pen_buffer_clear(parameter->device, &parameter->buffer);
        pen_device_unref(parameter->device);
    }
    g_free(parameter);
}

PenShape pen_parameter_shape(const PenParameter *parameter)
{
    return parameter->shape;
}

PenDtype pen_parameter_dtype(const PenParameter *parameter)
{
    return parameter->dtype;
}

PenLayout pen_parameter_layout(const PenParameter *parameter)
{
    return parameter->layout;
}

guint64 pen_parameter_bytes(const PenParameter *parameter)
{
    return parameter->layout == PEN_LAYOUT_EIGHT_BIT_PANEL
               ? count_blocks(parameter) * (PEN_EIGHT_BIT_BLOCK + sizeof(float))
               : pen_parameter_stored_elements(parameter) * pen_dtype_size(parameter->dtype);
}

static void pack_panels(const float *values, guint64 out, guint64 in, float *packed)
{
    for (guint64 panel = 0; panel < (out + PEN_PANEL - 1) / PEN_PANEL; panel++)
        for (guint64 lane = 0; lane < PEN_PANEL; lane++) {
            guint64 row = panel * PEN_PANEL + lane;
            float *to = packed + panel * in * PEN_PANEL + lane;
            const float *from = values + row * in;
            for (guint64 k = 0; k < in; k++)
                to[k * PEN_PANEL] = row < out ? from[k] : 0.0f;
        }
}

/* All codes, then all scales. */
static void *quantize(const PenParameter *parameter, const float *values)
{
    guint64 n = pen_parameter_stored_elements(parameter);
    guint64 blocks = count_blocks(parameter);
    gint8 *codes = g_malloc0(pen_parameter_bytes(parameter));
    float *scales = (float *)(void *)(codes + blocks * PEN_EIGHT_BIT_BLOCK);
    for (guint64 b = 0; b < blocks; b++) {
        guint64 first = b * PEN_EIGHT_BIT_BLOCK, end = MIN(n, first + PEN_EIGHT_BIT_BLOCK);
        float largest = 0;
        for (guint64 i = first; i < end; i++)
            largest = fmaxf(largest, fabsf(values[i]));
        scales[b] = largest / 127;
        for (guint64 i = first; largest > 0 && i < end; i++)
            codes[i] = (gint8)lrintf(values[i] / largest * 127);
    }
    return codes;
}

/* As the device holds it: `values` itself, or what is to be freed in `made`. */
static const void *convert(const PenParameter *parameter, const float *values, void **made)
{
    guint64 n = pen_parameter_stored_elements(parameter);
    g_autofree float *packed = NULL;
    *made = NULL;
    if (parameter->layout != PEN_LAYOUT_PLAIN) {
        guint64 out, in;
        matrix_size(parameter->shape, &out, &in);
        packed = g_new(float, n);
        pack_panels(values, out, in, packed);
        values = packed;
    }
    if (parameter->layout == PEN_LAYOUT_EIGHT_BIT_PANEL) {
        *made = quantize(parameter, values);
    } else if (parameter->dtype == PEN_DTYPE_F16) {
        *made = g_new(guint16, n);
        pen_half_from_floats(*made, values, n);
    } else {
        *made = g_steal_pointer(&packed);
    }
    return *made ? *made : values;
}

gboolean pen_parameters_write(PenParameter *const *parameters, const float *const *values, guint n,
                              GError **error)
{
    g_autofree PenUpload *uploads = g_new(PenUpload, n + 1);
    g_autofree void **made = g_new(void *, n + 1);
    for (guint i = 0; i < n; i++) {
        PenParameter *p = parameters[i];
        uploads[i] =
            (PenUpload){ &p->buffer, convert(p, values[i], &made[i]), pen_parameter_bytes(p) };
    }
    gboolean ok = !n || pen_buffers_upload(parameters[0]->device, uploads, n, error);
    for (guint i = 0; i < n; i++)
        g_free(made[i]);
    return ok;
}

gboolean pen_parameter_write(PenParameter *parameter, const float *values, GError **error)
{
    return pen_parameters_write(&parameter, &values, 1, error);
}
