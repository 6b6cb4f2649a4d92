// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Lowering, for compute/ alone: turns a node into dispatches of compute shaders.
 *
 * Each family of operations has a file lower-*.c with one function that looks at node->op. A
 * dispatch names a shader, its specialization constants, push constants, bindings in the order of
 * the shader's `binding = i`, and the number of workgroups; the plan does the rest (memory,
 * barriers, pipelines, recording).
 */

#include "compute/device.h"
#include "compute/graph-private.h"

G_BEGIN_DECLS

#define PEN_MAX_BINDINGS 8
#define PEN_MAX_SPEC 16
#define PEN_MAX_PUSH 128
#define PEN_MAX_DIVISIONS 6
#define PEN_MAX_GROUPS 65535u /* Vulkan promises no more workgroups in one dimension */

typedef enum { PEN_ACCESS_READ = 1, PEN_ACCESS_WRITE = 2 } PenAccess;

typedef struct {
    PenTensor *tensor; /* or NULL for an absent optional binding: a dummy range is bound */
    PenAccess access;
} PenBinding;

/* A kernel's loops do their whole work only where `value` is a multiple of `by`. */
typedef struct {
    const char *what; /* are counted, e.g. "rows of a tile" */
    guint32 value, by;
} PenDivision;

typedef struct {
    char shader[48];            /* name in the embedded table with its variant, e.g. "silu.f16" */
    char label[72];             /* for profiles */
    guint32 spec[PEN_MAX_SPEC]; /* specialization constants 0, 1, 2, … */
    guint n_spec;
    guint32 subgroup_size; /* that the shader asks for, all of them full; 0: any */
    PenDivision divisions[PEN_MAX_DIVISIONS];
    guint n_divisions;
    guint8 push[PEN_MAX_PUSH];
    guint n_push;
    guint address_push, n_addresses; /* pen_dispatch_addresses() */
    PenBinding bindings[PEN_MAX_BINDINGS];
    guint n_bindings;
    guint32 groups[3];
    double flops, bytes;
} PenDispatch;

typedef struct {
    const PenDeviceInfo *device;
    PenGraph *graph;
    PenNode *node;
    GArray *dispatches; /* PenDispatch */
} PenLowering;

/* Appends a dispatch of shader `name` in the variant of `dtype` ("name.f32", "name.f16") with `n`
 * groups along x (y, z: 1); fill in the rest through the result, which is valid until the next
 * call. */
PenDispatch *pen_lower_dispatch(PenLowering *l, const char *name, PenDtype dtype,
                                guint64 n_groups_x);

void pen_dispatch_bind(PenDispatch *d, PenTensor *tensor, PenAccess access);
void pen_dispatch_spec(PenDispatch *d, guint32 value);
void pen_dispatch_push(PenDispatch *d, const void *data, guint size);

void pen_dispatch_divides(PenDispatch *d, const char *what, guint32 value, guint32 by);

/* Appends the addresses of bindings 0 to n-1 to the push constants, each a uint64_t at a multiple
 * of 8 bytes. Only for PEN_KERNELS_LANES, whose subgroups of 8 it asks for. */
void pen_dispatch_addresses(PenDispatch *d, guint n);

/* A temporary of the dispatches of the current node alone. */
PenTensor *pen_lower_scratch(PenLowering *l, PenShape shape, PenDtype dtype);

/* Whether the device can run a dispatch: its limits and abilities, by what the kernel's own code
 * says (compute/kernel.h), and the kernel's divisions. The error (UNSUPPORTED) names kernel and
 * limit. Lowering chooses with it, and pen_plan_new() refuses a plan with a dispatch that fails. */
gboolean pen_dispatch_fits(const PenDeviceInfo *device, const PenDispatch *d, GError **error);

/* The size of subgroup to ask for where invocations of `least` neighbours exchange values; 0: there
 * is none. */
guint32 pen_lower_subgroup(const PenDeviceInfo *device, guint32 least);

/* Whether there is a matrix product for the device's cooperative matrices. */
gboolean pen_lower_matrix_fits(const PenDeviceInfo *device);

/* Workgroups that cover `items` with `size` each. pen_lower_dispatch folds more than PEN_MAX_GROUPS
 * into y; shaders get their linear index with PEN_GROUP_INDEX. */
static inline guint64 pen_groups(guint64 items, guint64 size)
{
    return (items + size - 1) / size;
}

void pen_lower_matmul(PenLowering *l);      /* LINEAR*, CONV2D* */
void pen_lower_norm(PenLowering *l);        /* GROUP_NORM*, CHANNEL_STATISTICS, LAYER_NORM* */
void pen_lower_attention(PenLowering *l);   /* ATTENTION* */
void pen_lower_elementwise(PenLowering *l); /* the rest */

G_END_DECLS
