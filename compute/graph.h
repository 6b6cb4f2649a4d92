// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A static graph of tensor operations.
 *
 * A graph is built once by calling the constructors below, which infer the shape of every result,
 * and is then handed to pen_plan_new() (compute/plan.h), which compiles it for one device.
 *
 * Shapes. Every tensor has four dimensions [n, h, w, c], channels last (NHWC). A sequence of
 * T tokens is [n, 1, T, c], a vector is [1, 1, 1, c], a scalar [1, 1, 1, 1]. Linear layers and
 * attention therefore see a row-major matrix of n*h*w rows and c columns with no transposition.
 *
 * Precision. Activations and parameters are stored in the graph's dtype; kernels always
 * accumulate in float32. Inputs are written and outputs are read as float32.
 *
 * Ownership. A PenTensor belongs to its graph and lives as long. Parameters are reference counted
 * and shared between graphs (compute/parameter.h).
 *
 * Errors. The first mistake (shapes that do not fit, an operation without a gradient) is kept in
 * the graph; constructors return NULL and accept NULL from then on, so that a model is written
 * without a check behind each line. pen_graph_check() reports it.
 */

#include <glib.h>

G_BEGIN_DECLS

#define PEN_COMPUTE_ERROR (pen_compute_error_quark())

typedef enum {
    PEN_COMPUTE_ERROR_NO_DEVICE,     /* no Vulkan device that can do the work */
    PEN_COMPUTE_ERROR_UNSUPPORTED,   /* the device lacks something that was asked for */
    PEN_COMPUTE_ERROR_OUT_OF_MEMORY, /* device or host memory ran out */
    PEN_COMPUTE_ERROR_DEVICE_LOST,   /* the driver gave the device up */
    PEN_COMPUTE_ERROR_GRAPH,         /* shapes or operations that do not fit together */
    PEN_COMPUTE_ERROR_FAILED,        /* any other Vulkan failure */
} PenComputeError;

GQuark pen_compute_error_quark(void);

typedef enum { PEN_DTYPE_F32, PEN_DTYPE_F16 } PenDtype;

/* Bytes of one element. */
gsize pen_dtype_size(PenDtype dtype);

typedef struct {
    guint32 n, h, w, c;
} PenShape;

#define PEN_SHAPE(n, h, w, c) ((PenShape){(n), (h), (w), (c)})

static inline guint64 pen_shape_elements(PenShape s)
{
    return (guint64)s.n * s.h * s.w * s.c;
}

/* Rows of the matrix view: everything but the channels. */
static inline guint64 pen_shape_rows(PenShape s)
{
    return (guint64)s.n * s.h * s.w;
}

static inline gboolean pen_shape_equal(PenShape a, PenShape b)
{
    return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c;
}

typedef enum {
    PEN_ACTIVATION_NONE,
    PEN_ACTIVATION_SILU,       /* x sigmoid(x) */
    PEN_ACTIVATION_GELU,       /* x Phi(x), with the error function */
    PEN_ACTIVATION_QUICK_GELU, /* x sigmoid(1.702 x) */
} PenActivation;

typedef struct {
    guint32 top, left, bottom, right;
} PenPadding;

typedef struct _PenGraph PenGraph;
typedef struct _PenTensor PenTensor;
typedef struct _PenParameter PenParameter;

PenGraph *pen_graph_new(PenDtype storage);
void pen_graph_free(PenGraph *graph);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenGraph, pen_graph_free)

/* FALSE and the first error if any constructor failed. */
gboolean pen_graph_check(PenGraph *graph, GError **error);

/* Records an error from outside (a model builder's own check); the first one is kept. */
void pen_graph_fail(PenGraph *graph, const char *format, ...) G_GNUC_PRINTF(2, 3);

PenShape pen_tensor_shape(const PenTensor *tensor);

/* A value the host writes before each run (pen_plan_write). `name` is unique among inputs. */
PenTensor *pen_graph_input(PenGraph *graph, const char *name, PenShape shape);

/* The same, stored in float32 whatever the graph's precision. */
PenTensor *pen_graph_input_f32(PenGraph *graph, const char *name, PenShape shape);

/* An input that the host only knows once it has read what was computed so far, such as dL/dy, which
 * depends on y: a run stops before the first operation that needs a late input, and pen_plan_finish()
 * goes on (compute/plan.h). */
PenTensor *pen_graph_late_input(PenGraph *graph, const char *name, PenShape shape);

/* A device-resident parameter; the graph takes a reference. */
PenTensor *pen_graph_parameter(PenGraph *graph, PenParameter *parameter);

