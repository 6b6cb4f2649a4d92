// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/learning/agreement.h"

#include <math.h>

/* The finaliser of SplitMix64: every bit of the place moves every bit of the result. */
static guint64 mix(guint64 z)
{
    z = (z + G_GUINT64_CONSTANT(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void pen_agreement_fold(gsize n, const float *gradient, float *folded)
{
    for (gsize i = 0; i < n; i++) {
        guint64 hash = mix(i);
        folded[hash % PEN_AGREEMENT_SIZE] += hash >> 63 ? gradient[i] : -gradient[i];
    }
}

double pen_agreement_measure(guint n, const float *const *folded, double *agreement)
{
    g_autofree double *sum = g_new0(double, PEN_AGREEMENT_SIZE);
    double mean = 0;
    for (guint p = 0; p < n; p++)
        for (guint i = 0; i < PEN_AGREEMENT_SIZE; i++)
            sum[i] += folded[p][i];
    for (guint p = 0; p < n; p++) {
        double along = 0, own = 0, others = 0;
        for (guint i = 0; i < PEN_AGREEMENT_SIZE; i++) {
            double g = folded[p][i], s = sum[i] - g;
            along += g * s;
            own += g * g;
            others += s * s;
        }
        double cosine = n > 1 ? along / sqrt(own * others) : 0;
        agreement[p] = isfinite(cosine) ? cosine : 0;
        mean += agreement[p] / n;
    }
    return mean;
}
