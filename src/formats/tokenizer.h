// SPDX-License-Identifier: GPL-3.0-or-later
//
// CLIP's tokenizer: byte-level byte pair encoding of lower-cased words.
//
// The rules are those of the fast CLIP tokenizer of the reference libraries, which differs from the
// slow one in the characters it keeps as they are (ligatures, CJK):
//   1. Unicode NFC, every run of white space one space, lower case (character by character).
//   2. Split into: the special tokens; 's 't 're 've 'm 'll 'd; runs of letters (\p{L}+); single
//      numbers (\p{N}); runs of anything else but white space. White space itself is dropped.
//   3. Each piece's UTF-8 bytes become tokens, the last one its form with "</w>" appended; then
//      neighbours are merged, the earliest rule of merges.txt first.
//   4. Start token, tokens, end token; too long a text loses its end.
// Unicode classes are GLib's.
#pragma once

#include "src/formats/file.h"

G_BEGIN_DECLS

typedef struct _PenTokenizer PenTokenizer;

// Loads a tokenizer folder: vocab.json, merges.txt and tokenizer_config.json, and if it is there
// special_tokens_map.json (which counts more, unless the configuration is of the newer kind that
// holds an added_tokens_decoder). Where there is no vocab.json, tokenizer.json has the vocabulary, the
// merges and the padding (transformers 5 writes no other), and tokenizer_config.json may be missing.
PenTokenizer *pen_tokenizer_new(const char *folder, GError **error);

// CLIP's own vocabulary of 49,408 tokens, which comes with Penchant (src/formats/data), padded with
// the token `pad`: "<|endoftext|>" for Stable Diffusion 1.x, "!" for 2.x.
PenTokenizer *pen_tokenizer_new_clip(const char *pad);

void pen_tokenizer_free(PenTokenizer *tokenizer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenTokenizer, pen_tokenizer_free)

int pen_tokenizer_max_length(const PenTokenizer *tokenizer); // start and end included; 77 for CLIP
int pen_tokenizer_n_tokens(const PenTokenizer *tokenizer);   // the largest id plus one
gint32 pen_tokenizer_start(const PenTokenizer *tokenizer);
gint32 pen_tokenizer_end(const PenTokenizer *tokenizer);
gint32 pen_tokenizer_pad(const PenTokenizer *tokenizer);

// The ids (GArray of gint32) of a text: start, at most max_length - 2 tokens, end. A max_length of
// 0 is the model's. `*truncated` (may be NULL) says whether something was cut off. Any bytes are a
// valid text; what is not UTF-8 counts as U+FFFD.
GArray *pen_tokenizer_encode(const PenTokenizer *tokenizer, const char *text, int max_length,
                             gboolean *truncated);

// The same, filled up with the pad token: writes exactly the model's max_length ids.
void pen_tokenizer_encode_padded(const PenTokenizer *tokenizer, const char *text, gint32 *ids,
                                 gboolean *truncated);

G_END_DECLS
