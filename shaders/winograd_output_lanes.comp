// SPDX-License-Identifier: GPL-3.0-or-later
// A^T m A of some tiles, with what is added to the sum: y. A workgroup makes one tile's values; the
// lanes are eight channels. n is a multiple of 8.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"
#include "winograd.glsl"

#ifdef OUT_F32
#define O float
#else
#define O S
#endif

layout(local_size_x = PEN_LANES) in;
layout(constant_id = 0) const bool BIAS = false;
layout(constant_id = 1) const bool RESIDUAL = false;
layout(constant_id = 2) const bool IMAGE_BIAS = false;
layout(set = 0, binding = 0, std430) readonly buffer M { float m[]; }; // [36, tiles, n]
layout(set = 0, binding = 1, std430) readonly buffer B { S bias[]; };
layout(set = 0, binding = 2, std430) readonly buffer R { S residual[]; };
layout(set = 0, binding = 3, std430) readonly buffer I { S image_bias[]; };
layout(set = 0, binding = 4, std430) writeonly buffer Y { O y[]; };

layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Floats
{
    float v[];
};

layout(push_constant) uniform Push {
    uint first, tiles; // of all tiles
    uint n, oh, ow;    // of y
    uint across, down; // tiles of an image
    uint image_bias_stride;
    uint64_t m_address;
};

// pen_load_lanes() of float32, whatever the storage.
float load_sum(uint64_t address)
{
    Floats p = Floats(address);
    float r = p.v[7];
    [[unroll]] for (uint k = 0; k < 7; k++)
        r = mix(r, p.v[k], gl_SubgroupInvocationID == k);
    return r;
}

void main()
{
    const uint here = PEN_GROUP_INDEX;
    if (here >= tiles)
        return;
    const float zero = PEN_ZERO_FROM(m, n == 0);
    const uint tile = first + here, image = tile / (across * down);
    const uint y0 = tile / across % down * 4, x0 = tile % across * 4;
    for (uint k = 0; k < n; k += PEN_LANES) {
        const uint column = min(k, n - PEN_LANES), channel = column + gl_SubgroupInvocationID;
        float columns[6][4];
        [[unroll]] for (uint j = 0; j < 6; j++) {
            float s[6];
            [[unroll]] for (uint i = 0; i < 6; i++)
                s[i] = load_sum(m_address +
                                uint64_t(((i * 6 + j) * tiles + here) * n + column) * 4);
            winograd_output(s[0], s[1], s[2], s[3], s[4], s[5], columns[j]);
        }
        float shift = zero;
        if (BIAS)
            shift += float(bias[channel]);
        if (IMAGE_BIAS)
            shift += float(image_bias[image * image_bias_stride + channel]);
        [[unroll]] for (uint i = 0; i < 4; i++) {
            float row[4];
            winograd_output(columns[0][i], columns[1][i], columns[2][i], columns[3][i],
                            columns[4][i], columns[5][i], row);
            [[unroll]] for (uint j = 0; j < 4; j++) {
                const uint to = ((image * oh + y0 + i) * ow + x0 + j) * n + channel;
                if (y0 + i < oh && x0 + j < ow)
                    y[to] = O(row[j] + shift + (RESIDUAL ? float(residual[to]) : 0));
            }
        }
    }
}
