// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A word that a prompt could have had: the smallest adapter that can hold a taste.
 *
 * A model has seen far more ways to draw than anybody picks. Which of them the picks show is a matter of a
 * few hundred numbers, those of a vector v that is added to every token that the UNet's cross-attention
 * reads, as if each prompt said one more thing. Textual inversion (Gal et al., arXiv:2208.01618) looks for
 * such a vector before the text encoder, and needs thousands of steps; behind it a few hundred do, and
 * five pictures tell it without telling what is in them: there is no room for that.
 *
 * The adapter that says it. With v, a key or value W h becomes W h + W v. So let the first row of A, the
 * reader, be a vector a with a h = 1 for every token h, and the first column of B be W v: B A h = W v.
 * Where the text encoder ends in a layer norm, h = gamma n + beta with a mean of n of 0, a = 1 / gamma up
 * to a factor is one, exactly. In general a is the least-squares solution over the tokens of many texts, by
 * conjugate gradients. The rest of the adapter is 0.
 *
 * Its gradient: dL/dv = sum over these projections of W^T dL/dB's first column, at any v.
 *
 * How strong. An adapter shifts the answer without a prompt as it does the one with it, so guidance, which
 * draws their difference w times, does not draw the word w times, as it would draw one in the prompt.
 * PEN_WORD_STRENGTH makes up for it. On the starter model, whose guidance is 3, strengths of 1, 1.5, 2 and 3 of
 * the same words gave pastel 39, 86, 100 and 100 % and flat 36, 47, 69 and 50 %; at 3 pictures become alike and
 * motifs suffer, as a little they did at 2 (docs/experiments/learning-2026-11-28.md).
 */

#include "src/models/runtime.h"

G_BEGIN_DECLS

#define PEN_WORD_STRENGTH 1.75

typedef struct {
    PenRuntime *runtime;           /* borrowed, as the adapter is */
    const PenUNetAdapter *adapter;
    guint32 width;                 /* of v: the channels of a token */
    float *reader;                 /* [width]: a */
    double unit;                   /* root mean square of the tokens' elements: what v is measured by */
} PenWord;

/* Encodes some texts on the runtime's device. */
PenWord *pen_word_new(PenRuntime *runtime, const PenUNetAdapter *adapter, GCancellable *cancellable,
                      GError **error);
void pen_word_free(PenWord *word);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenWord, pen_word_free)

/* The adapter's values[n_values] for strength * v[width]. */
gboolean pen_word_write(const PenWord *word, const float *v, double strength, float *values,
                        GError **error);

/* dL/dv[width] from the adapter's gradient[n_values], where the values are pen_word_write()'s. */
gboolean pen_word_gradient(const PenWord *word, const float *gradient, float *v_gradient,
                           GError **error);

G_END_DECLS
