// SPDX-License-Identifier: GPL-3.0-or-later
/* Constructors of the operations that pen_graph_gradient() adds. Their operands come from forward
 * nodes that were checked, so only what a caller's grad_y can get wrong is checked again there. */
#include "compute/graph-private.h"

static PenNode *backward_node(PenGraph *graph, PenOp op, PenTensor *const *in, guint n_in)
{
    if (!pen_graph_operands(graph, pen_op_name(op), in, n_in))
        return NULL;
    return pen_graph_node(graph, op, in, n_in);
}

PenTensor *pen_graph_linear_input(PenGraph *graph, PenTensor *dy, PenTensor *weight)
{
    PenNode *node = backward_node(graph, PEN_OP_LINEAR_INPUT, (PenTensor *[]){dy, weight}, 2);

    if (!node)
        return NULL;
    PenShape shape = dy->shape;
    shape.c = weight->shape.c;
    return pen_node_result(graph, node, shape, graph->storage);
}

PenTensor *pen_graph_linear_weight(PenGraph *graph, PenTensor *dy, PenTensor *x)
{
    PenNode *node = backward_node(graph, PEN_OP_LINEAR_WEIGHT, (PenTensor *[]){dy, x}, 2);

    if (!node)
        return NULL;
    return pen_node_result(graph, node, PEN_SHAPE(1, 1, dy->shape.c, x->shape.c), PEN_DTYPE_F32);
}

PenTensor *pen_graph_conv2d_input(PenGraph *graph, PenTensor *dy, PenTensor *weight,
                                  PenShape x_shape, guint32 stride, PenPadding padding)
{
    PenNode *node = backward_node(graph, PEN_OP_CONV2D_INPUT, (PenTensor *[]){dy, weight}, 2);

    if (!node)
        return NULL;
    node->attr.stride = stride;
    node->attr.padding = padding;
    return pen_node_result(graph, node, x_shape, graph->storage);
}

PenTensor *pen_graph_group_norm_grad(PenGraph *graph, PenNode *forward, PenTensor *x,
                                     PenTensor *statistics, PenTensor *dy)
{
    PenTensor *in[] = {x, forward->in[1], forward->in[2], statistics, dy};
    PenNode *node = backward_node(graph, PEN_OP_GROUP_NORM_GRAD, in, 5);

    if (!node)
        return NULL;
    node->attr = forward->attr;
    return pen_node_result(graph, node, x->shape, graph->storage);
}

PenTensor *pen_graph_layer_norm_grad(PenGraph *graph, PenNode *forward, PenTensor *x, PenTensor *dy)
{
    PenTensor *in[] = {x, forward->in[1], dy};
    PenNode *node = backward_node(graph, PEN_OP_LAYER_NORM_GRAD, in, 3);

    if (!node)
        return NULL;
    node->attr = forward->attr;
    return pen_node_result(graph, node, x->shape, graph->storage);
}

PenTensor *pen_graph_activation_grad(PenGraph *graph, PenTensor *x, PenTensor *dy,
                                     PenActivation activation)
{
    PenNode *node = backward_node(graph, PEN_OP_ACTIVATION_GRAD, (PenTensor *[]){x, dy}, 2);

    if (!node)
        return NULL;
    node->attr.activation = activation;
    return pen_node_result(graph, node, x->shape, graph->storage);
}

PenTensor *pen_graph_geglu_grad(PenGraph *graph, PenTensor *x, PenTensor *dy)
{
    PenNode *node = backward_node(graph, PEN_OP_GEGLU_GRAD, (PenTensor *[]){x, dy}, 2);

    return node ? pen_node_result(graph, node, x->shape, graph->storage) : NULL;
}

PenTensor *pen_graph_sum_space(PenGraph *graph, PenTensor *dy, guint32 n)
{
    PenNode *node = backward_node(graph, PEN_OP_SUM_SPACE, &dy, 1);

    return node ? pen_node_result(graph, node, PEN_SHAPE(n, 1, 1, dy->shape.c), dy->dtype) : NULL;
}

PenTensor *pen_graph_pad(PenGraph *graph, PenTensor *dy, guint32 first, guint32 channels)
{
    PenNode *node = backward_node(graph, PEN_OP_PAD, &dy, 1);

    if (!node)
        return NULL;
    node->attr.first = first;
    PenShape shape = dy->shape;
    shape.c = channels;
    return pen_node_result(graph, node, shape, graph->storage);
}

PenTensor *pen_graph_upsample_grad(PenGraph *graph, PenTensor *dy, PenShape x_shape)
{
    PenNode *node = backward_node(graph, PEN_OP_UPSAMPLE_GRAD, &dy, 1);

    return node ? pen_node_result(graph, node, x_shape, graph->storage) : NULL;
}

void pen_graph_attention_grad(PenGraph *graph, PenNode *forward, PenTensor *const in[5],
                              PenTensor *grad_o, PenTensor *out[3])
{
    PenTensor *operands[] = {in[0], in[1], in[2], in[3], in[4], grad_o};
    PenNode *node = backward_node(graph, PEN_OP_ATTENTION_GRAD, operands, 6);

    for (guint i = 0; i < 3; i++)
        out[i] = node ? pen_node_result(graph, node, in[i]->shape, graph->storage) : NULL;
    if (node)
        node->attr = forward->attr;
}
