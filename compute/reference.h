// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The slow, obvious evaluator of a graph: on the processor, from host arrays, in double precision,
 * each operation written as its definition. The tests and the self-test compare the kernels with
 * it, and it is compared with finite differences.
 *
 * Tensors are row-major in their shape; weights are [out, in] or [out, kh, kw, in] as in
 * pen_parameter_write(). Parameters are abstract (pen_parameter_new_abstract) or real ones alike.
 * Only what is asked for is computed, with all that it follows from: a few elements of a large
 * result are cheap.
 */

#include "compute/graph.h"

G_BEGIN_DECLS

typedef struct _PenReference PenReference;

PenReference *pen_reference_new(void);
void pen_reference_free(PenReference *reference);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenReference, pen_reference_free)

/* Values by the input's name or by parameter. Copied. */
void pen_reference_set_input(PenReference *reference, const char *name, const double *values,
                             gsize n);
void pen_reference_set_parameter(PenReference *reference, PenParameter *parameter,
                                 const double *values, gsize n);

/* The array itself, to read or to change. */
double *pen_reference_input(PenReference *reference, const char *name);
double *pen_reference_parameter(PenReference *reference, PenParameter *parameter);

/* The tensor's value, or one element of it, of a graph before or after pen_graph_fuse(). Results
 * are remembered until pen_reference_forget() after a change of values or graph. */
const double *pen_reference_value(PenReference *reference, const PenTensor *tensor);
double pen_reference_element(PenReference *reference, const PenTensor *tensor, gsize i);
void pen_reference_forget(PenReference *reference);

G_END_DECLS
