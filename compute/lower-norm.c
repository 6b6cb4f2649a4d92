// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/lower-runs.h"

/* Members of the team that shares an item (shaders/team.glsl). */
static guint32 team_size(const PenLowering *l)
{
    return l->device->kind == PEN_DEVICE_SOFTWARE ? 1 : 64;
}

/* A dispatch of a team per item. */
static PenDispatch *lower_teams(PenLowering *l, const char *name, PenDtype dtype, guint64 items,
                                gboolean vector)
{
    guint32 team = team_size(l), workgroup = team > 1 ? team : 8;
    PenDispatch *d = pen_lower_dispatch(l, name, dtype, team > 1 ? items : pen_groups(items, 8));

    pen_dispatch_spec(d, workgroup);
    pen_dispatch_spec(d, vector);
    pen_dispatch_spec(d, team);
    return d;
}

/* Whether a team can take a group at a time: one dispatch in place of three. */
static gboolean small_groups(const PenLowering *l, PenShape shape)
{
    guint64 elements = (guint64)shape.h * shape.w * (shape.c / l->node->attr.groups);

    return elements <= (l->device->kind == PEN_DEVICE_SOFTWARE ? 1536 : 16384);
}

static void set_label(PenDispatch *d, const char *what, PenShape s)
{
    g_snprintf(d->label, sizeof d->label, "%s %ux%ux%u", what, s.h, s.w, s.c);
}

static void merge_partials(PenLowering *l, const PenColumnWalk *walk, PenTensor *partials,
                           PenTensor *merged, gboolean gradient)
{
    guint64 items = (guint64)walk->images * walk->groups;
    PenDispatch *d = lower_teams(l, "group_norm_merge", PEN_DTYPE_F32, items, TRUE);

    pen_dispatch_spec(d, gradient);
    pen_dispatch_bind(d, partials, PEN_ACCESS_READ);
    pen_dispatch_bind(d, merged, PEN_ACCESS_WRITE);
    pen_dispatch_push(d, walk, sizeof *walk);
    set_label(d, "group_norm merge", partials->shape);
    d->flops = 3.0 * (double)pen_shape_elements(partials->shape);
    d->bytes = pen_tensor_bytes(partials);
}

/* A dispatch of a kernel for small groups. */
static PenDispatch *lower_small_groups(PenLowering *l, const char *name)
{
    const PenNode *node = l->node;
    PenShape shape = node->in[0]->shape;
    struct {
        guint32 images, rows, channels, groups;
        float epsilon;
    } push = { shape.n, shape.h * shape.w, shape.c, node->attr.groups, node->attr.epsilon };

    PenDispatch *d =
        lower_teams(l, name, node->in[0]->dtype, (guint64)push.images * push.groups, FALSE);
    pen_dispatch_spec(d, node->attr.activation == PEN_ACTIVATION_SILU);
    pen_dispatch_push(d, &push, sizeof push);
    return d;
}

static void lower_group_norm_small(PenLowering *l)
{
    const PenNode *node = l->node;
    PenShape shape = node->in[0]->shape;

    PenDispatch *d = lower_small_groups(l, "group_norm_small");
    pen_dispatch_spec(d, node->out[1] != NULL);
    for (guint i = 0; i < 3; i++)
        pen_dispatch_bind(d, node->in[i], PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->out[1], PEN_ACCESS_WRITE);
    pen_dispatch_bind(d, node->out[0], PEN_ACCESS_WRITE);
    set_label(d, "group_norm", shape);
    d->flops = 12.0 * (double)pen_shape_elements(shape);
    d->bytes = 2 * pen_tensor_bytes(node->in[0]);
}

static void lower_group_norm_grad_small(PenLowering *l)
{
    const PenNode *node = l->node;
    PenShape shape = node->in[0]->shape;

    PenDispatch *d = lower_small_groups(l, "group_norm_grad_small");
    for (guint i = 0; i < 5; i++)
        pen_dispatch_bind(d, node->in[i], PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->out[0], PEN_ACCESS_WRITE);
    set_label(d, "group_norm dx", shape);
    d->flops = 32.0 * (double)pen_shape_elements(shape);
    d->bytes = 3 * pen_tensor_bytes(node->in[0]);
}

/* The last step: with the statistics to the result. */
static void apply_group_norm(PenLowering *l, PenTensor *statistics)
{
    const PenNode *node = l->node;
    PenTensor *x = node->in[0], *y = node->out[0];
    gboolean silu = node->attr.activation == PEN_ACTIVATION_SILU;

    PenColumnWalk walk = pen_column_walk(l, x->shape, FALSE);
    walk.groups = node->attr.groups;
    PenDispatch *d = pen_lower_columns(l, "group_norm", x->dtype, &walk);
    pen_dispatch_spec(d, silu);
    pen_dispatch_bind(d, x, PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->in[1], PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->in[2], PEN_ACCESS_READ);
    pen_dispatch_bind(d, statistics, PEN_ACCESS_READ);
    pen_dispatch_bind(d, y, PEN_ACCESS_WRITE);
    set_label(d, silu ? "group_norm silu" : "group_norm", x->shape);
    d->flops = (silu ? 6 : 2) * (double)pen_shape_elements(x->shape);
    d->bytes = 2 * pen_tensor_bytes(x);
}

