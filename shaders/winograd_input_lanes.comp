// SPDX-License-Identifier: GPL-3.0-or-later
// B^T d B of some tiles of x: [36, tiles, c] in float32. A workgroup makes one tile's values; the lanes
// are eight channels. c is a multiple of 8.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"
#include "winograd.glsl"

layout(local_size_x = PEN_LANES) in;
layout(set = 0, binding = 0, std430) readonly buffer X { S x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer V { float v[]; };

layout(push_constant) uniform Push {
    uint first, tiles; // of all tiles
    uint c, h, width;
    uint across, down; // tiles of an image
    int top, left;     // padding of the convolution
    uint64_t x_address;
};

void main()
{
    const uint here = PEN_GROUP_INDEX;
    if (here >= tiles)
        return;
    const float zero = PEN_ZERO_FROM(x, c == 0);
    const uint tile = first + here, image = tile / (across * down);
    const int y0 = int(tile / across % down * 4) - top, x0 = int(tile % across * 4) - left;
    for (uint k = 0; k < c; k += PEN_LANES) {
        const uint channel = min(k, c - PEN_LANES);
        float d[6][6];
        [[unroll]] for (int i = 0; i < 6; i++)
            [[unroll]] for (int j = 0; j < 6; j++) {
                const int iy = y0 + i, ix = x0 + j;
                const bool inside = iy >= 0 && ix >= 0 && iy < int(h) && ix < int(width);
                const uint pixel = inside ? (image * h + uint(iy)) * width + uint(ix) : 0;
                const float value =
                    pen_load_lanes(x_address + uint64_t(pixel * c + channel) * S_BYTES);
                d[i][j] = inside ? value : zero;
            }
        [[unroll]] for (int j = 0; j < 6; j++)
            winograd_input(d[0][j], d[1][j], d[2][j], d[3][j], d[4][j], d[5][j]);
        [[unroll]] for (int i = 0; i < 6; i++) {
            winograd_input(d[i][0], d[i][1], d[i][2], d[i][3], d[i][4], d[i][5]);
            [[unroll]] for (int j = 0; j < 6; j++)
                v[((i * 6 + j) * tiles + here) * c + channel + gl_SubgroupInvocationID] = d[i][j];
        }
    }
}
