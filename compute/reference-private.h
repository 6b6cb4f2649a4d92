// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The inside of the reference: reference.c walks the graph, reference-ops.c holds the operations.
 *
 * A node is computed in units, each at most once: a row of its result (the channels of a pixel or
 * token), or an image where its statistics join all rows. An operation asks for each row that it
 * reads, which computes that row if nobody did before.
 */

#include "compute/graph-private.h"
#include "compute/reference.h"

G_BEGIN_DECLS

/* An operand of a node. */
typedef struct {
    const PenTensor *tensor; /* NULL: absent */
    const double *values;    /* what is not computed yet is undefined */
    PenShape shape;
} PenReferenceOperand;

/* What an operation works on. A result that a pass dropped is computed for nobody. */
typedef struct {
    PenReference *reference;
    const PenNode *node;
    const PenAttributes *attr;
    PenReferenceOperand in[PEN_NODE_MAX_IN];
    double *out[PEN_NODE_MAX_OUT]; /* zeros where nothing was computed */
    PenShape out_shape[PEN_NODE_MAX_OUT];
} PenReferenceCall;

/* Computes what `operand` has at element i. */
void pen_reference_need(const PenReferenceCall *call, guint operand, gsize i);

/* How many units a node has, and that of element i of result `which`. */
gsize pen_reference_units(const PenReferenceCall *call);
gsize pen_reference_unit(const PenReferenceCall *call, guint which, gsize i);
void pen_reference_compute(const PenReferenceCall *call, gsize unit);

G_END_DECLS
