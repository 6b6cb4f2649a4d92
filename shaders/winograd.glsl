// SPDX-License-Identifier: GPL-3.0-or-later
// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, arXiv:1509.09308): 4 x 4 outputs of a 3 x 3
// convolution from 6 x 6 inputs with 36 products a channel in place of 144.
//
//   Y = A^T [ sum over channels of (G g G^T) * (B^T d B) ] A      (*: element by element)
//
// For each of the 36 places the sum over channels is a matrix product of tiles and channels, which the
// kernels of matmul.comp make. Everything between x and y is float32, whatever the storage.

#define PEN_PLACES 36

// B^T, G and A^T, applied to one column or row.
void winograd_input(inout float d0, inout float d1, inout float d2, inout float d3, inout float d4,
                    inout float d5)
{
    const float even = fma(-4.0, d2, d4), odd = fma(-4.0, d1, d3);
    const float e = d4 - d2, o = 2 * (d3 - d1);
    d0 = fma(4.0, d0, fma(-5.0, d2, d4));
    d5 = fma(4.0, d1, fma(-5.0, d3, d5));
    d1 = even + odd;
    d2 = even - odd;
    d3 = e + o;
    d4 = e - o;
}

void winograd_weight(float g0, float g1, float g2, out float t[6])
{
    const float outer = (g0 + g2) / 6, inner = g0 / 24 + g2 / 6;
    t[0] = g0 / 4;
    t[1] = -(outer + g1 / 6);
    t[2] = g1 / 6 - outer;
    t[3] = inner + g1 / 12;
    t[4] = inner - g1 / 12;
    t[5] = g2;
}

void winograd_output(float m0, float m1, float m2, float m3, float m4, float m5, out float t[4])
{
    const float a = m1 + m2, b = m1 - m2, c = m3 + m4, d = m3 - m4;
    t[0] = m0 + a + c;
    t[1] = fma(2.0, d, b);
    t[2] = fma(4.0, c, a);
    t[3] = fma(8.0, d, b) + m5;
}
