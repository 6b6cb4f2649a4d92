// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/conditioning.h"

#include <string.h>

PenConditioning *pen_conditioning_new(guint32 tokens, guint32 channels, guint32 pooled_channels)
{
    PenConditioning *conditioning = g_new0(PenConditioning, 1);
    conditioning->tokens = tokens;
    conditioning->channels = channels;
    conditioning->hidden = g_new0(float, (gsize)tokens *channels);
    conditioning->pooled_channels = pooled_channels;
    conditioning->pooled = g_new0(float, pooled_channels);
    return conditioning;
}

PenConditioning *pen_conditioning_copy(const PenConditioning *conditioning)
{
    const PenConditioning *from = conditioning;
    PenConditioning *copy =
        pen_conditioning_new(from->tokens, from->channels, from->pooled_channels);
    memcpy(copy->hidden, from->hidden, (gsize)from->tokens * from->channels * sizeof(float));
    if (from->pooled_channels)
        memcpy(copy->pooled, from->pooled, from->pooled_channels * sizeof(float));
    memcpy(copy->sizes, from->sizes, sizeof copy->sizes);
    return copy;
}

void pen_conditioning_free(PenConditioning *conditioning)
{
    if (!conditioning)
        return;
    g_free(conditioning->hidden);
    g_free(conditioning->pooled);
    g_free(conditioning);
}
