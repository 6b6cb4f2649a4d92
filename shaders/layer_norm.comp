// SPDX-License-Identifier: GPL-3.0-or-later
// Layer norm, a team per row: the mean, then the variance around it, then the result.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "team.glsl"

PEN_INPUT(0, x)
PEN_INPUT(1, gamma)
PEN_INPUT(2, beta)
PEN_OUTPUT(3, y)
layout(push_constant) uniform Push
{
    uint rows, channels;
    float epsilon;
};
#include "layer_norm.glsl"

void main()
{
    uint row = TEAM_ITEM;
    if (row >= rows)
        return;
    vec2 statistics = row_statistics(row);
    for (uint c = TEAM_MEMBER * 4; c < channels; c += TEAM * 4) {
        uint i = row * channels + c, left = channels - c;
        vec4 xhat = (load_x(i, left) - statistics.x) * statistics.y;
        store_y(i, left, fma(xhat, load_gamma(c, left), load_beta(c, left)));
    }
}
