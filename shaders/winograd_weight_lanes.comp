// SPDX-License-Identifier: GPL-3.0-or-later
// G g G^T of a weight in panels: [36, panels, c, 8] in float32. A workgroup makes one panel's values
// of some channels of x; the lanes are the panel's columns.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"
#include "winograd.glsl"

layout(local_size_x = PEN_LANES) in;
layout(constant_id = 0) const bool FLIP = false; // taps run backward, as in an input gradient
layout(set = 0, binding = 0, std430) readonly buffer W { S w[]; };
layout(set = 0, binding = 1, std430) writeonly buffer U { float u[]; };

layout(push_constant) uniform Push {
    uint panels, c;
    uint64_t w_address;
};

void main()
{
    const uint panel = PEN_GROUP_INDEX;
    if (panel >= panels)
        return;
    const float zero = PEN_ZERO_FROM(w, c == 0);
    for (uint k = 0; k < c; k++) {
        const uint channel = min(k, c - 1);
        float g[9], columns[3][6];
        [[unroll]] for (uint tap = 0; tap < 9; tap++) {
            const uint row = (panel * 9 + (FLIP ? 8 - tap : tap)) * c + channel;
            g[tap] = pen_load_lanes(w_address + uint64_t(row) * (PEN_LANES * S_BYTES)) + zero;
        }
        [[unroll]] for (uint x = 0; x < 3; x++)
            winograd_weight(g[x], g[3 + x], g[6 + x], columns[x]);
        [[unroll]] for (uint y = 0; y < 6; y++) {
            float row[6];
            winograd_weight(columns[0][y], columns[1][y], columns[2][y], row);
            [[unroll]] for (uint x = 0; x < 6; x++)
                u[(((y * 6 + x) * panels + panel) * c + channel) * PEN_LANES +
                  gl_SubgroupInvocationID] = row[x];
        }
    }
}
