// SPDX-License-Identifier: GPL-3.0-or-later
// Nearest-neighbour resampling: target (y, x) takes source (y h / H, x w / W), rounded down. One
// invocation per run of four channels of the target.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"

PEN_INPUT(0, source)
PEN_OUTPUT(1, target)
layout(push_constant) uniform Push
{
    uint rows, channels; // rows of the target
    uint source_height, source_width, target_height, target_width;
};

void main()
{
    uint runs = (channels + 3) / 4;
    uint row = PEN_INVOCATION / runs, c = PEN_INVOCATION % runs * 4;
    if (row >= rows)
        return;
    uint x = row % target_width, y = row / target_width % target_height;
    uint image = row / (target_width * target_height);
    uint from = (image * source_height + y * source_height / target_height) * source_width +
                x * source_width / target_width;
    uint left = channels - c;
    store_target(row * channels + c, left, load_source(from * channels + c, left));
}
