// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/other-families.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/models/ldm-names.h"

static char *of_kind(const char *family)
{
    return g_strdup_printf(
        _("it is of the kind %s; Penchant runs Stable Diffusion 1.x, 2.x and SDXL "
          "models"),
        family);
}

static char *smaller_sdxl(const char *name)
{
    return g_strdup_printf(_("it is %s, an SDXL model without some of its blocks"), name);
}

static char *full_lcm(void)
{
    return g_strdup(_("it is a full latent consistency model, whose UNet takes the guidance as an "
                      "input; use the model that it was made from, with LCM-LoRA"));
}

/* Parts of names that only models of one other family have, and its name; what tells more stands
 * first. */
static const struct {
    const char *part, *family;
} others[] = {
    { "edm_vpred.sigma_max", "CosXL" },
    { "edm_mean", "Playground 2.5" },
    { PEN_LDM_SDXL "0.model.", "the SDXL refiner" },
    { "time_stack", "Stable Video Diffusion" },
    { "motion_modules.", "AnimateDiff" },
    { "joint_blocks.", "Stable Diffusion 3" },
    { "distilled_guidance_layer.", "Chroma" },
    { "individual_token_refiner.", "HunyuanVideo" },
    { "double_stream_modulation", "Flux.2" },
    { "double_stream_blocks.", "HiDream" },
    { "double_blocks.", "Flux" },
    { "single_transformer_blocks.", "Flux" },
    { "transformer_blocks.0.img_mod.", "Qwen-Image" },
    { "cap_pad_token", "Z-Image" },
    { "noise_refiner.", "Lumina 2" },
    { "double_layers.", "AuraFlow" },
    { "y_embedder.y_embedding", "PixArt" },
    { "caption_projection.y_embedding", "PixArt" },
    { "style_embedder.", "HunyuanDiT" },
    { "llm_adapter.", "Anima" },
    { "head.modulation", "Wan" },
    { "clip_txt_pooled_mapper.", "Stable Cascade" },
    { "zero_convs.", "ControlNet" },
    { "controlnet_", "ControlNet" },
    { "ip_adapter.", "IP-Adapter" },
};

char *pen_other_checkpoint(const PenSafetensors *file)
{
    if (pen_safetensors_lookup(file, PEN_LDM_UNET "time_embed.cond_proj.weight"))
        return full_lcm();
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
        for (guint t = 0; t < pen_safetensors_n_tensors(file); t++)
            if (strstr(pen_safetensors_nth(file, t)->name, others[i].part))
                return of_kind(others[i].family);
    return NULL;
}

char *pen_other_unet(const PenSafetensors *weights)
{
    if (pen_safetensors_lookup(weights, "time_embedding.cond_proj.weight"))
        return full_lcm();
    if (!pen_safetensors_lookup(weights, "add_embedding.linear_1.weight") ||
        pen_safetensors_lookup(weights, "mid_block.attentions.0.norm.weight"))
        return NULL;
    if (!pen_safetensors_lookup(weights, "down_blocks.1.resnets.1.conv1.weight"))
        return smaller_sdxl("KOALA");
    return smaller_sdxl(pen_safetensors_lookup(weights, "down_blocks.2.attentions.0."
                                                        "transformer_blocks.2.norm1.weight")
                            ? "SSD-1B"
                            : "Segmind-Vega");
}

/* The last number of a list of lists, or the number itself. */
static gint64 last_number(JsonNode *node)
{
    while (node && JSON_NODE_HOLDS_ARRAY(node)) {
        JsonArray *array = json_node_get_array(node);
        guint n = json_array_get_length(array);
        node = n ? json_array_get_element(array, n - 1) : NULL;
    }
    return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_int(node) : 0;
}

static gboolean is_set(JsonObject *object, const char *key)
{
    JsonNode *node = json_object_get_member(object, key);
    return node && !JSON_NODE_HOLDS_NULL(node);
}

char *pen_other_unet_config(JsonObject *config)
{
    JsonNode *middle = json_object_get_member(config, "mid_block_type");
    gboolean whole =
        !middle ||
        (JSON_NODE_HOLDS_VALUE(middle) && json_node_get_value_type(middle) == G_TYPE_STRING &&
         g_str_equal(json_node_get_string(middle), "UNetMidBlock2DCrossAttn"));
    if (is_set(config, "time_cond_proj_dim"))
        return full_lcm();
    if (!is_set(config, "addition_time_embed_dim"))
        return NULL;
    if (last_number(json_object_get_member(config, "cross_attention_dim")) == 1280 &&
        last_number(json_object_get_member(config, "projection_class_embeddings_input_dim")) ==
            2560)
        return of_kind("the SDXL refiner");
    if (whole && !is_set(config, "reverse_transformer_layers_per_block"))
        return NULL;
    if (last_number(json_object_get_member(config, "layers_per_block")) == 1)
        return smaller_sdxl("KOALA");
    return smaller_sdxl(
        last_number(json_object_get_member(config, "transformer_layers_per_block")) > 2
            ? "SSD-1B"
            : "Segmind-Vega");
}

/* Their models are shown other latents than a mixture of picture and noise as a schedule says it.
 */
char *pen_other_scheduler(const char *class_name, const char *timestep_type)
{
    if (class_name && strstr(class_name, "FlowMatch"))
        return of_kind(_("Flux or Stable Diffusion 3"));
    if ((class_name && g_str_has_prefix(class_name, "EDM")) ||
        g_strcmp0(timestep_type, "continuous") == 0)
        return of_kind(_("Playground 2.5 or CosXL"));
    return NULL;
}
