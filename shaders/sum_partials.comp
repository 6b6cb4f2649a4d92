// SPDX-License-Identifier: GPL-3.0-or-later
// Adds up what sum_space left of each image. One invocation per run of four channels.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "columns.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Partials
{
    vec4 partials[]; // [images, chunks, columns]
};
PEN_OUTPUT(1, y)

void main()
{
    uint columns = (channels + 3) / 4;
    uint image = PEN_INVOCATION / columns, column = PEN_INVOCATION % columns;
    if (image >= images)
        return;
    vec4 sum = vec4(0);
    for (uint chunk = 0; chunk < chunks; chunk++)
        sum += partials[column_partial(image, chunk, column) / 2];
    store_y(image * channels + column * 4, channels - column * 4, sum);
}
