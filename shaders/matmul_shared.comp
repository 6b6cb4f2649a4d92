// SPDX-License-Identifier: GPL-3.0-or-later
// Matrix product and convolution (matmul.glsl) through shared memory. A workgroup makes TILE_M rows and
// TILE_N columns of y. For every tap and every TILE_K channels of it, the workgroup copies what it needs
// of x, gathered from the pixels, and of W; then
//
//   each invocation multiplies 8 rows with 8 columns in registers, or
//
//   MATRIX: each of SUBGROUPS_M x SUBGROUPS_N subgroups multiplies cooperative matrices, SIDE_M x SIDE_K
//   with SIDE_K x SIDE_N, TM of them along m and TN along n (float16 in, float32 out). Their layout is
//   the device's secret: y goes through shared memory too.
#version 460
#extension GL_GOOGLE_include_directive : require
#ifdef MATRIX
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#endif
#include "matmul.glsl"

#ifdef MATRIX
#define T4 f16vec4
layout(constant_id = 11) const uint SIDE_M = 16;
layout(constant_id = 12) const uint SIDE_N = 16;
layout(constant_id = 13) const uint SIDE_K = 16;
layout(constant_id = 14) const uint SUBGROUPS_M = 4;
layout(constant_id = 15) const uint SUBGROUPS_N = 2;
const uint TILE_M = SUBGROUPS_M * TM * SIDE_M, TILE_N = SUBGROUPS_N * TN * SIDE_N;
const uint TILE_K = SIDE_K > 32 ? SIDE_K : 32;
const uint PAD = 2; // runs of four that keep rows of shared memory in different banks
#else
#define T4 vec4
// ROWS = COLUMNS = TILE_K: two runs of x and two of W for each invocation, so that where it reads them
// leaves room for the products in registers.
const uint TILE_M = ROWS * 8, TILE_N = COLUMNS * 8, TILE_K = COLUMNS;
const uint PAD = 1;
#endif

const uint INVOCATIONS = ROWS * COLUMNS;
const uint K_RUNS = TILE_K / 4, N_RUNS = TILE_N / 4;
const uint ROWS_APART = INVOCATIONS / K_RUNS; // of the runs of x that an invocation copies
const uint X_RUNS = (TILE_M + ROWS_APART - 1) / ROWS_APART;
const uint W_TILE_RUNS = TILE_K * N_RUNS, W_RUNS = (W_TILE_RUNS + INVOCATIONS - 1) / INVOCATIONS;

// x as [TILE_M, TILE_K], W as [TILE_K, TILE_N]. Cooperative matrices of the input gradient take W as
// it is read, [TILE_N, TILE_K].
const uint X_STRIDE = K_RUNS + PAD;
#if defined(MATRIX) && defined(INPUT_GRADIENT)
const uint W_STRIDE = K_RUNS + PAD, W_ROWS = TILE_N;
#else
const uint W_STRIDE = N_RUNS + PAD, W_ROWS = TILE_K;
#endif
shared T4 x_tile[TILE_M * X_STRIDE];
shared T4 w_tile[W_ROWS * W_STRIDE];

// Copies rows k0 .. k0+TILE_K of a tap of W. Past the last channel x is zero, and past the last column
// nothing is written: there the address only has to be valid.
void copy_w(uint invocation, uint column0, uint tap, uint k0)
{
    [[unroll]] for (uint r = 0; r < W_RUNS; r++) {
        const uint i = r * INVOCATIONS + invocation;
        if (W_TILE_RUNS % INVOCATIONS != 0 && i >= W_TILE_RUNS)
            break;
#ifdef INPUT_GRADIENT
        // Four channels of dy for one of dx.
        const uint q = i % 2, column = i / 2 % TILE_N, k = i / 2 / TILE_N * 2 + q;
        const uint panel = min((k0 + k * 4) / 8, (c - 1) / 8);
        const T4 v = T4(w4[(panel * panel_rows + tap * n + min(column0 + column, n - 1)) * 2 + q]);
#ifdef MATRIX
        w_tile[column * W_STRIDE + k] = v;
#else
        [[unroll]] for (uint e = 0; e < 4; e++)
            w_tile[(k * 4 + e) * W_STRIDE + column / 4][column % 4] = v[e];
#endif
#else
        const uint part = i % 2, k = i / 2 % TILE_K, panel = i / 2 / TILE_K;
        const uint p = min(column0 / 8 + panel, panels - 1);
        w_tile[k * W_STRIDE + panel * 2 + part] =
            T4(w4[(p * panel_rows + tap * c + min(k0 + k, c - 1)) * 2 + part]);
#endif
    }
}

#ifdef MATRIX
const uint SIDE_RUNS = SIDE_N / 4;
shared vec4 y_tile[SUBGROUPS_M * SUBGROUPS_N * SIDE_M * SIDE_RUNS]; // a matrix for each subgroup
#define ACCUMULATOR coopmat<float, gl_ScopeSubgroup, SIDE_M, SIDE_N, gl_MatrixUseAccumulator>
#define SUBGROUP_ROW (gl_SubgroupID / SUBGROUPS_N * TM * SIDE_M)
#define SUBGROUP_COLUMN (gl_SubgroupID % SUBGROUPS_N * TN * SIDE_N)
ACCUMULATOR acc[TM * TN];

void clear()
{
    [[unroll]] for (uint i = 0; i < TM * TN; i++)
        acc[i] = ACCUMULATOR(0);
}

