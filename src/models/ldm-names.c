// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/ldm-names.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/models/model-config.h"

typedef struct {
    const char *ldm, *diffusers;
} Pair;

/* `name` with the first of the pairs that it starts with replaced; NULL if there is none. */
static char *replace_start(const char *name, const Pair *pairs, gsize n)
{
    for (gsize i = 0; i < n; i++)
        if (g_str_has_prefix(name, pairs[i].ldm))
            return g_strconcat(pairs[i].diffusers, name + strlen(pairs[i].ldm), NULL);
    return NULL;
}

/* Reads "PREFIX<number>.", and moves *name past it. */
static gboolean take_number(const char **name, const char *prefix, guint *number)
{
    if (!g_str_has_prefix(*name, prefix))
        return FALSE;
    const char *digits = *name + strlen(prefix);
    char *end;
    guint64 value = g_ascii_strtoull(digits, &end, 10);
    if (!g_ascii_isdigit(*digits) || *end != '.' || value > G_MAXINT)
        return FALSE;
    *number = (guint)value;
    *name = end + 1;
    return TRUE;
}

static gboolean has(const PenSafetensors *file, const char *format, ...) G_GNUC_PRINTF(2, 3);
static gboolean has(const PenSafetensors *file, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *name = g_strdup_vprintf(format, args);
    va_end(args);
    return pen_safetensors_lookup(file, name) != NULL;
}

/* Adds each tensor whose name starts with `prefix`, under what `rename` makes of the rest. */
typedef char *(*Rename)(const char *name, gconstpointer data);

static PenSafetensors *view(const PenSafetensors *file, const char *prefix, Rename rename,
                            gconstpointer data, GError **error)
{
    g_autoptr(PenSafetensors) shown = pen_safetensors_new_view(file);
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(file, i);
        if (!g_str_has_prefix(tensor->name, prefix))
            continue;
        const char *rest = tensor->name + strlen(prefix);
        g_autofree char *name = rename(rest, data);
        if (!pen_safetensors_view_add(shown, name ? name : rest, tensor, error))
            return NULL;
    }
    return g_steal_pointer(&shown);
}

/* --- UNet --------------------------------------------------------------------------------- */

/* LDM numbers a UNet's pieces through: its way down is conv_in, then resnets and downsamplers; its
 * way up resnets, the last of a level with the upsampler. */
enum { MAX_PIECES = 256 };

typedef struct {
    guint level, layer;
} Piece;

typedef struct {
    Piece down[MAX_PIECES], up[MAX_PIECES];
    guint n_down, n_up;
} Course;

static void read_course(const PenSafetensors *file, Course *course)
{
    Piece at = { 0, 0 };
    for (guint i = 1; i < MAX_PIECES; i++) {
        gboolean end_of_level = has(file, PEN_LDM_UNET "input_blocks.%u.0.op.weight", i);
        if (!end_of_level && !has(file, PEN_LDM_UNET "input_blocks.%u.0.in_layers.0.weight", i))
            break;
        course->down[i] = at;
        course->n_down = i + 1;
        at = end_of_level ? (Piece){ at.level + 1, 0 } : (Piece){ at.level, at.layer + 1 };
    }
    at = (Piece){ 0, 0 };
    for (guint i = 0; i < MAX_PIECES; i++) {
        if (!has(file, PEN_LDM_UNET "output_blocks.%u.0.in_layers.0.weight", i))
            break;
        gboolean end_of_level = has(file, PEN_LDM_UNET "output_blocks.%u.1.conv.weight", i) ||
                                has(file, PEN_LDM_UNET "output_blocks.%u.2.conv.weight", i);
        course->up[i] = at;
        course->n_up = i + 1;
        at = end_of_level ? (Piece){ at.level + 1, 0 } : (Piece){ at.level, at.layer + 1 };
    }
}

static const Pair resnet[] = {
    { "in_layers.0.", "norm1." },          { "in_layers.2.", "conv1." },
    { "emb_layers.1.", "time_emb_proj." }, { "out_layers.0.", "norm2." },
    { "out_layers.3.", "conv2." },         { "skip_connection.", "conv_shortcut." },
};

static const Pair unet_ends[] = {
    { "time_embed.0.", "time_embedding.linear_1." },
    { "time_embed.2.", "time_embedding.linear_2." },
    { "input_blocks.0.0.", "conv_in." },
    { "out.0.", "conv_norm_out." },
    { "out.2.", "conv_out." },
    { "label_emb.0.0.", "add_embedding.linear_1." },
    { "label_emb.0.2.", "add_embedding.linear_2." },
};

