// SPDX-License-Identifier: GPL-3.0-or-later
// The channels of a, then those of b. One invocation per run of four channels of one of them.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"

PEN_INPUT(0, a)
PEN_INPUT(1, b)
PEN_OUTPUT(2, y)
layout(push_constant) uniform Push
{
    uint rows, a_channels, b_channels;
};

void main()
{
    uint a_runs = (a_channels + 3) / 4, runs = a_runs + (b_channels + 3) / 4;
    uint row = PEN_INVOCATION / runs, run = PEN_INVOCATION % runs;
    if (row >= rows)
        return;
    uint first = row * (a_channels + b_channels);
    if (run < a_runs) {
        uint c = run * 4, left = a_channels - c;
        store_y(first + c, left, load_a(row * a_channels + c, left));
    } else {
        uint c = (run - a_runs) * 4, left = b_channels - c;
        store_y(first + a_channels + c, left, load_b(row * b_channels + c, left));
    }
}
