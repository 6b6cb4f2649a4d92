// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/engine/inpainting.h"

#include <string.h>

#define HALF 128 /* of the mask's 255, and more */

float *pen_inpainting_condition(PenRuntime *runtime, const guint8 *rgb, const guint8 *mask,
                                guint32 height, guint32 width, GCancellable *cancellable,
                                GError **error)
{
    const PenModel *model = pen_runtime_model(runtime);
    guint32 factor = model->factor, latent = model->vae.latent_channels;
    gsize n = (gsize)height * width, rows = height / factor, columns = width / factor;
    g_autofree float *masked = g_new0(float, n * 3); /* 0 is grey */
    g_autofree float *latents = g_new(float, rows *columns *latent);

    for (gsize i = 0; rgb && mask && i < n; i++)
        for (guint c = 0; mask[i] < HALF && c < 3; c++)
            masked[i * 3 + c] = rgb[i * 3 + c] / 127.5f - 1;
    if (!pen_runtime_vae_encode(runtime, masked, 1, height, width, latents, NULL, NULL, NULL,
                                cancellable, error))
        return NULL;

    float *condition = g_new(float, rows *columns * (1 + latent));
    for (gsize i = 0; i < rows * columns; i++) {
        gsize pixel = i / columns * factor * width + i % columns * factor;
        float *to = condition + i * (1 + latent);
        to[0] = !rgb || !mask || mask[pixel] >= HALF ? 1 : 0;
        for (guint c = 0; c < latent; c++)
            to[1 + c] = latents[i * latent + c] * model->vae.scaling_factor;
    }
    return condition;
}
