// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Reverse-mode differentiation as a transformation of the graph.
 *
 * Two passes over the nodes find what lies between the targets and y. The sweep then walks back
 * from y; for each node on the way it appends the vector-Jacobian products of the operands that
 * depend on a target. All consumers of a tensor come after its producer, so a tensor's gradient is
 * complete when the sweep reaches the producer.
 *
 * Checkpoint blocks. A tensor that only its own block reads is not kept: where the sweep needs it,
 * the nodes of the block that lead to it are appended again, right there, and so not before the
 * sweep has come so far (Chen et al. 2016, "Training deep nets with sublinear memory cost"). What
 * other blocks read is kept, and so are group norm statistics, which cost nothing to keep and a
 * pass over the activation to make again.
 */
#include <glib/gi18n-lib.h>

#include "compute/graph-private.h"

typedef struct {
    PenGraph *graph;
    guint n_nodes, n_tensors; /* of the forward graph; what the sweep appends lies behind */
    gboolean *depends;        /* by tensor: depends on a target */
    gboolean *reached;        /* by tensor: y depends on it */
    gboolean *kept;           /* by tensor: read outside its checkpoint block */
    PenTensor **grads;        /* by tensor: dL/dtensor, as far as it is summed up */
    PenTensor **clones;       /* by tensor: the recomputed one */
} Sweep;

/* Whether operand i of the node has a vector-Jacobian product. */
static gboolean differentiable(const PenNode *node, guint i)
{
    switch (node->op) {
    case PEN_OP_LINEAR:
    case PEN_OP_ADD:
    case PEN_OP_CONCAT:
        return i < 2;
    case PEN_OP_ATTENTION:
        return i < 3;
    case PEN_OP_CONV2D:
    case PEN_OP_GROUP_NORM:
        return i == 0 && node->n_in == 3;
    case PEN_OP_LAYER_NORM:
    case PEN_OP_ACTIVATION:
    case PEN_OP_GEGLU:
    case PEN_OP_SCALE:
    case PEN_OP_SLICE:
    case PEN_OP_UPSAMPLE:
    case PEN_OP_RESHAPE:
        return i == 0;
    default:
        return FALSE;
    }
}

static void find_dependants(Sweep *s, PenTensor *const *targets, guint n_targets)
{
    for (guint i = 0; i < n_targets; i++)
        s->depends[targets[i]->id] = TRUE;
    for (guint k = 0; k < s->n_nodes; k++) {
        PenNode *node = s->graph->nodes->pdata[k];
        gboolean depends = FALSE;
        for (guint i = 0; i < node->n_in; i++)
            depends |= node->in[i] && s->depends[node->in[i]->id];
        for (guint i = 0; depends && i < node->n_out; i++)
            s->depends[node->out[i]->id] = TRUE;
    }
}

static gboolean node_reached(const Sweep *s, const PenNode *node)
{
    gboolean reached = FALSE;

    for (guint i = 0; i < node->n_out; i++)
        reached |= s->reached[node->out[i]->id];
    return reached;
}

static void find_reached(Sweep *s, PenTensor *y)
{
    s->reached[y->id] = TRUE;
    for (guint k = s->n_nodes; k-- > 0;) {
        PenNode *node = s->graph->nodes->pdata[k];
        if (!node_reached(s, node))
            continue;
        for (guint i = 0; i < node->n_in; i++)
            if (node->in[i])
                s->reached[node->in[i]->id] = TRUE;
    }
}

static void find_kept(Sweep *s)
{
    for (guint i = 0; i < s->n_tensors; i++) {
        PenTensor *tensor = s->graph->tensors->pdata[i];
        PenNode *node = tensor->producer;
        s->kept[i] = !node || node->block == 0 || tensor->is_output ||
                     (node->op == PEN_OP_GROUP_NORM && node->n_out > 1 && tensor == node->out[1]);
    }
    for (guint k = 0; k < s->n_nodes; k++) {
        PenNode *node = s->graph->nodes->pdata[k];
        for (guint i = 0; i < node->n_in; i++) {
            PenTensor *in = node->in[i];
            if (in && in->producer && in->producer->block != node->block)
                s->kept[in->id] = TRUE;
        }
    }
}

