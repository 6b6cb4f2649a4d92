// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernels for GPUs of attention and its gradient share: which rows a workgroup owns, of one
// side (queries, or keys), and where they and those of the other side lie. Rows are
// [image, token, head, DIMENSION]; four consecutive elements of a row are a run.

layout(constant_id = 2) const uint DIMENSION = 64;
const uint RUNS = (DIMENSION + 3) / 4;

#define EACH(i, n) [[unroll]] for (uint i = 0; i < n; i++)

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

bool attention_block(uint rows, out Block b)
{
    uint group = PEN_GROUP_INDEX;
    b.first_row = group % blocks * rows;
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
