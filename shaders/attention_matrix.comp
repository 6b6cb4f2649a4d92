// SPDX-License-Identifier: GPL-3.0-or-later
// attention.comp with cooperative matrices (attention_matrix.glsl).
#version 460
#extension GL_GOOGLE_include_directive : require
#define OWN 1
#include "common.glsl"
#include "tensor.glsl"
#include "attention_matrix.glsl"

layout(constant_id = 8) const bool LSE = false;

PEN_INPUT(0, q)
PEN_INPUT(1, k)
PEN_INPUT(2, v)
PEN_OUTPUT(3, o)
layout(set = 0, binding = 4, std430) writeonly buffer LogSumExp
{
    float lse[]; // [image, head, query]
};

void main()
{
    Block b;
    if (!attention_block(TILE, b))
        return;
    COPY_ROWS(q, 0, own_rows, b.first_row)
    barrier();
    begin();

    float maximum = LOWEST; // less WEIGHT_BITS
    float denominator = 0;  // the invocation's share
    for (uint tile_first = 0; tile_first < other_rows; tile_first += TILE) {
        barrier();
        COPY_ROWS(k, OTHER, other_rows, tile_first)
        COPY_ROWS(v, OTHER + TENSOR, other_rows, tile_first)
        barrier();
        const uint end = min(TILE, other_rows - tile_first);
        [[dont_unroll]] for (uint first = 0; first < end; first += STEP) {
            make_scores(0, first);
            vec4 p[SCORE_RUNS];
            float m = LOWEST;
            EACH(i, SCORE_RUNS) {
                p[i] = SCORE(i) * scale;
                EACH(e, 4) {
                    if (first + SCORE_RUN(i) * 4 + e >= end)
                        p[i][e] = LOWEST;
                    m = max(m, p[i][e]);
                }
            }
            m = max(maximum, parts_max(m) - WEIGHT_BITS);
            const float rescale = exp2(maximum - m);
            maximum = m;
            denominator *= rescale;
            EACH(i, SCORE_RUNS) {
                p[i] = exp2(p[i] - m);
                denominator += p[i].x + p[i].y + p[i].z + p[i].w;
                WEIGHT(0, i) = f16vec4(p[i]);
            }
            factors[ROW] = rescale;
            subgroupBarrier();
            if (subgroupAny(rescale != 1))
                scale_rows(0);
            add_rows(0, 1, first);
        }
    }

    denominator = parts_sum(denominator);
    STORE_ROWS(o, 0, 1 / denominator)
    const uint row = b.first_row + ROW;
    if (LSE && PART == 0 && row < own_rows)
        lse[row_index(b, own_rows, row)] = maximum * LN_2 + log(denominator);
}
