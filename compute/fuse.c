// SPDX-License-Identifier: GPL-3.0-or-later
#include "compute/graph-private.h"

#define RESIDUAL 3
#define IMAGE_BIAS 4

typedef struct {
    PenGraph *graph;
    gboolean *needed; /* by tensor */
    guint *readers;   /* by tensor: how many operands of nodes it is */
} Pass;

/* Puts `order`, which holds those nodes that stay, in the place of the graph's nodes. */
static void replace_nodes(PenGraph *graph, GPtrArray *order)
{
    g_ptr_array_set_free_func(graph->nodes, NULL);
    g_ptr_array_unref(graph->nodes);
    graph->nodes = order;
    for (guint k = 0; k < order->len; k++)
        ((PenNode *)order->pdata[k])->index = k;
}

/* A computed tensor without a producer is not computed after all; drop_tensors() takes it away. */
static void drop_result(PenNode *node, guint i)
{
    node->out[i]->producer = NULL;
    node->out[i] = NULL;
}

/* --- pruning ------------------------------------------------------------------------------- */

static gboolean node_needed(const Pass *p, const PenNode *node)
{
    gboolean needed = FALSE;

    for (guint i = 0; i < node->n_out; i++)
        needed |= node->out[i] && p->needed[node->out[i]->id];
    return needed;
}

static void prune(Pass *p)
{
    GPtrArray *nodes = p->graph->nodes;

    for (guint i = 0; i < p->graph->tensors->len; i++)
        p->needed[i] = ((PenTensor *)p->graph->tensors->pdata[i])->is_output;
    for (guint k = nodes->len; k-- > 0;) {
        PenNode *node = nodes->pdata[k];
        gboolean needed = node_needed(p, node);
        guint keep = needed && node->op != PEN_OP_ATTENTION_GRAD ? 1 : 0;
        for (guint i = 0; needed && i < node->n_in; i++)
            if (node->in[i])
                p->needed[node->in[i]->id] = TRUE;
        for (guint i = keep; i < node->n_out; i++)
            if (node->out[i] && !p->needed[node->out[i]->id])
                drop_result(node, i);
        if (!needed)
            node->n_out = 0;
    }

    GPtrArray *order = g_ptr_array_new_full(nodes->len, g_free);
    for (guint k = 0; k < nodes->len; k++) {
        PenNode *node = nodes->pdata[k];
        if (node->n_out > 0)
            g_ptr_array_add(order, node);
        else
            g_free(node);
    }
    replace_nodes(p->graph, order);
}

/* --- adding within a matrix product -------------------------------------------------------- */

static gboolean is_forward_product(PenOp op)
{
    return op == PEN_OP_LINEAR || op == PEN_OP_CONV2D;
}

static gboolean is_product(PenOp op)
{
    return is_forward_product(op) || op == PEN_OP_LINEAR_INPUT || op == PEN_OP_CONV2D_INPUT;
}

static void count_readers(Pass *p)
{
    for (guint k = 0; k < p->graph->nodes->len; k++) {
        PenNode *node = p->graph->nodes->pdata[k];
        for (guint i = 0; i < node->n_in; i++)
            if (node->in[i])
                p->readers[node->in[i]->id]++;
    }
}

/* The matrix product that can take another operand in `slot` without anybody but the reader of its
 * result seeing it. When it has a residual already, that residual's own producer may do. */
static PenNode *absorber(const Pass *p, PenTensor *tensor, guint slot)
{
    PenNode *node = tensor->producer;

    if (!node || !is_product(node->op) || (slot == IMAGE_BIAS && !is_forward_product(node->op)))
        return NULL;
    if (tensor->is_output || p->readers[tensor->id] != 1)
        return NULL;
    if (!node->in[slot])
        return node;
    return node->in[RESIDUAL] ? absorber(p, node->in[RESIDUAL], slot) : NULL;
}

