// SPDX-License-Identifier: GPL-3.0-or-later
// weight_gradient.comp for software Vulkan (lanes.glsl says why it differs): a workgroup owns TI
// columns of p, broadcast, and TJ times eight of q, one a lane. q has at least eight columns.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"

#define TI 4
#define TJ 3
#define ROWS 4 // of an iteration

layout(local_size_x = PEN_LANES) in;
layout(constant_id = 0) const bool TRANSPOSE = false; // write g[j, i]

layout(set = 0, binding = 0, std430) readonly buffer P { S p[]; };
layout(set = 0, binding = 1, std430) readonly buffer Q { S q[]; };
layout(set = 0, binding = 2, std430) writeonly buffer G { float g[]; };

layout(push_constant) uniform Push {
    uint m, ni, nj;
    uint chunk; // rows of a chunk
    uint tiles_i, tiles_j;
    uint64_t p_address, q_address;
};

void main()
{
    const uint group = PEN_GROUP_INDEX;
    const uint j0 = group % tiles_j * (TJ * PEN_LANES);
    const uint i0 = group / tiles_j % tiles_i * TI;
    const uint part = group / tiles_j / tiles_i;
    const uint begin = part * chunk, end = min(begin + chunk, m);
    if (begin >= m)
        return;
    const float zero = PEN_ZERO_FROM(p, m == 0) + PEN_ZERO_FROM(q, m == 0);
    float acc[TI][TJ];
    uint64_t pp[TI], qp[TJ];
    uint first[TJ];
    [[unroll]] for (int i = 0; i < TI; i++)
        pp[i] = p_address + uint64_t(min(i0 + i, ni - 1)) * S_BYTES;
    [[unroll]] for (int j = 0; j < TJ; j++) {
        // The last columns overlap those before, so that all eight exist.
        first[j] = min(j0 + j * PEN_LANES, nj - PEN_LANES);
        qp[j] = q_address + uint64_t(first[j]) * S_BYTES;
    }
    [[unroll]] for (int i = 0; i < TI; i++)
        [[unroll]] for (int j = 0; j < TJ; j++)
            acc[i][j] = zero;
    for (uint row = begin; row < end; row += ROWS) {
        [[unroll]] for (uint s = 0; s < ROWS; s++) {
            const uint r = min(min(row + s, end - 1), m - 1);
            const uint64_t p_row = uint64_t(r * ni) * S_BYTES, q_row = uint64_t(r * nj) * S_BYTES;
            float b[TJ];
            [[unroll]] for (int j = 0; j < TJ; j++)
                b[j] = pen_load_lanes(qp[j] + q_row);
            [[unroll]] for (int i = 0; i < TI; i++) {
                const float v = float(Values(pp[i] + p_row).v[0]);
                const float a = row + s < end ? v : 0;
                [[unroll]] for (int j = 0; j < TJ; j++)
                    acc[i][j] = fma(a, b[j], acc[i][j]);
            }
        }
    }
    const uint base = part * ni * nj;
    [[unroll]] for (uint i = 0; i < TI; i++)
        [[unroll]] for (int j = 0; j < TJ; j++) {
            const uint ii = i0 + i, jj = first[j] + gl_SubgroupInvocationID;
            if (ii < ni && jj >= j0 + j * PEN_LANES)
                g[base + (TRANSPOSE ? jj * ni + ii : ii * nj + jj)] = acc[i][j];
        }
}
