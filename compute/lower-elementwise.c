// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>

#include "compute/lower-runs.h"

static void finish(PenDispatch *d, const PenNode *node, const char *what, double flops)
{
    PenShape s = node->out[0]->shape;

    g_snprintf(d->label, sizeof d->label, "%s %ux%ux%u", what, s.h, s.w, s.c);
    d->flops = flops * (double)pen_shape_elements(s);
    d->bytes = pen_tensor_bytes(node->out[0]);
    for (guint i = 0; i < node->n_in; i++)
        d->bytes += pen_tensor_bytes(node->in[i]);
}

/* For kernels that see a tensor as one long row. */
static PenDispatch *lower_flat(PenLowering *l, const char *name, PenTensor *y)
{
    guint32 count = (guint32)pen_shape_elements(y->shape);
    PenDispatch *d = pen_lower_runs(l, name, y->dtype, pen_groups(count, 4), count % 4 == 0);

    pen_dispatch_push(d, &count, sizeof count);
    return d;
}

static void lower_activation(PenLowering *l)
{
    static const char *const labels[] = {
        [PEN_ACTIVATION_SILU] = "silu",
        [PEN_ACTIVATION_GELU] = "gelu",
        [PEN_ACTIVATION_QUICK_GELU] = "quick_gelu",
    };
    const PenNode *node = l->node;
    gboolean gradient = node->op == PEN_OP_ACTIVATION_GRAD;

    PenDispatch *d = lower_flat(l, "activation", node->out[0]);
    pen_dispatch_spec(d, node->attr.activation);
    pen_dispatch_spec(d, gradient);
    pen_dispatch_bind(d, node->in[0], PEN_ACCESS_READ);
    pen_dispatch_bind(d, gradient ? node->in[1] : NULL, PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->out[0], PEN_ACCESS_WRITE);
    g_autofree char *label =
        g_strconcat(labels[node->attr.activation], gradient ? " dx" : NULL, NULL);
    finish(d, node, label, gradient ? 10 : 5);
}

static void lower_geglu(PenLowering *l)
{
    const PenNode *node = l->node;
    gboolean gradient = node->op == PEN_OP_GEGLU_GRAD;
    PenShape half = node->in[0]->shape;
    half.c /= 2;
    guint32 push[] = { (guint32)pen_shape_rows(half), half.c };

    PenDispatch *d =
        pen_lower_runs(l, "geglu", node->out[0]->dtype, pen_runs(half), half.c % 4 == 0);
    pen_dispatch_spec(d, gradient);
    pen_dispatch_bind(d, node->in[0], PEN_ACCESS_READ);
    pen_dispatch_bind(d, gradient ? node->in[1] : NULL, PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->out[0], PEN_ACCESS_WRITE);
    pen_dispatch_push(d, push, sizeof push);
    finish(d, node, gradient ? "geglu dx" : "geglu", 25);
}

static void lower_add(PenLowering *l)
{
    const PenNode *node = l->node;
    PenTensor *y = node->out[0], *b = node->in[1];
    guint32 rows = (guint32)pen_shape_rows(y->shape);
    guint32 push[] = { rows, y->shape.c, rows / (guint32)pen_shape_rows(b->shape) };

    PenDispatch *d = pen_lower_runs(l, "add", y->dtype, pen_runs(y->shape), y->shape.c % 4 == 0);
    pen_dispatch_spec(d, push[2] > 1);
    pen_dispatch_bind(d, node->in[0], PEN_ACCESS_READ);
    pen_dispatch_bind(d, b, PEN_ACCESS_READ);
    pen_dispatch_bind(d, y, PEN_ACCESS_WRITE);
    pen_dispatch_push(d, push, sizeof push);
    finish(d, node, push[2] > 1 ? "add broadcast" : "add", 1);
}

static void lower_scale(PenLowering *l)
{
    const PenNode *node = l->node;

    PenDispatch *d = lower_flat(l, "scale", node->out[0]);
    pen_dispatch_bind(d, node->in[0], PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->in[1], PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->out[0], PEN_ACCESS_WRITE);
    finish(d, node, "scale", 1);
}

