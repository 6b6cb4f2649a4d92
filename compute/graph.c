// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdarg.h>

#include <glib/gi18n-lib.h>

#include "compute/graph-private.h"
#include "compute/parameter.h"

GQuark pen_compute_error_quark(void)
{
    return g_quark_from_static_string("pen-compute-error-quark");
}

/* Kernels index a tensor's elements with signed 32-bit integers. */
#define MAX_ELEMENTS G_GUINT64_CONSTANT(0x7fffffff)

gsize pen_dtype_size(PenDtype dtype)
{
    return dtype == PEN_DTYPE_F16 ? 2 : 4;
}

static void free_tensor(gpointer data)
{
    PenTensor *tensor = data;

    g_clear_pointer(&tensor->parameter, pen_parameter_unref);
    g_free(tensor->name);
    g_free(tensor);
}

PenGraph *pen_graph_new(PenDtype storage)
{
    PenGraph *graph = g_new0(PenGraph, 1);

    graph->storage = storage;
    graph->tensors = g_ptr_array_new_with_free_func(free_tensor);
    graph->nodes = g_ptr_array_new_with_free_func(g_free);
    return graph;
}

void pen_graph_free(PenGraph *graph)
{
    if (!graph)
        return;
    g_ptr_array_unref(graph->nodes);
    g_ptr_array_unref(graph->tensors);
    g_clear_error(&graph->error);
    g_free(graph);
}

gboolean pen_graph_check(PenGraph *graph, GError **error)
{
    if (!graph->error && graph->block)
        pen_graph_fail(graph, _("A checkpoint block was begun and not ended."));
    if (!graph->error)
        return TRUE;
    if (error)
        *error = g_error_copy(graph->error);
    return FALSE;
}

void pen_graph_fail(PenGraph *graph, const char *format, ...)
{
    va_list args;

    if (graph->error)
        return;
    va_start(args, format);
    graph->error = g_error_new_valist(PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_GRAPH, format, args);
    va_end(args);
}

PenShape pen_tensor_shape(const PenTensor *tensor)
{
    return tensor ? tensor->shape : PEN_SHAPE(0, 0, 0, 0);
}

char *pen_shape_string(PenShape shape)
{
    return g_strdup_printf("[%u, %u, %u, %u]", shape.n, shape.h, shape.w, shape.c);
}

static gboolean shape_fits(PenShape shape)
{
    guint64 elements = (guint64)shape.n * shape.h;

    /* Each factor is below 2^32, so checking after each product keeps it below 2^64. */
    if (elements == 0 || elements > MAX_ELEMENTS)
        return FALSE;
    elements *= shape.w;
    if (elements == 0 || elements > MAX_ELEMENTS)
        return FALSE;
    elements *= shape.c;
    return elements > 0 && elements <= MAX_ELEMENTS;
}

static PenTensor *new_tensor(PenGraph *graph, PenTensorKind kind, PenShape shape, PenDtype dtype)
{
    if (!shape_fits(shape)) {
        g_autofree char *text = pen_shape_string(shape);
        pen_graph_fail(graph, _("A tensor of shape %s is empty or too large."), text);
        return NULL;
    }
    PenTensor *tensor = g_new0(PenTensor, 1);
    tensor->id = graph->tensors->len;
    tensor->kind = kind;
    tensor->shape = shape;
    tensor->dtype = dtype;
    g_ptr_array_add(graph->tensors, tensor);
    return tensor;
}

static PenTensor *add_input(PenGraph *graph, const char *name, PenShape shape, PenDtype dtype)
{
    if (graph->error)
        return NULL;
    for (guint i = 0; i < graph->tensors->len; i++) {
        PenTensor *other = graph->tensors->pdata[i];
        if (other->kind == PEN_TENSOR_INPUT && g_str_equal(other->name, name)) {
            pen_graph_fail(graph, _("The graph has two inputs named “%s”."), name);
            return NULL;
        }
    }
    PenTensor *tensor = new_tensor(graph, PEN_TENSOR_INPUT, shape, dtype);
    if (tensor)
        tensor->name = g_strdup(name);
    return tensor;
}

PenTensor *pen_graph_input(PenGraph *graph, const char *name, PenShape shape)
{
    return add_input(graph, name, shape, graph->storage);
}

PenTensor *pen_graph_input_f32(PenGraph *graph, const char *name, PenShape shape)
{
    return add_input(graph, name, shape, PEN_DTYPE_F32);
}

PenTensor *pen_graph_late_input(PenGraph *graph, const char *name, PenShape shape)
{
    PenTensor *tensor = pen_graph_input(graph, name, shape);
    if (tensor)
        tensor->late = TRUE;
    return tensor;
}

