// SPDX-License-Identifier: GPL-3.0-or-later
// Attention with cooperative matrices, float16 in and float32 out. A workgroup owns TILE rows of one
// side and walks along the rows of the other side, of which it copies TILE at a time to shared memory,
// with zeros behind the last channel where a row is no whole number of matrices. Each subgroup owns
// SIDE_M of the rows and takes STEP of the tile's rows at a time. Matrices are SIDE_M x SIDE_K and
// SIDE_K x SIDE_N, and their products SIDE_M x SIDE_N:
//
//   scores   products of own rows with others, SIDE_M x STEP, summed over SIDE_K channels at a time. A
//            matrix's layout is the device's secret: they go through shared memory to registers, where
//            PARTS invocations share an own row;
//   weights  what becomes of the scores, float16, through shared memory to matrices again;
//   sums     of the other rows with these weights, SIDE_K rows at a time, which stay in matrices.
//
// OWN tensors are read on the own side, and as many are summed up; the other side has two.

#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_KHR_shader_subgroup_vote : require
#include "attention_rows.glsl"

layout(constant_id = 0) const uint INVOCATIONS = 128;
layout(constant_id = 4) const uint SIDE_M = 16;
layout(constant_id = 5) const uint PARTS = 2; // of a subgroup, which has SIDE_M * PARTS invocations
layout(constant_id = 6) const uint SIDE_N = 16;
layout(constant_id = 7) const uint SIDE_K = 16;
const uint TILE = INVOCATIONS / PARTS;
// Rows and channels are whole matrices both as columns of products and as what is summed over.
const uint SIDE_NK = SIDE_N > SIDE_K ? SIDE_N : SIDE_K;
const uint STEP = STEP_MATRICES * SIDE_NK; // divides TILE
const uint CHANNELS = (DIMENSION + SIDE_NK - 1) / SIDE_NK * SIDE_NK;
const uint STEP_N = STEP / SIDE_N, STEP_K = STEP / SIDE_K;
const uint CHANNELS_N = CHANNELS / SIDE_N, CHANNELS_K = CHANNELS / SIDE_K;
const uint N_RUNS = SIDE_N / 4, K_RUNS = SIDE_K / 4;

// Four float16 at a row's end keep neighbouring rows in different banks.
const uint ROW_RUNS = CHANNELS / 4, STRIDE = ROW_RUNS + 2;
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

#define MATRIX_A coopmat<float16_t, gl_ScopeSubgroup, SIDE_M, SIDE_K, gl_MatrixUseA>
#define MATRIX_B coopmat<float16_t, gl_ScopeSubgroup, SIDE_K, SIDE_N, gl_MatrixUseB>
#define PRODUCT coopmat<float, gl_ScopeSubgroup, SIDE_M, SIDE_N, gl_MatrixUseAccumulator>
#define ROW_MAJOR gl_CooperativeMatrixLayoutRowMajor
#define COLUMN_MAJOR gl_CooperativeMatrixLayoutColumnMajor
MATRIX_A own[OWN * CHANNELS_K];
PRODUCT products[STEP_N], sums[OWN * CHANNELS_N];

// Float16 is finest for what is large: weights are 2^WEIGHT_BITS times the probabilities.
const float WEIGHT_BITS = 12;

// The subgroup's first row in the tile, and what an invocation has of the scores: every PARTS-th run of
// a row.
#define FIRST_ROW (gl_SubgroupID * SIDE_M)
#define ROW (FIRST_ROW + gl_SubgroupInvocationID % SIDE_M)
#define PART (gl_SubgroupInvocationID / SIDE_M)
const uint SCORE_RUNS = STEP / 4 / PARTS;
#define SCORE_RUN(i) ((i) * PARTS + PART)
#define SCORE(i) scores[ROW * SCORE_STRIDE + SCORE_RUN(i)]
#define WEIGHT(sum, i) weights[((sum) * TILE + ROW) * WEIGHT_STRIDE + SCORE_RUN(i)]

// Copies rows from `first` on to the tile, COPIED runs at a time, for which there are registers.
#define COPIED 2
#define COPY_ROWS(a, to, rows, first)                                                 \
    [[dont_unroll]] for (uint pen_o = 0; pen_o < TENSOR_RUNS; pen_o += COPIED)         \
    EACH(pen_i, COPIED) {                                                             \
        const uint i = (pen_o + pen_i) * INVOCATIONS + gl_LocalInvocationIndex;       \
        if (TENSOR_RUNS % COPIED != 0 && pen_o + pen_i >= TENSOR_RUNS)                \
            break;                                                                    \
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
    EACH(i, OWN * CHANNELS_N) sums[i] = PRODUCT(0);
    if (KEEP) {
        EACH(t, OWN) EACH(k, CHANNELS_K)
            coopMatLoad(own[t * CHANNELS_K + k], tile, t * TENSOR + FIRST_ROW * STRIDE + k * K_RUNS,
                        STRIDE, ROW_MAJOR);
    }
}

