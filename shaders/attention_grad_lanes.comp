// SPDX-License-Identifier: GPL-3.0-or-later
// attention_grad.comp for software Vulkan.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"
#include "attention_lanes.glsl"

layout(constant_id = 2) const bool OWN_KEYS = false;
layout(constant_id = 3) const bool FIRST = true;   // dq or dk is wanted
layout(constant_id = 4) const bool SECOND = false; // dv is wanted

layout(set = 0, binding = 0, std430) readonly buffer Own { S x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Own2 { S x2[]; };
layout(set = 0, binding = 2, std430) readonly buffer Other { S y[]; };
layout(set = 0, binding = 3, std430) readonly buffer Other2 { S y2[]; };
layout(set = 0, binding = 4, std430) readonly buffer LogSumExp
{
    float lse[]; // [image, head, query]
};
layout(set = 0, binding = 5, std430) readonly buffer Delta
{
    float delta[]; // [image, head, query]
};
layout(set = 0, binding = 6, std430) writeonly buffer Gradient { S dx[]; };
layout(set = 0, binding = 7, std430) writeonly buffer Gradient2 { S dx2[]; };

void main()
{
    Block b;
    if (!attention_block(b))
        return;
    uint lane = gl_SubgroupInvocationID;
    bool never = own_rows == 0;
    float zero = PEN_ZERO_FROM(x, never) + PEN_ZERO_FROM(x2, never) + PEN_ZERO_FROM(y, never) +
                 PEN_ZERO_FROM(y2, never);
    uint64_t own[OWN], own2[OWN];
    float own_lse[OWN], own_delta[OWN];
    EACH(i, OWN) {
        uint64_t start = uint64_t(row_start(b, own_rows, b.first_row + i)) * S_BYTES;
        own[i] = addresses[0] + start;
        own2[i] = addresses[1] + start;
        if (!OWN_KEYS) {
            uint r = row_index(b, own_rows, b.first_row + i);
            own_lse[i] = lse[r] * LOG2_E;
            own_delta[i] = delta[r];
        }
    }
    float sum[SUMS], sum2[SUMS];
    EACH(i, SUMS) {
        sum[i] = zero;
        sum2[i] = zero;
    }

    // Where causality leaves the own rows anything to see.
    uint begin = CAUSAL && OWN_KEYS ? b.first_row / PEN_LANES * PEN_LANES : 0;
    uint end = CAUSAL && !OWN_KEYS ? min(other_rows, b.first_row + OWN) : other_rows;
    for (uint first = begin; first < end; first += PEN_LANES) {
        uint64_t other[PEN_LANES], other2[PEN_LANES];
        EACH(j, PEN_LANES) {
            uint64_t start = uint64_t(row_start(b, other_rows, first + j)) * S_BYTES;
            other[j] = addresses[2] + start;
            other2[j] = addresses[3] + start;
        }
        float p[OWN], ds[OWN];
        row_products(own, other, p);
        row_products(own2, other2, ds);

        uint row = first + lane;
        float other_lse = 0, other_delta = 0;
        if (OWN_KEYS) {
            uint r = row_index(b, other_rows, row);
            other_lse = lse[r] * LOG2_E;
            other_delta = delta[r];
        }
        EACH(i, OWN) {
            bool masked = row >= other_rows;
            if (CAUSAL)
                masked = masked || (OWN_KEYS ? row < b.first_row + i : row > b.first_row + i);
            float l = OWN_KEYS ? other_lse : own_lse[i];
            float d = OWN_KEYS ? other_delta : own_delta[i];
            p[i] = masked ? 0 : exp2(p[i] * scale - l);
            ds[i] = p[i] * (ds[i] - d);
        }
        if (FIRST)
            add_rows(ds, other, sum);
        if (SECOND)
            add_rows(p, other2, sum2);
    }

    EACH(i, OWN) {
        uint row = b.first_row + i;
        if (row < own_rows) {
            uint start = row_start(b, own_rows, row) + lane;
            EACH(part, PARTS) {
                uint to = start + part * PEN_LANES;
                if (FIRST) // scale has log2(e), which the gradient has not
                    dx[to] = S(sum[i * PARTS + part] * (scale * LN_2));
                if (SECOND)
                    dx2[to] = S(sum2[i * PARTS + part]);
            }
        }
    }
}
