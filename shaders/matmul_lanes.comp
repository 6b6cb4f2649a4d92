// SPDX-License-Identifier: GPL-3.0-or-later
// matmul.comp for software Vulkan (lanes.glsl says why it differs): the eight lanes hold the eight
// columns of a panel of W. A workgroup owns TM rows and TN panels; a value of x is broadcast.
// With INPUT_GRADIENT x is dy, y is dx, taps run backward and W is the transpose that
// transpose_lanes.comp made: read across its panels W would be twice as slow, as neighbours in the sum
// lie so far apart that they share few lines of the cache.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"

#ifdef OUT_F32
#define O float
#else
#define O S
#endif

layout(local_size_x = PEN_LANES) in;
layout(constant_id = 0) const uint KH = 1;
layout(constant_id = 1) const uint KW = 1;
layout(constant_id = 2) const uint STRIDE = 1;
layout(constant_id = 3) const bool LINEAR = true; // row m reads row m
layout(constant_id = 4) const bool BIAS = false;
layout(constant_id = 5) const bool RESIDUAL = false;
layout(constant_id = 6) const bool IMAGE_BIAS = false;
layout(constant_id = 7) const bool MAIN = true; // c >= KS, the channels of an iteration
layout(constant_id = 8) const bool REST = true; // c is no multiple of KS
layout(constant_id = 9) const bool INPUT_GRADIENT = false;

// The bindings and push constants of matmul.comp, and the addresses of x and W.
layout(set = 0, binding = 0, std430) readonly buffer X { S x[]; };
layout(set = 0, binding = 2, std430) readonly buffer B { S bias[]; };
layout(set = 0, binding = 3, std430) readonly buffer R { S residual[]; };
layout(set = 0, binding = 4, std430) readonly buffer I { S image_bias[]; };
layout(set = 0, binding = 5, std430) writeonly buffer Y { O y[]; };

layout(push_constant) uniform Push {
    uint m, n, c, panels, panel_rows;
    uint h, width, oh, ow; // of x and y
    int top, left;
    uint image_bias_stride, m_tiles, n_tiles;
    uint batches; // independent products, whose x, W and y lie one behind the other
    uint64_t x_address, w_address;
};

#define KS 16 // channels of an iteration

