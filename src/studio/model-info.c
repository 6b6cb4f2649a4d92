// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/prompt.h"
#include "src/models/text-chunks.h"
#include "src/models/weights.h"
#include "src/studio/job.h"
#include "src/studio/studio.h"

void pen_model_info_free(PenModelInfo *info)
{
    if (!info)
        return;
    g_free(info->spec);
    g_free(info->name);
    g_free(info->hash);
    g_free(info->notice);
    g_strfreev(info->words);
    g_clear_pointer(&info->opened, pen_model_unref);
    g_free(info);
}

static guint64 count_bytes(PenSafetensors *weights)
{
    g_autoptr(PenWeights) in_half = pen_weights_new(NULL, weights, PEN_DTYPE_F16);
    return pen_weights_total_bytes(in_half);
}

PenModelInfo *pen_studio_model_info(PenStudio *studio, const char *model, gint64 style,
                                    GError **error)
{
    g_autoptr(PenStyle) row = style ? pen_store_get_style(pen_studio_store(studio), style, error) : NULL;
    if (style && !row)
        return NULL;
    g_autofree char *spec = pen_studio_find_model(studio, model, row, error);
    g_autoptr(PenModel) opened = spec ? pen_studio_open_model(studio, spec, error) : NULL;
    if (!opened)
        return NULL;
    PenModelInfo *info = g_new0(PenModelInfo, 1);
    info->spec = g_steal_pointer(&spec);
    info->name = g_strdup(opened->name);
    info->hash = g_strdup(opened->identity);
    while (row && g_strcmp0(opened->identities[info->style_loras], row->model_hash) != 0)
        info->style_loras++; /* find_checked() has seen that it is among them */
    info->size = (opened->unet.sample_size ? opened->unet.sample_size : 64) * opened->factor;
    info->multiple = MAX(opened->factor, 8);
    info->bytes = count_bytes(opened->unet_weights) + count_bytes(opened->vae_weights);
    for (guint i = 0; i < opened->n_encoders; i++)
        info->bytes += count_bytes(opened->encoders[i].weights);
    info->guidance = opened->guidance;
    info->guidance_rescale = opened->guidance_rescale;
    info->few_steps = opened->few_steps;
    info->notice = g_strdup(opened->notice);
    info->words = g_strdupv(opened->words);
    info->may_predict = opened->may_predict;
    info->opened = pen_model_ref(opened);
    return info;
}

PenPromptLength pen_model_info_measure(const PenModelInfo *info, const char *prompt, gboolean words)
{
    const PenModel *model = info->opened;
    const PenTokenizer *tokenizer = model->encoders[0].tokenizer;
    guint32 tokens = (guint32)pen_tokenizer_max_length(tokenizer);
    g_autoptr(PenPrompt) read =
        pen_prompt_new(prompt, words ? PEN_PROMPT_WORDS : PEN_PROMPT_WEIGHTS);
    g_autoptr(PenTextChunks) chunks =
        pen_text_chunks_new(read, tokenizer, tokens, (guint32)pen_tokenizer_n_tokens(tokenizer),
                            NULL, NULL, NULL);
    guint each = tokens - 2; /* without start and end */
    const gint32 *last = (const gint32 *)(gpointer)chunks->ids->data + (chunks->n - 1) * tokens;
    guint used = 0;
    while (used < each && last[used + 1] != pen_tokenizer_end(tokenizer))
        used++;
    return (PenPromptLength){
        .used = (chunks->n - 1) * each + used,
        .room = chunks->n * each,
        .parts = chunks->n,
        .cut = chunks->cut || read->cut,
    };
}

char **pen_studio_model_names(PenStudio *studio G_GNUC_UNUSED)
{
    g_auto(GStrv) names = pen_model_names();
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_strv_builder_add(builder, PEN_STARTER_MODEL);
    for (guint i = 0; names[i]; i++)
        if (!g_str_equal(names[i], PEN_STARTER_MODEL))
            g_strv_builder_add(builder, names[i]);
    return g_strv_builder_end(builder);
}
