// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/lower.h"

#include <string.h>

/* Vulkan promises no more workgroups in one dimension. */
#define MAX_GROUPS 65535u

PenDispatch *pen_lower_dispatch(PenLowering *l, const char *name, PenDtype dtype,
                                guint64 n_groups_x)
{
    PenDispatch d = {.groups = {(guint32)n_groups_x, 1, 1}};
    g_snprintf(d.shader, sizeof d.shader, "%s.%s", name, dtype == PEN_DTYPE_F16 ? "f16" : "f32");
    g_strlcpy(d.label, pen_op_name(l->node->op), sizeof d.label);
    if (n_groups_x > MAX_GROUPS) {
        /* The excess groups of the last row must do nothing: kernels test their range. */
        guint64 rows = (n_groups_x + MAX_GROUPS - 1) / MAX_GROUPS;
        d.groups[0] = (guint32)((n_groups_x + rows - 1) / rows);
        d.groups[1] = (guint32)rows;
    }
    g_array_append_val(l->dispatches, d);
    return &g_array_index(l->dispatches, PenDispatch, l->dispatches->len - 1);
}

void pen_dispatch_bind(PenDispatch *d, PenTensor *tensor, PenAccess access)
{
    g_return_if_fail(d->n_bindings < PEN_MAX_BINDINGS);
    d->bindings[d->n_bindings++] = (PenBinding){.tensor = tensor, .access = access};
}

void pen_dispatch_spec(PenDispatch *d, guint32 value)
{
    g_return_if_fail(d->n_spec < PEN_MAX_SPEC);
    d->spec[d->n_spec++] = value;
}

void pen_dispatch_push(PenDispatch *d, const void *data, guint size)
{
    g_return_if_fail(d->n_push + size <= PEN_MAX_PUSH);
    memcpy(d->push + d->n_push, data, size);
    d->n_push += size;
}

void pen_dispatch_addresses(PenDispatch *d, guint n)
{
    d->address_push = (d->n_push + 7) & ~7u;
    d->n_addresses = n;
    d->n_push = d->address_push + 8 * n;
    g_return_if_fail(d->n_push <= PEN_MAX_PUSH);
}

PenTensor *pen_lower_scratch(PenLowering *l, PenShape shape, PenDtype dtype)
{
    PenTensor *t = g_new0(PenTensor, 1);
    t->id = l->graph->tensors->len;
    t->kind = PEN_TENSOR_COMPUTED;
    t->shape = shape;
    t->dtype = dtype;
    t->producer = l->node;
    g_ptr_array_add(l->graph->tensors, t);
    return t;
}