static void lower_sum_space(PenLowering *l)
{
    const PenNode *node = l->node;
    PenTensor *x = node->in[0], *y = node->out[0];
    PenShape shape = x->shape;
    if (y->shape.n == 1) /* one sum over all images: they are one tall image */
        shape = PEN_SHAPE(1, shape.n * shape.h, shape.w, shape.c);

    PenColumnWalk walk = pen_column_walk(l, shape, TRUE);
    PenTensor *partials = pen_column_scratch(l, &walk, 1);
    PenDispatch *d = pen_lower_columns(l, "sum_space", x->dtype, &walk);
    pen_dispatch_bind(d, x, PEN_ACCESS_READ);
    pen_dispatch_bind(d, partials, PEN_ACCESS_WRITE);
    g_snprintf(d->label, sizeof d->label, "sum_space %ux%ux%u", shape.h, shape.w, shape.c);
    d->flops = (double)pen_shape_elements(shape);
    d->bytes = pen_tensor_bytes(x);

    d = pen_lower_runs(l, "sum_partials", y->dtype, pen_runs(y->shape), y->shape.c % 4 == 0);
    pen_dispatch_bind(d, partials, PEN_ACCESS_READ);
    pen_dispatch_bind(d, y, PEN_ACCESS_WRITE);
    pen_dispatch_push(d, &walk, sizeof walk);
    finish(d, node, "sum_space merge", walk.chunks);
    d->bytes = pen_tensor_bytes(partials);
}

static void lower_concat(PenLowering *l)
{
    const PenNode *node = l->node;
    PenShape a = node->in[0]->shape, b = node->in[1]->shape;
    guint32 push[] = { (guint32)pen_shape_rows(a), a.c, b.c };

    PenDispatch *d = pen_lower_runs(l, "concat", node->out[0]->dtype, pen_runs(a) + pen_runs(b),
                                    a.c % 4 == 0 && b.c % 4 == 0);
    pen_dispatch_bind(d, node->in[0], PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->in[1], PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->out[0], PEN_ACCESS_WRITE);
    pen_dispatch_push(d, push, sizeof push);
    finish(d, node, "concat", 0);
}

static void lower_channels(PenLowering *l)
{
    const PenNode *node = l->node;
    gboolean pad = node->op == PEN_OP_PAD;
    PenShape x = node->in[0]->shape, y = node->out[0]->shape;
    guint32 push[] = { (guint32)pen_shape_rows(y), x.c, y.c, node->attr.first };

    PenDispatch *d = pen_lower_runs(l, "channels", node->out[0]->dtype, pen_runs(y),
                                    x.c % 4 == 0 && y.c % 4 == 0 && push[3] % 4 == 0);
    pen_dispatch_spec(d, pad);
    pen_dispatch_bind(d, node->in[0], PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->out[0], PEN_ACCESS_WRITE);
    pen_dispatch_push(d, push, sizeof push);
    finish(d, node, pad ? "pad" : "slice", 0);
}

static void lower_upsample(PenLowering *l)
{
    const PenNode *node = l->node;
    gboolean gradient = node->op == PEN_OP_UPSAMPLE_GRAD;
    PenShape x = node->in[0]->shape, y = node->out[0]->shape;
    PenShape source = gradient ? y : x, target = gradient ? x : y;
    guint32 push[] = {
        (guint32)pen_shape_rows(y), y.c, source.h, source.w, target.h, target.w,
    };

    PenDispatch *d = pen_lower_runs(l, gradient ? "upsample_grad" : "upsample", node->out[0]->dtype,
                                    pen_runs(y), y.c % 4 == 0);
    pen_dispatch_bind(d, node->in[0], PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->out[0], PEN_ACCESS_WRITE);
    pen_dispatch_push(d, push, sizeof push);
    finish(d, node, gradient ? "upsample dx" : "upsample", 0);
    if (gradient)
        d->flops = (double)pen_shape_elements(target);
}

void pen_lower_elementwise(PenLowering *l)
{
    const PenNode *node = l->node;

    for (guint i = 0; i < node->n_in; i++) {
        if (node->in[i] && node->in[i]->dtype != node->out[0]->dtype) {
            pen_graph_fail(l->graph, _("%s: an operand and the result have different precision."),
                           pen_op_name(node->op));
            return;
        }
    }
    switch (node->op) {
    case PEN_OP_ACTIVATION:
    case PEN_OP_ACTIVATION_GRAD:
        lower_activation(l);
        break;
    case PEN_OP_GEGLU:
    case PEN_OP_GEGLU_GRAD:
        lower_geglu(l);
        break;
    case PEN_OP_ADD:
        lower_add(l);
        break;
    case PEN_OP_SUM_SPACE:
        lower_sum_space(l);
        break;
    case PEN_OP_SCALE:
        lower_scale(l);
        break;
    case PEN_OP_CONCAT:
        lower_concat(l);
        break;
    case PEN_OP_SLICE:
    case PEN_OP_PAD:
        lower_channels(l);
        break;
    case PEN_OP_UPSAMPLE:
    case PEN_OP_UPSAMPLE_GRAD:
        lower_upsample(l);
        break;
    default:
        g_assert_not_reached();
    }
}
