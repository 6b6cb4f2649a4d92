// SPDX-License-Identifier: GPL-3.0-or-later
// The gradient of attention with respect to the rows of one side. With the probabilities p, made again
// from q, k and lse, and
//     dp = do v^T,   ds = p (dp - delta) / sqrt(DIMENSION)
// it is dq = ds k on the side of the queries, and dk = ds^T q, dv = p^T do on the side of the keys
// (OWN_KEYS). Seen from an own row x with x2 (q and do, or k and v) against the other rows y with y2,
// both are the same: p from x y, dp from x2 y2, and the sums of ds y and of p y2 over the others.
// No atomics: each invocation owns its results.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "tensor.glsl"
#include "attention.glsl"

layout(constant_id = 7) const bool OWN_KEYS = false;
layout(constant_id = 8) const bool FIRST = true;   // dq or dk is wanted
layout(constant_id = 9) const bool SECOND = false; // dv is wanted

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
PEN_WALK(y, y2)

void main()
{
    Block b;
    if (!attention_block(OWN_ROWS, b))
        return;
    uint row[OWN], start[OWN];
    float own_lse[OWN], own_delta[OWN];
    EACH(i, OWN) {
        row[i] = own_row(b, i);
        start[i] = row_start(b, own_rows, row[i]);
        if (!OWN_KEYS) {
            own_lse[i] = lse[row_index(b, own_rows, row[i])] * LOG2_E;
            own_delta[i] = delta[row_index(b, own_rows, row[i])];
        }
    }
    vec4 own[KEPT], own2[KEPT];
    if (KEEP)
        EACH_RUN(run) EACH(i, OWN) {
            own[run * OWN + i] = LOAD_OWN(x, start[i], run);
            own2[run * OWN + i] = LOAD_OWN(x2, start[i], run);
        }
    vec4 sum[OWN * OWN_RUNS], sum2[OWN * OWN_RUNS];
    EACH_RUN(run) EACH(i, OWN) {
        sum[run * OWN + i] = vec4(0);
        sum2[run * OWN + i] = vec4(0);
    }

    // Where causality leaves the own rows anything to see.
    uint begin = 0, end = other_rows;
    if (CAUSAL && OWN_KEYS)
        begin = b.first_row / TILE * TILE;
    if (CAUSAL && !OWN_KEYS)
        end = min(end, b.first_row + OWN_ROWS);
    for (uint tile_first = begin; tile_first < end; tile_first += TILE) {
        walk_tile(b, tile_first);
        [[dont_unroll]] for (uint t = 0; t < TILE; t += STEP) {
            uint first = tile_first + t;
            uint other[STEP];
            float p[OWN * STEP], ds[OWN * STEP];
            EACH(j, STEP) other[j] = row_start(b, other_rows, first + j);
            EACH(i, OWN * STEP) {
                p[i] = 0;
                ds[i] = 0;
            }
            EACH_RUN(run) {
                vec4 a[OWN], a2[OWN];
                EACH(i, OWN) {
                    if (KEEP) {
                        a[i] = own[run * OWN + i];
                        a2[i] = own2[run * OWN + i];
                    } else {
                        a[i] = LOAD_OWN(x, start[i], run);
                        a2[i] = LOAD_OWN(x2, start[i], run);
                    }
                }
                EACH(j, STEP) {
                    vec4 c = WALK(y, j, run), c2 = WALK2(y2, j, run);
                    EACH(e, 4) EACH(i, OWN) {
                        p[i * STEP + j] = fma(a[i][e], c[e], p[i * STEP + j]);
                        ds[i * STEP + j] = fma(a2[i][e], c2[e], ds[i * STEP + j]);
                    }
                }
            }

            EACH(i, OWN * STEP) {
                p[i] = sum_parts(p[i]);
                ds[i] = sum_parts(ds[i]);
            }

            EACH(j, STEP) {
                float other_lse, other_delta;
                if (OWN_KEYS) {
                    uint r = row_index(b, other_rows, first + j);
                    other_lse = lse[r] * LOG2_E;
                    other_delta = delta[r];
                }
                EACH(i, OWN) {
                    bool masked = first + j >= other_rows;
                    if (CAUSAL)
                        masked = masked || (OWN_KEYS ? first + j < row[i] : first + j > row[i]);
                    float l = OWN_KEYS ? other_lse : own_lse[i];
                    float d = OWN_KEYS ? other_delta : own_delta[i];
                    uint n = i * STEP + j;
                    p[n] = masked ? 0 : exp2(p[n] * scale - l);
                    ds[n] = p[n] * (ds[n] - d);
                }
            }

            EACH_RUN(run) {
                if (FIRST) {
                    vec4 s[OWN];
                    EACH(i, OWN) s[i] = sum[run * OWN + i];
                    EACH(j, STEP) {
                        vec4 c = WALK(y, j, run);
                        EACH(i, OWN) s[i] = fma(vec4(ds[i * STEP + j]), c, s[i]);
                    }
                    EACH(i, OWN) sum[run * OWN + i] = s[i];
                }
                if (SECOND) {
                    vec4 s[OWN];
                    EACH(i, OWN) s[i] = sum2[run * OWN + i];
                    EACH(j, STEP) {
                        vec4 c = WALK2(y2, j, run);
                        EACH(i, OWN) s[i] = fma(vec4(p[i * STEP + j]), c, s[i]);
                    }
                    EACH(i, OWN) sum2[run * OWN + i] = s[i];
                }
            }
        }
    }

    EACH(i, OWN) {
        if (row[i] < own_rows) {
            EACH_RUN(run) {
                uint element = start[i] + run_offset(run), left = DIMENSION - run_offset(run);
                if (FIRST && run_exists(run)) // scale has log2(e), which the gradient has not
                    store_dx(element, left, sum[run * OWN + i] * (scale * LN_2));
                if (SECOND && run_exists(run))
                    store_dx2(element, left, sum2[run * OWN + i]);
            }
        }
    }
}
