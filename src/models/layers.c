// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/layers.h"

/* The path that the caller's format and arguments say, in the variable `name`. */
#define LAYER_PATH(name, format)                                                                   \
    g_autofree char *name = NULL;                                                                  \
    {                                                                                              \
        va_list path_args;                                                                         \
        va_start(path_args, format);                                                               \
        name = g_strdup_vprintf(format, path_args);                                                \
        va_end(path_args);                                                                         \
    }

gboolean pen_layers_check(const PenLayers *l, GError **error)
{
    return pen_weights_check(l->weights, error) && pen_graph_check(l->graph, error);
}

static PenTensor *as_tensor(const PenLayers *l, PenParameter *parameter)
{
    return parameter ? pen_graph_parameter(l->graph, parameter) : NULL;
}

static PenTensor *vector(const PenLayers *l, const char *path, const char *kind, guint32 n)
{
    g_autofree char *name = g_strconcat(path, kind, NULL);
    return as_tensor(l, pen_weights_vector(l->weights, name, n));
}

PenTensor *pen_layer_linear(const PenLayers *l, PenTensor *x, guint32 out, gboolean bias,
                            const char *path, ...)
{
    LAYER_PATH(layer, path)
    g_autofree char *name = g_strconcat(layer, ".weight", NULL);

    if (!x)
        return NULL;
    PenTensor *w = as_tensor(l, pen_weights_linear(l->weights, name, out, pen_tensor_shape(x).c));
    PenTensor *b = bias ? vector(l, layer, ".bias", out) : NULL;
    return w && (b || !bias) ? pen_graph_linear(l->graph, x, w, b) : NULL;
}

PenTensor *pen_layer_conv(const PenLayers *l, PenTensor *x, guint32 out, guint32 stride,
                          PenPadding padding, const char *path, ...)
{
    LAYER_PATH(layer, path)
    g_autofree char *name = g_strconcat(layer, ".weight", NULL);

    if (!x)
        return NULL;
    PenTensor *w = as_tensor(l, pen_weights_conv(l->weights, name, out, 3, pen_tensor_shape(x).c));
    PenTensor *b = vector(l, layer, ".bias", out);
    return w && b ? pen_graph_conv2d(l->graph, x, w, b, stride, padding) : NULL;
}

PenTensor *pen_layer_group_norm(const PenLayers *l, PenTensor *x, guint32 groups, float epsilon,
                                PenActivation activation, const char *path, ...)
{
    LAYER_PATH(layer, path)

    if (!x)
        return NULL;
    PenTensor *gamma = vector(l, layer, ".weight", pen_tensor_shape(x).c);
    PenTensor *beta = vector(l, layer, ".bias", pen_tensor_shape(x).c);
    return gamma && beta
               ? pen_graph_group_norm(l->graph, x, gamma, beta, groups, epsilon, activation)
               : NULL;
}

PenTensor *pen_layer_group_norm_given(const PenLayers *l, PenTensor *x, PenTensor *statistics,
                                      guint32 groups, PenActivation activation, const char *path,
                                      ...)
{
    LAYER_PATH(layer, path)

    if (!x)
        return NULL;
    PenTensor *gamma = vector(l, layer, ".weight", pen_tensor_shape(x).c);
    PenTensor *beta = vector(l, layer, ".bias", pen_tensor_shape(x).c);
    return gamma && beta ? pen_graph_group_norm_given(l->graph, x, gamma, beta, statistics, groups,
                                                      activation)
                         : NULL;
}

PenTensor *pen_layer_layer_norm(const PenLayers *l, PenTensor *x, float epsilon, const char *path,
                                ...)
{
    LAYER_PATH(layer, path)

    if (!x)
        return NULL;
    PenTensor *gamma = vector(l, layer, ".weight", pen_tensor_shape(x).c);
    PenTensor *beta = vector(l, layer, ".bias", pen_tensor_shape(x).c);
    return gamma && beta ? pen_graph_layer_norm(l->graph, x, gamma, beta, epsilon) : NULL;
}

PenTensor *pen_layer_resnet(const PenLayers *l, PenTensor *x, PenTensor *time, guint32 out,
                            guint32 groups, float epsilon, const char *path, ...)
{
    LAYER_PATH(block, path)

    PenTensor *h =
        pen_layer_group_norm(l, x, groups, epsilon, PEN_ACTIVATION_SILU, "%s.norm1", block);
    h = pen_layer_conv(l, h, out, 1, PEN_PADDING_SAME, "%s.conv1", block);
    if (time) {
        PenTensor *shift = pen_layer_linear(l, time, out, TRUE, "%s.time_emb_proj", block);
        h = pen_graph_add(l->graph, h, shift);
    }
    h = pen_layer_group_norm(l, h, groups, epsilon, PEN_ACTIVATION_SILU, "%s.norm2", block);
    h = pen_layer_conv(l, h, out, 1, PEN_PADDING_SAME, "%s.conv2", block);
    if (pen_tensor_shape(x).c != out)
        x = pen_layer_linear(l, x, out, TRUE, "%s.conv_shortcut", block);
    return pen_graph_add(l->graph, h, x);
}
