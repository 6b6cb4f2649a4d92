// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Teaches an adapter to say a word (src/engine/word.h) where there is a prompt, and nothing where there is
 * none.
 *
 * The adapter that says a word says it to every text, the empty one too. Guidance draws w times what the
 * prompt's answer c has and the other one, u, has not: of a word in both it draws one share, where it
 * draws w of a word in the prompt. An adapter for the prompt alone is not known in closed form, since the
 * tokens of a short prompt and of none are nearly the same; but what it has to answer is:
 *
 *     c: what the bare model answers to the prompt with v added to each token,
 *     u: what the bare model answers to no prompt.
 *
 * So the adapter is fitted to these (distillation; Hinton et al., arXiv:1503.02531), starting from the one that
 * says the word to all:
 *
 *     L = (|c_adapter - c|^2 + |u_adapter - u|^2) / |c - u|^2
 *
 * at pictures that are noised to any step. Its targets have no noise and do not depend on what the pictures
 * show, so a few steps at a high rate do, and nothing is learnt of the pictures. Prompts by turns: those
 * that were picked for, and texts of random tokens, so that the adapter says it to prompts that were never used.
 */

#include "src/engine/trajectory.h"
#include "src/models/runtime.h"

G_BEGIN_DECLS

/* So many times v. */
#define PEN_DISTILLER_STRENGTH 1.0

typedef struct _PenDistiller PenDistiller;

/* For the word v[channels of a token], copied; the rest is borrowed, and the adapter's memory the caller's to
 * allocate. Encodes the random texts, which follow from the seed. */
PenDistiller *pen_distiller_new(PenRuntime *runtime, PenUNetAdapter *adapter, const float *v,
                                guint64 seed, GCancellable *cancellable, GError **error);
void pen_distiller_free(PenDistiller *distiller);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenDistiller, pen_distiller_free)

/* Makes the adapter's values[n_values] a start, which pen_word_write() let say the word at
 * PEN_DISTILLER_STRENGTH: what is free yet of the cross-attention's rows is ready to learn. */
void pen_distiller_start(PenDistiller *distiller, guint64 seed, float *values);

/* A prompt and what the model hears in its absence, of as many tokens each. */
typedef struct {
    const PenConditioning *prompt, *nothing;
} PenDistillerTexts;

/* A random prompt; any number names one. The distiller's. */
PenDistillerTexts pen_distiller_random_texts(const PenDistiller *distiller, guint number);

/* Adds dL/d values to gradient[n_values] and L to `*loss`, for the noisy latents of step k of a trajectory.
 * Takes the uploaded values. Numbers that overflow are PEN_MODEL_ERROR_NOT_FINITE, and add nothing. */
gboolean pen_distiller_add_gradient(PenDistiller *distiller, const PenTrajectory *trajectory, guint k,
                                    const PenDistillerTexts *texts, float *gradient, double *loss,
                                    GCancellable *cancellable, GError **error);

G_END_DECLS
