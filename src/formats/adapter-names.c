// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/adapter-names.h"

#include <glib/gi18n-lib.h>
#include <string.h>

struct _PenAdapterNames {
    PenModelFamily family;
    GPtrArray *paths;
    GHashTable *places; // flattened path or original name -> place + 1
};

PenAdapterNames *pen_adapter_names_new(PenModelFamily family)
{
    PenAdapterNames *names = g_new0(PenAdapterNames, 1);
    names->family = family;
    names->paths = g_ptr_array_new_with_free_func(g_free);
    names->places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return names;
}

void pen_adapter_names_free(PenAdapterNames *names)
{
    if (!names)
        return;
    g_ptr_array_unref(names->paths);
    g_hash_table_unref(names->places);
    g_free(names);
}

static char *flatten(const char *path, gsize length)
{
    return g_strdelimit(g_strndup(path, length), ".", '_');
}

void pen_adapter_names_add(PenAdapterNames *names, const char *path, const char *original)
{
    g_ptr_array_add(names->paths, g_strdup(path));
    gpointer place = GUINT_TO_POINTER(names->paths->len);
    g_hash_table_insert(names->places, flatten(path, strlen(path)), place);
    if (original)
        g_hash_table_insert(names->places, flatten(original, strlen(original)), place);
}

PenModelFamily pen_adapter_names_family(const PenAdapterNames *names)
{
    return names->family;
}

guint pen_adapter_names_count(const PenAdapterNames *names)
{
    return names->paths->len;
}

const char *pen_adapter_names_path(const PenAdapterNames *names, guint place)
{
    return names->paths->pdata[place];
}

// ------------------------------------------------------------------ endings

static const struct {
    const char *ending;
    PenAdapterRole role;
} roles[] = {
    { ".lora_down.weight", PEN_ADAPTER_DOWN },
    { ".lora_up.weight", PEN_ADAPTER_UP },
    { ".lora_mid.weight", PEN_ADAPTER_MID },
    { ".lora_linear_layer.down.weight", PEN_ADAPTER_DOWN },
    { ".lora_linear_layer.up.weight", PEN_ADAPTER_UP },
    { ".lora.down.weight", PEN_ADAPTER_DOWN },
    { ".lora.up.weight", PEN_ADAPTER_UP },
    { "_lora.down.weight", PEN_ADAPTER_DOWN },
    { "_lora.up.weight", PEN_ADAPTER_UP },
    { ".lora_linear_layer.alpha", PEN_ADAPTER_ALPHA },
    { ".lora.alpha", PEN_ADAPTER_ALPHA },
    { "_lora.alpha", PEN_ADAPTER_ALPHA },
    { ".alpha", PEN_ADAPTER_ALPHA },
};

// Looked for anywhere in what is none of the above.
static const struct {
    const char *part, *kind;
} foreign[] = {
    { "magnitude", "DoRA" },
    { ".dora_", "DoRA" },
    { ".hada_", "LoHa" },
    { ".lokr_", "LoKr" },
    { ".oft_", "OFT" },
    { ".boft_", "BOFT" },
    { ".vera_", "VeRA" },
    { ".ia3_", "(IA)³" },
    { ".on_input", "(IA)³" },
    { ".a1.weight", "GLoRA" },
    { ".b1.weight", "GLoRA" },
    { ".a2.weight", "GLoRA" },
    { ".b2.weight", "GLoRA" },
    { ".fourierft_", "FourierFT" },
    { ".hra_", "HRA" },
    { ".bone_", "Bone" },
    { ".miss_", "MiSS" },
    { ".randlora_", "RandLoRA" },
    { ".c3a_", "C3A" },
    { ".shira_", "SHiRA" },
    { ".vblora_", "VB-LoRA" },
    { ".lora_A.", "LoRA with biases" },
    { ".lora_B.", "LoRA with biases" },
};

// PEFT's ".lora_A" with what may follow: ".weight", ".NAME.weight" or ".NAME", NAME being the
// adapter's. Returns the layer's length, 0 if it is none.
static gsize split_peft(const char *tensor, const char *matrix)
{
    const char *at = g_strrstr(tensor, matrix);
    if (!at || at == tensor)
        return 0;
    const char *rest = at + strlen(matrix);
    if (*rest == '.' && !g_str_has_suffix(rest, ".bias")) // the adapter's name, or "weight" itself
        rest += 1 + strcspn(rest + 1, ".");
    return !*rest || g_str_equal(rest, ".weight") ? (gsize)(at - tensor) : 0;
}

static PenAdapterName split(const char *tensor)
{
    gsize length = strlen(tensor);
    for (gsize i = 0; i < G_N_ELEMENTS(roles); i++)
        if (g_str_has_suffix(tensor, roles[i].ending))
            return (PenAdapterName){
                .role = roles[i].role,
                .layer = g_strndup(tensor, length - strlen(roles[i].ending)),
            };
    gsize down = split_peft(tensor, ".lora_A"), up = split_peft(tensor, ".lora_B");
    if (down || up)
        return (PenAdapterName){
            .role = down ? PEN_ADAPTER_DOWN : PEN_ADAPTER_UP,
            .layer = g_strndup(tensor, MAX(down, up)),
        };
    for (gsize i = 0; i < G_N_ELEMENTS(foreign); i++) {
        const char *at = strstr(tensor, foreign[i].part);
        const char *dot = at && *at != '.' ? g_strrstr_len(tensor, at - tensor, ".") : at;
        if (at)
            return (PenAdapterName){
                .role = PEN_ADAPTER_FOREIGN,
                .kind = foreign[i].kind,
                .layer = g_strndup(tensor, dot ? (gsize)(dot - tensor) : length),
            };
    }
    return (PenAdapterName){ .role = PEN_ADAPTER_OTHER, .layer = g_strdup(tensor) };
}

