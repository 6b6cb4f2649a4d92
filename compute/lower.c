// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/lower.h"

#include <string.h>

#define LANES_SUBGROUP 8 /* PEN_LANES of shaders/lanes.glsl */

PenDispatch *pen_lower_dispatch(PenLowering *l, const char *name, PenDtype dtype,
                                guint64 n_groups_x)
{
    PenDispatch d = { .groups = { (guint32)n_groups_x, 1, 1 } };
    g_snprintf(d.shader, sizeof d.shader, "%s.%s", name, dtype == PEN_DTYPE_F16 ? "f16" : "f32");
    g_strlcpy(d.label, pen_op_name(l->node->op), sizeof d.label);
    if (n_groups_x > PEN_MAX_GROUPS) {
        /* The excess groups of the last row must do nothing: kernels test their range. */
        guint64 rows = (n_groups_x + PEN_MAX_GROUPS - 1) / PEN_MAX_GROUPS;
        d.groups[0] = (guint32)((n_groups_x + rows - 1) / rows);
        d.groups[1] = (guint32)rows;
    }
    g_array_append_val(l->dispatches, d);
    return &g_array_index(l->dispatches, PenDispatch, l->dispatches->len - 1);
}

void pen_dispatch_bind(PenDispatch *d, PenTensor *tensor, PenAccess access)
{
    g_return_if_fail(d->n_bindings < PEN_MAX_BINDINGS);
    d->bindings[d->n_bindings++] = (PenBinding){ .tensor = tensor, .access = access };
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

void pen_dispatch_divides(PenDispatch *d, const char *what, guint32 value, guint32 by)
{
    g_return_if_fail(d->n_divisions < PEN_MAX_DIVISIONS);
    d->divisions[d->n_divisions++] = (PenDivision){ .what = what, .value = value, .by = by };
}

void pen_dispatch_addresses(PenDispatch *d, guint n)
{
    d->address_push = (d->n_push + 7) & ~7u;
    d->n_addresses = n;
    d->n_push = d->address_push + 8 * n;
    d->subgroup_size = LANES_SUBGROUP;
    g_return_if_fail(d->n_push <= PEN_MAX_PUSH);
}

guint32 pen_lower_subgroup(const PenDeviceInfo *device, guint32 least)
{
    /* Where there is a choice, small ones: their invocations have more registers. Below 16 a GPU
     * that can do more reads memory in halves. */
    for (guint32 size = MAX(device->subgroup_min, MIN(device->subgroup_max, 16));
         size && size <= device->subgroup_max; size *= 2)
        if (size >= least)
            return size;
    return 0;
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
