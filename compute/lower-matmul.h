// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Matrix products and convolutions: what lower-matmul.c and lower-winograd.c share. */

#include "compute/lower.h"

G_BEGIN_DECLS

/* A convolution or one with a single tap, forward or input gradient. The weight is as the device's
 * kernels read it: unpacked, and for lanes transposed in an input gradient. */
typedef struct {
    PenTensor *x, *weight, *bias, *residual, *image_bias, *y;
    gboolean linear, input_gradient;
    guint32 kh, kw, stride;
    PenPadding padding;
    guint32
        batches; /* 1; more for lanes: x, weight and y are as many products' one after the other */
} PenMatmul;

void pen_lower_product(PenLowering *l, const PenMatmul *mm);

/* Whether the device's kernels have a smaller and a larger tile for products, between which
 * large_tiles_from decides; and the rows and columns of y in the larger one. */
gboolean pen_lower_tile_choice(const PenDeviceInfo *device, PenDtype dtype, gboolean linear,
                               guint32 *rows, guint32 *columns);

/* The same with fewer multiplications (shaders/winograd.glsl), where that is faster: FALSE, and
 * nothing is done, elsewhere. */
gboolean pen_lower_winograd(PenLowering *l, const PenMatmul *mm);

G_END_DECLS