/* The first two steps: each group's mean and reciprocal standard deviation. */
static void find_statistics(PenLowering *l, PenTensor *statistics)
{
    const PenNode *node = l->node;
    PenTensor *x = node->in[0];
    PenShape shape = x->shape;

    PenColumnWalk walk = pen_column_walk(l, shape, TRUE);
    walk.groups = node->attr.groups;
    walk.epsilon = node->attr.epsilon;
    PenTensor *partials = pen_column_scratch(l, &walk, 2);
    PenDispatch *d = pen_lower_columns(l, "group_norm_statistics", x->dtype, &walk);
    pen_dispatch_bind(d, x, PEN_ACCESS_READ);
    pen_dispatch_bind(d, partials, PEN_ACCESS_WRITE);
    set_label(d, "group_norm statistics", shape);
    d->flops = 4 * (double)pen_shape_elements(shape);
    d->bytes = pen_tensor_bytes(x);

    merge_partials(l, &walk, partials, statistics, FALSE);
}

static void lower_group_norm(PenLowering *l)
{
    const PenNode *node = l->node;
    PenTensor *statistics = node->out[1];

    if (!statistics)
        statistics = pen_lower_scratch(
            l, PEN_SHAPE(node->in[0]->shape.n, 1, node->attr.groups, 2), PEN_DTYPE_F32);
    find_statistics(l, statistics);
    if (node->out[0])
        apply_group_norm(l, statistics);
}

/* One of the two passes of group_norm_grad.comp over the tensors. */
static void group_norm_grad_pass(PenLowering *l, const PenColumnWalk *walk, PenTensor *means,
                                 PenTensor *partials)
{
    const PenNode *node = l->node;
    PenTensor *x = node->in[0];
    gboolean silu = node->attr.activation == PEN_ACTIVATION_SILU, sums = partials != NULL;
    PenDispatch *d = pen_lower_columns(l, "group_norm_grad", x->dtype, walk);

    pen_dispatch_spec(d, silu);
    pen_dispatch_spec(d, sums);
    for (guint i = 0; i < 5; i++)
        pen_dispatch_bind(d, node->in[i], PEN_ACCESS_READ);
    pen_dispatch_bind(d, means, PEN_ACCESS_READ);
    pen_dispatch_bind(d, sums ? NULL : node->out[0], PEN_ACCESS_WRITE);
    pen_dispatch_bind(d, partials, PEN_ACCESS_WRITE);
    set_label(d, sums ? "group_norm dx sums" : "group_norm dx", x->shape);
    d->flops = (silu ? 16.0 : 7.0) * (double)pen_shape_elements(x->shape);
    d->bytes = (sums ? 2 : 3) * pen_tensor_bytes(x);
}

static void lower_group_norm_grad(PenLowering *l)
{
    const PenNode *node = l->node;
    PenShape shape = node->in[0]->shape;

    PenColumnWalk walk = pen_column_walk(l, shape, TRUE);
    walk.groups = node->attr.groups;
    PenTensor *partials = pen_column_scratch(l, &walk, 2);
    PenTensor *means = pen_lower_scratch(l, PEN_SHAPE(shape.n, 1, walk.groups, 2), PEN_DTYPE_F32);
    group_norm_grad_pass(l, &walk, NULL, partials);
    merge_partials(l, &walk, partials, means, TRUE);

    PenColumnWalk apply = pen_column_walk(l, shape, FALSE);
    apply.groups = walk.groups;
    group_norm_grad_pass(l, &apply, means, NULL);
}

static void lower_layer_norm(PenLowering *l)
{
    const PenNode *node = l->node;
    gboolean gradient = node->op == PEN_OP_LAYER_NORM_GRAD;
    PenTensor *x = node->in[0];
    struct {
        guint32 rows, channels;
        float epsilon;
    } push = { (guint32)pen_shape_rows(x->shape), x->shape.c, node->attr.epsilon };

    PenDispatch *d = lower_teams(l, gradient ? "layer_norm_grad" : "layer_norm", x->dtype,
                                 push.rows, x->shape.c % 4 == 0);
    for (guint i = 0; i < 3; i++)
        pen_dispatch_bind(d, node->in[i], PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->out[0], PEN_ACCESS_WRITE);
    pen_dispatch_push(d, &push, sizeof push);
    set_label(d, gradient ? "layer_norm dx" : "layer_norm", x->shape);
    d->flops = (gradient ? 14.0 : 7.0) * (double)pen_shape_elements(x->shape);
    d->bytes = (gradient ? 3 : 2) * pen_tensor_bytes(x);
}

void pen_lower_norm(PenLowering *l)
{
    switch (l->node->op) {
    case PEN_OP_GROUP_NORM:
        if (l->node->n_in > 3)
            apply_group_norm(l, l->node->in[3]);
        else if (l->node->out[0] && small_groups(l, l->node->in[0]->shape))
            lower_group_norm_small(l);
        else
            lower_group_norm(l);
        break;
    case PEN_OP_CHANNEL_STATISTICS:
        find_statistics(l, l->node->out[0]);
        break;
    case PEN_OP_GROUP_NORM_GRAD:
        if (small_groups(l, l->node->in[0]->shape))
            lower_group_norm_grad_small(l);
        else
            lower_group_norm_grad(l);
        break;
    case PEN_OP_LAYER_NORM:
    case PEN_OP_LAYER_NORM_GRAD:
        lower_layer_norm(l);
        break;
    default:
        g_assert_not_reached();
    }
}
