// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * One direction of the VAE for pictures of one size: latents to a picture, or a picture to latents.
 *
 * Where the whole graph fits into the memory that is left and into the device's bindings, it is one
 * plan. Where not, the coarsest level is done at once and each stage after (or before) it in bands of
 * the picture's full width; between the stages the whole activations are on the host, in float32.
 * The statistics of group norms are those of the whole picture, and bands overlap by what a
 * convolution sees of its neighbours: the result has no seams, and is that of the whole graph up to
 * rounding. It costs transfers, so it is for pictures that would not fit otherwise; the host needs
 * about 12 bytes a pixel and channel of the widest stage (3 GiB at 1024x1024 with Stable Diffusion).
 */

#include "compute/plan.h"
#include "src/models/vae.h"

G_BEGIN_DECLS

typedef struct _PenVaeCoder PenVaeCoder;

/* For input of height x width: latents or pixels. Asks `weights` for what it needs; `config` is copied. Errors: a mistake in
 * the weights, memory. */
PenVaeCoder *pen_vae_coder_new(PenDevice *device, const PenVaeConfig *config, PenWeights *weights,
                               PenVaeSide side, guint32 height, guint32 width, GError **error);
void pen_vae_coder_free(PenVaeCoder *coder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenVaeCoder, pen_vae_coder_free)

/* One picture: "latents" to "image" or "image" to "moments" (vae.h), channels last. Loads weights
 * that are not loaded yet. */
gboolean pen_vae_coder_run(PenVaeCoder *coder, const float *in, float *out,
                           PenPlanProgress progress, gpointer user_data, GCancellable *cancellable,
                           GError **error);

gboolean pen_vae_coder_in_bands(const PenVaeCoder *coder);

/* Floating-point operations of a run, as pen_plan_flops(). */
double pen_vae_coder_flops(const PenVaeCoder *coder);

/* The plan of the whole; NULL in bands. */
PenPlan *pen_vae_coder_plan(PenVaeCoder *coder);

G_END_DECLS