void main()
{
    const uint group = PEN_GROUP_INDEX;
    const uint row0 = group % m_tiles * TM, panel0 = group / m_tiles % n_tiles * TN;
    const uint batch = group / m_tiles / n_tiles;
    if (batch >= batches)
        return;
    const float zero = PEN_ZERO_FROM(x, m == 0);
    float acc[TM][TN];
    [[unroll]] for (int i = 0; i < TM; i++)
        [[unroll]] for (int j = 0; j < TN; j++)
            acc[i][j] = zero;

    const uint k_bytes = PEN_LANES * S_BYTES; // of a panel's row
    uint64_t wp[TN];
    [[unroll]] for (int j = 0; j < TN; j++)
        wp[j] = w_address +
                uint64_t((batch * panels + min(panel0 + j, panels - 1)) * panel_rows) * k_bytes;

    // Where each row's pixel lies before the tap is added.
    uint image[TM];
    int py[TM], px[TM];
    if (!LINEAR) {
        [[unroll]] for (int i = 0; i < TM; i++) {
            const uint row = min(row0 + i, m - 1);
            const uint rest = row % (oh * ow);
            image[i] = row / (oh * ow) * h * width;
            py[i] = int(rest / ow), px[i] = int(rest % ow);
            if (INPUT_GRADIENT)
                py[i] += top, px[i] += left;
            else
                py[i] = py[i] * int(STRIDE) - top, px[i] = px[i] * int(STRIDE) - left;
        }
    }
    for (uint tap = 0; tap < KH * KW; tap++) {
        uint64_t xp[TM];
        bool inside[TM];
        [[unroll]] for (int i = 0; i < TM; i++) {
            uint pixel = min(row0 + i, m - 1);
            inside[i] = true;
            if (!LINEAR) {
                const int ty = int(tap / KW), tx = int(tap % KW);
                int iy = py[i] + ty, ix = px[i] + tx;
                if (INPUT_GRADIENT)
                    iy = py[i] - ty, ix = px[i] - tx;
                inside[i] = iy >= 0 && ix >= 0;
                if (INPUT_GRADIENT && STRIDE > 1) {
                    inside[i] = inside[i] && iy % int(STRIDE) == 0 && ix % int(STRIDE) == 0;
                    iy /= int(STRIDE), ix /= int(STRIDE);
                }
                inside[i] = inside[i] && iy < int(h) && ix < int(width);
                pixel = inside[i] ? image[i] + uint(iy) * width + uint(ix) : 0;
            }
            xp[i] = x_address + uint64_t((batch * m + pixel) * c) * S_BYTES;
        }
        const uint tap_row = min(tap, KH * KW - 1) * c;
        uint k = 0;
        if (MAIN) for (; k + KS <= c; k += KS) {
            const uint k0 = min(k, c - KS);
            const uint64_t xk = uint64_t(k0) * S_BYTES, wk = uint64_t(tap_row + k0) * k_bytes;
#if S_BYTES == 2
            // Eight halves of a row are cheaper to convert together than one by one.
            [[unroll]] for (uint k8 = 0; k8 < KS; k8 += PEN_LANES) {
                float a[TM];
                [[unroll]] for (int i = 0; i < TM; i++) {
                    a[i] = pen_load_lanes(xp[i] + (xk + k8 * S_BYTES));
                    if (!LINEAR)
                        a[i] = inside[i] ? a[i] : 0;
                }
                [[unroll]] for (uint q = 0; q < PEN_LANES; q++) {
                    float b[TN];
                    [[unroll]] for (int j = 0; j < TN; j++)
                        b[j] = pen_load_lanes(wp[j] + (wk + (k8 + q) * k_bytes));
                    [[unroll]] for (int i = 0; i < TM; i++)
                        [[unroll]] for (int j = 0; j < TN; j++)
                            acc[i][j] = fma(subgroupBroadcast(a[i], q), b[j], acc[i][j]);
                }
            }
#else
            [[unroll]] for (uint q = 0; q < KS; q++) {
                float b[TN];
                [[unroll]] for (int j = 0; j < TN; j++)
                    b[j] = pen_load_lanes(wp[j] + (wk + q * k_bytes));
                [[unroll]] for (int i = 0; i < TM; i++) {
                    float a = Values(xp[i] + xk).v[q];
                    if (!LINEAR)
                        a = inside[i] ? a : 0;
                    [[unroll]] for (int j = 0; j < TN; j++)
                        acc[i][j] = fma(a, b[j], acc[i][j]);
                }
            }
#endif
        }
        if (REST) for (; k < c; k++) {
            const uint k0 = min(k, c - 1);
            float b[TN];
            [[unroll]] for (int j = 0; j < TN; j++)
                b[j] = pen_load_lanes(wp[j] + uint64_t(tap_row + k0) * k_bytes);
            [[unroll]] for (int i = 0; i < TM; i++) {
                const float v = float(Values(xp[i] + uint64_t(k0) * S_BYTES).v[0]);
                const float a = inside[i] ? v : 0;
                [[unroll]] for (int j = 0; j < TN; j++)
                    acc[i][j] = fma(a, b[j], acc[i][j]);
            }
        }
    }

    [[unroll]] for (int j = 0; j < TN; j++) {
        const uint column = (panel0 + j) * PEN_LANES + gl_SubgroupInvocationID;
        const bool valid = column < n;
        const float shift = BIAS && valid ? float(bias[column]) : 0;
        [[unroll]] for (int i = 0; i < TM; i++) {
            const uint row = row0 + i;
            if (row < m && valid) {
                float v = acc[i][j] + shift;
                if (IMAGE_BIAS)
                    v += float(image_bias[row / (oh * ow) * image_bias_stride + column]);
                if (RESIDUAL)
                    v += float(residual[row * n + column]);
                y[(batch * m + row) * n + column] = O(v);
            }
        }
    }
}
