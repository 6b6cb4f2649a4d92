// SPDX-License-Identifier: GPL-3.0-or-later
// Attention for software Vulkan (lanes.glsl says why it differs from attention.glsl). A workgroup owns
// OWN rows of one side and walks along the rows of the other side, eight at a time. Scores are summed
// with the eight lanes on neighbouring elements of a row and then folded, so that each lane holds the
// score of one of the eight rows; for the weighted sums of rows each score is broadcast to all lanes.
// DIMENSION is a multiple of eight.

#define OWN 4

layout(local_size_x = PEN_LANES) in;
layout(constant_id = 0) const uint DIMENSION = 64;
layout(constant_id = 1) const bool CAUSAL = false;
const uint PARTS = DIMENSION / PEN_LANES; // vectors of a row
const uint SUMS = OWN * PARTS;

layout(push_constant) uniform Push
{
    uint images, heads;
    uint own_rows, other_rows; // of an image
    uint blocks;               // workgroups for the own rows of an image and head
    float scale;               // of the scores, with log2(e): probabilities are powers of two
    uint64_t addresses[4];
};

const float LOG2_E = 1.4426950408889634;
const float LN_2 = 0.6931471805599453;
const float LOWEST = -1e30; // the score of what is masked; finite, so that differences are numbers

#define EACH(i, n) [[unroll]] for (uint i = 0; i < n; i++)

// A workgroup's share: OWN rows of one image and head.
struct Block {
    uint image, head, first_row;
};

// FALSE in excess workgroups, whose addresses are still valid.
bool attention_block(out Block b)
{
    uint count = images * heads * blocks, group = min(PEN_GROUP_INDEX, count - 1);
    b = Block(group / blocks / heads, group / blocks % heads, group % blocks * OWN);
    return PEN_GROUP_INDEX < count;
}

// The index of a row among the rows of all images and heads (log-sum-exp, delta).
uint row_index(Block b, uint rows, uint row)
{
    return (b.image * heads + b.head) * rows + min(row, rows - 1);
}

// The first element of a row; rows beyond the last are the last.
uint row_start(Block b, uint rows, uint row)
{
    return ((b.image * rows + min(row, rows - 1)) * heads + b.head) * DIMENSION;
}

uint64_t part_address(uint64_t row, uint part)
{
    return row + part * (PEN_LANES * S_BYTES);
}

// The products of OWN rows with eight others: lane j gets those with row j.
void row_products(uint64_t own[OWN], uint64_t other[PEN_LANES], out float products[OWN])
{
    float sum[OWN * PEN_LANES];
    EACH(i, OWN * PEN_LANES) sum[i] = 0;
    EACH(part, PARTS) {
        float x[OWN];
        EACH(i, OWN) x[i] = pen_load_lanes(part_address(own[i], part));
        EACH(j, PEN_LANES) {
            float y = pen_load_lanes(part_address(other[j], part));
            EACH(i, OWN) sum[i * PEN_LANES + j] = fma(x[i], y, sum[i * PEN_LANES + j]);
        }
    }
    EACH(i, OWN) {
        float pair[4];
        EACH(j, 4) {
            uint n = i * PEN_LANES + 2 * j;
            pair[j] = pen_fold_lanes(sum[n], sum[n + 1], 1);
        }
        float low = pen_fold_lanes(pair[0], pair[1], 2), high = pen_fold_lanes(pair[2], pair[3], 2);
        products[i] = pen_fold_lanes(low, high, 4);
    }
}

// Adds the eight other rows, weighted by what lane j holds for row j, to the sums of OWN rows.
void add_rows(float weights[OWN], uint64_t other[PEN_LANES], inout float sums[SUMS])
{
    float weight[OWN * PEN_LANES];
    EACH(i, OWN) EACH(j, PEN_LANES) weight[i * PEN_LANES + j] = subgroupBroadcast(weights[i], j);
    EACH(part, PARTS) {
        EACH(j, PEN_LANES) {
            float y = pen_load_lanes(part_address(other[j], part));
            EACH(i, OWN) {
                uint n = i * PARTS + part;
                sums[n] = fma(weight[i * PEN_LANES + j], y, sums[n]);
            }
        }
    }
}
