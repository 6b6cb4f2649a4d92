// SPDX-License-Identifier: GPL-3.0-or-later
// The gradient of upsample.comp: each source position sums the target positions that took it. One
// invocation per run of four channels of the source.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"

PEN_INPUT(0, target)
PEN_OUTPUT(1, source)
layout(push_constant) uniform Push
{
    uint rows, channels; // rows of the source
    uint source_height, source_width, target_height, target_width;
};

// The first target position that takes source position i of n: the smallest t with t n / m >= i.
uint first_target(uint i, uint n, uint m)
{
    return (i * m + n - 1) / n;
}

void main()
{
    uint runs = (channels + 3) / 4;
    uint row = PEN_INVOCATION / runs, c = PEN_INVOCATION % runs * 4;
    if (row >= rows)
        return;
    uint x = row % source_width, y = row / source_width % source_height;
    uint image = row / (source_width * source_height);
    uint left = channels - c;
    uint right = first_target(x + 1, source_width, target_width);
    uint bottom = first_target(y + 1, source_height, target_height);
    vec4 sum = vec4(0);
    for (uint v = first_target(y, source_height, target_height); v < bottom; v++)
        for (uint u = first_target(x, source_width, target_width); u < right; u++)
            sum += load_target(((image * target_height + v) * target_width + u) * channels + c, left);
    store_source(row * channels + c, left, sum);
}