void multiply()
{
    // One step's matrices at a time: those of all would not fit in registers everywhere.
    [[dont_unroll]] for (uint k = 0; k < TILE_K; k += SIDE_K) {
        coopmat<float16_t, gl_ScopeSubgroup, SIDE_M, SIDE_K, gl_MatrixUseA> a[TM];
        coopmat<float16_t, gl_ScopeSubgroup, SIDE_K, SIDE_N, gl_MatrixUseB> b;
        [[unroll]] for (uint i = 0; i < TM; i++)
            coopMatLoad(a[i], x_tile, (SUBGROUP_ROW + i * SIDE_M) * X_STRIDE + k / 4, X_STRIDE,
                        gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint j = 0; j < TN; j++) {
            const uint column = SUBGROUP_COLUMN + j * SIDE_N;
#ifdef INPUT_GRADIENT
            coopMatLoad(b, w_tile, column * W_STRIDE + k / 4, W_STRIDE,
                        gl_CooperativeMatrixLayoutColumnMajor);
#else
            coopMatLoad(b, w_tile, k * W_STRIDE + column / 4, W_STRIDE,
                        gl_CooperativeMatrixLayoutRowMajor);
#endif
            [[unroll]] for (uint i = 0; i < TM; i++)
                acc[i * TN + j] = coopMatMulAdd(a[i], b, acc[i * TN + j]);
        }
    }
}

// One matrix after the other, by its number: drivers keep what a loop counts through in memory.
#define FINISH(i, j)                                                                                  \
    coopMatStore(acc[i * TN + j], y_tile, mine, SIDE_RUNS, gl_CooperativeMatrixLayoutRowMajor);       \
    subgroupBarrier();                                                                                \
    for (uint r = gl_SubgroupInvocationID; r < SIDE_M * SIDE_RUNS; r += gl_SubgroupSize)              \
        store_y(row0 + SUBGROUP_ROW + i * SIDE_M + r / SIDE_RUNS,                                     \
                column0 + SUBGROUP_COLUMN + j * SIDE_N + r % SIDE_RUNS * 4, y_tile[mine + r]);        \
    subgroupBarrier();

void finish(uint row0, uint column0)
{
    const uint mine = gl_SubgroupID * SIDE_M * SIDE_RUNS;
    FINISH(0, 0)
#if TN == 2
    FINISH(0, 1)
#endif
#if TM == 2
    FINISH(1, 0)
#endif
#if TM == 2 && TN == 2
    FINISH(1, 1)
#endif
}
#else
// Rows ROWS apart, and two runs of columns half a tile apart: neighbours read neighbouring memory.
#define OWN_ROW(i) ((i) * ROWS + gl_LocalInvocationID.y)
#define OWN_RUN(part) ((part) * COLUMNS + gl_LocalInvocationID.x)
vec4 acc[8][2];

void clear()
{
    [[unroll]] for (uint i = 0; i < 8; i++)
        acc[i][0] = acc[i][1] = vec4(0);
}

void multiply()
{
    [[dont_unroll]] for (uint k = 0; k < K_RUNS; k++) {
        vec4 b[4][2];
        [[unroll]] for (uint q = 0; q < 4; q++)
            [[unroll]] for (uint part = 0; part < 2; part++)
                b[q][part] = w_tile[(k * 4 + q) * W_STRIDE + OWN_RUN(part)];
        [[unroll]] for (uint i = 0; i < 8; i++) {
            const vec4 a = x_tile[OWN_ROW(i) * X_STRIDE + k];
            [[unroll]] for (uint q = 0; q < 4; q++)
                [[unroll]] for (uint part = 0; part < 2; part++)
                    acc[i][part] = fma(vec4(a[q]), b[q][part], acc[i][part]);
        }
    }
}

void finish(uint row0, uint column0)
{
    [[unroll]] for (uint i = 0; i < 8; i++)
        [[unroll]] for (uint part = 0; part < 2; part++)
            store_y(row0 + OWN_ROW(i), column0 + OWN_RUN(part) * 4, acc[i][part]);
}
#endif

void main()
{
    const uint group = PEN_GROUP_INDEX;
    // Neighbouring groups share their columns of W, the larger matrix, and walk down the rows.
    const uint row0 = group % m_tiles * TILE_M, column0 = group / m_tiles * TILE_N;
    if (column0 >= n)
        return;
    const uint invocation = gl_LocalInvocationIndex;
    const uint run = invocation % K_RUNS, first = invocation / K_RUNS; // of x_tile

    Pixel pixel[X_RUNS];
    [[unroll]] for (uint r = 0; r < X_RUNS; r++)
        pixel[r] = row_pixel(row0 + first + r * ROWS_APART);
    clear();
    for (uint tap = 0; tap < KH * KW; tap++) {
        uint base[X_RUNS];
        bool inside[X_RUNS];
        [[unroll]] for (uint r = 0; r < X_RUNS; r++)
            inside[r] = tap_begins(row0 + first + r * ROWS_APART, pixel[r], tap, base[r]);
        for (uint k0 = 0; k0 < c; k0 += TILE_K) {
            const uint k = k0 + run * 4;
            barrier();
            [[unroll]] for (uint r = 0; r < X_RUNS; r++) {
                const uint row = first + r * ROWS_APART;
                if (TILE_M % ROWS_APART == 0 || row < TILE_M)
                    x_tile[row * X_STRIDE + run] =
                        T4(load_x(base[r], k < c ? k : 0, inside[r] && k < c));
            }
            copy_w(invocation, column0, tap, k0);
            barrier();
            multiply();
        }
    }
    finish(row0, column0);
}
