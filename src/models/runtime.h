// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A model on a device: texts to conditionings, latents to pictures and back, and the UNet's graph.
 *
 * Weights are loaded when they are first needed. On a device with little memory for this model
 * (all weights would take more than half of what is free) those of the text encoder and the VAE are
 * dropped again after each call, so that the UNet has the room; else they stay. Where the UNet's
 * weights do not fit, or leave no room for the text encoder's, they go to 8 bits
 * (pen_runtime_eight_bits()).
 *
 * Arrays are float32 and channels last (src/models/layout.h). Latents "of the UNet" are what it is
 * trained on: the VAE's, times its scaling factor. Pictures are made one at a time whatever their
 * number, so memory depends on their size alone.
 *
 * `progress` and `cancellable` may be NULL; see pen_plan_run(). One thread at a time.
 */

#include "compute/plan.h"
#include "src/formats/prompt.h"
#include "src/models/embeddings.h"
#include "src/models/model.h"
#include "src/models/unet.h"

G_BEGIN_DECLS

typedef struct _PenRuntime PenRuntime;

/* `dtype`: how weights and activations are stored on the device. Loads nothing yet. A part of the model
 * whose results are no numbers in float16 is in float32 from then on, and runs again; where they are none
 * either way it fails (PEN_MODEL_ERROR_NOT_FINITE) with a message that names the part. */
PenRuntime *pen_runtime_new(PenModel *model, PenDevice *device, PenDtype dtype, GError **error);
void pen_runtime_free(PenRuntime *runtime);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenRuntime, pen_runtime_free)

/* float16 where the device computes it in hardware, else float32. */
PenDtype pen_runtime_preferred_dtype(const PenDeviceInfo *info);

PenModel *pen_runtime_model(PenRuntime *runtime);
PenDevice *pen_runtime_device(PenRuntime *runtime);
/* Of the UNet, which adapters share. */
PenDtype pen_runtime_dtype(PenRuntime *runtime);

/* --- text ---------------------------------------------------------------------------------- */

/*
 * n prompts -> conditionings[n], all of as many tokens: those of the chunks of the longest prompt
 * (src/models/text-chunks.h). A prompt that is NULL is no text at all: zeros where the model wants that
 * (PenModel.zeros_without_text), else as an empty one. `clip_skip` 2 leaves out the text encoder's last
 * layer, and so on; 0 and 1 leave out none, and a model of two encoders, which reads the layer before the
 * last by itself, takes no notice. `notices` (may be NULL) gets sentences (char *) about what was not
 * understood, not found or too long. Adapters that prompts name are the caller's to add to the model.
 */
gboolean pen_runtime_encode_prompts(PenRuntime *runtime, PenPrompt *const *prompts, guint n,
                                    guint clip_skip, PenConditioning **conditionings,
                                    GPtrArray *notices, GCancellable *cancellable, GError **error);

/* The same for texts that are words and nothing else. truncated[n] (may be NULL) tells which were
 * longer than the model reads. */
gboolean pen_runtime_encode_texts(PenRuntime *runtime, const char *const *texts, guint n,
                                  PenConditioning **conditionings, gboolean *truncated,
                                  GCancellable *cancellable, GError **error);

typedef struct {
    guint clip_skip;                 /* as above */
    const PenEmbeddings *embeddings; /* whose rows the ids from the vocabulary's size on mean; or NULL */
} PenTextOptions;

/* The same for tokens: ids[e] is [n, tokens] of text encoder e, one for each that the model has.
 * `options` may be NULL. */
gboolean pen_runtime_encode_tokens(PenRuntime *runtime, const gint32 *const *ids, guint n,
                                   guint32 tokens, const PenTextOptions *options,
                                   PenConditioning **conditionings, GCancellable *cancellable,
                                   GError **error);

/* --- pictures ------------------------------------------------------------------------------ */

/* The VAE alone. Decoder: latents[n, h, w, latent_channels], divided by the scaling factor, ->
 * image[n, factor h, factor w, 3], about -1 to 1. */
gboolean pen_runtime_vae_decode(PenRuntime *runtime, const float *latents, guint n, guint32 height,
                                guint32 width, float *image, PenPlanProgress progress,
                                gpointer user_data, GCancellable *cancellable, GError **error);

/* Encoder: image[n, height, width, 3], -1 to 1, multiples of the factor -> mean and log-variance
 * (may be NULL), each [n, height/factor, width/factor, latent_channels]. */
gboolean pen_runtime_vae_encode(PenRuntime *runtime, const float *image, guint n, guint32 height,
                                guint32 width, float *mean, float *log_variance,
                                PenPlanProgress progress, gpointer user_data,
                                GCancellable *cancellable, GError **error);

/* Latents of the UNet -> rgb[n, factor h, factor w, 3], 8 bits. */
gboolean pen_runtime_latents_to_rgb(PenRuntime *runtime, const float *latents, guint n,
                                    guint32 height, guint32 width, guint8 *rgb,
                                    PenPlanProgress progress, gpointer user_data,
                                    GCancellable *cancellable, GError **error);

/* rgb[n, height, width, 3] -> latents of the UNet (the encoder's mean). */
gboolean pen_runtime_rgb_to_latents(PenRuntime *runtime, const guint8 *rgb, guint n, guint32 height,
                                    guint32 width, float *latents, PenPlanProgress progress,
                                    gpointer user_data, GCancellable *cancellable, GError **error);

/* --- UNet ---------------------------------------------------------------------------------- */

/* A graph for one batch and size; graphs share the weights. options->tokens 0 means the model's. An
 * adapter is allocated if it is not yet. */
PenUNet *pen_runtime_unet(PenRuntime *runtime, const PenUNetOptions *options, GError **error);

/* Loads the weights that the graphs built so far use; before the first run, and quick after it. */
gboolean pen_runtime_load_unet(PenRuntime *runtime, PenPlanProgress progress, gpointer user_data,
                               GCancellable *cancellable, GError **error);

/* Whether what the UNet gave are numbers. In float16 the UNet is in float32 from then on, and the error
 * (PEN_MODEL_ERROR_TOO_NARROW) asks for another try: of plans made anew, with adapters allocated anew. */
gboolean pen_runtime_check_unet(PenRuntime *runtime, const float *values, gsize n, GError **error);

/* The values of the matrix `path`.weight of the UNet, [out, in], as the files and the adapters that are merged
 * into it have them; the caller's. */
float *pen_runtime_unet_matrix(PenRuntime *runtime, const char *path, guint32 out, guint32 in,
                               GError **error);

/* Keeps the UNet's matrices in 8 bits from now on (pen_weights_set_eight_bits()), for where memory is
 * short. Graphs that were built before keep their own. */
void pen_runtime_set_eight_bits(PenRuntime *runtime);
gboolean pen_runtime_eight_bits(const PenRuntime *runtime);

/* Gives back what the text encoder and the VAE hold on the device. */
void pen_runtime_trim(PenRuntime *runtime);

G_END_DECLS
