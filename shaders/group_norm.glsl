// SPDX-License-Identifier: GPL-3.0-or-later
// The statistics of a column's four channels, which may lie in different groups.

void column_statistics(Walk w, out vec4 mean, out vec4 reciprocal)
{
    uint group_channels = channels / groups;
    [[unroll]] for (uint e = 0; e < 4; e++) {
        uint c = min(w.channel + e, channels - 1);
        vec2 s = statistics[w.image * groups + c / group_channels];
        mean[e] = s.x;
        reciprocal[e] = s.y;
    }
}
