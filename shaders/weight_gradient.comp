// SPDX-License-Identifier: GPL-3.0-or-later
// The gradient of an adapter's matrix:  g[i, j] = sum over rows m of  p[m, i] * q[m, j].
//
// One of the two sides has as few columns as the adapter's rank; that one is p. The rows are cut into
// chunks, one partial result each, which sum_chunks.comp adds in a fixed order: no atomics, the same
// result on every run. Each invocation owns 4 columns of p and 4 of q.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(constant_id = 0) const uint LANES = 8;
layout(constant_id = 1) const bool TRANSPOSE = false; // write g[j, i]
layout(local_size_x_id = 0) in;

layout(set = 0, binding = 0, std430) readonly buffer P { S p[]; };
layout(set = 0, binding = 1, std430) readonly buffer Q { S q[]; };
layout(set = 0, binding = 2, std430) writeonly buffer G { float g[]; };

layout(push_constant) uniform Push {
    uint m, ni, nj;
    uint chunk; // rows of a chunk
    uint tiles_i, tiles_j;
};

void main()
{
    uint group = PEN_GROUP_INDEX;
    const uint tile_j = group % tiles_j;
    group /= tiles_j;
    const uint i0 = (group % tiles_i) * 4;
    const uint part = group / tiles_i;
    const uint begin = part * chunk, end = min(begin + chunk, m);
    const uint j0 = (tile_j * LANES + gl_LocalInvocationID.x) * 4;
    if (begin >= m || j0 >= nj)
        return;

    vec4 acc[4] = vec4[4](vec4(0), vec4(0), vec4(0), vec4(0));
    // Columns past the edge are read from the last one and not written.
    uvec4 ci = min(uvec4(i0, i0 + 1, i0 + 2, i0 + 3), uvec4(ni - 1));
    uvec4 cj = min(uvec4(j0, j0 + 1, j0 + 2, j0 + 3), uvec4(nj - 1));
    for (uint row = begin; row < end; row++) {
        const uint pi = row * ni, qj = row * nj;
        const vec4 b = vec4(q[qj + cj.x], q[qj + cj.y], q[qj + cj.z], q[qj + cj.w]);
        [[unroll]] for (int i = 0; i < 4; i++)
            acc[i] = fma(vec4(float(p[pi + ci[i]])), b, acc[i]);
    }
    const uint base = part * ni * nj;
    [[unroll]] for (uint i = 0; i < 4; i++)
        [[unroll]] for (uint j = 0; j < 4; j++)
            if (i0 + i < ni && j0 + j < nj)
                g[base + (TRANSPOSE ? (j0 + j) * ni + i0 + i : (i0 + i) * nj + j0 + j)] = acc[i][j];
}
