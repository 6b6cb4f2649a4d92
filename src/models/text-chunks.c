// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/text-chunks.h"

#include <string.h>

/* So many tokens back a comma may be for a full chunk to end at it. */
#define COMMA_REACH 20

/* An embedding's name as tokens. */
typedef struct {
    const PenEmbedding *embedding;
    GArray *ids;
} Name;

typedef struct {
    PenTextChunks *chunks;
    const PenTokenizer *tokenizer;
    guint32 tokens, vocabulary;
    gboolean one;     /* chunk, and no more */
    GPtrArray *names; /* Name, the longest first */
    GPtrArray *missing, *unfit;
    gint32 comma;
    GArray *ids, *weights; /* of the chunk that is being filled */
    int after_comma;       /* the place behind its last comma, or -1 */
} Chunker;

static GArray *encode(const PenTokenizer *tokenizer, const char *text)
{
    GArray *ids = pen_tokenizer_encode(tokenizer, text, G_MAXINT, NULL);
    g_array_remove_index(ids, ids->len - 1);
    g_array_remove_index(ids, 0);
    return ids;
}

static void name_free(gpointer data)
{
    Name *name = data;
    g_array_unref(name->ids);
    g_free(name);
}

static int longest_first(gconstpointer a, gconstpointer b)
{
    const Name *x = *(const Name *const *)a, *y = *(const Name *const *)b;
    return (int)y->ids->len - (int)x->ids->len;
}

static GPtrArray *list_names(const PenTokenizer *tokenizer, const PenEmbeddings *embeddings)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(name_free);
    for (guint i = 0; embeddings && i < embeddings->list->len; i++) {
        Name *name = g_new(Name, 1);
        name->embedding = &g_array_index(embeddings->list, PenEmbedding, i);
        name->ids = encode(tokenizer, name->embedding->name);
        g_ptr_array_add(names, name);
    }
    g_ptr_array_sort(names, longest_first);
    return names;
}

static void list_once(GPtrArray *list, const char *text)
{
    if (list && !g_ptr_array_find_with_equal_func(list, text, g_str_equal, NULL))
        g_ptr_array_add(list, g_strdup(text));
}

static guint room(const Chunker *c)
{
    return c->tokens - 2;
}

static void append(Chunker *c, gint32 id, float weight)
{
    g_array_append_val(c->chunks->ids, id);
    g_array_append_val(c->chunks->weights, weight);
}

/* Writes the first `n` tokens of the chunk, with start, end and padding, and keeps the rest for the
 * next. */
static void finish_chunk(Chunker *c, guint n)
{
    c->after_comma = -1;
    if (c->chunks->n == (c->one ? 1 : PEN_TEXT_MAX_CHUNKS)) {
        c->chunks->cut = c->chunks->cut || c->ids->len;
        n = c->ids->len;
    } else {
        append(c, pen_tokenizer_start(c->tokenizer), 1);
        for (guint i = 0; i < n; i++)
            append(c, g_array_index(c->ids, gint32, i), g_array_index(c->weights, float, i));
        append(c, pen_tokenizer_end(c->tokenizer), 1);
        for (guint i = n; i < room(c); i++)
            append(c, pen_tokenizer_pad(c->tokenizer), 1);
        c->chunks->n++;
    }
    if (n) {
        g_array_remove_range(c->ids, 0, n);
        g_array_remove_range(c->weights, 0, n);
    }
}

static void add_token(Chunker *c, gint32 id, double weight)
{
    float narrow = (float)weight;
    g_array_append_val(c->ids, id);
    g_array_append_val(c->weights, narrow);
}

static const Name *name_at(const Chunker *c, const GArray *ids, guint at)
{
    for (guint i = 0; i < c->names->len; i++) {
        const Name *name = c->names->pdata[i];
        if (name->ids->len && at + name->ids->len <= ids->len &&
            memcmp(&g_array_index(ids, gint32, at), name->ids->data,
                   name->ids->len * sizeof(gint32)) == 0)
            return name;
    }
    return NULL;
}

static void add_embedding(Chunker *c, const PenEmbedding *embedding, double weight)
{
    if (!embedding->rows)
        list_once(c->unfit, embedding->name);
    if (embedding->rows > room(c))
        return;
    if (c->ids->len + embedding->rows > room(c))
        finish_chunk(c, c->ids->len);
    for (guint i = 0; i < embedding->rows; i++)
        add_token(c, (gint32)(c->vocabulary + embedding->first + i), weight);
}

static void add_tokens(Chunker *c, const GArray *ids, double weight)
{
    for (guint at = 0; at < ids->len;) {
        gint32 id = g_array_index(ids, gint32, at);
        if (c->ids->len == room(c)) {
            gboolean near = id != c->comma && c->after_comma > 0 &&
                            c->ids->len + 1 - c->after_comma <= COMMA_REACH;
            finish_chunk(c, near && !c->one ? (guint)c->after_comma : c->ids->len);
        }
        const Name *name = name_at(c, ids, at);
        if (name) {
            add_embedding(c, name->embedding, weight);
            at += name->ids->len;
            continue;
        }
        add_token(c, id, weight);
        if (id == c->comma)
            c->after_comma = (int)c->ids->len;
        at++;
    }
}

static void add_part(Chunker *c, const PenPromptPart *part, const PenEmbeddings *embeddings)
{
    if (!part->text) {
        finish_chunk(c, c->ids->len);
        return;
    }
    if (part->embedding) {
        const PenEmbedding *found =
            embeddings ? pen_embeddings_lookup(embeddings, part->text) : NULL;
        if (found)
            add_embedding(c, found, part->weight);
        else
            list_once(c->missing, part->text);
        return;
    }
    g_autoptr(GArray) ids = encode(c->tokenizer, part->text);
    add_tokens(c, ids, part->weight);
}

PenTextChunks *pen_text_chunks_new(const PenPrompt *prompt, const PenTokenizer *tokenizer,
                                   guint32 tokens, guint32 vocabulary,
                                   const PenEmbeddings *embeddings, GPtrArray *missing,
                                   GPtrArray *unfit)
{
    PenTextChunks *chunks = g_new0(PenTextChunks, 1);
    g_autoptr(GArray) comma = encode(tokenizer, ",");
    g_autoptr(GPtrArray) names = list_names(tokenizer, embeddings);
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint32));
    g_autoptr(GArray) weights = g_array_new(FALSE, FALSE, sizeof(float));
    Chunker chunker = {
        .chunks = chunks,
        .tokenizer = tokenizer,
        .tokens = tokens,
        .vocabulary = vocabulary,
        .one = prompt->reading == PEN_PROMPT_WORDS,
        .names = names,
        .missing = missing,
        .unfit = unfit,
        .comma = comma->len ? g_array_index(comma, gint32, 0) : -1,
        .ids = ids,
        .weights = weights,
        .after_comma = -1,
    };

    chunks->ids = g_array_new(FALSE, FALSE, sizeof(gint32));
    chunks->weights = g_array_new(FALSE, FALSE, sizeof(float));
    chunks->cut = prompt->cut;
    for (guint i = 0; i < prompt->parts->len; i++)
        add_part(&chunker, &g_array_index(prompt->parts, PenPromptPart, i), embeddings);
    if (ids->len || chunks->n == 0)
        finish_chunk(&chunker, ids->len);
    return chunks;
}

void pen_text_chunks_free(PenTextChunks *chunks)
{
    if (!chunks)
        return;
    g_array_unref(chunks->ids);
    g_array_unref(chunks->weights);
    g_free(chunks);
}
