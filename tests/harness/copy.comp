// SPDX-License-Identifier: GPL-3.0-or-later
#version 460
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) readonly buffer Source { uint source[]; };
layout(set = 0, binding = 1) writeonly buffer Target { uint target[]; };

void main()
{
    target[gl_GlobalInvocationID.x] = source[gl_GlobalInvocationID.x];
}
