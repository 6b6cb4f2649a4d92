// SPDX-License-Identifier: GPL-3.0-or-later
// o = softmax(scale q k^T) v, and the logarithm of the softmax's denominator (lse), without ever
// writing the scores: a running maximum and sum are kept and the result is rescaled when the maximum
// grows (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018).
// Queries are the own rows, keys and values the others (attention.glsl).
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "attention.glsl"

layout(constant_id = 7) const bool LSE = false;

PEN_INPUT(0, q)
PEN_INPUT(1, k)
PEN_INPUT(2, v)
PEN_OUTPUT(3, o)
layout(set = 0, binding = 4, std430) writeonly buffer LogSumExp
{
    float lse[]; // [image, head, query]
};
PEN_WALK(k, v)

void main()
{
    Block b;
    if (!attention_block(OWN_ROWS, b))
        return;
    uint row[OWN], start[OWN];
    EACH(i, OWN) {
        row[i] = own_row(b, i);
        start[i] = row_start(b, own_rows, row[i]);
    }
    vec4 query[KEPT];
    if (KEEP)
        EACH_RUN(run) EACH(i, OWN) query[run * OWN + i] = LOAD_OWN(q, start[i], run);
    vec4 sum[OWN * OWN_RUNS];
    float maximum[OWN], denominator[OWN];
    EACH_RUN(run) EACH(i, OWN) sum[run * OWN + i] = vec4(0);
    EACH(i, OWN) {
        maximum[i] = LOWEST;
        denominator[i] = 0;
    }

    uint end = other_rows;
    if (CAUSAL)
        end = min(end, b.first_row + OWN_ROWS);
    for (uint tile_first = 0; tile_first < end; tile_first += TILE) {
        walk_tile(b, tile_first);
        [[dont_unroll]] for (uint t = 0; t < TILE; t += STEP) {
            uint first = tile_first + t;
            uint other[STEP];
            float p[OWN * STEP];
            EACH(j, STEP) other[j] = row_start(b, other_rows, first + j);
            EACH(i, OWN * STEP) p[i] = 0;
            EACH_RUN(run) {
                vec4 x[OWN];
                EACH(i, OWN) {
                    if (KEEP)
                        x[i] = query[run * OWN + i];
                    else
                        x[i] = LOAD_OWN(q, start[i], run);
                }
                EACH(j, STEP) {
                    vec4 y = WALK(k, j, run);
                    EACH(e, 4) EACH(i, OWN) p[i * STEP + j] = fma(x[i][e], y[e], p[i * STEP + j]);
                }
            }

            EACH(i, OWN * STEP) p[i] = sum_parts(p[i]);

            float rescale[OWN];
            EACH(i, OWN) {
                float m = maximum[i];
                EACH(j, STEP) {
                    bool masked = first + j >= other_rows || CAUSAL && first + j > row[i];
                    p[i * STEP + j] = masked ? LOWEST : p[i * STEP + j] * scale;
                    m = max(m, p[i * STEP + j]);
                }
                rescale[i] = exp2(maximum[i] - m);
                maximum[i] = m;
                denominator[i] *= rescale[i];
                EACH(j, STEP) {
                    p[i * STEP + j] = exp2(p[i * STEP + j] - m);
                    denominator[i] += p[i * STEP + j];
                }
            }

            EACH_RUN(run) {
                vec4 s[OWN];
                EACH(i, OWN) s[i] = sum[run * OWN + i] * rescale[i];
                EACH(j, STEP) {
                    vec4 y = WALK2(v, j, run);
                    EACH(i, OWN) s[i] = fma(vec4(p[i * STEP + j]), y, s[i]);
                }
                EACH(i, OWN) sum[run * OWN + i] = s[i];
            }
        }
    }

    EACH(i, OWN) {
        if (row[i] < own_rows) {
            float factor = 1 / denominator[i];
            EACH_RUN(run) {
                uint at = run_offset(run);
                if (run_exists(run))
                    store_o(start[i] + at, DIMENSION - at, sum[run * OWN + i] * factor);
            }
            if (LSE && PART == 0)
                lse[row_index(b, own_rows, row[i])] = maximum[i] * LN_2 + log(denominator[i]);
        }
    }
}