/* The rest of a resnet's, a sampler's or a transformer's name. */
static char *piece_name(const char *rest, const char *block, Piece piece, guint part)
{
    if (g_str_has_prefix(rest, "op."))
        return g_strdup_printf("%s.%u.downsamplers.0.conv.%s", block, piece.level, rest + 3);
    if (part > 0 && g_str_has_prefix(rest, "conv."))
        return g_strdup_printf("%s.%u.upsamplers.0.%s", block, piece.level, rest);
    if (part > 0)
        return g_strdup_printf("%s.%u.attentions.%u.%s", block, piece.level, piece.layer, rest);
    g_autofree char *name = replace_start(rest, resnet, G_N_ELEMENTS(resnet));
    return name ? g_strdup_printf("%s.%u.resnets.%u.%s", block, piece.level, piece.layer, name)
                : NULL;
}

static char *middle_name(const char *rest, guint i)
{
    g_autofree char *name = piece_name(rest, "", (Piece){ 0, i / 2 }, i % 2);
    /* piece_name() says ".0.resnets…": the middle has no number. */
    return name ? g_strconcat("mid_block", name + 2, NULL) : NULL;
}

static char *unet_name(const char *name, gconstpointer data)
{
    const Course *course = data;
    const char *rest = name;
    guint i, part;

    char *end = replace_start(name, unet_ends, G_N_ELEMENTS(unet_ends));
    if (end)
        return end;
    if (take_number(&rest, "middle_block.", &i))
        return i < 3 ? middle_name(rest, i) : NULL;
    gboolean down = take_number(&rest, "input_blocks.", &i);
    if ((!down && !take_number(&rest, "output_blocks.", &i)) || !take_number(&rest, "", &part) ||
        i >= (down ? course->n_down : course->n_up))
        return NULL;
    return piece_name(rest, down ? "down_blocks" : "up_blocks",
                      down ? course->down[i] : course->up[i], part);
}

PenSafetensors *pen_ldm_unet(const PenSafetensors *file, GError **error)
{
    g_autofree Course *course = g_new0(Course, 1);
    read_course(file, course);
    return view(file, PEN_LDM_UNET, unet_name, course, error);
}

/* The other way: `module` with the second of a pair replaced by the first. A module has no dot at
 * its end, which the pairs do. */
static char *module_name(const char *module, const Pair *pairs, gsize n)
{
    for (gsize i = 0; i < n; i++)
        if (strlen(module) + 1 == strlen(pairs[i].diffusers) &&
            g_str_has_prefix(pairs[i].diffusers, module))
            return g_strndup(pairs[i].ldm, strlen(pairs[i].ldm) - 1);
    return NULL;
}

/* What is in the piece number `at` of a way. `sampler` is the name of the level's. */
static char *piece_module(const char *rest, const char *way, guint at, const char *sampler)
{
    if (g_str_equal(rest, "downsamplers.0.conv") || g_str_equal(rest, "upsamplers.0.conv"))
        return g_strdup_printf("%s.%u.%s", way, at, sampler);
    guint j;
    if (take_number(&rest, "attentions.", &j))
        return g_strdup_printf("%s.%u.1.%s", way, at + j, rest);
    if (!take_number(&rest, "resnets.", &j))
        return NULL;
    g_autofree char *inner = module_name(rest, resnet, G_N_ELEMENTS(resnet));
    return inner ? g_strdup_printf("%s.%u.0.%s", way, at + j, inner) : NULL;
}

char *pen_ldm_unet_module(const PenUNetConfig *unet, const char *module)
{
    const char *rest = module;
    guint level, at = 1;

    if (g_str_has_prefix(module, "mid_block.")) {
        /* resnet, transformer, resnet: pieces of their own in place of parts of one */
        guint j;
        rest += strlen("mid_block.");
        if (take_number(&rest, "attentions.", &j))
            return g_strdup_printf("middle_block.%u.%s", 2 * j + 1, rest);
        if (!take_number(&rest, "resnets.", &j))
            return NULL;
        g_autofree char *inner = module_name(rest, resnet, G_N_ELEMENTS(resnet));
        return inner ? g_strdup_printf("middle_block.%u.%s", 2 * j, inner) : NULL;
    }
    if (take_number(&rest, "down_blocks.", &level) && level < unet->levels) {
        for (guint i = 0; i < level; i++)
            at += unet->layers[i] + 1;
        if (g_str_has_prefix(rest, "downsamplers."))
            at += unet->layers[level];
        return piece_module(rest, "input_blocks", at, "0.op");
    }
    if (take_number(&rest, "up_blocks.", &level) && level < unet->levels) {
        at = 0;
        for (guint i = 0; i < level; i++)
            at += unet->layers[unet->levels - 1 - i] + 1;
        if (g_str_has_prefix(rest, "upsamplers."))
            at += unet->layers[unet->levels - 1 - level];
        return piece_module(rest, "output_blocks", at,
                            unet->up_attention[level] ? "2.conv" : "1.conv");
    }
    return module_name(module, unet_ends, G_N_ELEMENTS(unet_ends));
}

