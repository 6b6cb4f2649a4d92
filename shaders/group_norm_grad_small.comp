// SPDX-License-Identifier: GPL-3.0-or-later
// group_norm_grad.comp in one step, a team per image and group, for groups of few elements.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "team.glsl"
#include "activation.glsl"

layout(constant_id = 3) const bool SILU = false;

PEN_INPUT(0, x)
PEN_INPUT(1, gamma)
PEN_INPUT(2, beta)
layout(set = 0, binding = 3, std430) readonly buffer Statistics
{
    vec2 statistics[]; // mean, reciprocal standard deviation
};
PEN_INPUT(4, dy)
PEN_OUTPUT(5, dx)
layout(push_constant) uniform Push
{
    uint images, rows, channels, groups;
    float epsilon;
};

void main()
{
    uint item = TEAM_ITEM;
    if (item >= images * groups)
        return;
    uint group_channels = channels / groups, first = item % groups * group_channels;
    uint start = item / groups * rows * channels;
    float mean = statistics[item].x, reciprocal = statistics[item].y;

    // The sums of g and g xhat, then dx.
    vec2 means = vec2(0);
    for (uint pass = 0; pass < 2; pass++) {
        for (uint c = first; c < first + group_channels; c++) {
            float gain = float(gamma[c]), shift = float(beta[c]);
            for (uint row = TEAM_MEMBER; row < rows; row += TEAM) {
                uint i = start + row * channels + c;
                float xhat = (float(x[i]) - mean) * reciprocal, g = float(dy[i]) * gain;
                if (SILU)
                    g *= silu_derivative(vec4(fma(xhat, gain, shift))).x;
                if (pass == 0)
                    means += vec2(g, g * xhat);
                else
                    dx[i] = S(reciprocal * (g - means.x - xhat * means.y));
            }
        }
        if (pass == 0)
            means = team_sum(means) / (float(rows) * float(group_channels));
    }
}
