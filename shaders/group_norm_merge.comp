// SPDX-License-Identifier: GPL-3.0-or-later
// Group norm, second step, a team per image and group: merges the partial results of the group's
// channels and chunks. Forward: mean and reciprocal standard deviation (Chan, Golub and LeVeque's
// formula for the squares, with the mean known). GRADIENT: the two means that the gradient needs.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "columns.glsl"
#include "team.glsl"

layout(constant_id = 3) const bool GRADIENT = false;

layout(set = 0, binding = 0, std430) readonly buffer Partials
{
    float partials[]; // for each column four and four
};
layout(set = 0, binding = 1, std430) writeonly buffer Merged
{
    vec2 merged[];
};

void main()
{
    uint item = TEAM_ITEM;
    if (item >= images * groups)
        return;
    uint image = item / groups, group_channels = channels / groups;
    uint first = item % groups * group_channels;
    float count = float(rows) * float(group_channels);

    vec2 sums = vec2(0);
    for (uint chunk = TEAM_MEMBER; chunk < chunks; chunk += TEAM) {
        float chunk_count = float(min(chunk_rows, rows - chunk * chunk_rows));
        for (uint c = first; c < first + group_channels; c++) {
            uint i = column_partial(image, chunk, c / 4) * 4 + c % 4;
            sums += GRADIENT ? vec2(partials[i], partials[i + 4]) : vec2(chunk_count * partials[i], 0);
        }
    }
    vec2 means = team_sum(sums) / count;

    if (!GRADIENT) {
        float squares = 0;
        for (uint chunk = TEAM_MEMBER; chunk < chunks; chunk += TEAM) {
            float chunk_count = float(min(chunk_rows, rows - chunk * chunk_rows));
            for (uint c = first; c < first + group_channels; c++) {
                uint i = column_partial(image, chunk, c / 4) * 4 + c % 4;
                float deviation = partials[i] - means.x;
                squares += partials[i + 4] + chunk_count * deviation * deviation;
            }
        }
        means.y = 1 / sqrt(team_sum(vec2(squares, 0)).x / count + epsilon);
    }
    if (TEAM_MEMBER == 0)
        merged[item] = means;
}
