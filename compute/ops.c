// SPDX-License-Identifier: GPL-3.0-or-later
/* Constructors of the forward operations: what fits together, and the shape of the result. */
#include <glib/gi18n-lib.h>

#include "compute/graph-private.h"
#include "compute/parameter.h"

/* Operands that kernels read in the graph's storage precision. */
static gboolean check_operands(PenGraph *graph, PenOp op, PenTensor *const *in, guint n_in)
{
    if (!pen_graph_operands(graph, pen_op_name(op), in, n_in))
        return FALSE;
    for (guint i = 0; i < n_in; i++) {
        if (in[i]->dtype != graph->storage) {
            pen_graph_fail(graph, _("%s: operand %u has another precision than the graph."),
                           pen_op_name(op), i + 1);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean check_vector(PenGraph *graph, PenOp op, const char *role, PenTensor *v, guint32 c)
{
    if (!check_operands(graph, op, &v, 1))
        return FALSE;
    if (!pen_shape_equal(v->shape, PEN_SHAPE(1, 1, 1, c))) {
        g_autofree char *text = pen_shape_string(v->shape);
        pen_graph_fail(graph, _("%s: %s has shape %s where [1, 1, 1, %u] is needed."),
                       pen_op_name(op), role, text, c);
        return FALSE;
    }
    return TRUE;
}

static gboolean check_weight(PenGraph *graph, PenOp op, PenTensor *x, PenTensor *weight)
{
    PenTensor *in[] = {x, weight};

    if (!check_operands(graph, op, in, 2))
        return FALSE;
    if (weight->kind != PEN_TENSOR_PARAMETER ||
        pen_parameter_layout(weight->parameter) == PEN_LAYOUT_PLAIN) {
        pen_graph_fail(graph, _("%s: the weight is not a parameter in panel layout."),
                       pen_op_name(op));
        return FALSE;
    }
    if (x->shape.c != weight->shape.c) {
        pen_graph_fail(graph, _("%s: the input has %u channels, the weight takes %u."),
                       pen_op_name(op), x->shape.c, weight->shape.c);
        return FALSE;
    }
    return TRUE;
}

PenTensor *pen_graph_linear(PenGraph *graph, PenTensor *x, PenTensor *weight, PenTensor *bias)
{
    if (!check_weight(graph, PEN_OP_LINEAR, x, weight))
        return NULL;
    if (weight->shape.n != 1 || weight->shape.h != 1) {
        g_autofree char *text = pen_shape_string(weight->shape);
        pen_graph_fail(graph, _("linear: the weight has shape %s where [1, 1, out, in] is needed."),
                       text);
        return NULL;
    }
    guint32 out = weight->shape.w;
    if (bias && !check_vector(graph, PEN_OP_LINEAR, "bias", bias, out))
        return NULL;

    PenNode *node = pen_graph_node(graph, PEN_OP_LINEAR, (PenTensor *[]){x, weight, bias}, 3);
    return pen_node_result(graph, node, PEN_SHAPE(x->shape.n, x->shape.h, x->shape.w, out),
                           graph->storage);
}

/* Positions of a kernel along one axis; 0 if the kernel does not fit. */
static guint32 conv_positions(guint32 size, guint32 before, guint32 after, guint32 kernel,
                              guint32 stride)
{
    guint64 padded = (guint64)size + before + after;

    return padded < kernel ? 0 : (guint32)MIN((padded - kernel) / stride + 1, G_MAXUINT32);
}

PenTensor *pen_graph_conv2d(PenGraph *graph, PenTensor *x, PenTensor *weight, PenTensor *bias,
                            guint32 stride, PenPadding padding)
{
    if (!check_weight(graph, PEN_OP_CONV2D, x, weight))
        return NULL;
    PenShape kernel = weight->shape;
    if (bias && !check_vector(graph, PEN_OP_CONV2D, "bias", bias, kernel.n))
        return NULL;
    if (stride == 0) {
        pen_graph_fail(graph, _("conv2d: the stride is 0."));
        return NULL;
    }
    guint32 height = conv_positions(x->shape.h, padding.top, padding.bottom, kernel.h, stride);
    guint32 width = conv_positions(x->shape.w, padding.left, padding.right, kernel.w, stride);
    if (height == 0 || width == 0) {
        pen_graph_fail(graph,
                       _("conv2d: a %ux%u kernel does not fit a %ux%u picture with its padding."),
                       kernel.h, kernel.w, x->shape.h, x->shape.w);
        return NULL;
    }

    PenNode *node = pen_graph_node(graph, PEN_OP_CONV2D, (PenTensor *[]){x, weight, bias}, 3);
    node->attr.stride = stride;
    node->attr.padding = padding;
    return pen_node_result(graph, node, PEN_SHAPE(x->shape.n, height, width, kernel.n),
                           graph->storage);
}

static gboolean check_norm(PenGraph *graph, PenOp op, PenTensor *x, PenTensor *gamma,
                           PenTensor *beta)
{
    return check_operands(graph, op, &x, 1) &&
           check_vector(graph, op, "gamma", gamma, x->shape.c) &&
           check_vector(graph, op, "beta", beta, x->shape.c);
}

/* `in`: x, gamma, beta and perhaps statistics. */
static PenNode *add_group_norm(PenGraph *graph, PenTensor *const in[4], guint32 groups,
                               PenActivation activation)
{
    PenTensor *x = in[0];
    if (!check_norm(graph, PEN_OP_GROUP_NORM, x, in[1], in[2]))
        return NULL;
    if (groups == 0 || x->shape.c % groups != 0) {
        pen_graph_fail(graph, _("group-norm: %u channels do not divide into %u groups."),
                       x->shape.c, groups);
        return NULL;
    }
    if (activation != PEN_ACTIVATION_NONE && activation != PEN_ACTIVATION_SILU) {
        pen_graph_fail(graph, _("group-norm: the only activation it can apply is SiLU."));
        return NULL;
    }

    PenNode *node = pen_graph_node(graph, PEN_OP_GROUP_NORM, in, in[3] ? 4 : 3);
    node->attr.groups = groups;
    node->attr.activation = activation;
    return node;
}

PenTensor *pen_graph_group_norm(PenGraph *graph, PenTensor *x, PenTensor *gamma, PenTensor *beta,
                                guint32 groups, float epsilon, PenActivation activation)
{
    PenNode *node =
        add_group_norm(graph, (PenTensor *[]){x, gamma, beta, NULL}, groups, activation);
    if (!node)
        return NULL;
    node->attr.epsilon = epsilon;
    PenTensor *y = pen_node_result(graph, node, x->shape, graph->storage);
    pen_node_result(graph, node, PEN_SHAPE(x->shape.n, 1, groups, 2), PEN_DTYPE_F32);
    return y;
}

PenTensor *pen_graph_group_norm_given(PenGraph *graph, PenTensor *x, PenTensor *gamma,
                                      PenTensor *beta, PenTensor *statistics, guint32 groups,
                                      PenActivation activation)
{
    if (!pen_graph_operands(graph, pen_op_name(PEN_OP_GROUP_NORM), (PenTensor *[]){x, statistics},
                            2))
        return NULL;
    if (!pen_shape_equal(statistics->shape, PEN_SHAPE(x->shape.n, 1, groups, 2)) ||
        statistics->dtype != PEN_DTYPE_F32) {
        pen_graph_fail(graph, _("group-norm: statistics are float32, a mean and a reciprocal "
                                "standard deviation for each of %u groups."),
                       groups);
        return NULL;
    }
    PenNode *node =
        add_group_norm(graph, (PenTensor *[]){x, gamma, beta, statistics}, groups, activation);
    return node ? pen_node_result(graph, node, x->shape, graph->storage) : NULL;
}

PenTensor *pen_graph_channel_statistics(PenGraph *graph, PenTensor *x, float epsilon)
{
    if (!check_operands(graph, PEN_OP_CHANNEL_STATISTICS, &x, 1))
        return NULL;

    PenNode *node = pen_graph_node(graph, PEN_OP_CHANNEL_STATISTICS, &x, 1);
    node->attr.groups = x->shape.c;
    node->attr.epsilon = epsilon;
    return pen_node_result(graph, node, PEN_SHAPE(x->shape.n, 1, x->shape.c, 2), PEN_DTYPE_F32);
}

PenTensor *pen_graph_layer_norm(PenGraph *graph, PenTensor *x, PenTensor *gamma, PenTensor *beta,
                                float epsilon)
{
    if (!check_norm(graph, PEN_OP_LAYER_NORM, x, gamma, beta))
        return NULL;

    PenNode *node = pen_graph_node(graph, PEN_OP_LAYER_NORM, (PenTensor *[]){x, gamma, beta}, 3);
    node->attr.epsilon = epsilon;
    return pen_node_result(graph, node, x->shape, graph->storage);
}

PenTensor *pen_graph_activation(PenGraph *graph, PenTensor *x, PenActivation activation)
{
    if (!check_operands(graph, PEN_OP_ACTIVATION, &x, 1))
        return NULL;
    if (activation == PEN_ACTIVATION_NONE)
        return x;

    PenNode *node = pen_graph_node(graph, PEN_OP_ACTIVATION, &x, 1);
    node->attr.activation = activation;
    return pen_node_result(graph, node, x->shape, graph->storage);
}

PenTensor *pen_graph_geglu(PenGraph *graph, PenTensor *x)
{
    if (!check_operands(graph, PEN_OP_GEGLU, &x, 1))
        return NULL;
    if (x->shape.c % 2 != 0) {
        pen_graph_fail(graph, _("geglu: %u channels have no two halves."), x->shape.c);
        return NULL;
    }

    PenNode *node = pen_graph_node(graph, PEN_OP_GEGLU, &x, 1);
    PenShape shape = x->shape;
    shape.c /= 2;
    return pen_node_result(graph, node, shape, graph->storage);
}

/* Gradients of parameters, float32 in a float16 graph too, are added up with this. */
PenTensor *pen_graph_add(PenGraph *graph, PenTensor *a, PenTensor *b)
{
    PenTensor *in[] = {a, b};

    if (!pen_graph_operands(graph, "add", in, 2))
        return NULL;
    if (a->dtype != b->dtype) {
        pen_graph_fail(graph, _("add: the operands have different precision."));
        return NULL;
    }
    gboolean broadcast = (b->shape.n == a->shape.n || b->shape.n == 1) && b->shape.h == 1 &&
                         b->shape.w == 1 && b->shape.c == a->shape.c;
    if (!broadcast && !pen_shape_equal(a->shape, b->shape)) {
        g_autofree char *first = pen_shape_string(a->shape);
        g_autofree char *second = pen_shape_string(b->shape);
        pen_graph_fail(graph, _("add: shapes %s and %s do not fit."), first, second);
        return NULL;
    }

    return pen_node_result(graph, pen_graph_node(graph, PEN_OP_ADD, in, 2), a->shape, a->dtype);
}

PenTensor *pen_graph_scale(PenGraph *graph, PenTensor *x, PenTensor *s)
{
    PenTensor *in[] = {x, s};

    if (!check_operands(graph, PEN_OP_SCALE, in, 2) ||
        !check_vector(graph, PEN_OP_SCALE, "the factor", s, 1))
        return NULL;

    return pen_node_result(graph, pen_graph_node(graph, PEN_OP_SCALE, in, 2), x->shape,
                           graph->storage);
}

PenTensor *pen_graph_concat(PenGraph *graph, PenTensor *a, PenTensor *b)
{
    PenTensor *in[] = {a, b};

    if (!check_operands(graph, PEN_OP_CONCAT, in, 2))
        return NULL;
    PenShape shape = a->shape;
    shape.c = b->shape.c;
    if (!pen_shape_equal(shape, b->shape)) {
        g_autofree char *first = pen_shape_string(a->shape);
        g_autofree char *second = pen_shape_string(b->shape);
        pen_graph_fail(graph, _("concat: shapes %s and %s differ in more than the channels."),
                       first, second);
        return NULL;
    }

    shape.c = a->shape.c + b->shape.c;
    return pen_node_result(graph, pen_graph_node(graph, PEN_OP_CONCAT, in, 2), shape,
                           graph->storage);
}

PenTensor *pen_graph_slice(PenGraph *graph, PenTensor *x, guint32 first, guint32 count)
{
    if (!check_operands(graph, PEN_OP_SLICE, &x, 1))
        return NULL;
    if (count == 0 || (guint64)first + count > x->shape.c) {
        pen_graph_fail(graph, _("slice: %u channels from channel %u on are not in a tensor of %u."),
                       count, first, x->shape.c);
        return NULL;
    }

    PenNode *node = pen_graph_node(graph, PEN_OP_SLICE, &x, 1);
    node->attr.first = first;
    PenShape shape = x->shape;
    shape.c = count;
    return pen_node_result(graph, node, shape, graph->storage);
}

PenTensor *pen_graph_upsample(PenGraph *graph, PenTensor *x, guint32 height, guint32 width)
{
    if (!check_operands(graph, PEN_OP_UPSAMPLE, &x, 1))
        return NULL;
    if (height < x->shape.h || width < x->shape.w) {
        pen_graph_fail(graph, _("upsample: %ux%u is smaller than the input, %ux%u."), height, width,
                       x->shape.h, x->shape.w);
        return NULL;
    }

    PenNode *node = pen_graph_node(graph, PEN_OP_UPSAMPLE, &x, 1);
    return pen_node_result(graph, node, PEN_SHAPE(x->shape.n, height, width, x->shape.c),
                           graph->storage);
}

PenTensor *pen_graph_attention(PenGraph *graph, PenTensor *q, PenTensor *k, PenTensor *v,
                               guint32 heads, gboolean causal)
{
    PenTensor *in[] = {q, k, v};

    if (!check_operands(graph, PEN_OP_ATTENTION, in, 3))
        return NULL;
    if (!pen_shape_equal(k->shape, v->shape) || q->shape.n != k->shape.n ||
        q->shape.c != k->shape.c) {
        g_autofree char *first = pen_shape_string(q->shape);
        g_autofree char *second = pen_shape_string(k->shape);
        g_autofree char *third = pen_shape_string(v->shape);
        pen_graph_fail(graph, _("attention: queries %s, keys %s and values %s do not fit."), first,
                       second, third);
        return NULL;
    }
    if (heads == 0 || q->shape.c % heads != 0) {
        pen_graph_fail(graph, _("attention: %u channels do not divide into %u heads."), q->shape.c,
                       heads);
        return NULL;
    }
    guint32 tokens = q->shape.h * q->shape.w;
    if (causal && tokens != k->shape.h * k->shape.w) {
        pen_graph_fail(graph, _("attention: causal attention needs as many keys as queries."));
        return NULL;
    }

    PenNode *node = pen_graph_node(graph, PEN_OP_ATTENTION, in, 3);
    node->attr.heads = heads;
    node->attr.causal = causal;
    PenTensor *o = pen_node_result(graph, node, q->shape, graph->storage);
    pen_node_result(graph, node, PEN_SHAPE(q->shape.n, 1, heads, tokens), PEN_DTYPE_F32);
    return o;
}

PenTensor *pen_graph_reshape(PenGraph *graph, PenTensor *x, PenShape shape)
{
    if (!pen_graph_operands(graph, "reshape", &x, 1))
        return NULL;
    if (pen_shape_equal(x->shape, shape))
        return x;
    /* A view of a parameter would have no producer whose memory it shares. */
    if (x->kind == PEN_TENSOR_PARAMETER) {
        pen_graph_fail(graph, _("reshape: a parameter keeps its shape."));
        return NULL;
    }
    PenNode *node = pen_graph_node(graph, PEN_OP_RESHAPE, &x, 1);
    PenTensor *y = pen_node_result(graph, node, shape, x->dtype);
    if (y && pen_shape_elements(shape) != pen_shape_elements(x->shape)) {
        g_autofree char *from = pen_shape_string(x->shape);
        g_autofree char *to = pen_shape_string(shape);
        pen_graph_fail(graph, _("reshape: %s and %s have different numbers of elements."), from,
                       to);
        return NULL;
    }
    return y;
}
