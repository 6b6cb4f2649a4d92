// SPDX-License-Identifier: GPL-3.0-or-later
// The gradient of layer norm with respect to its input, a team per row:
//     dx = r (g - mean(g) - xhat mean(g xhat)),   g = dy gamma, r the reciprocal standard deviation.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "team.glsl"

PEN_INPUT(0, x)
PEN_INPUT(1, gamma)
PEN_INPUT(2, dy)
PEN_OUTPUT(3, dx)
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
    vec2 sums = vec2(0);
    for (uint c = TEAM_MEMBER * 4; c < channels; c += TEAM * 4) {
        uint i = row * channels + c, left = channels - c;
        vec4 g = load_dy(i, left) * load_gamma(c, left);
        sums += vec2(sum4(g), sum4(g * ((load_x(i, left) - statistics.x) * statistics.y)));
    }
    vec2 means = team_sum(sums) / float(channels);
    for (uint c = TEAM_MEMBER * 4; c < channels; c += TEAM * 4) {
        uint i = row * channels + c, left = channels - c;
        vec4 g = load_dy(i, left) * load_gamma(c, left);
        vec4 xhat = (load_x(i, left) - statistics.x) * statistics.y;
        store_dx(i, left, statistics.y * (g - means.x - xhat * means.y));
    }
}
