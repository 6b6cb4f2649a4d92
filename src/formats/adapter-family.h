// SPDX-License-Identifier: GPL-3.0-or-later
//
// The family of models that an adapter was trained for, as far as its file says.
#pragma once

#include "src/formats/safetensors.h"

G_BEGIN_DECLS

typedef enum {
    PEN_FAMILY_UNKNOWN,
    PEN_FAMILY_SD1,
    PEN_FAMILY_SD2,
    PEN_FAMILY_SDXL,
    PEN_FAMILY_SD3,
    PEN_FAMILY_FLUX,
    PEN_FAMILY_TRANSFORMER, // another model whose denoiser is no UNet
} PenModelFamily;

// "SDXL", for messages.
const char *pen_model_family_label(PenModelFamily family);

// By the names that only one family has, else by what trainers write into the metadata
// (modelspec.architecture; kohya's ss_base_model_version, ss_v2).
PenModelFamily pen_adapter_family(const PenSafetensors *file);

// By the channels of the text that a layer reads, the inputs of attn2.to_k: not decisive, since
// small models have any.
PenModelFamily pen_family_of_text_channels(gsize channels);

G_END_DECLS
