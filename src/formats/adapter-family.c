// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/adapter-family.h"

#include <glib/gi18n-lib.h>
#include <string.h>

const char *pen_model_family_label(PenModelFamily family)
{
    switch (family) {
    case PEN_FAMILY_UNKNOWN:
        return _("another kind of model");
    case PEN_FAMILY_SD1:
        return _("Stable Diffusion 1.x");
    case PEN_FAMILY_SD2:
        return _("Stable Diffusion 2.x");
    case PEN_FAMILY_SDXL:
        return _("SDXL");
    case PEN_FAMILY_SD3:
        return _("Stable Diffusion 3");
    case PEN_FAMILY_FLUX:
        return _("Flux");
    case PEN_FAMILY_TRANSFORMER:
        return _("a transformer model");
    }
    g_return_val_if_reached("");
}

typedef struct {
    const char *text;
    PenModelFamily family;
} Sign;

/* Parts of layers' names; what tells more stands first. */
static const Sign names[] = {
    { "double_blocks", PEN_FAMILY_FLUX },
    { "single_blocks", PEN_FAMILY_FLUX },
    { "single_transformer_blocks", PEN_FAMILY_FLUX },
    { "lora_te3_", PEN_FAMILY_SD3 },
    { "text_encoder_3", PEN_FAMILY_SD3 },
    { "joint_blocks", PEN_FAMILY_SD3 },
    { "lora_transformer_", PEN_FAMILY_TRANSFORMER },
    { "lora_te2_", PEN_FAMILY_SDXL },
    { "text_encoder_2.", PEN_FAMILY_SDXL },
    { "clip_g.", PEN_FAMILY_SDXL },
    /* SDXL's transformers are up to ten blocks deep, those before it one. */
    { "attentions_0_transformer_blocks_1_", PEN_FAMILY_SDXL },
    { "attentions.0.transformer_blocks.1.", PEN_FAMILY_SDXL },
    { "_1_transformer_blocks_1_", PEN_FAMILY_SDXL },
    { ".1.transformer_blocks.1.", PEN_FAMILY_SDXL },
};

/* Starts of modelspec.architecture and of ss_base_model_version, in small letters. */
static const Sign architectures[] = {
    { "stable-diffusion-v1", PEN_FAMILY_SD1 },
    { "stable-diffusion-v2", PEN_FAMILY_SD2 },
    { "stable-diffusion-xl", PEN_FAMILY_SDXL },
    { "stable-diffusion-3", PEN_FAMILY_SD3 },
    { "sdxl", PEN_FAMILY_SDXL },
    { "sd_v1", PEN_FAMILY_SD1 },
    { "sd_1", PEN_FAMILY_SD1 },
    { "sd1", PEN_FAMILY_SD1 },
    { "sd_v2", PEN_FAMILY_SD2 },
    { "sd_2", PEN_FAMILY_SD2 },
    { "sd2", PEN_FAMILY_SD2 },
    { "sd3", PEN_FAMILY_SD3 },
    { "sd_3", PEN_FAMILY_SD3 },
    { "flux", PEN_FAMILY_FLUX },
};

static PenModelFamily said_by(const PenSafetensors *file, const char *key)
{
    const char *said = pen_safetensors_metadata(file, key);
    g_autofree char *small = said ? g_ascii_strdown(said, -1) : NULL;
    for (gsize i = 0; small && i < G_N_ELEMENTS(architectures); i++)
        if (g_str_has_prefix(small, architectures[i].text))
            return architectures[i].family;
    return PEN_FAMILY_UNKNOWN;
}

PenModelFamily pen_adapter_family(const PenSafetensors *file)
{
    for (gsize k = 0; k < G_N_ELEMENTS(names); k++)
        for (guint i = 0; i < pen_safetensors_n_tensors(file); i++)
            if (strstr(pen_safetensors_nth(file, i)->name, names[k].text))
                return names[k].family;
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++)
        if (g_str_has_prefix(pen_safetensors_nth(file, i)->name, "transformer."))
            return PEN_FAMILY_TRANSFORMER;
    PenModelFamily family = said_by(file, "modelspec.architecture");
    if (!family)
        family = said_by(file, "ss_base_model_version");
    if (!family && g_strcmp0(pen_safetensors_metadata(file, "ss_v2"), "True") == 0)
        family = PEN_FAMILY_SD2;
    return family;
}

PenModelFamily pen_family_of_text_channels(gsize channels)
{
    return channels == 768    ? PEN_FAMILY_SD1
           : channels == 1024 ? PEN_FAMILY_SD2
           : channels == 2048 ? PEN_FAMILY_SDXL
                              : PEN_FAMILY_UNKNOWN;
}
