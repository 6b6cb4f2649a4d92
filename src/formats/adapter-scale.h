// SPDX-License-Identifier: GPL-3.0-or-later
//
// What PEFT and diffusers say about an adapter's strength outside its tensors: the header's
// lora_adapter_metadata, or the adapter_config.json beside a file in PEFT's naming. Both hold
// PEFT's LoraConfig, of which this reads:
//
//   lora_alpha, alpha_pattern   alpha, of layers whose name ends in one of the patterns another one
//   rank_pattern, r             only checked by PEFT: the rank is that of the matrices
//   use_rslora                  the scale is alpha / sqrt(rank) in place of alpha / rank
//                               (arXiv:2312.03732)
//   use_dora                    another kind of adapter (arXiv:2402.09353), which is refused
//   peft_type                   refused unless it is LORA
//   init_lora_weights           refused where it changes the model's weights (PiSSA, OLoRA, CorDA,
//   …)
//
// Patterns are regular expressions; the first one that matches counts. The header has a set of
// settings for each component, "unet.lora_alpha" and so on; one set for all where a UNet was saved
// by itself.
#pragma once

#include "src/formats/safetensors.h"

G_BEGIN_DECLS

typedef struct _PenAdapterScale PenAdapterScale;

#define PEN_ADAPTER_METADATA "lora_adapter_metadata"

// `beside` is the path of an adapter_config.json, NULL if there is none. The header counts more.
// With neither, every layer's alpha is its rank.
PenAdapterScale *pen_adapter_scale_new(const PenSafetensors *file, const char *beside,
                                       GError **error);
void pen_adapter_scale_free(PenAdapterScale *scale);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenAdapterScale, pen_adapter_scale_free)

// The alpha for which alpha / rank is the scale of a layer that has no alpha of its own. `path` is
// the layer's here (src/formats/adapter-names.h), `named` what the file calls it.
gboolean pen_adapter_scale_get(PenAdapterScale *scale, const char *path, const char *named,
                               gsize rank, float *alpha, GError **error);

G_END_DECLS
