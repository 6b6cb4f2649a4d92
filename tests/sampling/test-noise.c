// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// The known answers of the Random123 distribution (tests/kat_vectors, "philox4x32 10").
static void test_known_answers(void)
{
    static const struct {
        guint32 counter[4], key[2], out[4];
    } cases[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        guint32 out[4];
        pen_philox(cases[i].counter, cases[i].key, out);
        g_assert_cmpmem(out, sizeof out, cases[i].out, sizeof out);
    }
}

// From an independent program (Python integers, the C library's log, sin and cos).
static void test_normals(void)
{
    static const struct {
        guint64 seed, stream, index;
        float value;
    } cases[] = {
        { 0, PEN_STREAM_INITIAL, 0, 1.65117788f },
        { 0, PEN_STREAM_INITIAL, 1, 0.845645558f },
        { 42, PEN_STREAM_INITIAL, 2, 0.326128534f },
        { 42, PEN_STREAM(3, 7), 3, -0.970508359f },
        { G_MAXUINT64, G_MAXUINT64, G_MAXUINT64, 1.18900676f },
        { 42, PEN_STREAM_INITIAL, G_GUINT64_CONSTANT(17179869189), 2.46600913f },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        float value;
        pen_noise_fill(cases[i].seed, cases[i].stream, cases[i].index, 1, &value);
        g_assert_cmpfloat_with_epsilon(value, cases[i].value, 2.4e-7);
    }
    g_assert_cmpuint(pen_noise_step_stream(7), ==, PEN_STREAM(3, 7));
}

// The bits themselves: this hash must be the same with every compiler, library and processor.
static void test_bits(void)
{
    enum { N = 1 << 18 };
    g_autofree float *values = g_new(float, N);
    g_autofree guint8 *bytes = g_malloc(4 * N);

    pen_noise_fill(20240531, PEN_STREAM_INITIAL, 0, N, values);
    for (guint i = 0; i < N; i++) {
        guint32 bits;
        memcpy(&bits, &values[i], 4);
        bits = GUINT32_TO_LE(bits);
        memcpy(bytes + 4 * i, &bits, 4);
    }
    g_autofree char *hash = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, 4 * N);
    g_assert_cmpstr(hash, ==, "740318ff4a684adf77a0d57a3dbc0d82f5ff83741f03ca84ec45eb0493e2aa01");
}

