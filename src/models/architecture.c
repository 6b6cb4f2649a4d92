// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/architecture.h"

#include <string.h>

#define SD_UNET                                                                                    \
    .in_channels = 4, .out_channels = 4, .sample_size = 64, .levels = 4,                           \
    .channels = { 320, 640, 1280, 1280 }, .layers = { 2, 2, 2, 2 },                                \
    .transformer_layers = { 1, 1, 1, 1 }, .down_attention = { TRUE, TRUE, TRUE, FALSE },           \
    .up_attention = { FALSE, TRUE, TRUE, TRUE }, .norm_groups = 32, .norm_epsilon = 1e-5f,         \
    .flip_sin_to_cos = TRUE

#define SD_VAE                                                                                     \
    .in_channels = 3, .out_channels = 3, .latent_channels = 4, .levels = 4,                        \
    .channels = { 128, 256, 512, 512 }, .layers = 2, .norm_groups = 32, .mid_attention = TRUE,     \
    .quant_conv = TRUE, .post_quant_conv = TRUE

#define CLIP_TEXT .positions = 77, .vocabulary = 49408, .norm_epsilon = 1e-5f

/* OpenAI's ViT-L/14. */
#define CLIP_TEXT_L                                                                                \
    CLIP_TEXT, .hidden = 768, .intermediate = 3072, .heads = 12, .layers = 12, .quick_gelu = TRUE

static const PenArchitecture architectures[] = {
    {
        .name = "sd15",
        .title = "Stable Diffusion 1.5",
        .size = 512,
        .unet = { SD_UNET, .heads = { 8, 8, 8, 8 }, .context_channels = 768 },
        .vae = { SD_VAE, .scaling_factor = PEN_VAE_SCALING },
        .n_encoders = 1,
        .encoders = { { CLIP_TEXT_L, .final_norm = TRUE } },
    },
    {
        .name = "sd21",
        .title = "Stable Diffusion 2.1",
        .size = 768,
        .unet = { SD_UNET, .heads = { 5, 10, 20, 20 }, .context_channels = 1024 },
        .vae = { SD_VAE, .scaling_factor = PEN_VAE_SCALING },
        .n_encoders = 1,
        .encoders = { { CLIP_TEXT,
                        .hidden = 1024,
                        .intermediate = 4096,
                        .heads = 16,
                        .layers = 23,
                        .final_norm = TRUE } },
    },
    {
        .name = "sdxl",
        .title = "Stable Diffusion XL",
        .size = 1024,
        .unet = { .in_channels = 4,
                  .out_channels = 4,
                  .sample_size = 128,
                  .levels = 3,
                  .channels = { 320, 640, 1280 },
                  .layers = { 2, 2, 2 },
                  .heads = { 5, 10, 20 },
                  .transformer_layers = { 1, 2, 10 },
                  .down_attention = { FALSE, TRUE, TRUE },
                  .up_attention = { TRUE, TRUE, FALSE },
                  .context_channels = 2048,
                  .norm_groups = 32,
                  .norm_epsilon = 1e-5f,
                  .flip_sin_to_cos = TRUE,
                  .added_channels = 2816,
                  .size_channels = 256 },
        .vae = { SD_VAE, .scaling_factor = PEN_VAE_SCALING_SDXL, .force_upcast = TRUE },
        .n_encoders = 2,
        .encoders = { { CLIP_TEXT_L, .layers_left_out = 1 },
                      { CLIP_TEXT, /* OpenCLIP's ViT-bigG/14 */
                        .hidden = 1280,
                        .intermediate = 5120,
                        .heads = 20,
                        .layers = 32,
                        .layers_left_out = 1,
                        .projection = 1280 } },
    },
};

guint pen_architecture_count(void)
{
    return G_N_ELEMENTS(architectures);
}

const PenArchitecture *pen_architecture_nth(guint index)
{
    g_return_val_if_fail(index < G_N_ELEMENTS(architectures), NULL);
    return &architectures[index];
}

const PenArchitecture *pen_architecture_find(const char *name)
{
    if (!name)
        return &architectures[0];
    for (guint i = 0; i < G_N_ELEMENTS(architectures); i++)
        if (strcmp(architectures[i].name, name) == 0)
            return &architectures[i];
    return NULL;
}
