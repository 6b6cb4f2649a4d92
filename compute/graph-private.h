// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The inside of a graph, for compute/ alone: nodes in execution order, tensors, attributes. */

#include "compute/graph.h"

G_BEGIN_DECLS

typedef enum {
    PEN_OP_LINEAR,          /* in: x, W, bias?, residual?, image bias? (the last two by fusion) */
    PEN_OP_LINEAR_INPUT,    /* dL/dx of LINEAR.  in: dy, W, -, residual? (by fusion) */
    PEN_OP_LINEAR_WEIGHT,   /* dL/dW of LINEAR.  in: dy, x.  float32 result */
    PEN_OP_CONV2D,          /* in: x, W, bias?, residual?, image bias? */
    PEN_OP_CONV2D_INPUT,    /* in: dy, W, -, residual? */
    PEN_OP_GROUP_NORM,      /* in: x, gamma, beta, given statistics?  out: y, and statistics
                               [n,1,groups,2] float32 unless they are given */
    PEN_OP_CHANNEL_STATISTICS, /* in: x.  out: [n,1,c,2] float32, as GROUP_NORM's of a group a channel */
    PEN_OP_GROUP_NORM_GRAD, /* in: x, gamma, beta, statistics, dy.  out: dx */
    PEN_OP_LAYER_NORM,      /* in: x, gamma, beta */
    PEN_OP_LAYER_NORM_GRAD, /* in: x, gamma, dy */
    PEN_OP_ACTIVATION,      /* in: x */
    PEN_OP_ACTIVATION_GRAD, /* in: x, dy */
    PEN_OP_GEGLU,           /* in: x */
    PEN_OP_GEGLU_GRAD,      /* in: x, dy */
    PEN_OP_ADD,             /* in: a, b */
    PEN_OP_SUM_SPACE,       /* in: dy [n,h,w,c].  out: [n or 1,1,1,c], gradient of a broadcast */
    PEN_OP_SCALE,           /* in: x, s */
    PEN_OP_CONCAT,          /* in: a, b */
    PEN_OP_SLICE,           /* in: x.  attr.first; result c channels */
    PEN_OP_PAD,             /* in: dy.  gradient of SLICE: zeros around, attr.first */
    PEN_OP_UPSAMPLE,        /* in: x */
    PEN_OP_UPSAMPLE_GRAD,   /* in: dy */
    PEN_OP_ATTENTION,       /* in: q, k, v.  out: o, log-sum-exp [n,1,heads,Tq] float32 */
    PEN_OP_ATTENTION_GRAD,  /* in: q, k, v, o, lse, do.  out: dq, dk, dv */
    PEN_OP_RESHAPE,         /* in: x.  No work: the result shares x's memory */
} PenOp;

typedef enum { PEN_TENSOR_INPUT, PEN_TENSOR_PARAMETER, PEN_TENSOR_COMPUTED } PenTensorKind;

typedef struct _PenNode PenNode;

struct _PenTensor {
    guint id; /* index in graph->tensors */
    PenTensorKind kind;
    PenShape shape;
    PenDtype dtype;
    PenNode *producer;       /* of COMPUTED */
    PenParameter *parameter; /* of PARAMETER; owned reference */
    char *name;              /* of INPUT, and of outputs */
    gboolean is_output;
    gboolean late; /* of INPUT: pen_graph_late_input() */
};

#define PEN_NODE_MAX_IN 6
#define PEN_NODE_MAX_OUT 3

typedef struct {
    guint32 stride;
    PenPadding padding;
    guint32 groups;
    float epsilon;
    PenActivation activation;
    guint32 heads;
    gboolean causal;
    guint32 first;
} PenAttributes;

struct _PenNode {
    PenOp op;
    PenAttributes attr;
    PenTensor *in[PEN_NODE_MAX_IN]; /* absent optional inputs are NULL */
    guint n_in;
    PenTensor *out[PEN_NODE_MAX_OUT]; /* results nobody reads may be dropped by the plan (NULL) */
    guint n_out;
    guint block; /* checkpoint block, 0 for none */
    guint index; /* in graph->nodes */
};

struct _PenGraph {
    PenDtype storage;
    GPtrArray *tensors; /* PenTensor, owned */
    GPtrArray *nodes;   /* PenNode, owned, in execution order */
    guint block, n_blocks;
    GError *error;
};

const char *pen_op_name(PenOp op);

/* "[n, h, w, c]" for messages. */
char *pen_shape_string(PenShape shape);

/* Whether the graph has no error and `in` holds n_in of its tensors; what is wrong is recorded.
 * `what` begins the message. */
gboolean pen_graph_operands(PenGraph *graph, const char *what, PenTensor *const *in, guint n_in);

/* Appends a node; its results are made with pen_node_result(). */
PenNode *pen_graph_node(PenGraph *graph, PenOp op, PenTensor *const *in, guint n_in);
PenTensor *pen_node_result(PenGraph *graph, PenNode *node, PenShape shape, PenDtype dtype);

/* The constructors of the backward operations (ops-backward.c); shapes as in PenOp. */
PenTensor *pen_graph_linear_input(PenGraph *graph, PenTensor *dy, PenTensor *weight);
PenTensor *pen_graph_linear_weight(PenGraph *graph, PenTensor *dy, PenTensor *x);
PenTensor *pen_graph_conv2d_input(PenGraph *graph, PenTensor *dy, PenTensor *weight,
                                  PenShape x_shape, guint32 stride, PenPadding padding);
PenTensor *pen_graph_group_norm_grad(PenGraph *graph, PenNode *forward, PenTensor *x,
                                     PenTensor *statistics, PenTensor *dy);
PenTensor *pen_graph_layer_norm_grad(PenGraph *graph, PenNode *forward, PenTensor *x,
                                     PenTensor *dy);
PenTensor *pen_graph_activation_grad(PenGraph *graph, PenTensor *x, PenTensor *dy,
                                     PenActivation activation);
PenTensor *pen_graph_geglu_grad(PenGraph *graph, PenTensor *x, PenTensor *dy);
PenTensor *pen_graph_sum_space(PenGraph *graph, PenTensor *dy, guint32 n);
PenTensor *pen_graph_pad(PenGraph *graph, PenTensor *dy, guint32 first, guint32 channels);
PenTensor *pen_graph_upsample_grad(PenGraph *graph, PenTensor *dy, PenShape x_shape);
void pen_graph_attention_grad(PenGraph *graph, PenNode *forward, PenTensor *const in[5],
                              PenTensor *grad_o, PenTensor *out[3]);

/*
 * The plan's first pass (fuse.c), on a graph without error.
 *
 * Nodes that no output needs go away, and so do second results (statistics, log-sum-exp, gradients
 * of q, k or v) that nobody reads: out[i] becomes NULL. The first result of a node that stays is
 * kept, except for ATTENTION_GRAD, where any of the three may be NULL.
 *
 * ADD is folded into the matrix product (LINEAR, CONV2D or one of their input gradients) that makes
 * one of its operands, when nothing else needs that operand: the other operand becomes in[3], or,
 * with LINEAR and CONV2D, in[4] when it is broadcast over h and w.
 * Nodes are put in an execution order again. Tensors that are left over are freed, and the others
 * numbered anew: every COMPUTED tensor has a producer afterwards, every PARAMETER a reader.
 *
 * Outputs that come straight from a matrix product (also through RESHAPE) become float32.
 */
void pen_graph_fuse(PenGraph *graph);

G_END_DECLS
