// SPDX-License-Identifier: GPL-3.0-or-later
// Group norm, last step: normalises, scales and shifts, and applies SiLU.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "columns.glsl"
#include "activation.glsl"

layout(constant_id = 2) const bool SILU = false;

PEN_INPUT(0, x)
PEN_INPUT(1, gamma)
PEN_INPUT(2, beta)
layout(set = 0, binding = 3, std430) readonly buffer Statistics
{
    vec2 statistics[]; // mean, reciprocal standard deviation
};
PEN_OUTPUT(4, y)
#include "group_norm.glsl"

void main()
{
    Walk w;
    if (!column_walk(PEN_INVOCATION, w))
        return;
    vec4 mean, reciprocal;
    column_statistics(w, mean, reciprocal);
    vec4 factor = reciprocal * load_gamma(w.channel, w.left);
    vec4 offset = load_beta(w.channel, w.left) - mean * factor;
    for (uint row = w.row; row < w.end; row++) {
        uint i = row * channels + w.channel;
        vec4 v = fma(load_x(i, w.left), factor, offset);
        store_y(i, w.left, SILU ? silu(v) : v);
    }
}
