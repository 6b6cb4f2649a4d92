// SPDX-License-Identifier: GPL-3.0-or-later
// y = f(x), or with GRADIENT dx = f'(x) dy. One invocation per run of four elements.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "activation.glsl"

layout(constant_id = 2) const uint KIND = ACTIVATION_SILU;
layout(constant_id = 3) const bool GRADIENT = false;

PEN_INPUT(0, x)
PEN_INPUT(1, dy)
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
    vec4 v = load_x(i, left);
    if (GRADIENT)
        v = activation_derivative(KIND, v) * load_dy(i, left);
    else
        v = activation(KIND, v);
    store_y(i, left, v);
}