// Any range at any offset holds the same numbers.
static void test_random_access(void)
{
    float all[64], part[64];

    pen_noise_fill(7, 9, 0, 64, all);
    for (guint first = 0; first < 12; first++) {
        for (guint n = 0; n <= 20; n++) {
            part[n] = 99;
            pen_noise_fill(7, 9, first, n, part);
            g_assert_cmpmem(part, n * sizeof(float), all + first, n * sizeof(float));
            g_assert_true(part[n] == 99);
        }
    }
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// Moments, tails, the Kolmogorov-Smirnov distance to the normal distribution, and independence of
// neighbours, streams and seeds, on fixed seeds.
static void test_distribution(void)
{
    enum { N = 1000000 };
    g_autofree float *x = g_new(float, N);
    g_autofree float *other = g_new(float, N);
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0, lag[8] = { 0 }, cross_stream = 0, cross_seed = 0;
    guint beyond3 = 0, beyond4 = 0;

    pen_noise_fill(1, PEN_STREAM_INITIAL, 0, N, x);
    for (guint i = 0; i < N; i++) {
        double v = x[i];
        g_assert_true(fabs(v) < 6.8);
        m1 += v;
        m2 += v * v;
        m3 += v * v * v;
        m4 += v * v * v * v;
        beyond3 += fabs(v) > 3;
        beyond4 += fabs(v) > 4;
        for (guint k = 1; k < 8 && i + k < N; k++)
            lag[k] += v * x[i + k];
    }
    // Standard errors of these means are 1, 1.4, 3.9 and 9.8 thousandths; four of them are allowed.
    g_assert_cmpfloat_with_epsilon(m1 / N, 0, 0.004);
    g_assert_cmpfloat_with_epsilon(m2 / N, 1, 0.0057);
    g_assert_cmpfloat_with_epsilon(m3 / N, 0, 0.0155);
    g_assert_cmpfloat_with_epsilon(m4 / N, 3, 0.0392);
    g_assert_cmpfloat_with_epsilon(beyond3, 2699.8, 4 * 52);
    g_assert_cmpfloat_with_epsilon(beyond4, 63.3, 4 * 8);
    for (guint k = 1; k < 8; k++)
        g_assert_cmpfloat_with_epsilon(lag[k] / N, 0, 0.004);

    pen_noise_fill(1, pen_noise_step_stream(0), 0, N, other);
    for (guint i = 0; i < N; i++)
        cross_stream += (double)x[i] * other[i];
    pen_noise_fill(2, PEN_STREAM_INITIAL, 0, N, other);
    for (guint i = 0; i < N; i++)
        cross_seed += (double)x[i] * other[i];
    g_assert_cmpfloat_with_epsilon(cross_stream / N, 0, 0.004);
    g_assert_cmpfloat_with_epsilon(cross_seed / N, 0, 0.004);

    double distance = 0;
    qsort(x, N, sizeof *x, compare);
    for (guint i = 0; i < N; i++) {
        double p = 0.5 * erfc(-x[i] / G_SQRT2);
        distance = MAX(distance, MAX(p - (double)i / N, (i + 1.0) / N - p));
    }
    g_assert_cmpfloat(distance * sqrt(N), <, 1.63); // the 1 % quantile of Kolmogorov's distribution
}

static void test_derived_seeds(void)
{
    // Expected values from an independent program, as above.
    g_assert_cmpuint(pen_noise_derive_seed(42, PEN_STREAM_CANDIDATE, 0), ==,
                     G_GUINT64_CONSTANT(6118057764256370));
    g_assert_cmpuint(pen_noise_derive_seed(42, PEN_STREAM_CANDIDATE, 1), ==,
                     G_GUINT64_CONSTANT(3634703590625999));
    g_assert_cmpuint(pen_noise_derive_seed(42, PEN_STREAM_CANDIDATE, 6), ==,
                     G_GUINT64_CONSTANT(2984853299096103));
    for (guint i = 0; i < 1000; i++)
        g_assert_cmpuint(pen_noise_derive_seed(i, PEN_STREAM_CANDIDATE, i), <,
                         G_GUINT64_CONSTANT(1) << 53);
}

static void test_permutation(void)
{
    static const guint expected[2][10] = { { 9, 5, 3, 2, 4, 8, 0, 1, 6, 7 },
                                           { 5, 6, 9, 1, 7, 8, 0, 3, 4, 2 } };
    guint order[100], count[5][5] = { 0 };

    for (guint epoch = 0; epoch < 2; epoch++) {
        pen_noise_permutation(42, PEN_STREAM_ROUND_ORDER(epoch), 10, order);
        g_assert_cmpmem(order, sizeof expected[epoch], expected[epoch], sizeof expected[epoch]);
    }
    for (guint n = 0; n <= 100; n++) {
        gboolean seen[100] = { FALSE };
        pen_noise_permutation(n, 1, n, order);
        for (guint i = 0; i < n; i++) {
            g_assert_cmpuint(order[i], <, n);
            g_assert_false(seen[order[i]]);
            seen[order[i]] = TRUE;
        }
    }
    // Every number comes to every place equally often: 4000 times, standard deviation 57.
    for (guint seed = 0; seed < 20000; seed++) {
        pen_noise_permutation(seed, 1, 5, order);
        for (guint i = 0; i < 5; i++)
            count[i][order[i]]++;
    }
    for (guint i = 0; i < 25; i++)
        g_assert_cmpint(ABS((int)count[i / 5][i % 5] - 4000), <, 4 * 57);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/noise/known-answers", test_known_answers);
    g_test_add_func("/noise/normals", test_normals);
    g_test_add_func("/noise/bits", test_bits);
    g_test_add_func("/noise/random-access", test_random_access);
    g_test_add_func("/noise/distribution", test_distribution);
    g_test_add_func("/noise/derived-seeds", test_derived_seeds);
    g_test_add_func("/noise/permutation", test_permutation);
    return g_test_run();
}