/* Marks `x` as a result the host reads after a run (pen_plan_read). Results of linear and
 * convolution layers are kept in float32 even in a float16 graph when nothing else reads them. */
void pen_graph_output(PenGraph *graph, const char *name, PenTensor *x);

/* --- forward operations -------------------------------------------------------------------- */

/* y = x W^T + b.  x [.., in], weight [1,1,out,in] (a parameter), bias [1,1,1,out] or NULL. */
PenTensor *pen_graph_linear(PenGraph *graph, PenTensor *x, PenTensor *weight, PenTensor *bias);

/* Cross-correlation as torch.nn.Conv2d. weight [out, kh, kw, in] (a parameter), bias or NULL. */
PenTensor *pen_graph_conv2d(PenGraph *graph, PenTensor *x, PenTensor *weight, PenTensor *bias,
                            guint32 stride, PenPadding padding);

/* Group normalisation over (h, w, c/groups), biased variance, then scale and shift per channel
 * and, with PEN_ACTIVATION_SILU, SiLU (no other activation is accepted here). */
PenTensor *pen_graph_group_norm(PenGraph *graph, PenTensor *x, PenTensor *gamma, PenTensor *beta,
                                guint32 groups, float epsilon, PenActivation activation);

/* The same with given statistics, [n, 1, groups, 2] in float32: mean and reciprocal standard deviation,
 * for a part of a tensor whose statistics are those of the whole. Has no gradient. */
PenTensor *pen_graph_group_norm_given(PenGraph *graph, PenTensor *x, PenTensor *gamma,
                                      PenTensor *beta, PenTensor *statistics, guint32 groups,
                                      PenActivation activation);

/* What group_norm_given() would take for a group a channel: [n, 1, c, 2] in float32, the mean of each
 * channel over h and w and 1 / sqrt(variance + epsilon). Has no gradient. */
PenTensor *pen_graph_channel_statistics(PenGraph *graph, PenTensor *x, float epsilon);

/* Layer normalisation over c. */
PenTensor *pen_graph_layer_norm(PenGraph *graph, PenTensor *x, PenTensor *gamma, PenTensor *beta,
                                float epsilon);

PenTensor *pen_graph_activation(PenGraph *graph, PenTensor *x, PenActivation activation);

/* x [.., 2c] -> first half * GELU(second half), [.., c]. */
PenTensor *pen_graph_geglu(PenGraph *graph, PenTensor *x);

/* a + b. b has a's shape, or is [a.n or 1, 1, 1, a.c] and is repeated over h and w. */
PenTensor *pen_graph_add(PenGraph *graph, PenTensor *a, PenTensor *b);

/* x times the scalar tensor s [1,1,1,1]. s gets no gradient. */
PenTensor *pen_graph_scale(PenGraph *graph, PenTensor *x, PenTensor *s);

/* Concatenates along c. */
PenTensor *pen_graph_concat(PenGraph *graph, PenTensor *a, PenTensor *b);

/* Channels first .. first+count-1. */
PenTensor *pen_graph_slice(PenGraph *graph, PenTensor *x, guint32 first, guint32 count);

/* Nearest-neighbour resampling to height x width, each at least x's: source = dst*in/out. */
PenTensor *pen_graph_upsample(PenGraph *graph, PenTensor *x, guint32 height, guint32 width);

/* softmax(q k^T / sqrt(d)) v for each of `heads` heads of d = c/heads channels each.
 * q [n,h,w,c]; k, v [n,hk,wk,c]. `causal`: position i sees positions <= i only. */
PenTensor *pen_graph_attention(PenGraph *graph, PenTensor *q, PenTensor *k, PenTensor *v,
                               guint32 heads, gboolean causal);

/* The same elements in row-major order under another shape. */
PenTensor *pen_graph_reshape(PenGraph *graph, PenTensor *x, PenShape shape);

/* --- gradients ----------------------------------------------------------------------------- */

/* Everything built between begin and end is a block whose inner activations the backward graph
 * recomputes in place of keeping them. Blocks do not nest. */
void pen_graph_checkpoint_begin(PenGraph *graph);
void pen_graph_checkpoint_end(PenGraph *graph);

/*
 * Adds the graph of vector-Jacobian products: given grad_y = dL/dy, computes dL/dt for each of the
 * n_targets tensors (inputs, parameters of linear layers or inner tensors), and only what they
 * need. grads[i] is set to the gradient, in the shape of targets[i]; a target on which y does not
 * depend is an error. Gradients of parameters come in float32.
 */
gboolean pen_graph_gradient(PenGraph *graph, PenTensor *y, PenTensor *grad_y,
                            PenTensor *const *targets, guint n_targets, PenTensor **grads);

G_END_DECLS
