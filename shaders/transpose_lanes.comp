// SPDX-License-Identifier: GPL-3.0-or-later
// The weight of an input gradient for software Vulkan: panels of W [out, taps, in] become panels of
// its transpose [in, taps, out], which matmul_lanes.comp reads as it reads W. Both are whole blocks of
// 8 x 8 values that lie together. A workgroup makes the blocks of one panel at one tap.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"

layout(local_size_x = PEN_LANES) in;
layout(set = 0, binding = 0, std430) readonly buffer W { S w[]; };
layout(set = 0, binding = 1, std430) writeonly buffer T { S transposed[]; };

layout(push_constant) uniform Push {
    uint outs, ins, taps;
    uint64_t w_address;
};

void main()
{
    const uint tap = PEN_GROUP_INDEX % taps, panel = PEN_GROUP_INDEX / taps;
    const uint lane = gl_SubgroupInvocationID;
    const uint first = panel * PEN_LANES;
    if (first >= ins)
        return;
    const S zero = S(PEN_ZERO_FROM(w, outs == 0));
    for (uint out0 = 0; out0 < outs; out0 += PEN_LANES) {
        const uint block = min(out0, outs - 1) / PEN_LANES * taps + tap;
        /* Row k of the block is channel first + k of x; beyond the last one it is read again. */
        uint64_t row[PEN_LANES];
        [[unroll]] for (uint k = 0; k < PEN_LANES; k++)
            row[k] = w_address + uint64_t(block * ins + min(first + k, ins - 1)) *
                                     (PEN_LANES * S_BYTES);
        const uint to = ((panel * taps + tap) * outs + out0) * PEN_LANES + lane;
        [[unroll]] for (uint o = 0; o < PEN_LANES; o++) {
            S value = Values(row[0]).v[o];
            [[unroll]] for (uint k = 1; k < PEN_LANES; k++)
                value = mix(value, Values(row[k]).v[o], lane == k);
            if (out0 + o < outs)
                transposed[to + o * PEN_LANES] = value + zero;
        }
    }
}
