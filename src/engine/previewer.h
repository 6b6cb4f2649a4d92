// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Previews: a rough small picture of latents, one pixel for each latent position, without running
 * the VAE. For Stable Diffusion it is known that a linear map of the latent channels shows a
 * picture's colours; a previewer fits that map for any model, once, by least squares on what the
 * model's own decoder makes of random smooth latents.
 */

#include "src/models/runtime.h"

G_BEGIN_DECLS

typedef struct _PenPreviewer PenPreviewer;

/* Runs the decoder once on a small picture. */
PenPreviewer *pen_previewer_new(PenRuntime *runtime, GCancellable *cancellable, GError **error);
void pen_previewer_free(PenPreviewer *previewer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenPreviewer, pen_previewer_free)

/* latents[n_pixels, channels] of the UNet -> rgb[n_pixels, 3]. */
void pen_previewer_run(const PenPreviewer *previewer, const float *latents, gsize n_pixels,
                       guint8 *rgb);

G_END_DECLS
