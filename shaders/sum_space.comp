// SPDX-License-Identifier: GPL-3.0-or-later
// Sums the rows of each chunk of an image, to be added up by sum_partials.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "columns.glsl"

PEN_INPUT(0, x)
layout(set = 0, binding = 1, std430) writeonly buffer Partials
{
    vec4 partials[]; // [images, chunks, columns]
};

void main()
{
    Walk w;
    if (!column_walk(PEN_INVOCATION, w))
        return;
    vec4 sum = vec4(0);
    for (uint row = w.row; row < w.end; row++)
        sum += load_x(row * channels + w.channel, w.left);
    partials[column_partial(w.image, w.chunk, w.column) / 2] = sum;
}
