// SPDX-License-Identifier: GPL-3.0-or-later
#include "compute/half.h"

#include <glib.h>
#include <math.h>

// The definition of binary16, in doubles.
static double define_half(guint16 half)
{
    int exponent = (half >> 10) & 31, fraction = half & 1023;
    double sign = half & 0x8000 ? -1 : 1;

    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

static void test_widen(void)
{
    for (guint i = 0; i < 65536; i++) {
        double expected = define_half((guint16)i);
        float value = pen_half_to_float((guint16)i);
        if (isnan(expected)) {
            g_assert_true(isnan(value));
            g_assert_cmpuint(pen_half_from_float(value), ==, i | 0x200);
        } else {
            g_assert_true((double)value == expected);
            g_assert_cmpint(signbit(value) != 0, ==, i >> 15);
            g_assert_cmpuint(pen_half_from_float(value), ==, i);
        }
    }
}

// Between two neighbours: the middle goes to the even one, and a hair beside it to the nearer one.
static void test_ties(void)
{
    for (guint i = 0; i < 0x7c00; i++) {
        double low = define_half((guint16)i);
        double high = i + 1 < 0x7c00 ? define_half((guint16)(i + 1)) : 65536;
        float middle = (float)((low + high) / 2);
        for (guint sign = 0; sign < 2; sign++) {
            float s = sign ? -1 : 1;
            guint base = sign << 15;
            g_assert_cmpuint(pen_half_from_float(s * middle), ==, base | (i + (i & 1)));
            g_assert_cmpuint(pen_half_from_float(s * nextafterf(middle, 0)), ==, base | i);
            g_assert_cmpuint(pen_half_from_float(s * nextafterf(middle, INFINITY)), ==,
                             base | (i + 1));
        }
    }
    g_assert_cmpuint(pen_half_from_float(INFINITY), ==, 0x7c00);
    g_assert_cmpuint(pen_half_from_float(-3e38f), ==, 0xfc00);
}

// The processor's instructions give the same bits as the plain code, at any alignment and length.
static void test_bulk(void)
{
    enum { N = 4099 };
    g_autofree char *floats = g_malloc(N * 4 + 1);
    g_autofree char *halfs = g_malloc(N * 2 + 1);
    g_autofree char *back = g_malloc(N * 4 + 1);

    for (guint64 first = 0; first < G_GUINT64_CONSTANT(1) << 32; first += N * 1021) {
        for (gsize i = 0; i < N; i++) {
            guint32 bits = (guint32)(first + i * 1021);
            memcpy(floats + 1 + i * 4, &bits, 4);
        }
        pen_half_from_floats(halfs + 1, floats + 1, N);
        pen_half_to_floats(back + 1, halfs + 1, N);
        for (gsize i = 0; i < N; i++) {
            float value, widened;
            guint16 half;
            memcpy(&value, floats + 1 + i * 4, 4);
            memcpy(&half, halfs + 1 + i * 2, 2);
            memcpy(&widened, back + 1 + i * 4, 4);
            g_assert_cmpuint(half, ==, pen_half_from_float(value));
            g_assert_cmpuint(pen_float_bits(widened), ==, pen_float_bits(pen_half_to_float(half)));
        }
    }
}

static void test_bf16(void)
{
    guint16 halfs[3];
    float floats[3] = { 1.0f, -2.5f, 3.4e38f }, back[3];

    for (guint i = 0; i < 65536; i++) {
        float value = pen_bf16_to_float((guint16)i);
        g_assert_cmpuint(pen_float_bits(value), ==, i << 16);
        g_assert_cmpuint(pen_bf16_from_float(value), ==, isnan(value) ? i | 0x40 : i);
    }
    g_assert_cmpuint(pen_bf16_from_float(pen_float_from_bits(0x3f808000)), ==, 0x3f80);
    g_assert_cmpuint(pen_bf16_from_float(pen_float_from_bits(0x3f818000)), ==, 0x3f82);
    g_assert_cmpuint(pen_bf16_from_float(pen_float_from_bits(0x3f808001)), ==, 0x3f81);
    g_assert_cmpuint(pen_bf16_from_float(pen_float_from_bits(0x7f7fffff)), ==, 0x7f80);

    pen_bf16_from_floats(halfs, floats, 3);
    pen_bf16_to_floats(back, halfs, 3);
    g_assert_true(back[0] == 1.0f && back[1] == -2.5f && back[2] == INFINITY);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/half/widen", test_widen);
    g_test_add_func("/half/ties", test_ties);
    g_test_add_func("/half/bulk", test_bulk);
    g_test_add_func("/half/bf16", test_bf16);
    return g_test_run();
}
