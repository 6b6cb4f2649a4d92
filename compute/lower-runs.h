// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Lowering of kernels that work on runs of four channels (shaders/tensor.glsl), and of those that
 * walk down columns of runs (shaders/columns.glsl).
 */

#include "compute/lower.h"

G_BEGIN_DECLS

/* Invocations of a workgroup. */
static inline guint32 pen_run_workgroup(const PenLowering *l)
{
    return l->device->kind == PEN_DEVICE_SOFTWARE ? 64 : MIN(256, l->device->max_workgroup);
}

/* Runs of a shape: each row's channels are cut into runs of four, the last one may be shorter. */
static inline guint64 pen_runs(PenShape shape)
{
    return pen_shape_rows(shape) * pen_groups(shape.c, 4);
}

/* A dispatch with one invocation per run and the specialization constants that all run kernels
 * have: the workgroup's size, and whether all runs are whole and aligned. */
static inline PenDispatch *pen_lower_runs(PenLowering *l, const char *name, PenDtype dtype,
                                          guint64 runs, gboolean vector)
{
    guint32 workgroup = pen_run_workgroup(l);
    PenDispatch *d = pen_lower_dispatch(l, name, dtype, pen_groups(runs, workgroup));

    pen_dispatch_spec(d, workgroup);
    pen_dispatch_spec(d, vector);
    return d;
}

/* Bytes of a tensor; 0 for NULL. */
static inline double pen_tensor_bytes(const PenTensor *tensor)
{
    return tensor
               ? (double)pen_shape_elements(tensor->shape) * (double)pen_dtype_size(tensor->dtype)
               : 0;
}

/* Push constants of the kernels that walk down columns. */
typedef struct {
    guint32 images, rows, channels, chunk_rows, chunks;
    guint32 groups;
    float epsilon;
} PenColumnWalk;

/* Cuts the rows of each image into chunks, so that there are enough of them to fill the device and,
 * if `partials` are to be merged, not too many for that. */
static inline PenColumnWalk pen_column_walk(const PenLowering *l, PenShape shape, gboolean partials)
{
    /* Invocations that keep the device busy, and how many chunks are cheap to merge. */
    guint64 invocations = l->device->kind == PEN_DEVICE_SOFTWARE ? 2048 : 65536;
    guint64 most_chunks = l->device->kind == PEN_DEVICE_SOFTWARE ? 32 : 512;
    guint32 rows = shape.h * shape.w;
    guint64 columns = shape.n * pen_groups(shape.c, 4);
    guint64 chunks = MIN(pen_groups(invocations, columns), pen_groups(rows, 8));
    if (partials)
        chunks = MIN(chunks, most_chunks);
    chunks = MAX(chunks, pen_groups(rows, 4096)); /* sums of more terms lose digits */
    guint32 chunk_rows = (guint32)pen_groups(rows, chunks);

    return (PenColumnWalk){
        .images = shape.n,
        .rows = rows,
        .channels = shape.c,
        .chunk_rows = chunk_rows,
        .chunks = (guint32)pen_groups(rows, chunk_rows),
        .groups = 1,
    };
}

/* A dispatch with one invocation per chunk and column; `walk` is pushed. */
static inline PenDispatch *pen_lower_columns(PenLowering *l, const char *name, PenDtype dtype,
                                             const PenColumnWalk *walk)
{
    guint64 columns = (guint64)walk->images * walk->chunks * pen_groups(walk->channels, 4);
    PenDispatch *d = pen_lower_runs(l, name, dtype, columns, walk->channels % 4 == 0);

    pen_dispatch_push(d, walk, sizeof *walk);
    return d;
}

/* Scratch for `vectors` float32 vectors of four for each chunk and column. */
static inline PenTensor *pen_column_scratch(PenLowering *l, const PenColumnWalk *walk,
                                            guint32 vectors)
{
    guint32 channels = (guint32)pen_groups(walk->channels, 4) * 4;

    return pen_lower_scratch(l, PEN_SHAPE(walk->images, walk->chunks, vectors, channels),
                             PEN_DTYPE_F32);
}

G_END_DECLS
