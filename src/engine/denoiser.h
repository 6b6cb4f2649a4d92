// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The UNet at work: what it says about noisy latents at a timestep, with and without the prompt,
 * and the gradient of a function of that with respect to the adapter.
 *
 * A denoiser is a plan for a number of pictures of one size. With guidance each picture is
 * evaluated twice, for the negative prompt and for the prompt. The adapter's scale is given with
 * each evaluation: 0 is the bare model (the reference), 1 the adapted one (the policy); both share
 * plan and weights.
 *
 * Latents are [pictures, height, width, channels] float32, channels last.
 */

#include "src/models/runtime.h"
#include "src/sampling/steps.h"

G_BEGIN_DECLS

typedef struct {
    guint32 height, width; /* of latents */
    guint pictures;
    guint32 tokens;          /* of the conditionings; 0: the model's */
    gboolean guided;         /* guidance is not 1: two evaluations a picture */
    PenUNetAdapter *adapter; /* or NULL; must outlive the denoiser */
    gboolean gradient;       /* pen_denoiser_backward() will be called; needs an adapter */
    gboolean sample_gradient; /* it also gives the gradient of the latents */
    gboolean statistics;      /* pen_denoiser_statistics() will be called */
    gboolean shrinks;         /* what does not fit in memory is made smaller */
} PenDenoiserOptions;

typedef struct _PenDenoiser PenDenoiser;

/* Builds and plans. What would not fit in memory is made smaller with `shrinks`: with `gradient`
 * activations are recomputed, and if that is not enough, or without `gradient`, the runtime keeps the
 * UNet's matrices in 8 bits from now on (pen_runtime_eight_bits()). */
PenDenoiser *pen_denoiser_new(PenRuntime *runtime, const PenDenoiserOptions *options,
                              GError **error);
void pen_denoiser_free(PenDenoiser *denoiser);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenDenoiser, pen_denoiser_free)

/* Whether the memory that is left on the device holds what it takes to run. */
gboolean pen_denoiser_fits(const PenDenoiser *denoiser);

/* Whether the backward pass computes activations a second time because memory is short. */
gboolean pen_denoiser_recomputes(const PenDenoiser *denoiser);

/* The conditioning of the prompt and, unless it is NULL because nothing guides, of the negative
 * prompt, for all pictures. Copied. */
void pen_denoiser_set_conditioning(PenDenoiser *denoiser, const PenConditioning *cond,
                                   const PenConditioning *uncond);

/* Of an inpainting model: what a picture's evaluations see beside its latents, [height, width,
 * condition_channels] (src/engine/inpainting.h). Copied. */
void pen_denoiser_set_condition(PenDenoiser *denoiser, guint picture, const float *condition);

/* Evaluates all pictures at one timestep. `outputs[pictures]` point into the denoiser and are valid
 * until the next call. */
gboolean pen_denoiser_run(PenDenoiser *denoiser, const float *latents, double timestep,
                          double scale, double guidance, PenModelOutput *outputs,
                          GCancellable *cancellable, GError **error);

/* What the UNet's blocks made of the pictures of the last run: out[evaluations, n], for each block in
 * turn its channels' means and then their standard deviations. */
gsize pen_denoiser_n_statistics(const PenModel *model);
void pen_denoiser_statistics(PenDenoiser *denoiser, float *out);

/* The arrays of dL/d output for a picture of the last run, to be filled for each before
 * pen_denoiser_backward(). `uncond` is NULL unless guided. */
void pen_denoiser_output_gradients(PenDenoiser *denoiser, guint picture, float **cond,
                                   float **uncond);

/* dL/d adapter at the scale of the last run, summed over the pictures, into gradient[adapter->n_values]. Zero output
 * gradients are allowed. */
gboolean pen_denoiser_backward(PenDenoiser *denoiser, float *gradient, GCancellable *cancellable,
                               GError **error);

/* dL/d latents of the last backward pass. Evaluations of one picture are not added up:
 * [evaluations, height, width, channels]. */
void pen_denoiser_sample_gradient(PenDenoiser *denoiser, float *gradient);

/* --- plain batches, for the probe: each evaluation has its own latents, timestep and conditioning */

void pen_denoiser_set_evaluation_conditioning(PenDenoiser *denoiser, guint evaluation,
                                              const PenConditioning *conditioning);
gboolean pen_denoiser_run_batch(PenDenoiser *denoiser, const float *latents,
                                const double *timesteps, double scale, float *out,
                                GCancellable *cancellable, GError **error);
gboolean pen_denoiser_backward_batch(PenDenoiser *denoiser, const float *out_gradient,
                                     float *gradient, GCancellable *cancellable, GError **error);

/* How many evaluations its runs came to: two a picture where it is guided. */
guint64 pen_denoiser_count(const PenDenoiser *denoiser);

/* For its figures and its profile. */
PenPlan *pen_denoiser_plan(PenDenoiser *denoiser);

G_END_DECLS