/* --- VAE ---------------------------------------------------------------------------------- */

/* Of a level: "block.<j>.REST", and one sampler. */
static char *vae_level_name(const char *rest, const char *half, const char *blocks, guint level)
{
    guint j;
    if (take_number(&rest, "block.", &j)) {
        gboolean shortcut = g_str_has_prefix(rest, "nin_shortcut.");
        return g_strdup_printf("%s.%s.%u.resnets.%u.%s%s", half, blocks, level, j,
                               shortcut ? "conv_shortcut." : "",
                               shortcut ? rest + strlen("nin_shortcut.") : rest);
    }
    if (g_str_has_prefix(rest, "downsample.") || g_str_has_prefix(rest, "upsample."))
        return g_strdup_printf("%s.%s.%u.%.*srs.0.%s", half, blocks, level,
                               (int)(strchr(rest, '.') - rest), rest, strchr(rest, '.') + 1);
    return NULL;
}

static char *vae_half_name(const char *rest, const char *half, guint levels)
{
    static const Pair pairs[] = {
        { "norm_out.", "conv_norm_out." },
        { "mid.block_1.", "mid_block.resnets.0." },
        { "mid.block_2.", "mid_block.resnets.1." },
        { "mid.attn_1.norm.", "mid_block.attentions.0.group_norm." },
        { "mid.attn_1.q.", "mid_block.attentions.0.to_q." },
        { "mid.attn_1.k.", "mid_block.attentions.0.to_k." },
        { "mid.attn_1.v.", "mid_block.attentions.0.to_v." },
        { "mid.attn_1.proj_out.", "mid_block.attentions.0.to_out.0." },
    };
    guint i;

    if (take_number(&rest, "down.", &i))
        return vae_level_name(rest, half, "down_blocks", i);
    /* LDM numbers the decoder's levels from the finest, diffusers in the order they run. */
    if (take_number(&rest, "up.", &i))
        return i < levels ? vae_level_name(rest, half, "up_blocks", levels - 1 - i) : NULL;
    g_autofree char *name = replace_start(rest, pairs, G_N_ELEMENTS(pairs));
    return name ? g_strdup_printf("%s.%s", half, name) : NULL;
}

static char *vae_name(const char *name, gconstpointer data)
{
    guint levels = GPOINTER_TO_UINT(data);
    if (g_str_has_prefix(name, "encoder."))
        return vae_half_name(name + strlen("encoder."), "encoder", levels);
    if (g_str_has_prefix(name, "decoder."))
        return vae_half_name(name + strlen("decoder."), "decoder", levels);
    return NULL;
}

PenSafetensors *pen_ldm_vae(const PenSafetensors *file, const char *prefix, GError **error)
{
    guint levels = 0;
    while (levels < PEN_MAX_LEVELS &&
           has(file, "%sdecoder.up.%u.block.0.conv1.weight", prefix, levels))
        levels++;
    return view(file, prefix, vae_name, GUINT_TO_POINTER(levels), error);
}

/* --- text encoder ------------------------------------------------------------------------- */

static char *clip_name(const char *name)
{
    /* Some programs, transformers 5 among them, leave the level around the model out. */
    return g_str_has_prefix(name, "text_model.") || g_str_has_prefix(name, "text_projection.")
               ? NULL
               : g_strconcat("text_model.", name, NULL);
}

/* The number of a tensor's block, -1 if it is of none. */
static int clip_block(const char *name)
{
    guint i;
    return take_number(&name, "text_model.encoder.layers.", &i) ? (int)i : -1;
}

/* OpenCLIP keeps it the other way around. */
static gboolean is_open_clip_projection(const char *name, const PenSafetensor *tensor)
{
    return g_str_equal(name, "text_projection") && tensor->n_dims == 2;
}

static gboolean add_projection(PenSafetensors *shown, const PenSafetensor *tensor, GError **error)
{
    PenSafetensor projection = pen_safetensor_transposed(tensor);
    return pen_safetensors_view_add(shown, "text_projection.weight", &projection, error);
}

