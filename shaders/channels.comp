// SPDX-License-Identifier: GPL-3.0-or-later
// Moves channels within rows: y has the channels of x from `first` on (a slice), or with PAD y holds
// x from channel `first` on and zeros around it (the slice's gradient). One invocation per run of
// four channels of y.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"

layout(constant_id = 2) const bool PAD = false;

PEN_INPUT(0, x)
PEN_OUTPUT(1, y)
layout(push_constant) uniform Push
{
    uint rows, x_channels, y_channels, first;
};

void main()
{
    uint runs = (y_channels + 3) / 4;
    uint row = PEN_INVOCATION / runs, c = PEN_INVOCATION % runs * 4;
    if (row >= rows)
        return;
    uint left = y_channels - c, i = row * y_channels + c;
    vec4 v = vec4(0);
    if (!PAD) {
        v = load_x(row * x_channels + first + c, left);
    } else if (VECTOR) {
        if (c >= first && c < first + x_channels)
            v = load_x(row * x_channels + c - first, 4);
    } else {
        for (uint e = 0; e < 4; e++)
            if (c + e >= first && c + e < first + x_channels)
                v[e] = load_x(row * x_channels + c + e - first, 1).x;
    }
    store_y(i, left, v);
}
