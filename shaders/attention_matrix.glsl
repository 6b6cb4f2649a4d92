// SPDX-License-Identifier: GPL-3.0-or-later
// Attention with cooperative matrices, float16 in and float32 out. A workgroup owns TILE rows of one
// side and walks along the rows of the other side, of which it copies TILE at a time to shared memory,
// with zeros behind the last channel where a row is no whole number of matrices. Each subgroup owns
// SIDE of the rows and takes STEP of the tile's rows at a time:
//
//   scores   products of own rows with others, SIDE x STEP. A matrix's layout is the device's secret:
//            they go through shared memory to registers, where PARTS invocations share an own row;
//   weights  what becomes of the scores, float16, through shared memory to matrices again;
//   sums     of the other rows with these weights, which stay in matrices.
//
// OWN tensors are read on the own side, and as many are summed up; the other side has two.

#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_KHR_shader_subgroup_vote : require
#include "attention_rows.glsl"

layout(constant_id = 0) const uint INVOCATIONS = 128;
layout(constant_id = 4) const uint SIDE = 16;
layout(constant_id = 5) const uint PARTS = 2; // of a subgroup, which has SIDE * PARTS invocations
const uint TILE = INVOCATIONS / PARTS, SUBGROUPS = TILE / SIDE;
const uint STEP = STEP_MATRICES * SIDE; // at most TILE
const uint MATRICES = (DIMENSION + SIDE - 1) / SIDE;
const uint SIDE_RUNS = SIDE / 4;

// Four float16 at a row's end keep neighbouring rows in different banks.
const uint ROW_RUNS = MATRICES * SIDE_RUNS, STRIDE = ROW_RUNS + 2;
const uint SCORE_STRIDE = STEP / 4 + 1, WEIGHT_STRIDE = STEP / 4 + 2;
const uint TENSOR = TILE * STRIDE; // runs of a tensor in the tile

// Own rows stay in registers where these suffice, else in the tile before the other rows. That loop
// over a row stays a loop, too: unrolled, software Vulkan takes minutes to compile it.
const bool KEEP = DIMENSION <= 80;
const uint OTHER = KEEP ? 0 : OWN * TENSOR;
shared f16vec4 tile[OTHER + 2 * TENSOR];
shared vec4 scores[TILE * SCORE_STRIDE];
shared f16vec4 weights[OWN * TILE * WEIGHT_STRIDE];
shared float factors[TILE];

#define MATRIX(type, use) coopmat<type, gl_ScopeSubgroup, SIDE, SIDE, gl_MatrixUse##use>
#define ROW_MAJOR gl_CooperativeMatrixLayoutRowMajor
#define COLUMN_MAJOR gl_CooperativeMatrixLayoutColumnMajor
MATRIX(float16_t, A) own[OWN * MATRICES];
MATRIX(float, Accumulator) products[STEP_MATRICES], sums[OWN * MATRICES];

// Float16 is finest for what is large: weights are 2^WEIGHT_BITS times the probabilities.
const float WEIGHT_BITS = 12;

// The subgroup's first row in the tile, and what an invocation has of the scores: every PARTS-th run of
// a row.
#define FIRST_ROW (gl_SubgroupID * SIDE)
#define ROW (FIRST_ROW + gl_SubgroupInvocationID % SIDE)
#define PART (gl_SubgroupInvocationID / SIDE)
const uint SCORE_RUNS = STEP / 4 / PARTS;
#define SCORE_RUN(i) ((i) * PARTS + PART)
#define SCORE(i) scores[ROW * SCORE_STRIDE + SCORE_RUN(i)]
#define WEIGHT(sum, i) weights[((sum) * TILE + ROW) * WEIGHT_STRIDE + SCORE_RUN(i)]

