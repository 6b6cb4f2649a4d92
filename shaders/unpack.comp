// SPDX-License-Identifier: GPL-3.0-or-later
// A weight in 8 bits (compute/parameter.h) as kernels read it.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Packed
{
    uint packed[]; // four codes a word, then the scales
};
PEN_OUTPUT(1, whole)

layout(push_constant) uniform Push
{
    uint elements, scales; // the scales' first word
};

const uint BLOCK = 64, ELEMENTS = 16; // that share a scale; of an invocation

void main()
{
    const uint first = PEN_INVOCATION * ELEMENTS;
    if (first >= elements)
        return;
    const float scale = uintBitsToFloat(packed[scales + first / BLOCK]);
    for (uint e = first; e < min(first + ELEMENTS, elements); e += 4)
        store_whole(e, 4, vec4(ivec4(packed[e / 4]) << ivec4(24, 16, 8, 0) >> 24) * scale);
}
