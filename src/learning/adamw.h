// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

/**
 * AdamW (Loshchilov and Hutter, arXiv:1711.05101) as torch.optim.AdamW computes it, over one flat
 * array of parameters: for step t = 1, 2, …
 *
 *     p <- p (1 - lr weight_decay)
 *     m <- beta1 m + (1 - beta1) g          v <- beta2 v + (1 - beta2) g^2
 *     p <- p - lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon)
 *
 * Parameters and moments are float, the arithmetic is double and in a fixed order: the same
 * gradients give the same parameters, bit for bit, with or without a save and load in between.
 */

typedef struct {
    double learning_rate;
    double beta1;
    double beta2;
    double weight_decay;
    double epsilon;
} PenAdamwConfig;

typedef struct {
    gsize n;
    guint64 step; // taken so far
    float *m;     // [n] running mean of the gradient
    float *v;     // [n] running mean of its square
} PenAdamw;

typedef enum {
    PEN_ADAMW_ERROR_CORRUPT, // the saved state is damaged
    PEN_ADAMW_ERROR_SIZE,    // the saved state is for another number of parameters
} PenAdamwError;

#define PEN_ADAMW_ERROR (pen_adamw_error_quark())
GQuark pen_adamw_error_quark(void);

// A fresh state for `n` parameters.
PenAdamw *pen_adamw_new(gsize n);
void pen_adamw_free(PenAdamw *adamw);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenAdamw, pen_adamw_free)

// One step. `parameters` and `gradient` have `n` elements. The gradient must be finite.
void pen_adamw_step(PenAdamw *adamw, const PenAdamwConfig *config, float *parameters,
                    const float *gradient);

/**
 * The state as bytes, and back. All numbers are little-endian: "PenAdamW", version 1 (uint32), the
 * CRC-32 of all that follows (uint32), n (uint64), step (uint64), m (n float32), v (n float32).
 * Loading checks everything and fails with a PEN_ADAMW_ERROR.
 */
GBytes *pen_adamw_save(const PenAdamw *adamw);
PenAdamw *pen_adamw_load(GBytes *bytes, gsize n, GError **error);

/**
 * As torch.nn.utils.clip_grad_norm_: scales the gradient by max_norm / (norm + 1e-6) if that is
 * below 1. Returns the norm before. If the norm is not finite the gradient is left as it is, and
 * the caller must skip the step.
 */
double pen_clip_grad_norm(float *gradient, gsize n, double max_norm);