// Copies rows from `first` on to the tile.
#define COPY_ROWS(a, to, rows, first)                                                 \
    EACH(pen_i, TENSOR_RUNS) {                                                        \
        const uint i = pen_i * INVOCATIONS + gl_LocalInvocationIndex;                 \
        const uint row = i / ROW_RUNS, run = i % ROW_RUNS;                            \
        f16vec4 v = f16vec4(0);                                                       \
        if (ROW_RUNS == RUNS || run < RUNS)                                           \
            v = f16vec4(load_##a(row_start(b, rows, first + row) + run * 4, DIMENSION - run * 4)); \
        tile[(to) + row * STRIDE + run] = v;                                          \
    }
const uint TENSOR_RUNS = TILE * ROW_RUNS / INVOCATIONS; // that an invocation copies

// Once the tile begins with the own rows.
void begin()
{
    EACH(i, OWN * MATRICES) sums[i] = MATRIX(float, Accumulator)(0);
    if (KEEP) {
        EACH(t, OWN) EACH(k, MATRICES)
            coopMatLoad(own[t * MATRICES + k], tile, t * TENSOR + FIRST_ROW * STRIDE + k * SIDE_RUNS,
                        STRIDE, ROW_MAJOR);
    }
}

// Adds to the scores the products with the other rows' matrices from `at` in the tile on.
void add_products(MATRIX(float16_t, A) a, uint at)
{
    EACH(n, STEP_MATRICES) {
        MATRIX(float16_t, B) b;
        coopMatLoad(b, tile, at + n * SIDE * STRIDE, STRIDE, COLUMN_MAJOR);
        products[n] = coopMatMulAdd(a, b, products[n]);
    }
}

// The scores of own rows and STEP others, from tile row `first` on, of tensor t.
void make_scores(uint t, uint first)
{
    const uint own_at = t * TENSOR + FIRST_ROW * STRIDE, at = OTHER + t * TENSOR + first * STRIDE;
    EACH(n, STEP_MATRICES) products[n] = MATRIX(float, Accumulator)(0);
    if (KEEP) {
        EACH(k, MATRICES) add_products(own[t * MATRICES + k], at + k * SIDE_RUNS);
    } else {
        [[dont_unroll]] for (uint k = 0; k < MATRICES; k++) {
            MATRIX(float16_t, A) a;
            coopMatLoad(a, tile, own_at + k * SIDE_RUNS, STRIDE, ROW_MAJOR);
            add_products(a, at + k * SIDE_RUNS);
        }
    }
    EACH(n, STEP_MATRICES)
        coopMatStore(products[n], scores, FIRST_ROW * SCORE_STRIDE + n * SIDE_RUNS, SCORE_STRIDE,
                     ROW_MAJOR);
    subgroupBarrier();
}

// Adds to a sum the other rows of tensor t, weighted.
void add_rows(uint sum, uint t, uint first)
{
    EACH(n, STEP_MATRICES) {
        MATRIX(float16_t, A) a;
        coopMatLoad(a, weights, (sum * TILE + FIRST_ROW) * WEIGHT_STRIDE + n * SIDE_RUNS,
                    WEIGHT_STRIDE, ROW_MAJOR);
        EACH(k, MATRICES) {
            MATRIX(float16_t, B) b;
            coopMatLoad(b, tile, OTHER + t * TENSOR + (first + n * SIDE) * STRIDE + k * SIDE_RUNS,
                        STRIDE, ROW_MAJOR);
            sums[sum * MATRICES + k] = coopMatMulAdd(a, b, sums[sum * MATRICES + k]);
        }
    }
}

// Multiplies each row of a sum with its factor: with the matrix that has the factors in every column.
// (No barrier in here: it may be called by some subgroups only, and Mesa's llvmpipe takes a
// subgroup's barrier for one of the workgroup.)
void scale_rows(uint sum)
{
    MATRIX(float, Accumulator) f;
    coopMatLoad(f, factors, FIRST_ROW, 0, COLUMN_MAJOR);
    EACH(k, MATRICES) sums[sum * MATRICES + k] = sums[sum * MATRICES + k] * f;
}

// Over the invocations that share a row.
float parts_max(float x)
{
    [[unroll]] for (uint step = SIDE; step < SIDE * PARTS; step *= 2)
        x = max(x, subgroupShuffleXor(x, step));
    return x;
}
float parts_sum(float x)
{
    [[unroll]] for (uint step = SIDE; step < SIDE * PARTS; step *= 2)
        x += subgroupShuffleXor(x, step);
    return x;
}

// Writes a sum's rows, each times its factor.
#define STORE_ROWS(a, sum, factor)                                                    \
    {                                                                                 \
        subgroupBarrier();                                                            \
        factors[ROW] = factor;                                                        \
        EACH(k, MATRICES) {                                                           \
            coopMatStore(sums[(sum) * MATRICES + k], scores, FIRST_ROW * SCORE_STRIDE, SCORE_STRIDE, \
                         ROW_MAJOR);                                                  \
            subgroupBarrier();                                                        \
            EACH(i, SIDE_RUNS / PARTS) {                                              \
                const uint at = i * SIDE * PARTS + gl_SubgroupInvocationID;           \
                const uint row = FIRST_ROW + at / SIDE_RUNS;                          \
                const uint run = at % SIDE_RUNS, c = k * SIDE + run * 4;              \
                if (b.first_row + row < own_rows && c < DIMENSION)                    \
                    store_##a(row_start(b, own_rows, b.first_row + row) + c, DIMENSION - c, \
                              scores[row * SCORE_STRIDE + run] * factors[row]);       \
            }                                                                         \
            subgroupBarrier();                                                        \
        }                                                                             \
    }
