// SPDX-License-Identifier: GPL-3.0-or-later
// attention.comp for software Vulkan.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "lanes.glsl"
#include "attention_lanes.glsl"

layout(constant_id = 2) const bool LSE = false;

layout(set = 0, binding = 0, std430) readonly buffer Queries { S q[]; };
layout(set = 0, binding = 1, std430) readonly buffer Keys { S k[]; };
layout(set = 0, binding = 2, std430) readonly buffer Weighted { S v[]; };
layout(set = 0, binding = 3, std430) writeonly buffer Output { S o[]; };
layout(set = 0, binding = 4, std430) writeonly buffer LogSumExp
{
    float lse[]; // [image, head, query]
};

float lanes_max(float x)
{
    x = max(x, subgroupShuffleXor(x, 1));
    x = max(x, subgroupShuffleXor(x, 2));
    return max(x, subgroupShuffleXor(x, 4));
}

float lanes_sum(float x)
{
    x += subgroupShuffleXor(x, 1);
    x += subgroupShuffleXor(x, 2);
    return x + subgroupShuffleXor(x, 4);
}

void main()
{
    Block b;
    if (!attention_block(b))
        return;
    uint lane = gl_SubgroupInvocationID;
    bool never = own_rows == 0;
    float zero = PEN_ZERO_FROM(q, never) + PEN_ZERO_FROM(k, never) + PEN_ZERO_FROM(v, never);
    uint64_t own[OWN];
    EACH(i, OWN) own[i] = addresses[0] + uint64_t(row_start(b, own_rows, b.first_row + i)) * S_BYTES;
    float sum[SUMS];
    float maximum[OWN], denominator[OWN]; // the denominator in eight shares
    EACH(i, SUMS) sum[i] = zero;
    EACH(i, OWN) {
        maximum[i] = LOWEST;
        denominator[i] = zero;
    }

    uint end = CAUSAL ? min(other_rows, b.first_row + OWN) : other_rows;
    for (uint first = 0; first < end; first += PEN_LANES) {
        uint64_t keys[PEN_LANES], values[PEN_LANES];
        EACH(j, PEN_LANES) {
            uint64_t start = uint64_t(row_start(b, other_rows, first + j)) * S_BYTES;
            keys[j] = addresses[1] + start;
            values[j] = addresses[2] + start;
        }
        float p[OWN];
        row_products(own, keys, p);
        EACH(i, OWN) {
            bool masked = first + lane >= other_rows || CAUSAL && first + lane > b.first_row + i;
            p[i] = masked ? LOWEST : p[i] * scale;
            float m = max(maximum[i], lanes_max(p[i]));
            float rescale = exp2(maximum[i] - m);
            maximum[i] = m;
            p[i] = exp2(p[i] - m);
            denominator[i] = fma(denominator[i], rescale, p[i]);
            EACH(part, PARTS) sum[i * PARTS + part] *= rescale;
        }
        add_rows(p, values, sum);
    }

    EACH(i, OWN) {
        uint row = b.first_row + i;
        if (row < own_rows) {
            float total = lanes_sum(denominator[i]);
            uint start = row_start(b, own_rows, row) + lane;
            EACH(part, PARTS) o[start + part * PEN_LANES] = S(sum[i * PARTS + part] / total);
            if (LSE && lane == 0)
                lse[row_index(b, own_rows, row)] = maximum[i] * LN_2 + log(total);
        }
    }
}
