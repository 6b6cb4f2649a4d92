// SPDX-License-Identifier: GPL-3.0-or-later
// Group norm in one step, a team per image and group, for groups of few elements: the mean, then the
// variance around it, then the result of group_norm.comp.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "team.glsl"
#include "activation.glsl"

layout(constant_id = 3) const bool SILU = false;
layout(constant_id = 4) const bool STATISTICS = false; // are wanted

PEN_INPUT(0, x)
PEN_INPUT(1, gamma)
PEN_INPUT(2, beta)
layout(set = 0, binding = 3, std430) writeonly buffer Statistics
{
    vec2 statistics[]; // mean, reciprocal standard deviation
};
PEN_OUTPUT(4, y)
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
    float count = float(rows) * float(group_channels);

    float sum = 0, squares = 0;
    for (uint row = TEAM_MEMBER; row < rows; row += TEAM)
        for (uint c = first; c < first + group_channels; c++)
            sum += float(x[start + row * channels + c]);
    float mean = team_sum(vec2(sum, 0)).x / count;
    for (uint row = TEAM_MEMBER; row < rows; row += TEAM) {
        for (uint c = first; c < first + group_channels; c++) {
            float deviation = float(x[start + row * channels + c]) - mean;
            squares = fma(deviation, deviation, squares);
        }
    }
    float reciprocal = 1 / sqrt(team_sum(vec2(squares, 0)).x / count + epsilon);
    if (STATISTICS && TEAM_MEMBER == 0)
        statistics[item] = vec2(mean, reciprocal);

    for (uint c = first; c < first + group_channels; c++) {
        float factor = reciprocal * float(gamma[c]), offset = float(beta[c]) - mean * factor;
        for (uint row = TEAM_MEMBER; row < rows; row += TEAM) {
            uint i = start + row * channels + c;
            float v = fma(float(x[i]), factor, offset);
            y[i] = S(SILU ? silu(vec4(v)).x : v);
        }
    }
}