static void fold_add(Pass *p, PenNode *add)
{
    PenTensor *a = add->in[0], *b = add->in[1];
    gboolean same = pen_shape_equal(a->shape, b->shape);
    guint slot = same ? RESIDUAL : IMAGE_BIAS;
    PenNode *node = absorber(p, a, slot);

    /* Of two products the later one takes the earlier one's result, which is there by then. */
    if (same && b->producer && (!node || a->producer->index < b->producer->index)) {
        PenNode *other = absorber(p, b, slot);
        if (other) {
            node = other;
            PenTensor *swap = a;
            a = b;
            b = swap;
        }
    }
    if (!node)
        return;

    node->in[slot] = b;
    node->n_in = MAX(node->n_in, slot + 1);
    /* The product at the end of the chain, a's own, now makes the sum. */
    PenNode *last = a->producer;
    drop_result(last, 0);
    last->out[0] = add->out[0];
    last->out[0]->producer = last;
    add->n_out = 0;
}

static gboolean can_follow(const gboolean *placed, const PenNode *node)
{
    for (guint i = 0; i < node->n_in; i++)
        if (node->in[i] && node->in[i]->producer && !placed[node->in[i]->producer->index])
            return FALSE;
    return TRUE;
}

/* Orders what is left. A folded operand may be made after the product that takes it; then the
 * product waits for it and everything else keeps its place. The operand cannot wait for the
 * product, on which only the sum depended. */
static void place(PenGraph *graph)
{
    GPtrArray *nodes = graph->nodes;
    g_autofree gboolean *placed = g_new0(gboolean, nodes->len);
    g_autoptr(GPtrArray) waiting = g_ptr_array_new();
    GPtrArray *order = g_ptr_array_new_full(nodes->len, g_free);

    for (guint k = 0; k < nodes->len; k++) {
        PenNode *node = nodes->pdata[k];
        if (node->n_out == 0) {
            g_free(node);
            continue;
        }
        g_ptr_array_add(waiting, node);
        for (guint i = 0; i < waiting->len;) {
            node = waiting->pdata[i];
            if (can_follow(placed, node)) {
                placed[node->index] = TRUE;
                g_ptr_array_add(order, node);
                g_ptr_array_remove_index(waiting, i);
                i = 0;
            } else {
                i++;
            }
        }
    }
    g_assert(waiting->len == 0);
    replace_nodes(graph, order);
}

static void fold(Pass *p)
{
    GPtrArray *nodes = p->graph->nodes;

    count_readers(p);
    for (guint k = 0; k < nodes->len; k++) {
        PenNode *node = nodes->pdata[k];
        if (node->op == PEN_OP_ADD)
            fold_add(p, node);
    }
    place(p->graph);
}

/* --- precision of outputs ------------------------------------------------------------------ */

static void widen_output(Pass *p, PenTensor *output)
{
    PenTensor *x = output;

    if (p->readers[x->id] != 0)
        return;
    while (x->producer->op == PEN_OP_RESHAPE) {
        x = x->producer->in[0];
        if (!x->producer || p->readers[x->id] != 1)
            return;
    }
    if (!is_product(x->producer->op))
        return;
    for (x->dtype = PEN_DTYPE_F32; output != x; output = output->producer->in[0])
        output->dtype = PEN_DTYPE_F32;
}

/* --- tensors ------------------------------------------------------------------------------- */

/* Takes away results that are not computed and parameters that nobody reads. Inputs stay: the host
 * writes them all. */
static void drop_tensors(Pass *p)
{
    GPtrArray *tensors = p->graph->tensors;
    guint kept = 0;

    for (guint i = 0; i < tensors->len; i++) {
        PenTensor *tensor = tensors->pdata[i];
        gboolean used = tensor->kind == PEN_TENSOR_INPUT || tensor->producer ||
                        (tensor->kind == PEN_TENSOR_PARAMETER && p->readers[i] > 0);
        if (used) {
            /* Swapped, not overwritten, so that the array frees the rest. */
            tensors->pdata[i] = tensors->pdata[kept];
            tensors->pdata[kept] = tensor;
            tensor->id = kept++;
        }
    }
    g_ptr_array_set_size(tensors, kept);
}

void pen_graph_fuse(PenGraph *graph)
{
    guint n = graph->tensors->len;
    g_autofree gboolean *needed = g_new0(gboolean, n);
    g_autofree guint *readers = g_new0(guint, n);
    Pass p = {.graph = graph, .needed = needed, .readers = readers};

    prune(&p);
    fold(&p);
    for (guint i = 0; i < n; i++) {
        PenTensor *tensor = graph->tensors->pdata[i];
        if (tensor->is_output)
            widen_output(&p, tensor);
    }
    drop_tensors(&p);
}
