// SPDX-License-Identifier: GPL-3.0-or-later
// Attention in registers. An invocation owns rows of one side (queries, or keys) and walks along the
// rows of the other side, STEP at a time.
//
// TILED: the workgroup copies TILE rows of the other side to shared memory and reads them from there;
// loops over a row are unrolled and an invocation's own rows stay in registers. PARTS invocations, a
// power of two within a subgroup, share a row, so that a long one fits: each has every PARTS-th run,
// and the products of two rows are summed over them. Without KEEP, for rows that even so take more
// registers than there are, the own rows are read again at each step, and only sums stay.
// Otherwise everything is read where it lies, the other rows at addresses that depend on the
// workgroup alone (scalar or broadcast loads), and the loops over a row stay loops, so that any
// DIMENSION compiles quickly.

#include "attention_rows.glsl"

layout(constant_id = 3) const bool CAUSAL = false;

#ifdef TILED
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
layout(constant_id = 4) const uint TILE = 32; // a multiple of STEP
layout(constant_id = 5) const uint PARTS = 1;
layout(constant_id = 6) const bool KEEP = true;
const uint OWN_RUNS = (RUNS + PARTS - 1) / PARTS;
const uint TILE_RUNS = OWN_RUNS * PARTS; // of a row in shared memory, zeros at its end
shared vec4 tile[TILE * TILE_RUNS], tile2[TILE * TILE_RUNS];
#define EACH_RUN(run) [[unroll]] for (uint run = 0; run < OWN_RUNS; run++)
#else
const uint TILE = STEP;
const uint PARTS = 1;
const bool KEEP = false;
const uint OWN_RUNS = RUNS;
#define EACH_RUN(run) [[dont_unroll]] for (uint run = 0; run < OWN_RUNS; run++)
#endif
const uint KEPT = KEEP ? OWN * OWN_RUNS : 1; // runs of own rows that stay in registers
#define PART (gl_LocalInvocationID.x % PARTS)
#define OWN_ROWS (gl_WorkGroupSize.x / PARTS * OWN) // of a workgroup

// Own row i of the invocation.
uint own_row(Block b, uint i)
{
    return b.first_row + (i * gl_WorkGroupSize.x + gl_LocalInvocationID.x) / PARTS;
}

// Where own run `run` lies in its row, in elements; beyond the row's end for some when PARTS does not
// divide it.
uint run_offset(uint run)
{
    return (run * PARTS + PART) * 4;
}
bool run_exists(uint run)
{
    return RUNS % PARTS == 0 || run * PARTS + PART < RUNS;
}

// Sums over the invocations that share a row.
float sum_parts(float x)
{
#ifdef TILED
    [[unroll]] for (uint step = 1; step < PARTS; step *= 2)
        x += subgroupShuffleXor(x, step);
#endif
    return x;
}

// Own run `run` of a tensor's row.
#define LOAD_OWN(a, start, run) \
    (run_exists(run) ? load_##a(start + run_offset(run), DIMENSION - run_offset(run)) : vec4(0))

// Own run `run` of the other side's row `first` + `j`, of the two tensors that are walked along.
#ifdef TILED
#define PEN_WALK(a, a2)                                                               \
    void walk_tile(Block b, uint tile_first)                                          \
    {                                                                                 \
        barrier();                                                                    \
        for (uint i = gl_LocalInvocationID.x; i < TILE * TILE_RUNS; i += gl_WorkGroupSize.x) { \
            uint at = i % TILE_RUNS * 4;                                              \
            uint start = row_start(b, other_rows, tile_first + i / TILE_RUNS) + at;   \
            bool real = TILE_RUNS == RUNS || at < DIMENSION;                          \
            tile[i] = real ? load_##a(start, DIMENSION - at) : vec4(0);               \
            tile2[i] = real ? load_##a2(start, DIMENSION - at) : vec4(0);             \
        }                                                                             \
        barrier();                                                                    \
    }
#define WALK(a, j, run) tile[(t + j) * TILE_RUNS + run * PARTS + PART]
#define WALK2(a, j, run) tile2[(t + j) * TILE_RUNS + run * PARTS + PART]
#else
#define PEN_WALK(a, a2)                                                               \
    void walk_tile(Block b, uint tile_first)                                          \
    {                                                                                 \
    }
#define WALK(a, j, run) load_##a(other[j] + run * 4, DIMENSION - run * 4)
#define WALK2(a, j, run) load_##a(other[j] + run * 4, DIMENSION - run * 4)
#endif
