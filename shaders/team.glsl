// SPDX-License-Identifier: GPL-3.0-or-later
// An item is worked on by a team: the whole workgroup on a GPU, one invocation where barriers are slow
// (software Vulkan).

layout(constant_id = 2) const uint TEAM = 1; // 1 or the workgroup's size, a power of two

#define TEAM_ITEM (TEAM == 1 ? PEN_INVOCATION : PEN_GROUP_INDEX)
#define TEAM_MEMBER (TEAM == 1 ? 0 : gl_LocalInvocationID.x)

shared vec2 team_values[TEAM];

// The sum over the team, in the same order every time. All members must call it.
vec2 team_sum(vec2 value)
{
    if (TEAM == 1)
        return value;
    team_values[TEAM_MEMBER] = value;
    barrier();
    for (uint half_team = TEAM / 2; half_team > 0; half_team /= 2) {
        if (TEAM_MEMBER < half_team)
            team_values[TEAM_MEMBER] += team_values[TEAM_MEMBER + half_team];
        barrier();
    }
    value = team_values[0];
    barrier();
    return value;
}
