// SPDX-License-Identifier: GPL-3.0-or-later
// Attention in registers. An invocation owns rows of one side (queries, or keys) and walks along the
// rows of the other side, STEP at a time, which all invocations of a workgroup read at the same
// addresses: these depend on the workgroup index alone, so that they become scalar or broadcast loads.
//
// Rows are [image, token, head, DIMENSION]; four consecutive elements of a row are a run.
//
// UNROLLED: loops over a row are unrolled and an invocation's own rows stay in registers (GPUs, small
// DIMENSION). Otherwise the loops stay loops, so that any DIMENSION compiles quickly.

layout(constant_id = 2) const uint DIMENSION = 64;
layout(constant_id = 3) const bool CAUSAL = false;
const uint RUNS = (DIMENSION + 3) / 4;

#define EACH(i, n) [[unroll]] for (uint i = 0; i < n; i++)
#ifdef UNROLLED
#define EACH_RUN(run) [[unroll]] for (uint run = 0; run < RUNS; run++)
#else
#define EACH_RUN(run) [[dont_unroll]] for (uint run = 0; run < RUNS; run++)
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

// The element at which a row begins.
uint row_start(Block b, uint rows, uint row)
{
    return ((b.image * rows + row) * heads + b.head) * DIMENSION;
}

// The index of a row among the rows of all images and heads (log-sum-exp, delta).
uint row_index(Block b, uint rows, uint row)
{
    return (b.image * heads + b.head) * rows + row;
}