/* The tensor as the backward graph may read it. */
static PenTensor *recall(Sweep *s, PenTensor *tensor)
{
    if (!tensor || tensor->id >= s->n_tensors || s->kept[tensor->id])
        return tensor;
    if (s->clones[tensor->id])
        return s->clones[tensor->id];

    PenNode *node = tensor->producer;
    PenTensor *in[PEN_NODE_MAX_IN];
    for (guint i = 0; i < node->n_in; i++)
        in[i] = recall(s, node->in[i]);
    PenNode *clone = pen_graph_node(s->graph, node->op, in, node->n_in);
    clone->attr = node->attr;
    for (guint i = 0; i < node->n_out; i++)
        s->clones[node->out[i]->id] =
            pen_node_result(s->graph, clone, node->out[i]->shape, node->out[i]->dtype);
    return s->clones[tensor->id];
}

static gboolean wanted(const Sweep *s, const PenNode *node, guint i)
{
    return s->depends[node->in[i]->id];
}

static void accumulate(Sweep *s, PenNode *node, guint i, PenTensor *grad)
{
    PenTensor **sum = &s->grads[node->in[i]->id];

    *sum = *sum ? pen_graph_add(s->graph, *sum, grad) : grad;
}

static void attention_gradient(Sweep *s, PenNode *node, PenTensor *dy)
{
    PenTensor *in[5] = {recall(s, node->in[0]), recall(s, node->in[1]), recall(s, node->in[2]),
                        recall(s, node->out[0]), recall(s, node->out[1])};
    PenTensor *out[3];

    pen_graph_attention_grad(s->graph, node, in, dy, out);
    for (guint i = 0; i < 3; i++)
        if (wanted(s, node, i))
            accumulate(s, node, i, out[i]);
}

/* dL/d(operand i) from dy = dL/d(first result). */
static PenTensor *operand_gradient(Sweep *s, PenNode *node, guint i, PenTensor *dy)
{
    PenGraph *graph = s->graph;
    PenTensor *const *in = node->in;

    switch (node->op) {
    case PEN_OP_LINEAR:
        return i == 0 ? pen_graph_linear_input(graph, dy, in[1])
                      : pen_graph_linear_weight(graph, dy, recall(s, in[0]));
    case PEN_OP_CONV2D:
        return pen_graph_conv2d_input(graph, dy, in[1], in[0]->shape, node->attr.stride,
                                      node->attr.padding);
    case PEN_OP_GROUP_NORM:
        return pen_graph_group_norm_grad(graph, node, recall(s, in[0]), recall(s, node->out[1]),
                                         dy);
    case PEN_OP_LAYER_NORM:
        return pen_graph_layer_norm_grad(graph, node, recall(s, in[0]), dy);
    case PEN_OP_ACTIVATION:
        return pen_graph_activation_grad(graph, recall(s, in[0]), dy, node->attr.activation);
    case PEN_OP_GEGLU:
        return pen_graph_geglu_grad(graph, recall(s, in[0]), dy);
    case PEN_OP_ADD:
        return pen_shape_equal(in[i]->shape, dy->shape)
                   ? dy
                   : pen_graph_sum_space(graph, dy, in[i]->shape.n);
    case PEN_OP_SCALE:
        return pen_graph_scale(graph, dy, recall(s, in[1]));
    case PEN_OP_CONCAT:
        return pen_graph_slice(graph, dy, i == 0 ? 0 : in[0]->shape.c, in[i]->shape.c);
    case PEN_OP_SLICE:
        return pen_graph_pad(graph, dy, node->attr.first, in[0]->shape.c);
    case PEN_OP_UPSAMPLE:
        return pen_graph_upsample_grad(graph, dy, in[0]->shape);
    case PEN_OP_RESHAPE:
        return pen_graph_reshape(graph, dy, in[0]->shape);
    default:
        g_assert_not_reached();
    }
}

