// SPDX-License-Identifier: GPL-3.0-or-later
// g[e] = sum over chunks of partial[chunk, e], in float32.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer P { float partial[]; };
layout(set = 0, binding = 1, std430) writeonly buffer G { float g[]; };

layout(push_constant) uniform Push {
    uint elements, chunks;
};

void main()
{
    const uint e = PEN_GROUP_INDEX * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    if (e >= elements)
        return;
    float sum = 0;
    for (uint i = 0; i < chunks; i++)
        sum += partial[i * elements + e];
    g[e] = sum;
}
