// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "src/sampling/steps.h"

/**
 * One step of DDIM (Song et al., arXiv:2010.02502, eq. 12 and 16) as a Gaussian policy.
 *
 * With a = abar_t, a' = abar of the previous (less noisy) timestep, latents x and the guided model
 * output o = o_uncond + guidance (o_cond - o_uncond):
 *
 *     epsilon prediction   e = o                           x0 = (x - sqrt(1-a) o) / sqrt(a)
 *     v prediction         e = sqrt(a) o + sqrt(1-a) x     x0 = sqrt(a) x - sqrt(1-a) o
 *
 *     sd = eta sqrt((1-a') / (1-a)) sqrt(1 - a/a')
 *     mu = sqrt(a') x0 + sqrt(1 - a' - sd^2) e
 *     x' = mu + sd noise
 *     log p(x' | x) = mean over the elements of  -(x'-mu)^2 / (2 sd^2) - log sd - log sqrt(2 pi)
 *
 * The MEAN (not the sum) is what the published D3PO script uses, so that the loss does not depend
 * on the picture's size. Both x0 and mu are linear in x and o; a step holds these coefficients.
 *
 * A step with sd = 0 (eta 0, or a' = a or 1 at the end) is deterministic: it has no density and no
 * policy to improve. Leave it out of training; pen_ddim_step_is_stochastic() tells.
 *
 * All arrays are float with `n` elements in any order that is the same for all; sums are in double.
 * Outputs may be the same array as x. Nothing fails, but values that are not finite pass through to
 * the results: check the log-probability before using its gradient.
 */

typedef struct {
    int timestep;
    int previous; // negative: before t = 0
    double sd;
    double x0_from_x, x0_from_output; // x0 = x0_from_x x + x0_from_output o
    double mean_from_x, mean_from_output;
} PenDdimStep;

/**
 * The coefficients of the step from `timestep`, one of the `steps` of pen_schedule_get_timesteps().
 * `eta` in [0, 1]: 0 is deterministic, 1 adds as much noise as DDPM. An error if out of range.
 */
gboolean pen_ddim_step_init(PenDdimStep *step, const PenSchedule *schedule, int timestep, int steps,
                            double eta, GError **error);

gboolean pen_ddim_step_is_stochastic(const PenDdimStep *step);

// x' = mu + sd noise. `noise` may be NULL if the step is deterministic.
void pen_ddim_advance(const PenDdimStep *step, gsize n, const float *x,
                      const PenModelOutput *output, const float *noise, float *x_next);

// The finished latents as the model guesses them now: for previews.
void pen_ddim_predict_x0(const PenDdimStep *step, gsize n, const float *x,
                         const PenModelOutput *output, float *x0);

/**
 * The output by which the model would have guessed the finished latents x0: in epsilon prediction
 * (x - sqrt(a) x0) / sqrt(1-a). The mean that goes with it is that of q(x' | x, x0) (eq. 7 there).
 */
void pen_ddim_find_output(const PenDdimStep *step, gsize n, const float *x, const float *x0,
                          float *output);

// mu, for an output.
void pen_ddim_mean(const PenDdimStep *step, gsize n, const float *x, const PenModelOutput *output,
                   float *mean);

// log p(x_next | x). NaN for a deterministic step.
double pen_ddim_log_prob(const PenDdimStep *step, gsize n, const float *x,
                         const PenModelOutput *output, const float *x_next);

/**
 * The gradient of `factor * log p(x_next | x)` with respect to the model's outputs:
 *
 *     d log p / d o = d mu / d o * (x' - mu) / (n sd^2),
 *     d o / d o_cond = guidance,    d o / d o_uncond = 1 - guidance
 *
 * `factor` is d loss / d log p. `grad_uncond` may be NULL; it must be if output->uncond is.
 * A deterministic step gives zeros.
 */
void pen_ddim_log_prob_gradient(const PenDdimStep *step, gsize n, const float *x,
                                const PenModelOutput *output, const float *x_next, double factor,
                                float *grad_cond, float *grad_uncond);
