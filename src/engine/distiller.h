// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Makes an adapter that draws as guidance would draw a word (src/engine/word.h) of the prompt.
 *
 * The adapter that says a word says it to every text: to the prompt, c, and to what the prompt is compared with,
 * u, be that no text or a negative prompt. Guidance, g = u + w (c - u), draws w times what c has and u has
 * not: a word of the prompt w times, and one that both have once. An adapter that said it to prompts alone
 * would have to know a prompt from a negative one, which has the same form. So let it say to every text what
 * guidance would make of it,
 *
 *     y*(text) = y(text) + w (y(text + v) - y(text)),
 *
 * of the bare model's answers to the text as it is and with v added to each token: where the word shifts both
 * alike, g is then that of the word in the prompt, whatever the prompt, the negative prompt and the
 * guidance that it is drawn with. No vector says so much, since it is far from anything that the model has heard;
 * an adapter of all of the attention learns it (distillation; Hinton et al., arXiv:1503.02531) from
 *
 *     L = |y_adapter(text) - y*(text)|^2 / |y* - y|^2
 *
 * at pictures that are noised to any step. Its targets have no noise and do not depend on what the pictures
 * show, so a few steps do, and nothing is learnt of the pictures. Texts by turns: those of the picks, none, and
 * texts of random tokens, so that it holds for prompts that were never used.
 */

#include "src/engine/trajectory.h"
#include "src/models/runtime.h"

G_BEGIN_DECLS

/* What is learnt stays behind what was asked for, so in the end it is said so many times. On the starter model, after
 * five picks, at 1, 1.25 and 1.5: pastel, seed 2, 83, 94 and 100 %, seed 4, 83, 94 and 100 %, flat, seed 5, 67
 * and 78 %; the motifs suffer from 1.5 on (docs/experiments/learning-2026-11-28.md). */
#define PEN_DISTILLER_STRENGTH 1.25

typedef struct _PenDistiller PenDistiller;

/* For the word v[channels of a token], copied; the rest is borrowed, and the adapter's memory the caller's to
 * allocate. Encodes the random texts, which follow from the seed. */
PenDistiller *pen_distiller_new(PenRuntime *runtime, PenUNetAdapter *adapter, const float *v,
                                guint64 seed, GCancellable *cancellable, GError **error);
void pen_distiller_free(PenDistiller *distiller);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenDistiller, pen_distiller_free)

/* Makes the adapter's values[n_values], which pen_word_write() let say the word, a start: what is free yet of its
 * rows is ready to learn. */
void pen_distiller_start(PenDistiller *distiller, guint64 seed, float *values);

/* A random text; any number names one. The distiller's. */
const PenConditioning *pen_distiller_text(const PenDistiller *distiller, guint number);

/* Adds dL/d values to gradient[n_values] and L to `*loss`, for the noisy latents of step k of a trajectory, a
 * text and the guidance w. Takes the uploaded values. Numbers that overflow are PEN_MODEL_ERROR_NOT_FINITE, and add
 * nothing. */
gboolean pen_distiller_add_gradient(PenDistiller *distiller, const PenTrajectory *trajectory, guint k,
                                    const PenConditioning *text, double guidance, float *gradient,
                                    double *loss, GCancellable *cancellable, GError **error);

/* Makes the values that were learnt those of the style. */
void pen_distiller_finish(const PenDistiller *distiller, float *values);

G_END_DECLS
