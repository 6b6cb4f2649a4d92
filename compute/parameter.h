// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Parameters: tensors that live on the device between runs and are shared by graphs: a model's
 * weights, an adapter's matrices.
 *
 * Weight matrices are kept in panels, the one layout that the forward and the backward matrix
 * product both read with unit stride. For W [out, in] (a convolution: in = kh*kw*in_channels in
 * that order) element (o, k) is at ((o / 8) * in + k) * 8 + o % 8, and out is padded with zeros to
 * a multiple of 8. Vectors (bias, gamma, beta) are plain.
 *
 * Where memory is short, panels can be kept in 8 bits: each PEN_EIGHT_BIT_BLOCK elements in their
 * order share a scale, the largest magnitude / 127, and are whole multiples of it. Plans unpack
 * such a weight before each use, so that kernels see the parameter's dtype.
 */

#include "compute/device.h"
#include "compute/graph.h"

G_BEGIN_DECLS

#define PEN_PANEL 8

#define PEN_EIGHT_BIT_BLOCK 64

typedef enum { PEN_LAYOUT_PLAIN, PEN_LAYOUT_PANEL, PEN_LAYOUT_EIGHT_BIT_PANEL } PenLayout;

/* Vectors have shape [1,1,1,c] and PLAIN layout; linear weights [1,1,out,in] and convolution
 * weights [out,kh,kw,in] one of the others. The contents are undefined until written. */
PenParameter *pen_parameter_new(PenDevice *device, PenShape shape, PenDtype dtype, PenLayout layout,
                                GError **error);
/* A parameter without memory: enough for shape inference, gradients and planning. */
PenParameter *pen_parameter_new_abstract(PenShape shape, PenDtype dtype, PenLayout layout);

PenParameter *pen_parameter_ref(PenParameter *parameter);
void pen_parameter_unref(PenParameter *parameter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenParameter, pen_parameter_unref)

PenShape pen_parameter_shape(const PenParameter *parameter);
PenDtype pen_parameter_dtype(const PenParameter *parameter);
PenLayout pen_parameter_layout(const PenParameter *parameter);

/* Bytes on the device, and elements with the padding of panels. */
guint64 pen_parameter_bytes(const PenParameter *parameter);
guint64 pen_parameter_stored_elements(const PenParameter *parameter);

/* Replaces the contents from row-major float32 in the parameter's shape ([out,kh,kw,in] for a
 * convolution), converting and packing. No run may be in flight that reads the parameter. */
gboolean pen_parameter_write(PenParameter *parameter, const float *values, GError **error);

/* The same for n parameters of one device, with one wait for all of them. */
gboolean pen_parameters_write(PenParameter *const *parameters, const float *const *values, guint n,
                              GError **error);

G_END_DECLS
