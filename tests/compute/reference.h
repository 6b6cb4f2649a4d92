// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The slow, obvious evaluator of a graph: node by node on the CPU, from host arrays, in double
 * precision, each operation written as its definition. Kernels are compared with it, and it is
 * compared with finite differences.
 *
 * Tensors are row-major in their shape; weights are [out, in] or [out, kh, kw, in] as in
 * pen_parameter_write(). Parameters are abstract (pen_parameter_new_abstract) or real ones alike.
 */

#include "compute/graph.h"

typedef struct _Reference Reference;

Reference *reference_new(void);
void reference_free(Reference *reference);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Reference, reference_free)

/* Values by the input's name or by parameter. Copied. */
void reference_set_input(Reference *reference, const char *name, const double *values, gsize n);
void reference_set_parameter(Reference *reference, PenParameter *parameter, const double *values,
                             gsize n);

/* The array itself, to read or to change. */
double *reference_input(Reference *reference, const char *name);
double *reference_parameter(Reference *reference, PenParameter *parameter);

/* The tensor's value, of a graph before or after pen_graph_fuse(): evaluates the nodes that it
 * needs and remembers their results, until reference_forget() after a change of values or graph. */
const double *reference_value(Reference *reference, const PenTensor *tensor);
void reference_forget(Reference *reference);
