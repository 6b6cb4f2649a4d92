// SPDX-License-Identifier: GPL-3.0-or-later
#version 460
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) readonly buffer Source { uint source[]; };
layout(set = 0, binding = 1) writeonly buffer Target { uint target[]; };
layout(push_constant) uniform Push { uint count; };

void main()
{
    uint i = gl_GlobalInvocationID.x;
    if (i < count)
        target[i] = source[i];
}
