// SPDX-License-Identifier: GPL-3.0-or-later
// Attention in registers. An invocation owns rows of one side (queries, or keys) and walks along the
// rows of the other side, STEP at a time. Rows are [image, token, head, DIMENSION]; four consecutive
// elements of a row are a run.
//
// TILED: the workgroup copies TILE rows of the other side to shared memory and reads them from there;
// loops over a row are unrolled and an invocation's own rows stay in registers. For small DIMENSION.
// Otherwise everything is read where it lies, the other rows at addresses that depend on the
// workgroup alone (scalar or broadcast loads), and the loops over a row stay loops, so that any
// DIMENSION compiles quickly.

layout(constant_id = 2) const uint DIMENSION = 64;
layout(constant_id = 3) const bool CAUSAL = false;
const uint RUNS = (DIMENSION + 3) / 4;

#define EACH(i, n) [[unroll]] for (uint i = 0; i < n; i++)
#ifdef TILED
#define EACH_RUN(run) [[unroll]] for (uint run = 0; run < RUNS; run++)
layout(constant_id = 4) const uint TILE = 32; // a multiple of STEP
shared vec4 tile[TILE * RUNS], tile2[TILE * RUNS];
#else
#define EACH_RUN(run) [[dont_unroll]] for (uint run = 0; run < RUNS; run++)
const uint TILE = STEP;
#endif

layout(push_constant) uniform Push
{
    uint images, heads;
    uint own_rows, other_rows; // of an image
    uint blocks;               // workgroups for the own rows of an image and head
    float scale;               // of the scores, with log2(e): probabilities are powers of two
};

const float LOG2_E = 1.4426950408889634;
const float LN_2 = 0.6931471805599453;
const float LOWEST = -1e30; // the score of what is masked; finite, so that differences are numbers

// A workgroup's share: a block of own rows of one image and head.
struct Block {
    uint image, head, first_row;
};

bool attention_block(out Block b)
{
    uint group = PEN_GROUP_INDEX;
    b.first_row = group % blocks * gl_WorkGroupSize.x * OWN;
    b.head = group / blocks % heads;
    b.image = group / blocks / heads;
    return b.image < images;
}

// The element at which a row begins; rows beyond the last are the last.
uint row_start(Block b, uint rows, uint row)
{
    return ((b.image * rows + min(row, rows - 1)) * heads + b.head) * DIMENSION;
}

// The index of a row among the rows of all images and heads (log-sum-exp, delta).
uint row_index(Block b, uint rows, uint row)
{
    return (b.image * heads + b.head) * rows + min(row, rows - 1);
}

// Elements of a row from a run on.
uint run_left(uint run)
{
    return DIMENSION - run * 4;
}

// Run `run` of the other side's row `first` + `j`, of the two tensors that are walked along.
#ifdef TILED
#define PEN_WALK(a, a2)                                                               \
    void walk_tile(Block b, uint tile_first)                                          \
    {                                                                                 \
        barrier();                                                                    \
        for (uint i = gl_LocalInvocationID.x; i < TILE * RUNS; i += gl_WorkGroupSize.x) { \
            uint run = i % RUNS;                                                      \
            uint start = row_start(b, other_rows, tile_first + i / RUNS) + run * 4;   \
            tile[i] = load_##a(start, run_left(run));                                 \
            tile2[i] = load_##a2(start, run_left(run));                               \
        }                                                                             \
        barrier();                                                                    \
    }
#define WALK(a, j, run) tile[(t + j) * RUNS + run]
#define WALK2(a, j, run) tile2[(t + j) * RUNS + run]
#else
#define PEN_WALK(a, a2)                                                               \
    void walk_tile(Block b, uint tile_first)                                          \
    {                                                                                 \
    }
#define WALK(a, j, run) load_##a(other[j] + run * 4, run_left(run))
#define WALK2(a, j, run) load_##a(other[j] + run * 4, run_left(run))
#endif
