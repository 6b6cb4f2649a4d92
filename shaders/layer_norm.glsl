// SPDX-License-Identifier: GPL-3.0-or-later
// Mean and reciprocal standard deviation of a row, by its team.

float sum4(vec4 v)
{
    return (v.x + v.y) + (v.z + v.w);
}

vec2 row_statistics(uint row)
{
    float sum = 0, squares = 0;
    for (uint c = TEAM_MEMBER * 4; c < channels; c += TEAM * 4)
        sum += sum4(load_x(row * channels + c, channels - c));
    float mean = team_sum(vec2(sum, 0)).x / float(channels);
    for (uint c = TEAM_MEMBER * 4; c < channels; c += TEAM * 4) {
        vec4 v = load_x(row * channels + c, channels - c) - mean;
        v = mix(v, vec4(0), greaterThanEqual(uvec4(c, c + 1, c + 2, c + 3), uvec4(channels)));
        squares += sum4(v * v);
    }
    return vec2(mean, 1 / sqrt(team_sum(vec2(squares, 0)).x / float(channels) + epsilon));
}
