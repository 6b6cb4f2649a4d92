// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/learning/adapter-init.h"

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
