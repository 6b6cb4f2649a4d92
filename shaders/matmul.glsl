// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernels for GPUs of matrix product and implicit-GEMM convolution share: bindings, where x
// is read, and how y is written.
//
//   y[m, n] = sum over taps t and channels c of  x[pixel(m, t), c] * W[n, t, c]   + bias + residual
//
// The rows m are output pixels (n, h, w), the columns n output channels. A linear layer is the
// convolution with one tap. W lies in panels of 8 columns (compute/parameter.h).
//
// INPUT_GRADIENT: dx from dy. The roles of the channels swap, taps run backward, and W is read
// across the panels: the same memory serves both directions.
#include "common.glsl"

#ifdef OUT_F32
#define O float
#define O4 vec4
#else
#define O S
#define O4 S4
#endif

layout(constant_id = 0) const uint COLUMNS = 8; // invocations along n
layout(constant_id = 1) const uint ROWS = 1;    // invocations along m
layout(constant_id = 2) const uint KH = 1;
layout(constant_id = 3) const uint KW = 1;
layout(constant_id = 4) const uint STRIDE = 1;
layout(constant_id = 5) const bool LINEAR = true;  // row m reads row m
layout(constant_id = 6) const bool IN_VEC4 = true; // input channels are a multiple of 4
layout(constant_id = 7) const bool OUT_VEC4 = true;
layout(constant_id = 8) const bool BIAS = false;
layout(constant_id = 9) const bool RESIDUAL = false;
layout(constant_id = 10) const bool IMAGE_BIAS = false;
layout(local_size_x_id = 0, local_size_y_id = 1) in;

layout(set = 0, binding = 0, std430) readonly buffer X { S x[]; };
layout(set = 0, binding = 0, std430) readonly buffer X4 { S4 x4[]; };
layout(set = 0, binding = 1, std430) readonly buffer W { S4 w4[]; };
layout(set = 0, binding = 2, std430) readonly buffer B { S bias[]; };
layout(set = 0, binding = 3, std430) readonly buffer R { S residual[]; };
layout(set = 0, binding = 3, std430) readonly buffer R4 { S4 residual4[]; };
layout(set = 0, binding = 4, std430) readonly buffer I { S image_bias[]; };
layout(set = 0, binding = 5, std430) writeonly buffer Y { O y[]; };
layout(set = 0, binding = 5, std430) writeonly buffer Y4 { O4 y4[]; };

layout(push_constant) uniform Push {
    uint m, n;       // rows and columns of y
    uint c;          // channels of x: the sum's length is KH * KW * c
    uint panels;     // panels of W
    uint panel_rows; // rows k of a panel
    uint h, w;       // of x
    uint oh, ow;     // of y
    int top, left;   // padding of the convolution
    uint image_bias_stride; // 0: one for all images
    uint m_tiles;
};

// Where a row's pixel lies in x before the tap is added.
struct Pixel {
    uint image;
    int y, x;
};

Pixel row_pixel(uint row)
{
    Pixel p;
    if (LINEAR)
        return p;
    row = min(row, m - 1);
    const uint b = row / (oh * ow), rest = row % (oh * ow);
    p.image = b * h * w;
#ifdef INPUT_GRADIENT
    p.y = int(rest / ow) + top;
    p.x = int(rest % ow) + left;
#else
    p.y = int(rest / ow) * int(STRIDE) - top;
    p.x = int(rest % ow) * int(STRIDE) - left;
#endif
    return p;
}

// Where x begins for a row and a tap: FALSE outside of it, where it counts as zero.
bool tap_begins(uint row, Pixel p, uint tap, out uint element)
{
    if (LINEAR) {
        element = min(row, m - 1) * c;
        return true;
    }
#ifdef INPUT_GRADIENT
    int iy = p.y - int(tap / KW), ix = p.x - int(tap % KW);
    bool inside = iy >= 0 && ix >= 0 && iy % int(STRIDE) == 0 && ix % int(STRIDE) == 0;
    iy /= int(STRIDE);
    ix /= int(STRIDE);
    inside = inside && iy < int(h) && ix < int(w);
#else
    const int iy = p.y + int(tap / KW), ix = p.x + int(tap % KW);
    const bool inside = iy >= 0 && ix >= 0 && iy < int(h) && ix < int(w);
#endif
    element = inside ? (p.image + uint(iy) * w + uint(ix)) * c : 0;
    return inside;
}

// Channels k .. k+3 from `element` on, where `valid`, which k < c is part of; zeros elsewhere.
vec4 load_x(uint element, uint k, bool valid)
{
    vec4 a;
    if (IN_VEC4) {
        a = vec4(x4[(element + k) / 4]);
    } else {
        [[unroll]] for (uint q = 0; q < 4; q++)
            a[q] = k + q < c ? float(x[element + k + q]) : 0.0;
    }
    return valid ? a : vec4(0);
}

// Writes columns column .. column+3 of a row, with what is added to the sum; nothing beyond the edges.
void store_y(uint row, uint column, vec4 v)
{
    const uint per_image = IMAGE_BIAS ? row / (oh * ow) * image_bias_stride : 0;
    const uint to = row * n + column;
    if (row < m && OUT_VEC4 && column < n) {
        [[unroll]] for (uint q = 0; q < 4; q++) {
            if (BIAS)
                v[q] += float(bias[column + q]);
            if (IMAGE_BIAS)
                v[q] += float(image_bias[per_image + column + q]);
        }
        if (RESIDUAL)
            v += vec4(residual4[to / 4]);
        y4[to / 4] = O4(v);
    }
    [[unroll]] for (uint q = 0; q < 4; q++) {
        if (row < m && !OUT_VEC4 && column + q < n) {
            float s = v[q];
            if (BIAS)
                s += float(bias[column + q]);
            if (IMAGE_BIAS)
                s += float(image_bias[per_image + column + q]);
            if (RESIDUAL)
                s += float(residual[to + q]);
            y[to + q] = O(s);
        }
    }
}
