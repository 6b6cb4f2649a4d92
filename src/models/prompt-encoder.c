// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/models/runtime.h"
#include "src/models/text-chunks.h"

/* Prompts cut into chunks, for each text encoder of the model. */
typedef struct {
    PenRuntime *runtime;
    const PenModel *model;
    PenPrompt *const *prompts;
    guint n;                /* prompts */
    guint n_chunks;         /* of the longest */
    PenTextChunks **chunks; /* [n, encoders] */
    PenEmbeddings *embeddings;
    GPtrArray *missing, *unfit; /* names of embeddings */
} Encoding;

static const PenTextChunks *chunks_of(const Encoding *e, guint prompt, guint encoder)
{
    return e->chunks[prompt * e->model->n_encoders + encoder];
}

/* No prompt at all is cut like an empty one. */
static void cut_into_chunks(Encoding *e)
{
    g_autoptr(PenPrompt) none = pen_prompt_new(NULL, PEN_PROMPT_WORDS);
    e->chunks = g_new0(PenTextChunks *, e->n * e->model->n_encoders);
    e->n_chunks = 1;
    for (guint k = 0; k < e->n; k++)
        for (guint i = 0; i < e->model->n_encoders; i++) {
            const PenTextEncoder *encoder = &e->model->encoders[i];
            PenTextChunks *chunks = pen_text_chunks_new(
                e->prompts[k] ? e->prompts[k] : none, encoder->tokenizer, e->model->tokens,
                encoder->config.vocabulary, e->embeddings, e->missing, e->unfit);
            e->chunks[k * e->model->n_encoders + i] = chunks;
            e->n_chunks = MAX(e->n_chunks, chunks->n);
        }
}

/* What encoder `i` reads: [n, n_chunks, tokens]. Prompts with fewer chunks than the longest have
 * empty ones behind. */
static gint32 *gather_ids(const Encoding *e, guint i)
{
    const PenTokenizer *tokenizer = e->model->encoders[i].tokenizer;
    guint32 tokens = e->model->tokens;
    gsize size = (gsize)e->n_chunks * tokens;
    gint32 *all = g_new(gint32, e->n * size);
    for (guint k = 0; k < e->n; k++) {
        const PenTextChunks *chunks = chunks_of(e, k, i);
        gint32 *to = all + k * size;
        memcpy(to, chunks->ids->data, chunks->ids->len * sizeof *to);
        for (guint c = chunks->n; c < e->n_chunks; c++)
            pen_tokenizer_encode_padded(tokenizer, "", to + (gsize)c * tokens, NULL);
    }
    return all;
}

/* One conditioning of the n_chunks of a prompt; the first chunk's pooled text counts. */
static PenConditioning *join(const Encoding *e, guint k, PenConditioning *const *parts)
{
    const PenTextChunks *chunks = chunks_of(e, k, 0);
    guint32 tokens = e->model->tokens;
    PenConditioning *whole = pen_model_new_conditioning(e->model, e->n_chunks * tokens);
    if (!e->prompts[k] && e->model->zeros_without_text)
        return whole;
    for (guint c = 0; c < e->n_chunks; c++) {
        gsize size = (gsize)tokens * whole->channels;
        memcpy(whole->hidden + c * size, parts[c]->hidden, size * sizeof(float));
    }
    for (guint t = 0; t < chunks->weights->len; t++) {
        float weight = g_array_index(chunks->weights, float, t);
        for (guint32 i = 0; weight != 1 && i < whole->channels; i++)
            whole->hidden[(gsize)t * whole->channels + i] *= weight;
    }
    if (whole->pooled_channels)
        memcpy(whole->pooled, parts[0]->pooled, whole->pooled_channels * sizeof(float));
    return whole;
}

static gboolean encode(Encoding *e, guint clip_skip, PenConditioning **conditionings,
                       GCancellable *cancellable, GError **error)
{
    cut_into_chunks(e);
    guint total = e->n * e->n_chunks;
    gint32 *ids[PEN_MODEL_MAX_ENCODERS] = { NULL };
    g_autofree PenConditioning **parts = g_new0(PenConditioning *, total);
    PenTextOptions options = { .clip_skip = clip_skip, .embeddings = e->embeddings };
    for (guint i = 0; i < e->model->n_encoders; i++)
        ids[i] = gather_ids(e, i);
    gboolean ok = pen_runtime_encode_tokens(e->runtime, (const gint32 *const *)ids, total,
                                            e->model->tokens, &options, parts, cancellable, error);
    for (guint k = 0; ok && k < e->n; k++)
        conditionings[k] = join(e, k, parts + k * e->n_chunks);
    for (guint i = 0; i < total; i++)
        pen_conditioning_free(parts[i]);
    for (guint i = 0; i < e->model->n_encoders; i++)
        g_free(ids[i]);
    return ok;
}