static void node_gradient(Sweep *s, PenNode *node, PenTensor *dy)
{
    if (node->op == PEN_OP_ATTENTION) {
        if (wanted(s, node, 0) || wanted(s, node, 1) || wanted(s, node, 2))
            attention_gradient(s, node, dy);
        return;
    }
    for (guint i = 0; i < node->n_in; i++)
        if (node->in[i] && wanted(s, node, i))
            accumulate(s, node, i, operand_gradient(s, node, i, dy));
}

static gboolean check_arguments(PenGraph *graph, PenTensor *y, PenTensor *grad_y,
                                PenTensor *const *targets, guint n_targets)
{
    PenTensor *in[] = {y, grad_y};

    if (!pen_graph_operands(graph, "gradient", in, 2) ||
        !pen_graph_operands(graph, "gradient", targets, n_targets))
        return FALSE;
    if (graph->block) {
        pen_graph_fail(graph, _("A gradient was asked for within a checkpoint block."));
        return FALSE;
    }
    if (!pen_shape_equal(y->shape, grad_y->shape) || y->dtype != grad_y->dtype) {
        g_autofree char *want = pen_shape_string(y->shape);
        g_autofree char *have = pen_shape_string(grad_y->shape);
        pen_graph_fail(graph, _("The gradient of a result of shape %s was given as %s."), want,
                       have);
        return FALSE;
    }
    return TRUE;
}

/* Every path from a target to y must go through operands that have a gradient. */
static gboolean check_paths(Sweep *s, PenTensor *const *targets, guint n_targets)
{
    for (guint i = 0; i < n_targets; i++) {
        if (!s->reached[targets[i]->id]) {
            pen_graph_fail(s->graph,
                           _("A gradient was asked for with respect to a tensor that the result "
                             "does not depend on."));
            return FALSE;
        }
    }
    for (guint k = 0; k < s->n_nodes; k++) {
        PenNode *node = s->graph->nodes->pdata[k];
        if (!node_reached(s, node))
            continue;
        for (guint i = 0; i < node->n_in; i++) {
            PenTensor *in = node->in[i];
            if (!in || !s->depends[in->id] || differentiable(node, i))
                continue;
            if (in->kind == PEN_TENSOR_PARAMETER)
                pen_graph_fail(s->graph,
                               _("%s: its parameters have no gradient; only the weights of linear "
                                 "layers have one."),
                               pen_op_name(node->op));
            else
                pen_graph_fail(s->graph, _("%s: there is no gradient for operand %u."),
                               pen_op_name(node->op), i + 1);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean pen_graph_gradient(PenGraph *graph, PenTensor *y, PenTensor *grad_y,
                            PenTensor *const *targets, guint n_targets, PenTensor **grads)
{
    for (guint i = 0; i < n_targets; i++)
        grads[i] = NULL;
    if (!check_arguments(graph, y, grad_y, targets, n_targets))
        return FALSE;

    guint n = graph->tensors->len;
    g_autofree gboolean *flags = g_new0(gboolean, 3 * n);
    g_autofree PenTensor **maps = g_new0(PenTensor *, 2 * n);
    Sweep s = {
        .graph = graph,
        .n_nodes = graph->nodes->len,
        .n_tensors = n,
        .depends = flags,
        .reached = flags + n,
        .kept = flags + 2 * n,
        .grads = maps,
        .clones = maps + n,
    };
    find_dependants(&s, targets, n_targets);
    find_reached(&s, y);
    if (!check_paths(&s, targets, n_targets))
        return FALSE;
    find_kept(&s);

    s.grads[y->id] = grad_y;
    for (guint k = s.n_nodes; k-- > 0 && !graph->error;) {
        PenNode *node = graph->nodes->pdata[k];
        PenTensor *dy = s.grads[node->out[0]->id];
        if (dy)
            node_gradient(&s, node, dy);
    }
    if (graph->error)
        return FALSE;
    for (guint i = 0; i < n_targets; i++)
        grads[i] = s.grads[targets[i]->id];
    return TRUE;
}