/* `layers`: blocks from there on are left out. */
static PenSafetensors *clip_view(const PenSafetensors *file, const char *prefix, int layers,
                                 GError **error)
{
    g_autoptr(PenSafetensors) shown = pen_safetensors_new_view(file);
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(file, i);
        if (!g_str_has_prefix(tensor->name, prefix))
            continue;
        const char *rest = tensor->name + strlen(prefix);
        if (is_open_clip_projection(rest, tensor)) {
            if (!add_projection(shown, tensor, error))
                return NULL;
            continue;
        }
        g_autofree char *name = clip_name(rest);
        /* Some files have weights under both names: one is enough. */
        if ((name && has(file, "%s%s", prefix, name)) || clip_block(name ? name : rest) >= layers)
            continue;
        if (!pen_safetensors_view_add(shown, name ? name : rest, tensor, error))
            return NULL;
    }
    return g_steal_pointer(&shown);
}

PenSafetensors *pen_ldm_clip(const PenSafetensors *file, const char *prefix, GError **error)
{
    return clip_view(file, prefix, G_MAXINT, error);
}

static gboolean add_fused(PenSafetensors *shown, const PenSafetensor *fused, guint block,
                          const char *kind, GError **error)
{
    static const char *const projections[] = { "q_proj", "k_proj", "v_proj" };

    if (fused->n_dims == 0 || fused->dims[0] % 3) {
        g_autofree char *shape = pen_safetensor_shape(fused);
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("%s: weight “%s” has the shape %s, which is not three projections."),
                    pen_safetensors_name(shown), fused->name, shape);
        return FALSE;
    }
    gsize rows = fused->dims[0] / 3;
    for (guint i = 0; i < 3; i++) {
        PenSafetensor part = pen_safetensor_rows(fused, i * rows, rows);
        g_autofree char *name = g_strdup_printf("text_model.encoder.layers.%u.self_attn.%s.%s",
                                                block, projections[i], kind);
        if (!pen_safetensors_view_add(shown, name, &part, error))
            return FALSE;
    }
    return TRUE;
}

/* `name` is the tensor's without the prefix. */
static gboolean add_open_clip(PenSafetensors *shown, const char *name, const PenSafetensor *tensor,
                              guint layers, GError **error)
{
    static const Pair ends[] = {
        { "token_embedding.", "text_model.embeddings.token_embedding." },
        { "positional_embedding", "text_model.embeddings.position_embedding.weight" },
        { "ln_final.", "text_model.final_layer_norm." },
    };
    static const Pair block[] = {
        { "ln_1.", "layer_norm1." },
        { "ln_2.", "layer_norm2." },
        { "attn.out_proj.", "self_attn.out_proj." },
        { "mlp.c_fc.", "mlp.fc1." },
        { "mlp.c_proj.", "mlp.fc2." },
    };
    const char *rest = name;
    guint i;

    if (is_open_clip_projection(name, tensor))
        return add_projection(shown, tensor, error);
    if (!take_number(&rest, "transformer.resblocks.", &i)) {
        g_autofree char *end = replace_start(rest, ends, G_N_ELEMENTS(ends));
        return pen_safetensors_view_add(shown, end ? end : rest, tensor, error);
    }
    if (i >= layers)
        return TRUE;
    if (g_str_has_prefix(rest, "attn.in_proj_"))
        return add_fused(shown, tensor, i, rest + strlen("attn.in_proj_"), error);
    g_autofree char *inner = replace_start(rest, block, G_N_ELEMENTS(block));
    g_autofree char *path =
        g_strdup_printf("text_model.encoder.layers.%u.%s", i, inner ? inner : rest);
    return pen_safetensors_view_add(shown, path, tensor, error);
}

enum { OPEN_CLIP_BLOCKS = 24 };

PenSafetensors *pen_ldm_open_clip(const PenSafetensors *file, const char *prefix, GError **error)
{
    guint blocks = 0;
    while (blocks < MAX_PIECES &&
           has(file, "%stransformer.resblocks.%u.ln_1.weight", prefix, blocks))
        blocks++;
    gboolean sdxl = g_str_has_prefix(prefix, PEN_LDM_SDXL);
    if (!blocks) /* transformers' names in place of OpenCLIP's */
        return clip_view(file, prefix, sdxl ? G_MAXINT : OPEN_CLIP_BLOCKS - 1, error);

    g_autoptr(PenSafetensors) shown = pen_safetensors_new_view(file);
    gboolean whole = sdxl || blocks == OPEN_CLIP_BLOCKS - 1;
    guint layers = whole ? blocks : blocks - 1;
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(file, i);
        if (g_str_has_prefix(tensor->name, prefix) &&
            !add_open_clip(shown, tensor->name + strlen(prefix), tensor, layers, error))
            return NULL;
    }
    return g_steal_pointer(&shown);
}