// ------------------------------------------------------------------ layers

// What stands in front of layers, flattened, the longer before what begins it; and what our paths
// have there, NULL for wrappers that say nothing of the component.
static const struct {
    const char *prefix, *stands_for;
} prefixes[] = {
    { "base_model_model_", NULL },
    { "lycoris_", NULL },
    { "lora_unet_", "" },
    { "unet_", "" },
    { "model_diffusion_model_", "" },
    { "diffusion_model_", "" },
    { "lora_te1_", "text_encoder_" },
    { "lora_te2_", "text_encoder_2_" },
    { "lora_te_", "text_encoder_" },
    { "text_encoders_clip_l_transformer_", "text_encoder_" },
    { "text_encoders_clip_h_transformer_", "text_encoder_" },
    { "text_encoders_clip_g_transformer_", "text_encoder_2_" },
    { "clip_l_transformer_", "text_encoder_" },
    { "clip_h_transformer_", "text_encoder_" },
    { "clip_g_transformer_", "text_encoder_2_" },
    { "clip_l_", "text_encoder_" },
    { "clip_g_", "text_encoder_2_" },
    { "cond_stage_model_transformer_", "text_encoder_" },
    { "text_encoder_2_", "text_encoder_2_" },
    { "text_encoder_", "text_encoder_" },
};

static const char *skip_prefix(const char *flat, const char **stands_for)
{
    for (gsize i = 0; i < G_N_ELEMENTS(prefixes); i++)
        if (g_str_has_prefix(flat, prefixes[i].prefix)) {
            if (prefixes[i].stands_for)
                *stands_for = prefixes[i].stands_for;
            return flat + strlen(prefixes[i].prefix);
        }
    return NULL;
}

// The oldest files name the projections after a UNet's attention everywhere, hang the matrices on
// its processor, and leave out the 0 of to_out.0.
static char *modernise(char *flat)
{
    static const struct {
        const char *old, *now;
    } projections[] = {
        { "_self_attn_to_q", "_self_attn_q_proj" },
        { "_self_attn_to_k", "_self_attn_k_proj" },
        { "_self_attn_to_v", "_self_attn_v_proj" },
        { "_self_attn_to_out", "_self_attn_out_proj" },
        { "_to_out", "_to_out_0" },
    };
    char *processor = strstr(flat, "_processor_to_");
    if (processor) {
        const char *rest = processor + strlen("_processor");
        memmove(processor, rest, strlen(rest) + 1);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(projections); i++)
        if (g_str_has_suffix(flat, projections[i].old)) {
            gsize before = strlen(flat) - strlen(projections[i].old);
            char *modern = g_strdup_printf("%.*s%s", (int)before, flat, projections[i].now);
            g_free(flat);
            return modern;
        }
    return flat;
}

static guint lookup(const PenAdapterNames *names, const char *component, const char *rest)
{
    g_autofree char *name = g_strconcat(component, rest, NULL);
    return GPOINTER_TO_UINT(g_hash_table_lookup(names->places, name));
}

static int find_place(const PenAdapterNames *names, const char *layer)
{
    g_autofree char *flat = modernise(flatten(layer, strlen(layer)));
    const char *rest = flat, *component = NULL;
    for (const char *next = rest; (next = skip_prefix(next, &component));)
        rest = next;

    guint place = 0;
    if (!component || !*component)
        place = lookup(names, "", rest);
    if (!component) // an adapter of the text encoder alone need not say so
        component = "text_encoder_";
    if (!place && *component)
        place = lookup(names, component, rest);
    if (!place && *component) { // newer transformers leave "text_model" out
        g_autofree char *longer = g_strconcat("text_model_", rest, NULL);
        place = lookup(names, component, longer);
    }
    return (int)place - 1;
}

PenAdapterName pen_adapter_names_read(const PenAdapterNames *names, const char *tensor)
{
    PenAdapterName name = split(tensor);
    name.place = find_place(names, name.layer);
    return name;
}

void pen_adapter_name_clear(PenAdapterName *name)
{
    g_clear_pointer(&name->layer, g_free);
}

const char *pen_adapter_naming(const char *layer)
{
    static const struct {
        const char *part, *naming;
    } manners[] = {
        { "lycoris_", N_("LyCORIS") },
        { "base_model.model.", N_("PEFT") },
        { "lora_unet_input_blocks", N_("kohya, with the original blocks") },
        { "lora_unet_output_blocks", N_("kohya, with the original blocks") },
        { "lora_unet_middle_block", N_("kohya, with the original blocks") },
        { "lora_", N_("kohya") },
        { "diffusion_model.", N_("the original blocks") },
        { "unet:", N_("the first LoRA program, which numbers layers") },
        { "text_encoder:", N_("the first LoRA program, which numbers layers") },
        { ".processor", N_("older diffusers") },
        { "", N_("diffusers") },
    };
    for (gsize i = 0;; i++)
        if (strstr(layer, manners[i].part))
            return _(manners[i].naming);
}
