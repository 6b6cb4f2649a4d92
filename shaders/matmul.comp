// SPDX-License-Identifier: GPL-3.0-or-later
// Matrix product and implicit-GEMM convolution in register tiles, without shared memory or barriers.
//
//   y[m, n] = sum over taps t and channels c of  x[pixel(m, t), c] * W[n, t, c]   + bias + residual
//
// The rows m are output pixels (n, h, w), the columns n output channels. A linear layer is the
// convolution with one tap. Each invocation owns TM rows and 8 columns (one panel of W, see
// compute/parameter.h) and holds them in registers. With ROWS = 1 all invocations of a workgroup share
// their rows: x is then read at workgroup-uniform addresses.
//
// INPUT_GRADIENT: dx from dy. The roles of the channels swap, taps run backward, and W is read
// across the panels: the same memory serves both directions.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

#ifndef TM
#define TM 8
#endif

#ifdef OUT_F32
#define O float
#define O4 vec4
#else
#define O S
#define O4 S4
#endif

layout(constant_id = 0) const uint COLUMNS = 8; // invocations along n, 8 columns each
layout(constant_id = 1) const uint ROWS = 1;    // invocations along m, TM rows each
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

void main()
{
    const uint group = PEN_GROUP_INDEX;
    // Neighbouring groups share their columns of W, the larger matrix, and walk down the rows.
    const uint tile_m = group % m_tiles, tile_n = group / m_tiles;
    const uint row0 = ROWS == 1 ? tile_m * TM : (tile_m * ROWS + gl_LocalInvocationID.y) * TM;
    const uint panel = tile_n * COLUMNS + gl_LocalInvocationID.x;
    const uint column0 = panel * 8;
    const uint pan = min(panel, (n + 7) / 8 - 1);

    vec4 acc[TM][2];
    [[unroll]] for (int i = 0; i < TM; i++)
        acc[i][0] = acc[i][1] = vec4(0);

    // Where each row's pixel lies before the tap is added.
    uint image[TM];
    int py[TM], px[TM];
    if (!LINEAR) {
        [[unroll]] for (int i = 0; i < TM; i++) {
            const uint row = min(row0 + i, m - 1);
            const uint b = row / (oh * ow), rest = row % (oh * ow);
            image[i] = b * h * w;
#ifdef INPUT_GRADIENT
            py[i] = int(rest / ow) + top;
            px[i] = int(rest % ow) + left;
#else
            py[i] = int(rest / ow) * int(STRIDE) - top;
            px[i] = int(rest % ow) * int(STRIDE) - left;
#endif
        }
    }

    for (uint tap = 0; tap < KH * KW; tap++) {
        uint base[TM];
        bool inside[TM];
        [[unroll]] for (int i = 0; i < TM; i++) {
            if (LINEAR) {
                inside[i] = true;
                base[i] = min(row0 + i, m - 1) * c;
            } else {
#ifdef INPUT_GRADIENT
                int iy = py[i] - int(tap / KW), ix = px[i] - int(tap % KW);
                inside[i] = iy >= 0 && ix >= 0 && iy % int(STRIDE) == 0 && ix % int(STRIDE) == 0;
                iy /= int(STRIDE);
                ix /= int(STRIDE);
                inside[i] = inside[i] && iy < int(h) && ix < int(w);
#else
                const int iy = py[i] + int(tap / KW), ix = px[i] + int(tap % KW);
                inside[i] = iy >= 0 && ix >= 0 && iy < int(h) && ix < int(w);
#endif
                base[i] = inside[i] ? (image[i] + uint(iy) * w + uint(ix)) * c : 0;
            }
        }
        for (uint k = 0; k < c; k += 4) {
            // Four rows of the panel: b[q] holds 8 columns at sum index k + q.
            vec4 b[4][2];
#ifdef INPUT_GRADIENT
            const uint at = (k / 8 * panel_rows + tap * n) * 2 + (k % 8) / 4;
            vec4 t[8];
            [[unroll]] for (uint j = 0; j < 8; j++)
                t[j] = vec4(w4[at + min(pan * 8 + j, n - 1) * 2]);
            [[unroll]] for (int q = 0; q < 4; q++) {
                b[q][0] = vec4(t[0][q], t[1][q], t[2][q], t[3][q]);
                b[q][1] = vec4(t[4][q], t[5][q], t[6][q], t[7][q]);
            }
#else
            const uint at = (pan * panel_rows + tap * c + k) * 2;
            [[unroll]] for (uint q = 0; q < 4; q++) {
                // Past the last channel x counts as zero; the address only has to be valid.
                const uint p = IN_VEC4 ? at + 2 * q : at + 2 * min(q, c - 1 - k);
                b[q][0] = vec4(w4[p]);
                b[q][1] = vec4(w4[p + 1]);
            }
#endif
            [[unroll]] for (int i = 0; i < TM; i++) {
                vec4 a;
                if (IN_VEC4) {
                    a = vec4(x4[(base[i] + k) / 4]);
                } else {
                    [[unroll]] for (uint q = 0; q < 4; q++)
                        a[q] = k + q < c ? float(x[base[i] + k + q]) : 0.0;
                }
                if (!LINEAR)
                    a = inside[i] ? a : vec4(0);
                [[unroll]] for (int q = 0; q < 4; q++) {
                    acc[i][0] = fma(vec4(a[q]), b[q][0], acc[i][0]);
                    acc[i][1] = fma(vec4(a[q]), b[q][1], acc[i][1]);
                }
            }
        }
    }

    if (panel >= panels)
        return;
    // No `break` below: the loops must unroll so that the tile stays in registers.
    [[unroll]] for (int i = 0; i < TM; i++) {
        const uint row = row0 + i;
        const uint per_image = IMAGE_BIAS ? row / (oh * ow) * image_bias_stride : 0;
        [[unroll]] for (uint part = 0; part < 2; part++) {
            const uint column = column0 + 4 * part;
            const uint to = row * n + column;
            if (row < m && OUT_VEC4 && column < n) {
                vec4 v = acc[i][part];
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
                    float s = acc[i][part][q];
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
    }
}