static void encoding_clear(Encoding *e)
{
    for (guint i = 0; e->chunks && i < e->n * e->model->n_encoders; i++)
        pen_text_chunks_free(e->chunks[i]);
    g_free(e->chunks);
    pen_embeddings_free(e->embeddings);
    g_ptr_array_unref(e->missing);
    g_ptr_array_unref(e->unfit);
}

static Encoding encoding_new(PenRuntime *runtime, PenPrompt *const *prompts, guint n)
{
    return (Encoding){
        .runtime = runtime,
        .model = pen_runtime_model(runtime),
        .prompts = prompts,
        .n = n,
        .missing = g_ptr_array_new_with_free_func(g_free),
        .unfit = g_ptr_array_new_with_free_func(g_free),
    };
}

/* --- with all that the language has -------------------------------------------------------------
 */

static PenEmbeddings *find_embeddings(const PenModel *model)
{
    g_autofree char *folder = pen_model_user_folder();
    guint32 hidden[PEN_MODEL_MAX_ENCODERS] = { 0 };
    for (guint i = 0; i < model->n_encoders; i++)
        hidden[i] = model->encoders[i].config.hidden;
    return pen_embeddings_new(folder, hidden, model->n_encoders);
}

static void notice(GPtrArray *notices, const char *format, GPtrArray *words)
{
    if (!words->len)
        return;
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint i = 0; i < words->len; i++)
        g_string_append_printf(list, "%s%s", i ? "  " : "", (char *)words->pdata[i]);
    g_ptr_array_add(notices, g_strdup_printf(format, list->str));
}

static void list_notices(const Encoding *e, GPtrArray *notices)
{
    gboolean cut = FALSE;
    for (guint k = 0; k < e->n; k++) {
        cut = cut || chunks_of(e, k, 0)->cut;
        if (e->prompts[k])
            notice(notices, _("Not understood in the prompt, and left out: %s"),
                   e->prompts[k]->not_understood);
    }
    if (cut)
        g_ptr_array_add(notices, g_strdup(_("The prompt is longer than the model reads; its end "
                                            "was left out.")));
    notice(notices, _("There is no embedding of this name: %s"), e->missing);
    notice(notices, _("Embeddings for another kind of model, left out: %s"), e->unfit);
}

gboolean pen_runtime_encode_prompts(PenRuntime *runtime, PenPrompt *const *prompts, guint n,
                                    guint clip_skip, PenConditioning **conditionings,
                                    GPtrArray *notices, GCancellable *cancellable, GError **error)
{
    Encoding e = encoding_new(runtime, prompts, n);
    e.embeddings = find_embeddings(e.model);
    gboolean ok = encode(&e, clip_skip, conditionings, cancellable, error);
    if (ok && notices)
        list_notices(&e, notices);
    encoding_clear(&e);
    return ok;
}

/* --- words only ---------------------------------------------------------------------------------
 */

gboolean pen_runtime_encode_texts(PenRuntime *runtime, const char *const *texts, guint n,
                                  PenConditioning **conditionings, gboolean *truncated,
                                  GCancellable *cancellable, GError **error)
{
    g_autofree PenPrompt **prompts = g_new0(PenPrompt *, n);
    for (guint k = 0; k < n; k++)
        prompts[k] = texts[k] ? pen_prompt_new(texts[k], PEN_PROMPT_WORDS) : NULL;
    Encoding e = encoding_new(runtime, prompts, n);
    gboolean ok = encode(&e, 1, conditionings, cancellable, error);
    for (guint k = 0; k < n; k++) {
        if (truncated)
            truncated[k] = chunks_of(&e, k, 0)->cut;
        pen_prompt_free(prompts[k]);
    }
    encoding_clear(&e);
    return ok;
}
