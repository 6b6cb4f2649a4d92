// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * One operation each, in the shapes that Stable Diffusion 1.5 at 512x512 and SDXL at 1024x1024
 * have, forward or backward: what `penchant bench` measures and the self-test checks.
 *
 * Inputs and parameters hold numbers between -1 and 1 that follow from their place in the graph, so
 * that the same case is the same work everywhere.
 */

#include "compute/plan.h"
#include "compute/reference.h"

G_BEGIN_DECLS

typedef enum {
    PEN_KERNEL_LINEAR,     /* rows x in -> out */
    PEN_KERNEL_ADAPTER,    /* the same; its gradient is that of the matrix */
    PEN_KERNEL_CONV,       /* kernel x kernel, in -> out on height x width */
    PEN_KERNEL_ATTENTION,  /* rows of queries, keys, in channels, heads */
    PEN_KERNEL_GROUP_NORM, /* 32 groups, with SiLU; in channels on height x width */
    PEN_KERNEL_LAYER_NORM, /* rows, in */
    PEN_KERNEL_GEGLU,
    PEN_KERNEL_SILU,
    PEN_KERNEL_ADD,
    PEN_KERNEL_ADD_VECTOR, /* one to all rows */
    PEN_KERNEL_SCALE,
    PEN_KERNEL_CONCAT,
    PEN_KERNEL_SLICE, /* the first `out` channels */
    PEN_KERNEL_UPSAMPLE,
    PEN_KERNEL_STATISTICS, /* of channels */
} PenKernelKind;

/* Numbers that the kind does not name are 0. */
typedef struct {
    PenKernelKind kind;
    gboolean gradient; /* the operation's, in its place */
    guint32 rows, in, out;
    guint32 height, width, kernel, stride;
    guint32 keys, heads;
    gboolean causal;
    gboolean fused;     /* of matrix products: with a bias and what fusion adds to the result */
    gboolean eight_bit; /* the weight is kept in 8 bits */
    gboolean bench;     /* one that `penchant bench` measures */
} PenKernelCase;

/* The first ones are Stable Diffusion 1.5's. */
const PenKernelCase *pen_kernel_cases(guint *n);

/* "conv", "attention"… Also what bench-torch.py knows. */
const char *pen_kernel_kind_name(PenKernelKind kind);

/* With its shape, e.g. "conv3x3 backward 320->320 64x64". Free with g_free(). */
char *pen_kernel_case_name(const PenKernelCase *kernel_case);

/* What it takes, about. */
double pen_kernel_case_flops(const PenKernelCase *kernel_case);

/* n numbers between -1 and 1, the same for each seed. Free with g_free(). */
float *pen_kernel_noise(gsize n, guint32 seed);

/* A case on a device, with its numbers. */
typedef struct {
    PenPlan *plan;         /* inputs written; outputs "0", "1"… */
    PenTensor *outputs[4]; /* of the plan's graph */
    guint n_outputs;
    PenReference *reference; /* knows the numbers; or NULL */
} PenKernelWork;

/* `reference`: with one. */
PenKernelWork *pen_kernel_work_new(const PenKernelCase *kernel_case, PenDevice *device,
                                   PenDtype dtype, gboolean reference, GError **error);
void pen_kernel_work_free(PenKernelWork *work);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenKernelWork, pen_kernel_work_free)

/* By the device's clock. */
typedef struct {
    double seconds, flops, bytes;
    char kernel[160]; /* the shader that took longest, with its specialization: its tile */
} PenKernelFigures;

/* The best of some runs that take about so long together. UNSUPPORTED where the device has no
 * clock. */
gboolean pen_kernel_work_measure(PenKernelWork *work, double seconds, PenKernelFigures *figures,
                                 GError **error);

G_END_DECLS
