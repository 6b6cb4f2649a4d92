// SPDX-License-Identifier: GPL-3.0-or-later
// attention_grad.comp with cooperative matrices (attention_matrix.glsl).
#version 460
#extension GL_GOOGLE_include_directive : require
#define OWN 2
#include "common.glsl"
#include "tensor.glsl"
#include "attention_matrix.glsl"

layout(constant_id = 8) const bool OWN_KEYS = false;
layout(constant_id = 9) const bool FIRST = true;   // dq or dk is wanted
layout(constant_id = 10) const bool SECOND = false; // dv is wanted

PEN_INPUT(0, x)
PEN_INPUT(1, x2)
PEN_INPUT(2, y)
PEN_INPUT(3, y2)
layout(set = 0, binding = 4, std430) readonly buffer LogSumExp
{
    float lse[]; // [image, head, query]
};
layout(set = 0, binding = 5, std430) readonly buffer Delta
{
    float delta[]; // [image, head, query]
};
PEN_OUTPUT(6, dx)
PEN_OUTPUT(7, dx2)

// What is taken off the scores and off dp: lse less WEIGHT_BITS, and delta. The queries have it, on
// either side; what is masked gets a score that is far too small.
shared vec2 other_off[TILE];

vec2 query_off(Block b, uint rows, uint row)
{
    const uint r = row_index(b, rows, row);
    return vec2(lse[r] * LOG2_E - WEIGHT_BITS, delta[r]);
}

void main()
{
    Block b;
    if (!attention_block(TILE, b))
        return;
    COPY_ROWS(x, 0, own_rows, b.first_row)
    COPY_ROWS(x2, TENSOR, own_rows, b.first_row)
    barrier();
    begin();

    const vec2 own_off = OWN_KEYS ? vec2(0) : query_off(b, own_rows, b.first_row + ROW);
    // Nobody knows how large gradients are. So that float16 holds them, those of an own row are
    // multiplied by a factor of its own, which shrinks when larger ones come.
    float factor = 1e20;
    for (uint tile_first = 0; tile_first < other_rows; tile_first += TILE) {
        barrier();
        COPY_ROWS(y, OTHER, other_rows, tile_first)
        COPY_ROWS(y2, OTHER + TENSOR, other_rows, tile_first)
        const uint end = min(TILE, other_rows - tile_first);
        for (uint i = gl_LocalInvocationIndex; i < TILE; i += INVOCATIONS) {
            other_off[i] = i < end ? vec2(0) : vec2(-LOWEST, 0);
            if (OWN_KEYS && i < end)
                other_off[i] = query_off(b, other_rows, tile_first + i);
        }
        barrier();
        [[dont_unroll]] for (uint first = 0; first < end; first += STEP) {
            vec4 p[SCORE_RUNS], ds[SCORE_RUNS];
            make_scores(0, first);
            EACH(i, SCORE_RUNS) p[i] = SCORE(i) * scale;
            subgroupBarrier();
            if (FIRST)
                make_scores(1, first);
            float largest = 0;
            EACH(i, SCORE_RUNS) {
                ds[i] = SCORE(i);
                EACH(e, 4) {
                    const vec2 off = own_off + other_off[first + SCORE_RUN(i) * 4 + e];
                    p[i][e] = exp2(p[i][e] - off.x);
                    ds[i][e] = p[i][e] * (ds[i][e] - off.y);
                    largest = max(largest, abs(ds[i][e]));
                }
            }
            largest = parts_max(largest);
            const float last = factor;
            if (largest * factor > 32768)
                factor = 256 / largest;
            EACH(i, SCORE_RUNS) {
                if (FIRST)
                    WEIGHT(0, i) = f16vec4(ds[i] * factor);
                if (SECOND)
                    WEIGHT(1, i) = f16vec4(p[i]);
            }
            factors[ROW] = factor / last;
            subgroupBarrier();
            if (FIRST) {
                if (subgroupAny(factor != last))
                    scale_rows(0);
                add_rows(0, 0, first);
            }
            if (SECOND)
                add_rows(1, 1, first);
        }
    }

    const float unit = exp2(-WEIGHT_BITS);
    if (FIRST) // scale has log2(e), which the gradient has not
        STORE_ROWS(dx, 0, scale * LN_2 * unit / factor)
    if (SECOND)
        STORE_ROWS(dx2, 1, unit)
}
