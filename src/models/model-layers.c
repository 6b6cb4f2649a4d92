// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/model-layers.h"

#include <string.h>

#include "src/models/ldm-names.h"

static PenModelFamily family(const PenSafetensors *unet)
{
    const PenSafetensor *proj_in =
        pen_safetensors_lookup(unet, "mid_block.attentions.0.proj_in.weight");
    if (pen_safetensors_lookup(unet, "add_embedding.linear_1.weight"))
        return PEN_FAMILY_SDXL;
    return proj_in && proj_in->n_dims == 2 ? PEN_FAMILY_SD2 : PEN_FAMILY_SD1;
}

/* The matrices and kernels whose names start with `below`. `unet` is the configuration where the
 * component is the UNet, else NULL. */
static void add_layers(PenAdapterNames *names, GPtrArray *tensors, const char *component,
                       const char *below, const PenUNetConfig *unet, const PenSafetensors *weights)
{
    for (guint i = 0; i < pen_safetensors_n_tensors(weights); i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(weights, i);
        if (!g_str_has_prefix(tensor->name, below) || !g_str_has_suffix(tensor->name, ".weight") ||
            tensor->n_dims < 2)
            continue;
        g_autofree char *module = g_strndup(tensor->name, strlen(tensor->name) - strlen(".weight"));
        g_autofree char *path = g_strconcat(component, module, NULL);
        g_autofree char *original = unet ? pen_ldm_unet_module(unet, module) : NULL;
        pen_adapter_names_add(names, path, original);
        if (tensors)
            g_ptr_array_add(tensors, (gpointer)tensor);
    }
}

PenAdapterNames *pen_model_layers(const PenModel *model, GPtrArray *tensors)
{
    PenAdapterNames *names = pen_adapter_names_new(family(model->unet_weights));
    add_layers(names, tensors, PEN_LAYERS_UNET, "", &model->unet, model->unet_weights);
    /* Not the tables of tokens and positions, of which only rows are read. */
    for (guint i = 0; i < model->n_encoders; i++)
        add_layers(names, tensors, PEN_LAYERS_TEXT(i), "text_model.encoder.", NULL,
                   model->encoders[i].weights);
    return names;
}
