// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The names that weights have in single-file checkpoints: those of the programs that Stable
 * Diffusion 1.x (LDM, CLIP), 2.x (LDM, OpenCLIP) and SDXL (both) were trained with. Each function
 * makes a view (src/formats/safetensors.h) of a component under the names of diffusers and
 * transformers, which are those of the graph builders; nothing is copied. OpenCLIP's fused in_proj
 * becomes its three rows of blocks q, k, v. Tensors of other components are left out, and names
 * that are not known stay as they are, so that a builder that misses its weight says so.
 *
 *     model.diffusion_model.*                 UNet
 *     first_stage_model.*                     VAE
 *     cond_stage_model.transformer.*          CLIP text encoder (1.x)
 *     cond_stage_model.model.*                OpenCLIP text encoder (2.x)
 *     conditioner.embedders.0.transformer.*   SDXL's CLIP text encoder
 *     conditioner.embedders.1.model.*         SDXL's OpenCLIP text encoder; of some programs
 *     conditioner.embedders.1.transformer.*   under transformers' names
 *
 * Where a component is missing, the view is empty. What the file holds else (EMA copies, training
 * state, LDM's schedule) is not looked at.
 */

#include "src/formats/safetensors.h"
#include "src/models/model-config.h"

G_BEGIN_DECLS

#define PEN_LDM_UNET "model.diffusion_model."
#define PEN_LDM_VAE "first_stage_model."
#define PEN_LDM_CLIP "cond_stage_model.transformer."
#define PEN_LDM_OPEN_CLIP "cond_stage_model.model."
#define PEN_LDM_SDXL "conditioner.embedders."
#define PEN_LDM_SDXL_CLIP PEN_LDM_SDXL "0.transformer."
#define PEN_LDM_SDXL_OPEN_CLIP PEN_LDM_SDXL "1.model."
#define PEN_LDM_SDXL_SECOND_CLIP PEN_LDM_SDXL "1.transformer."

PenSafetensors *pen_ldm_unet(const PenSafetensors *file, GError **error);

/* The other way: the original name of a UNet's module, "input_blocks.1.1.proj_in" for
 * "down_blocks.0.attentions.0.proj_in"; NULL if it has none. Free with g_free(). */
char *pen_ldm_unet_module(const PenUNetConfig *unet, const char *module);

/* `prefix` is PEN_LDM_VAE in a checkpoint, "" in a VAE's own file. */
PenSafetensors *pen_ldm_vae(const PenSafetensors *file, const char *prefix, GError **error);

/* CLIP's text encoder. `prefix` is PEN_LDM_CLIP or PEN_LDM_SDXL_CLIP in a checkpoint, "" in its own
 * file. */
PenSafetensors *pen_ldm_clip(const PenSafetensors *file, const char *prefix, GError **error);

/* OpenCLIP's text encoder in a checkpoint. Of 2.x's blocks the last one is left out: 2.x reads the
 * output of the last but one, and so diffusers has 23 of the 24. A file with 23 lost the last one
 * already. The same where transformers' names stand in place of OpenCLIP's, with either name of the
 * projection. SDXL's second encoder is there as a whole, because its pooled text comes out of the
 * last block. */
PenSafetensors *pen_ldm_open_clip(const PenSafetensors *file, const char *prefix, GError **error);

G_END_DECLS
