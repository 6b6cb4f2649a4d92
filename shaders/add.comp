// SPDX-License-Identifier: GPL-3.0-or-later
// y = a + b; b has the shape of a, or one row for each image or for all. One invocation per run of
// four channels.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"

layout(constant_id = 2) const bool BROADCAST = false;

PEN_INPUT(0, a)
PEN_INPUT(1, b)
PEN_OUTPUT(2, y)
layout(push_constant) uniform Push
{
    uint rows, channels;
    uint rows_per_b; // with BROADCAST: rows of a that share a row of b
};

void main()
{
    uint runs = (channels + 3) / 4;
    uint row = PEN_INVOCATION / runs, c = PEN_INVOCATION % runs * 4;
    if (row >= rows)
        return;
    uint left = channels - c, i = row * channels + c;
    uint j = BROADCAST ? row / rows_per_b * channels + c : i;
    store_y(i, left, load_a(i, left) + load_b(j, left));
}
