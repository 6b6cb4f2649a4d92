// SPDX-License-Identifier: GPL-3.0-or-later
// y = s x with a scalar tensor s. One invocation per run of four elements.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"

PEN_INPUT(0, x)
layout(set = 0, binding = 1, std430) readonly buffer Factor
{
    S factor;
};
PEN_OUTPUT(2, y)
layout(push_constant) uniform Push
{
    uint count;
};

void main()
{
    uint i = PEN_INVOCATION * 4;
    if (i >= count)
        return;
    uint left = count - i;
    store_y(i, left, load_x(i, left) * float(factor));
}
