// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/learning/adapter-init.h"

#include <math.h>
#include <string.h>

#include "src/sampling/noise.h"

// FNV-1a, 64 bits.
static guint64 hash_name(const char *name)
{
    guint64 hash = G_GUINT64_CONSTANT(0xcbf29ce484222325);
    for (; *name; name++)
        hash = (hash ^ (guint8)*name) * G_GUINT64_CONSTANT(0x100000001b3);
    return hash;
}

void pen_adapter_init_down(guint64 seed, const char *name, guint rank, gsize n, float *down)
{
    g_return_if_fail(rank > 0);

    guint64 tensor_seed = pen_noise_derive_seed(seed, PEN_STREAM_ADAPTER, hash_name(name));
    pen_noise_fill(tensor_seed, PEN_STREAM_ADAPTER, 0, n, down);
    for (gsize i = 0; i < n; i++)
        down[i] /= (float)rank;
}

void pen_adapter_init_sketch(guint64 seed, const char *name, gsize n, float *up)
{
    guint64 tensor_seed = pen_noise_derive_seed(seed, PEN_STREAM_SKETCH, hash_name(name));
    pen_noise_fill(tensor_seed, PEN_STREAM_SKETCH, 0, n, up);
}

static double dot(const float *a, const float *b, guint n)
{
    double sum = 0;
    for (guint i = 0; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* Takes from row `r` what lies along the rows before it (twice: rounding leaves some the first time)
 * and gives it the length. FALSE if nothing of it is left. */
static gboolean make_orthogonal(float *rows, guint r, guint n, double length)
{
    float *row = rows + (gsize)r * n;
    double before = dot(row, row, n);
    if (!(before > 0) || !isfinite(before))
        return FALSE;
    for (guint pass = 0; pass < 2; pass++)
        for (guint k = 0; k < r; k++) {
            const float *other = rows + (gsize)k * n;
            double along = dot(row, other, n) / (length * length);
            for (guint i = 0; i < n; i++)
                row[i] -= (float)(along * other[i]);
        }
    double after = dot(row, row, n);
    if (after < 1e-8 * before)
        return FALSE;
    double factor = length / sqrt(after);
    for (guint i = 0; i < n; i++)
        row[i] = (float)(row[i] * factor);
    return TRUE;
}

void pen_adapter_init_from_sketch(guint64 seed, const char *name, guint rank, guint in, float *down)
{
    g_autofree float *random = g_new(float, (gsize)rank * in);
    double length = sqrt(in) / rank;
    pen_adapter_init_down(seed, name, rank, (gsize)rank * in, random);
    for (guint r = 0; r < rank; r++) {
        float *row = down + (gsize)r * in;
        /* The gradient's size says nothing here, and its smallest numbers would underflow. */
        double size = sqrt(dot(row, row, in));
        for (guint i = 0; i < in && size > 0 && isfinite(size); i++)
            row[i] = (float)(row[i] / size);
        if (make_orthogonal(down, r, in, length))
            continue;
        memcpy(row, random + (gsize)r * in, in * sizeof *row);
        if (r < in && !make_orthogonal(down, r, in, length))
            memcpy(row, random + (gsize)r * in, in * sizeof *row);
    }
}
