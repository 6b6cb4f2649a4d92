// SPDX-License-Identifier: GPL-3.0-or-later
// Group norm, first step: mean and sum of squared deviations of each channel over a chunk of rows.
//
// Sums are taken of differences from the chunk's first value, a sample of the data itself: the
// deviation of the mean from it is then at most sqrt(rows of the chunk) standard deviations, so that
// little cancels, and one reading suffices.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "columns.glsl"

PEN_INPUT(0, x)
layout(set = 0, binding = 1, std430) writeonly buffer Partials
{
    vec4 partials[]; // mean, sum of squared deviations
};

void main()
{
    Walk w;
    if (!column_walk(PEN_INVOCATION, w))
        return;
    vec4 origin = load_x(w.row * channels + w.channel, w.left);
    vec4 sum = vec4(0), squares = vec4(0);
    for (uint row = w.row + 1; row < w.end; row++) {
        vec4 v = load_x(row * channels + w.channel, w.left) - origin;
        sum += v;
        squares = fma(v, v, squares);
    }
    vec4 mean = sum / float(w.end - w.row);
    uint i = column_partial(w.image, w.chunk, w.column);
    partials[i] = origin + mean;
    partials[i + 1] = max(squares - sum * mean, 0);
}
