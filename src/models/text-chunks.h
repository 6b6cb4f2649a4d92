// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A prompt cut into the chunks that a text encoder reads, one after another (77 tokens, of which
 * start and end are two), with the weight of each token. The rule is A1111's:
 *   - BREAK ends a chunk. Else a chunk is full with 75 tokens, and ends at a comma before that if
 * there is one among its last 20.
 *   - Where the tokens of an embedding's name stand, its rows take their place; they stay in one
 * chunk.
 *   - The encoder's hidden states of each token are multiplied by its weight. (A1111 then brings
 * their mean back to what it was, unless told not to. Here it is left: of an encoder whose states
 * have a mean near zero that would be a division by nearly zero.) What is read as words only
 * (PEN_PROMPT_WORDS) is one chunk, without embeddings.
 */

#include "src/formats/prompt.h"
#include "src/formats/tokenizer.h"
#include "src/models/embeddings.h"

G_BEGIN_DECLS

#define PEN_TEXT_MAX_CHUNKS 16

typedef struct {
    guint n; /* chunks, at least 1 */
    GArray *
        ids; /* gint32 [n, tokens]; from the vocabulary's size on they are rows of the embeddings */
    GArray *weights; /* float [n, tokens] */
    gboolean cut;    /* the end was left out */
} PenTextChunks;

/* `tokens` of a chunk, start and end included; `vocabulary` is the encoder's number of tokens.
 * Names of embeddings that are missing or belong to another kind of model are added to `missing`
 * and `unfit` (may be NULL). */
PenTextChunks *pen_text_chunks_new(const PenPrompt *prompt, const PenTokenizer *tokenizer,
                                   guint32 tokens, guint32 vocabulary,
                                   const PenEmbeddings *embeddings, GPtrArray *missing,
                                   GPtrArray *unfit);
void pen_text_chunks_free(PenTextChunks *chunks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenTextChunks, pen_text_chunks_free)

G_END_DECLS
