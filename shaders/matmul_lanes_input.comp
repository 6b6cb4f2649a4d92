// SPDX-License-Identifier: GPL-3.0-or-later
// The input gradient for software Vulkan (lanes.glsl says why it differs from matmul.comp): x is dy
// and y dx, c counts the channels of dy and n those of dx. The eight columns of a panel of W are
// neighbours in the sum here: each lane sums every eighth channel, W is read as it lies, and the
// lanes are added at the end.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul_lanes.glsl"

#define TM 4
#define TN 4
#define KS 32 // channels of an iteration

float fold_columns(float v[TN])
{
    return pen_fold_lanes(pen_fold_lanes(v[0], v[1], 1), pen_fold_lanes(v[2], v[3], 1), 2);
}

void main()
{
    const uint group = PEN_GROUP_INDEX;
    const uint row0 = group % m_tiles * TM, column0 = group / m_tiles * TN;
    if (column0 >= n)
        return;
    const float zero = PEN_ZERO_FROM(x, m == 0);
    float acc[TM][TN];
    [[unroll]] for (int i = 0; i < TM; i++)
        [[unroll]] for (int j = 0; j < TN; j++)
            acc[i][j] = zero;
    uint image[TM];
    int py[TM], px[TM];
    if (!LINEAR) {
        [[unroll]] for (int i = 0; i < TM; i++) {
            const uint row = min(row0 + i, m - 1);
            const uint b = row / (oh * ow), rest = row % (oh * ow);
            image[i] = b * h * width;
            py[i] = int(rest / ow) + top;
            px[i] = int(rest % ow) + left;
        }
    }
    const uint lane = gl_SubgroupInvocationID;
    const uint64_t w_step = uint64_t(panel_rows) * (PEN_LANES * S_BYTES);
    for (uint tap = 0; tap < KH * KW; tap++) {
        uint64_t xp[TM];
        uint base[TM];
        bool inside[TM];
        [[unroll]] for (int i = 0; i < TM; i++) {
            uint pixel = min(row0 + i, m - 1);
            inside[i] = true;
            if (!LINEAR) {
                int iy = py[i] - int(tap / KW), ix = px[i] - int(tap % KW);
                inside[i] = iy >= 0 && ix >= 0 && iy % int(STRIDE) == 0 && ix % int(STRIDE) == 0;
                iy /= int(STRIDE);
                ix /= int(STRIDE);
                inside[i] = inside[i] && iy < int(h) && ix < int(width);
                pixel = inside[i] ? image[i] + uint(iy) * width + uint(ix) : 0;
            }
            base[i] = pixel * c;
            xp[i] = x_address + uint64_t(pixel * c) * S_BYTES;
        }
        const uint tap_row = min(tap, KH * KW - 1) * n;
        uint64_t wp[TN];
        [[unroll]] for (int j = 0; j < TN; j++)
            wp[j] = w_address +
                    uint64_t(tap_row + min(column0 + j, n - 1)) * (PEN_LANES * S_BYTES);
        uint k = 0;
        if (MAIN) for (; k + KS <= c; k += KS) {
            const uint k0 = min(k, c - KS);
            const uint64_t x_k = uint64_t(k0) * S_BYTES, w_k = uint64_t(k0 / PEN_LANES) * w_step;
            [[unroll]] for (uint s = 0; s < KS; s += PEN_LANES) {
                float b[TN];
                [[unroll]] for (int j = 0; j < TN; j++)
                    b[j] = pen_load_lanes(wp[j] + (w_k + s / PEN_LANES * w_step));
                [[unroll]] for (int i = 0; i < TM; i++) {
                    float a = pen_load_lanes(xp[i] + (x_k + s * S_BYTES));
                    if (!LINEAR)
                        a = inside[i] ? a : 0;
                    [[unroll]] for (int j = 0; j < TN; j++)
                        acc[i][j] = fma(a, b[j], acc[i][j]);
                }
            }
        }
        if (REST) for (; k + PEN_LANES <= c; k += PEN_LANES) {
            const uint k0 = min(k, c - PEN_LANES);
            const uint64_t x_k = uint64_t(k0) * S_BYTES, w_k = uint64_t(k0 / PEN_LANES) * w_step;
            float b[TN];
            [[unroll]] for (int j = 0; j < TN; j++)
                b[j] = pen_load_lanes(wp[j] + w_k);
            [[unroll]] for (int i = 0; i < TM; i++) {
                const float a = inside[i] ? pen_load_lanes(xp[i] + x_k) : 0;
                [[unroll]] for (int j = 0; j < TN; j++)
                    acc[i][j] = fma(a, b[j], acc[i][j]);
            }
        }
        if (PARTIAL) {
            const uint k0 = c / PEN_LANES * PEN_LANES;
            const uint64_t w_k = uint64_t(c / PEN_LANES) * w_step;
            float b[TN];
            [[unroll]] for (int j = 0; j < TN; j++)
                b[j] = pen_load_lanes(wp[j] + w_k);
            [[unroll]] for (int i = 0; i < TM; i++) {
                const float v = float(x[base[i] + min(k0 + lane, c - 1)]);
                const float a = inside[i] && k0 + lane < c ? v : 0;
                [[unroll]] for (int j = 0; j < TN; j++)
                    acc[i][j] = fma(a, b[j], acc[i][j]);
            }
        }
    }
    [[unroll]] for (int i = 0; i < TM; i += 2) {
        const float sum = pen_fold_lanes(fold_columns(acc[i]), fold_columns(acc[i + 1]), 4);
        const uint row = row0 + i + lane / 4, column = column0 + lane % 4;
        if (row < m && column < n) {
            const uint to = row * n + column;
            y[to] = O(RESIDUAL ? sum + float(residual[to]) : sum);
        }
    }
}