/* The same parameter is the same tensor, so that its gradients from all its uses add up. */
PenTensor *pen_graph_parameter(PenGraph *graph, PenParameter *parameter)
{
    if (graph->error)
        return NULL;
    if (!parameter) {
        pen_graph_fail(graph, _("A parameter is missing."));
        return NULL;
    }
    for (guint i = 0; i < graph->tensors->len; i++) {
        PenTensor *other = graph->tensors->pdata[i];
        if (other->parameter == parameter)
            return other;
    }
    if (pen_parameter_dtype(parameter) != graph->storage) {
        pen_graph_fail(graph, _("A parameter has another precision than the graph that uses it."));
        return NULL;
    }
    PenTensor *tensor = new_tensor(graph, PEN_TENSOR_PARAMETER, pen_parameter_shape(parameter),
                                   pen_parameter_dtype(parameter));
    if (tensor)
        tensor->parameter = pen_parameter_ref(parameter);
    return tensor;
}

void pen_graph_output(PenGraph *graph, const char *name, PenTensor *x)
{
    if (!pen_graph_operands(graph, "output", &x, 1))
        return;
    if (x->kind != PEN_TENSOR_COMPUTED) {
        pen_graph_fail(graph, _("Output “%s” is not the result of an operation."), name);
        return;
    }
    if (x->is_output) {
        pen_graph_fail(graph, _("Outputs “%s” and “%s” are the same tensor."), x->name, name);
        return;
    }
    for (guint i = 0; i < graph->tensors->len; i++) {
        PenTensor *other = graph->tensors->pdata[i];
        if (other->is_output && g_str_equal(other->name, name)) {
            pen_graph_fail(graph, _("The graph has two outputs named “%s”."), name);
            return;
        }
    }
    x->is_output = TRUE;
    x->name = g_strdup(name);
}

void pen_graph_checkpoint_begin(PenGraph *graph)
{
    if (graph->block)
        pen_graph_fail(graph, _("Checkpoint blocks do not nest."));
    else
        graph->block = ++graph->n_blocks;
}

void pen_graph_checkpoint_end(PenGraph *graph)
{
    if (!graph->block)
        pen_graph_fail(graph, _("A checkpoint block was ended and not begun."));
    graph->block = 0;
}

/* --- nodes --------------------------------------------------------------------------------- */

const char *pen_op_name(PenOp op)
{
    static const char *const names[] = {
        [PEN_OP_LINEAR] = "linear",
        [PEN_OP_LINEAR_INPUT] = "linear-input",
        [PEN_OP_LINEAR_WEIGHT] = "linear-weight",
        [PEN_OP_CONV2D] = "conv2d",
        [PEN_OP_CONV2D_INPUT] = "conv2d-input",
        [PEN_OP_GROUP_NORM] = "group-norm",
        [PEN_OP_CHANNEL_STATISTICS] = "channel-statistics",
        [PEN_OP_GROUP_NORM_GRAD] = "group-norm-grad",
        [PEN_OP_LAYER_NORM] = "layer-norm",
        [PEN_OP_LAYER_NORM_GRAD] = "layer-norm-grad",
        [PEN_OP_ACTIVATION] = "activation",
        [PEN_OP_ACTIVATION_GRAD] = "activation-grad",
        [PEN_OP_GEGLU] = "geglu",
        [PEN_OP_GEGLU_GRAD] = "geglu-grad",
        [PEN_OP_ADD] = "add",
        [PEN_OP_SUM_SPACE] = "sum-space",
        [PEN_OP_SCALE] = "scale",
        [PEN_OP_CONCAT] = "concat",
        [PEN_OP_SLICE] = "slice",
        [PEN_OP_PAD] = "pad",
        [PEN_OP_UPSAMPLE] = "upsample",
        [PEN_OP_UPSAMPLE_GRAD] = "upsample-grad",
        [PEN_OP_ATTENTION] = "attention",
        [PEN_OP_ATTENTION_GRAD] = "attention-grad",
        [PEN_OP_RESHAPE] = "reshape",
    };

    return names[op];
}

gboolean pen_graph_operands(PenGraph *graph, const char *what, PenTensor *const *in, guint n_in)
{
    if (graph->error)
        return FALSE;
    for (guint i = 0; i < n_in; i++) {
        if (!in[i]) {
            pen_graph_fail(graph, _("%s: operand %u is missing."), what, i + 1);
            return FALSE;
        }
        if (in[i]->id >= graph->tensors->len || graph->tensors->pdata[in[i]->id] != in[i]) {
            pen_graph_fail(graph, _("%s: operand %u belongs to another graph."), what, i + 1);
            return FALSE;
        }
    }
    return TRUE;
}

PenNode *pen_graph_node(PenGraph *graph, PenOp op, PenTensor *const *in, guint n_in)
{
    PenNode *node = g_new0(PenNode, 1);

    g_assert(n_in <= PEN_NODE_MAX_IN);
    node->op = op;
    for (guint i = 0; i < n_in; i++)
        node->in[i] = in[i];
    node->n_in = n_in;
    node->block = graph->block;
    node->index = graph->nodes->len;
    g_ptr_array_add(graph->nodes, node);
    return node;
}

PenTensor *pen_node_result(PenGraph *graph, PenNode *node, PenShape shape, PenDtype dtype)
{
    PenTensor *tensor = new_tensor(graph, PEN_TENSOR_COMPUTED, shape, dtype);

    g_assert(node->n_out < PEN_NODE_MAX_OUT);
    if (tensor)
        tensor->producer = node;
    node->out[node->n_out++] = tensor;
    return tensor;
}