// Adds to the scores the products with the other rows' matrices from `at` in the tile on.
void add_products(MATRIX_A a, uint at)
{
    EACH(n, STEP_N) {
        MATRIX_B b;
        coopMatLoad(b, tile, at + n * SIDE_N * STRIDE, STRIDE, COLUMN_MAJOR);
        products[n] = coopMatMulAdd(a, b, products[n]);
    }
}

// The scores of own rows and STEP others, from tile row `first` on, of tensor t.
void make_scores(uint t, uint first)
{
    const uint own_at = t * TENSOR + FIRST_ROW * STRIDE, at = OTHER + t * TENSOR + first * STRIDE;
    EACH(n, STEP_N) products[n] = PRODUCT(0);
    if (KEEP) {
        EACH(k, CHANNELS_K) add_products(own[t * CHANNELS_K + k], at + k * K_RUNS);
    } else {
        [[dont_unroll]] for (uint k = 0; k < CHANNELS_K; k++) {
            MATRIX_A a;
            coopMatLoad(a, tile, own_at + k * K_RUNS, STRIDE, ROW_MAJOR);
            add_products(a, at + k * K_RUNS);
        }
    }
    EACH(n, STEP_N)
        coopMatStore(products[n], scores, FIRST_ROW * SCORE_STRIDE + n * N_RUNS, SCORE_STRIDE,
                     ROW_MAJOR);
    subgroupBarrier();
}

// Adds to a sum the other rows of tensor t, weighted.
void add_rows(uint sum, uint t, uint first)
{
    EACH(k, STEP_K) {
        MATRIX_A a;
        coopMatLoad(a, weights, (sum * TILE + FIRST_ROW) * WEIGHT_STRIDE + k * K_RUNS,
                    WEIGHT_STRIDE, ROW_MAJOR);
        EACH(n, CHANNELS_N) {
            MATRIX_B b;
            coopMatLoad(b, tile, OTHER + t * TENSOR + (first + k * SIDE_K) * STRIDE + n * N_RUNS,
                        STRIDE, ROW_MAJOR);
            sums[sum * CHANNELS_N + n] = coopMatMulAdd(a, b, sums[sum * CHANNELS_N + n]);
        }
    }
}

// Multiplies each row of a sum with its factor: with the matrix that has the factors in every column.
// (No barrier in here: it may be called by some subgroups only, and Mesa's llvmpipe takes a
// subgroup's barrier for one of the workgroup.)
void scale_rows(uint sum)
{
    PRODUCT f;
    coopMatLoad(f, factors, FIRST_ROW, 0, COLUMN_MAJOR);
    EACH(n, CHANNELS_N) sums[sum * CHANNELS_N + n] = sums[sum * CHANNELS_N + n] * f;
}

// Over the invocations that share a row.
float parts_max(float x)
{
    [[unroll]] for (uint step = SIDE_M; step < SIDE_M * PARTS; step *= 2)
        x = max(x, subgroupShuffleXor(x, step));
    return x;
}
float parts_sum(float x)
{
    [[unroll]] for (uint step = SIDE_M; step < SIDE_M * PARTS; step *= 2)
        x += subgroupShuffleXor(x, step);
    return x;
}

// Writes a sum's rows, each times its factor.
#define STORE_ROWS(a, sum, factor)                                                    \
    {                                                                                 \
        subgroupBarrier();                                                            \
        factors[ROW] = factor;                                                        \
        EACH(n, CHANNELS_N) {                                                         \
            coopMatStore(sums[(sum) * CHANNELS_N + n], scores, FIRST_ROW * SCORE_STRIDE, \
                         SCORE_STRIDE, ROW_MAJOR);                                    \
            subgroupBarrier();                                                        \
            EACH(i, N_RUNS / PARTS) {                                                 \
                const uint at = i * SIDE_M * PARTS + gl_SubgroupInvocationID;         \
                const uint row = FIRST_ROW + at / N_RUNS;                             \
                const uint run = at % N_RUNS, c = n * SIDE_N + run * 4;               \
                if (b.first_row + row < own_rows && c < DIMENSION)                    \
                    store_##a(row_start(b, own_rows, b.first_row + row) + c, DIMENSION - c, \
                              scores[row * SCORE_STRIDE + run] * factors[row]);       \
            }                                                                         \
            subgroupBarrier();                                                        \
        }                                                                             \
    }
