// SPDX-License-Identifier: GPL-3.0-or-later
// Matrix product and convolution (matmul.glsl) in register tiles, without shared memory or barriers.
// Each invocation owns TM rows and 8 columns (one panel of W) and holds them in registers. With
// ROWS = 1 all invocations of a workgroup share their rows: x is then read at workgroup-uniform
// addresses.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.glsl"

void main()
{
    const uint group = PEN_GROUP_INDEX;
    // Neighbouring groups share their columns of W, the larger matrix, and walk down the rows.
    const uint tile_m = group % m_tiles, tile_n = group / m_tiles;
    const uint row0 = ROWS == 1 ? tile_m * TM : (tile_m * ROWS + gl_LocalInvocationID.y) * TM;
    const uint panel = tile_n * COLUMNS + gl_LocalInvocationID.x;
    const uint pan = min(panel, (n + 7) / 8 - 1);

    vec4 acc[TM][2];
    Pixel pixel[TM];
    [[unroll]] for (int i = 0; i < TM; i++) {
        acc[i][0] = acc[i][1] = vec4(0);
        pixel[i] = row_pixel(row0 + i);
    }
    for (uint tap = 0; tap < KH * KW; tap++) {
        uint base[TM];
        bool inside[TM];
        [[unroll]] for (int i = 0; i < TM; i++)
            inside[i] = tap_begins(row0 + i, pixel[i], tap, base[i]);
        for (uint k = 0; k < c; k += 4) {
            // Four rows of the panel: b[q] holds 8 columns at sum index k + q.
            vec4 b[4][2];
#ifdef INPUT_GRADIENT
            const uint at = (k / 8 * panel_rows + tap * n) * 2 + (k % 8) / 4;
            vec4 t[8];
            [[unroll]] for (uint j = 0; j < 8; j++)
                t[j] = vec4(w4[at + min(pan * 8 + j, n - 1) * 2]);
            [[unroll]] for (int q = 0; q < 4; q++) {
                b[q][0] = vec4(t[0][q], t[1][q], t[2][q], t[3][q]);
                b[q][1] = vec4(t[4][q], t[5][q], t[6][q], t[7][q]);
            }
#else
            const uint at = (pan * panel_rows + tap * c + k) * 2;
            [[unroll]] for (uint q = 0; q < 4; q++) {
                // Past the last channel x counts as zero; the address only has to be valid.
                const uint p = IN_VEC4 ? at + 2 * q : at + 2 * min(q, c - 1 - k);
                b[q][0] = vec4(w4[p]);
                b[q][1] = vec4(w4[p + 1]);
            }
#endif
            [[unroll]] for (int i = 0; i < TM; i++) {
                const vec4 a = load_x(base[i], k, inside[i]);
                [[unroll]] for (int q = 0; q < 4; q++) {
                    acc[i][0] = fma(vec4(a[q]), b[q][0], acc[i][0]);
                    acc[i][1] = fma(vec4(a[q]), b[q][1], acc[i][1]);
                }
            }
        }
    }

    // No `break` below: the loops must unroll so that the tile stays in registers.
    [[unroll]] for (int i = 0; i < TM; i++)
        [[unroll]] for (uint part = 0; part < 2; part++)
            store_y(row0 + i, panel * 8 + 4 * part, acc[i][part]);
}
