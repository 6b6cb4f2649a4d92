// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Models and VAEs that are one .safetensors file without configurations. What a file is, its names
 * and shapes tell, never its own name (src/models/ldm-names.h, src/models/model-infer.h):
 *
 *   - Stable Diffusion 1.x has CLIP's text encoder, 2.x OpenCLIP's, SDXL one of each. All use CLIP's
 *     vocabulary; CLIP pads with the end token, OpenCLIP with "!". Other families are known by names
 *     that only they have, and refused. 2.x is known by its UNet, too, whose transformers' proj_in is a
 *     linear layer: some programs write transformers' names in place of OpenCLIP's.
 *   - without a negative prompt SDXL gets zeros, which is what its own pipeline's index asks for.
 *   - the schedule is that of all three families: 1000 steps, scaled-linear betas 0.00085 to 0.012,
 *     leading spacing with offset 1.
 *   - 1.x and SDXL predict epsilon. 2.x predicts v, but epsilon where the UNet is one for inpainting or where
 *     the tensor "global_step" is 875000 (2.0-base). diffusers decides the same for these: it takes
 *     2.1's and 2-inpainting's scheduler, and its older way to make one has the rule of the 875000.
 *     Shapes cannot tell 2.x-base from 2.x, so what says more goes first: the spec's own word
 *     (PenModelSpec.prediction); "parameterization" in LDM's configuration beside the file,
 *     NAME.yaml; modelspec.prediction_type or modelspec.architecture in the file's
 *     metadata; the marker tensors "v_pred" and "ztsnr" or kohya's ss_v_parameterization. The marker
 *     "ztsnr" or ss_zero_terminal_snr asks for a schedule that ends in pure noise, and begins there:
 *     trailing spacing. Where all is silent the model's notice says what was assumed.
 *   - SDXL was trained on 1024 pixels, 2.x with v on 768, everything else on 512, unless
 *     modelspec.resolution in the metadata says otherwise.
 *   - the VAE's latents are scaled by 0.13025 for SDXL, else by 0.18215. SDXL's VAE is run in single
 *     precision: its numbers are too large for halves.
 */

#include "src/models/model.h"

G_BEGIN_DECLS

/* Fills the model's parts from a file, but for vae and vae_weights where the file has none. */
gboolean pen_checkpoint_load(PenModel *model, const PenSafetensors *file, GError **error);

/* A VAE by itself, under diffusers' names: a diffusers folder with its config.json (or a whole model
 * folder), a diffusers file (with the config.json beside it, if there is one), a file in LDM's
 * names, or a whole checkpoint. What it does not say of `config`, its scaling factor and precision,
 * stays as it is there. */
PenSafetensors *pen_checkpoint_open_vae(const char *path, PenVaeConfig *config, GError **error);

G_END_DECLS
