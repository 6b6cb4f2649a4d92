// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What a model's configuration files say: config.json of the UNet, the VAE and the CLIP text
 * encoder, and scheduler_config.json, in the form diffusers and transformers write them.
 *
 * Every size comes from these files. A missing key has the default of diffusers (transformers for
 * the text encoder). A setting that Penchant does not support is refused with the file, the key and
 * the value, and so are sizes that no real model has, so that a hostile file ends here.
 */

#include <glib.h>

#include "src/formats/json.h"
#include "src/models/conditioning.h"
#include "src/sampling/schedule.h"

G_BEGIN_DECLS

#define PEN_MODEL_ERROR (pen_model_error_quark())
typedef enum {
    PEN_MODEL_ERROR_NOT_FOUND,   /* a folder, a file or a weight is not there */
    PEN_MODEL_ERROR_UNSUPPORTED, /* a kind of model that Penchant does not run */
    PEN_MODEL_ERROR_INVALID,     /* files that break their rules or do not fit together */
    PEN_MODEL_ERROR_NOT_FINITE, /* a part of the model computed what is no number, in float32 too */
    PEN_MODEL_ERROR_TOO_NARROW, /* float16 was too small for it; another try is in float32 */
} PenModelError;
GQuark pen_model_error_quark(void);

/* Resolutions of a UNet or VAE, at most. */
#define PEN_MAX_LEVELS 8

/* Bounds on other sizes: larger than any published model, small enough that products of them stay
 * far from overflow. */
enum {
    PEN_MAX_CHANNELS = 16384,
    PEN_MAX_LAYERS = 64,
    PEN_MAX_VOCABULARY = 1 << 22,
    PEN_MAX_POSITIONS = 4096,
};

/* UNet2DConditionModel. Arrays go from the finest level to the coarsest; the UNet's way up takes
 * them in the reverse order. */
typedef struct {
    guint32 in_channels, out_channels;
    guint32 sample_size; /* latents' usual height and width; 0 if the file does not say */
    guint32 levels;
    guint32 channels[PEN_MAX_LEVELS];
    guint32 layers[PEN_MAX_LEVELS]; /* resnets on the way down; one more on the way up */
    guint32 heads[PEN_MAX_LEVELS];  /* attention heads; the middle has the last level's */
    guint32 transformer_layers[PEN_MAX_LEVELS]; /* blocks in each transformer */
    gboolean down_attention[PEN_MAX_LEVELS];    /* CrossAttnDownBlock2D, else DownBlock2D */
    gboolean up_attention[PEN_MAX_LEVELS];      /* in the order of the way up */
    guint32 context_channels;                   /* of the text encoder's output */
    guint32 norm_groups;
    float norm_epsilon;
    gboolean flip_sin_to_cos; /* of the timestep's sinusoids, with freq_shift */
    float freq_shift;
    guint32 added_channels; /* of what is added to the time embedding: the pooled text, then the
                               sinusoids of PEN_CONDITIONING_SIZES sizes; 0: nothing is */
    guint32 size_channels;  /* of one of these sinusoids */
} PenUNetConfig;

/* AutoencoderKL. */
typedef struct {
    guint32 in_channels, out_channels; /* pictures: 3 */
    guint32 latent_channels;
    guint32 levels; /* a picture is 2^(levels-1) times as high and wide as its latents */
    guint32 channels[PEN_MAX_LEVELS];
    guint32 layers; /* resnets of a level in the encoder; one more in the decoder */
    guint32 norm_groups;
    float scaling_factor; /* latents that the UNet sees = this times the encoder's */
    gboolean mid_attention, quant_conv, post_quant_conv;
    gboolean force_upcast; /* its numbers are too large for half precision */
} PenVaeConfig;

/* CLIPTextModel, or CLIPTextModelWithProjection. */
typedef struct {
    guint32 hidden, intermediate, heads, layers;
    guint32 layers_left_out; /* so many of the last layers take no part in what a UNet sees of each
                                token */
    gboolean final_norm;     /* of that */
    guint32 projection;      /* channels of the pooled text; 0: the model has none */
    guint32 positions;       /* tokens it can take, with start and end */
    guint32 vocabulary;
    gboolean quick_gelu; /* else GELU with the error function */
    float norm_epsilon;
} PenClipTextConfig;

/* The scaling factors of Stable Diffusion 1.x and 2.x, and of SDXL. */
#define PEN_VAE_SCALING 0.18215f
#define PEN_VAE_SCALING_SDXL 0.13025f

/* The pooled text's channels in a UNet that takes one, else 0. */
guint32 pen_unet_config_pooled_channels(const PenUNetConfig *config);

/* Each reads the file at `path`. */
gboolean pen_unet_config_load(PenUNetConfig *config, const char *path, GError **error);
gboolean pen_vae_config_load(PenVaeConfig *config, const char *path, GError **error);
gboolean pen_clip_text_config_load(PenClipTextConfig *config, const char *path, GError **error);

/* What SDXL's UNet sees of its encoders: the hidden states before the last layer, not normed. */
void pen_clip_text_config_set_sdxl(PenClipTextConfig *config);

/* The noise schedule of a model's scheduler_config.json (src/models/sampler-config.h reads its
 * sampler), without what diffusers' pipelines correct in old files: clip_sample, and with
 * `first_families` (Stable Diffusion 1.x and 2.x) a steps_offset other than 1. `class_name` gets
 * the scheduler's; free with g_free(). A scheduler of another family of models is refused by the
 * name of that. */
PenSchedule *pen_schedule_load(const char *path, gboolean first_families, char **class_name,
                               GError **error);

/* The schedule of an object that is already read, as it is, which is called `path` in errors.
 * `class_name` is the scheduler's, or NULL where the object has it. */
PenSchedule *pen_schedule_read(PenJson *json, const char *path, const char *class_name,
                               GError **error);

/* How many picture rows and columns one latent stands for. */
guint32 pen_vae_config_factor(const PenVaeConfig *config);

G_END_DECLS
