// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "src/sampling/schedule.h"

/**
 * The steps of a sampler, as numbers. src/sampling/method.h makes them; here they are taken.
 *
 * A step is one evaluation of the model and what is done with the answer. Whatever the sampler, the
 * latents x_k of step k are what the model is shown:
 *
 *     x_k ~ alpha x0 + sigma noise,    alpha^2 + sigma^2 = 1
 *
 * (samplers that are written for latents x0 + s noise, as Euler is, see them divided by
 * sqrt(1 + s^2) here). All samplers are linear in what was seen and guessed: with the guided answer
 * o and the guess D_k of the finished latents,
 *
 *     epsilon prediction   D = (x - sigma o) / alpha
 *     v prediction         D = alpha x - sigma o
 *     x_{k+1} = sum_j from_x[j] x_{k-j}  +  sum_j from_x0[j] D_{k-j}  +  sd noise
 *
 * over the last PEN_STEP_HISTORY steps. A sampler is nothing but the table of these coefficients;
 * what comes before the first step taken has the coefficient 0.
 *
 * The step as a policy. Where sd > 0 the step is a Gaussian of the mean that the sum is and the
 * deviation sd. The mean is linear in the present answer; earlier answers, where a sampler uses
 * them, are held as they were stored: that part of the mean is the step's `offset`.
 *
 *     log p(x' | x) = mean over the elements of  -(x'-mu)^2 / (2 sd^2) - log sd - log sqrt(2 pi)
 *
 * The MEAN (not the sum) is what the published D3PO script uses, so that the loss does not depend
 * on the picture's size. A step with sd = 0 has no density; pen_step_is_stochastic() tells.
 *
 * The step in hindsight. With any sampler, also one without noise, a step is a visit of x_k that ended
 * in the finished latents x0. The forward process itself says how a step from there to the next level
 * goes if x0 is known: with q(x' | x, x0) (Ho et al., arXiv:2006.11239, eq. 6), a Gaussian whose mean
 * is linear in x0. pen_step_in_hindsight() is that step: the model's answer o stands for the x0 that
 * it guesses, and the answer that was right is
 *
 *     o* = (x0 - x0_from_x x) / x0_from_output
 *
 * The log-density of the mean that o* gives, under o, is -(SNR' - SNR) (D - x0)^2 / 2 for each element
 * and a constant, with SNR = alpha^2 / sigma^2 and SNR' that of the next level: the step's weight in
 * the diffusion's own likelihood (Kingma et al., arXiv:2107.00630). So the weights of a trajectory add
 * up to the same number for every sampler and however many steps there are. DDIM with eta 1 and Euler
 * ancestral step with q themselves: for them it is the Gaussian that drew.
 *
 * All arrays are float with `n` elements in any order that is the same for all; sums are in double.
 * Nothing fails, but values that are not finite pass through to the results: check the
 * log-probability before using its gradient.
 */
#define PEN_STEP_HISTORY 4

typedef struct {
    double timestep;     // what the model is told; may lie between two it was trained on
    double alpha, sigma; // of what it is shown
    double x0_from_x, x0_from_output;
    double from_x[PEN_STEP_HISTORY], from_x0[PEN_STEP_HISTORY];
    double sd;
    double next_alpha, next_sigma; // of what the step leads to
} PenStep;

typedef struct {
    guint n;
    PenStep *step;      // [n]
    double noise_scale; // x_0 = noise_scale noise where nothing but noise is the start
} PenSteps;

void pen_steps_free(PenSteps *steps);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenSteps, pen_steps_free)

// What the UNet said: `uncond` is NULL where it was not run, and then guidance does not count.
typedef struct {
    const float *cond;
    const float *uncond;
    double guidance; // 1 is no guidance
    double rescale;  // 0 to 1: how far the guided answer is brought back to the deviation of `cond`
} PenModelOutput;

/**
 * What the guided answer o = uncond + guidance (cond - uncond) is multiplied by ("guidance rescale",
 * arXiv:2305.08891, section 3.4): 1 - rescale + rescale std(cond) / std(o), the deviations over all
 * `n` elements.
 */
double pen_model_output_factor(const PenModelOutput *output, gsize n);

/**
 * Turns gradients with respect to the answer times that factor, as if it were 1, into those with
 * respect to `cond` and `uncond`, through the deviations too.
 */
void pen_model_output_gradient(const PenModelOutput *output, gsize n, float *grad_cond,
                               float *grad_uncond);

gboolean pen_step_is_stochastic(const PenStep *step);

/* The step that the forward process takes between the same levels. Deterministic where it ends at
 * level 0, in the finished latents. */
PenStep pen_step_in_hindsight(const PenStep *step);

// d mu / d o.
double pen_step_mean_from_output(const PenStep *step);

/**
 * The part of the mean that does not depend on the present answer, into offset[n]. x[j] are the latents of step k -
 * j, x0[j] the guess made there; those that the step does not use (coefficient 0), and x0[0], may
 * be NULL.
 */
void pen_step_offset(const PenStep *step, gsize n, const float *const x[PEN_STEP_HISTORY],
                     const float *const x0[PEN_STEP_HISTORY], double *offset);

// mu = offset + d mu / d o * o.
void pen_step_mean(const PenStep *step, gsize n, const double *offset, const PenModelOutput *output,
                   float *mean);

// x' = offset + d mu / d o * o + sd noise. `noise` may be NULL if the step is deterministic.
void pen_step_advance(const PenStep *step, gsize n, const double *offset,
                      const PenModelOutput *output, const float *noise, float *x_next);

// D: the finished latents as the model guesses them now.
void pen_step_predict_x0(const PenStep *step, gsize n, const float *x, const PenModelOutput *output,
                         float *x0);

// o*: the answer that leads from x to x0. May be in place of either.
void pen_step_answer_for_x0(const PenStep *step, gsize n, const float *x, const float *x0,
                            float *answer);

// x = alpha x0 + sigma noise: latents as the model would see x0 at that level. In place is fine.
void pen_add_noise(double alpha, double sigma, gsize n, const float *x0, const float *noise,
                   float *x);

// log p(x_next | …). NaN for a deterministic step.
double pen_step_log_prob(const PenStep *step, gsize n, const double *offset,
                         const PenModelOutput *output, const float *x_next);

/**
 * The gradient of `factor * log p(x_next | …)` with respect to the model's outputs:
 *
 *     d log p / d o = d mu / d o * (x' - mu) / (n sd^2),
 *     d o / d o_cond = guidance,    d o / d o_uncond = 1 - guidance
 *
 * `factor` is d loss / d log p. `grad_uncond` may be NULL; it must be if output->uncond is.
 * A deterministic step gives zeros.
 */
void pen_step_log_prob_gradient(const PenStep *step, gsize n, const double *offset,
                                const PenModelOutput *output, const float *x_next, double factor,
                                float *grad_cond, float *grad_uncond);
