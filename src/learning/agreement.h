// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

/**
 * How far picks agree: whether the others would have told what one says.
 *
 * What a pick asks of the model is its gradient at the bare model. Picks of one taste share a
 * direction; picks by chance, or candidates that differ in nothing that the artist looks at, have
 * each their own. So for each pick p its cosine with the sum of all others,
 *
 *     a_p = <g_p, s_p> / (|g_p| |s_p|),      s_p = sum of g_q, q != p
 *
 * is above 0 as far as the others predict it, and about 0, with either sign, where they do not.
 *
 * Gradients have as many numbers as the adapter. Cosines need fewer: each gradient is folded into
 * PEN_AGREEMENT_SIZE sums of its numbers with pseudo-random signs (feature hashing, Weinberger et
 * al., arXiv:0902.2206), which keep inner products but for an error of about 1/sqrt(size) of |g| |s|.
 */
#define PEN_AGREEMENT_SIZE 4096

/* Adds gradient[n] to folded[PEN_AGREEMENT_SIZE]. */
void pen_agreement_fold(gsize n, const float *gradient, float *folded);

/**
 * a_p of each of n picks into agreement[n], from folded[n]. With one pick, or where a gradient is
 * zero or not finite, 0. Returns their mean.
 */
double pen_agreement_measure(guint n, const float *const *folded, double *agreement);
