// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/noise.h"

#include <float.h>
#include <math.h>

// Extra precision in intermediate results (x87) would change the numbers.
#if FLT_EVAL_METHOD != 0
#error "Penchant's noise needs plain IEEE 754 arithmetic (on i386: -msse2 -mfpmath=sse)"
#endif
#ifdef __FAST_MATH__
#error "Penchant's noise must not be compiled with -ffast-math"
#endif

void pen_philox(const guint32 counter[4], const guint32 key[2], guint32 out[4])
{
    guint32 c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    guint32 k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        guint64 p0 = (guint64)0xD2511F53u * c0;
        guint64 p1 = (guint64)0xCD9E8D57u * c2;
        c0 = (guint32)(p1 >> 32) ^ c1 ^ k0;
        c1 = (guint32)p1;
        c2 = (guint32)(p0 >> 32) ^ c3 ^ k1;
        c3 = (guint32)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static void block_at(guint64 seed, guint64 stream, guint64 block, guint32 out[4])
{
    const guint32 counter[4] = { (guint32)block, (guint32)(block >> 32), (guint32)stream,
                                 (guint32)(stream >> 32) };
    const guint32 key[2] = { (guint32)seed, (guint32)(seed >> 32) };
    pen_philox(counter, key, out);
}

/*
 * log((w + 1/2) / 2^32): with m = 2w + 1 = 2^k f and f in [sqrt(1/2), sqrt(2)],
 * log f = 2 atanh(s), s = (f - 1) / (f + 1), |s| < 0.172: the series below leaves out less than
 * 2^-60.
 */
static double log_of_uniform(guint32 w)
{
    guint64 m = 2 * (guint64)w + 1; // at most 33 bits: exact in a double
    int k = 0;
    double f = frexp((double)m, &k); // exact; f in [1/2, 1)
    if (f < G_SQRT2 / 2) {
        f = 2 * f;
        k--;
    }
    double s = (f - 1) / (f + 1), s2 = s * s;
    double p = 1.0 / 23;
    for (int d = 21; d >= 3; d -= 2)
        p = fma(p, s2, 1.0 / d);
    double tail = s * s2; // products stand alone, so that there is nothing to fuse
    double series = fma(tail, p, s);
    return fma(k - 33, G_LN2, 2 * series);
}

/*
 * sin and cos of 2 pi (w + 1/2) / 2^32: the nearest multiple of a quarter turn is taken off in
 * integers, which leaves an angle of at most pi / 4, where Taylor's series are short.
 */
static void sincos_of_uniform(guint32 w, double *sine, double *cosine)
{
    static const double sine_terms[] = {
        -1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
        -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000
    };
    static const double cosine_terms[] = { -1.0 / 2,           1.0 / 24,
                                           -1.0 / 720,         1.0 / 40320,
                                           -1.0 / 3628800,     1.0 / 479001600,
                                           -1.0 / 87178291200, 1.0 / 20922789888000 };
    guint64 m = 2 * (guint64)w + 1; // a full turn is 2^33
    guint64 quarters = (m + (1u << 30)) >> 31;
    double x = (double)((gint64)m - (gint64)(quarters << 31)) * (G_PI / 2 / 2147483648.0);
    double x2 = x * x, x3 = x * x2;
    double s = sine_terms[7], c = cosine_terms[7];

    for (int i = 6; i >= 0; i--) {
        s = fma(s, x2, sine_terms[i]);
        c = fma(c, x2, cosine_terms[i]);
    }
    s = fma(s, x3, x);
    c = fma(c, x2, 1);
    switch (quarters & 3) {
    case 0:
        *sine = s;
        *cosine = c;
        break;
    case 1:
        *sine = c;
        *cosine = -s;
        break;
    case 2:
        *sine = -s;
        *cosine = -c;
        break;
    default:
        *sine = -c;
        *cosine = s;
        break;
    }
}

static void normals_of_block(const guint32 w[4], float out[4])
{
    for (int i = 0; i < 4; i += 2) {
        double r = sqrt(-2 * log_of_uniform(w[i]));
        double sine, cosine;
        sincos_of_uniform(w[i + 1], &sine, &cosine);
        out[i] = (float)(r * cosine);
        out[i + 1] = (float)(r * sine);
    }
}

void pen_noise_fill(guint64 seed, guint64 stream, guint64 first_index, gsize n, float *out)
{
    gsize done = 0;

    while (done < n) {
        guint64 index = first_index + done;
        guint32 words[4];
        float normals[4];
        block_at(seed, stream, index / 4, words);
        normals_of_block(words, normals);
        for (guint lane = index % 4; lane < 4 && done < n; lane++)
            out[done++] = normals[lane];
    }
}

static guint64 integer_at(guint64 seed, guint64 stream, guint64 block)
{
    guint32 words[4];
    block_at(seed, stream, block, words);
    return (guint64)words[1] << 32 | words[0];
}

guint64 pen_noise_derive_seed(guint64 seed, guint64 stream, guint64 index)
{
    return integer_at(seed, stream, index) & ((G_GUINT64_CONSTANT(1) << 53) - 1);
}

void pen_noise_permutation(guint64 seed, guint64 stream, guint n, guint *order)
{
    for (guint i = 0; i < n; i++)
        order[i] = i;
    for (guint i = n; i-- > 1;) {
        guint j = (guint)(integer_at(seed, stream, i) % (i + 1)); // biased by less than 2^-32
        guint other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
}
