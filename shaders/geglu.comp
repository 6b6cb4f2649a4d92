// SPDX-License-Identifier: GPL-3.0-or-later
// x has two halves of `channels` each, a and b. y = a gelu(b), or with GRADIENT the gradient of x:
// dy gelu(b) and dy a gelu'(b). One invocation per run of four channels of a half.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "activation.glsl"

layout(constant_id = 2) const bool GRADIENT = false;

PEN_INPUT(0, x)
PEN_INPUT(1, dy)
PEN_OUTPUT(2, y)
layout(push_constant) uniform Push
{
    uint rows, channels;
};

void main()
{
    uint runs = (channels + 3) / 4;
    uint row = PEN_INVOCATION / runs, c = PEN_INVOCATION % runs * 4;
    if (row >= rows)
        return;
    uint left = channels - c, first = row * 2 * channels + c, second = first + channels;
    vec4 a = load_x(first, left), b = load_x(second, left);
    if (GRADIENT) {
        vec4 d = load_dy(row * channels + c, left);
        store_y(first, left, d * gelu(b));
        store_y(second, left, d * a * gelu_derivative(b));
    } else {
        store_y(row * channels + c, left, a * gelu(b));
    }
}
