// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The sampler: makes the candidates of a round and keeps their trajectories. Each starts
 * from a noise of its own: from a shared one, as in the published script, they come out alike and
 * leave little to choose from (docs/learning.md). They are made one after another, so that the
 * first can be shown while the others are still to come; small pictures a few at a time where the
 * device has room for more than one. What a candidate becomes depends on its seed alone, not on
 * those beside it.
 *
 * More can be begun than are wanted: halfway, where what a picture will be can be seen, `choose`
 * says which go on, and no more work is done on the others.
 */

#include "src/engine/tiles.h"
#include "src/engine/trajectory.h"
#include "src/models/runtime.h"
#include "src/sampling/method.h"

G_BEGIN_DECLS

/* Fills out[n] with the noise of a candidate's step, or with that it starts from. */
#define PEN_SAMPLER_INITIAL G_MAXUINT
typedef void (*PenSamplerNoise)(guint candidate, guint step, gsize n, float *out, gpointer data);

/* After each step of the candidates first … first + n - 1: `done` is the share of all work that is
 * done, `predicted[i]` candidate i's finished latents as the model guesses them now. FALSE with an
 * error stops the sampler. */
typedef gboolean (*PenSamplerProgress)(double done, guint first, guint n, float *const *predicted,
                                       gpointer data, GError **error);

/* A candidate is finished: its number in the order of the choice. May use the device. FALSE with an
 * error stops the sampler. */
typedef gboolean (*PenSamplerFinished)(guint candidate, const PenTrajectory *trajectory,
                                       gpointer data, GError **error);

/* Which candidates go on: chosen[keep], indices into predicted[n], which are as for
 * PenSamplerProgress. May use the device. FALSE with an error stops the sampler. */
typedef gboolean (*PenSamplerChoose)(float *const *predicted, guint *chosen, gpointer data,
                                     GError **error);

typedef struct {
    guint n;               /* candidates */
    guint32 height, width; /* of latents */
    PenSampling sampling;  /* its `first` follows from `start` and `strength` */
    double guidance;
    double guidance_rescale;       /* PenModelOutput.rescale */
    const PenConditioning *cond;   /* the prompt */
    const PenConditioning *uncond; /* the negative prompt; unused when guidance is 1 */
    PenUNetAdapter *adapter;       /* uploaded; or NULL */
    double scale;                  /* of the adapter; 0 is the bare model */
    guint64 seed;                  /* of the round: src/sampling/noise.h */
    gboolean shared_noise;         /* all candidates start from the same noise */

    const float *condition; /* for an inpainting model, and needed there: src/engine/inpainting.h */

    const float *start; /* latents of a picture to start from; NULL: from noise alone */
    double strength;    /* 0 keeps that picture, 1 nearly ignores it */

    guint32 tile; /* side in latents: evaluate in tiles (src/engine/tiles.h); 0: as a whole */
    PenTilesProgress tile_progress; /* after each tile of a step; may be NULL; gets progress_data */

    /* A finished trajectory of this size and these steps whose first steps all candidates share;
     * they part at step `parting`, each with noise of its own. In place of `start`; NULL: none. */
    const PenTrajectory *origin;
    guint parting;

    guint together; /* so many candidates are evaluated at once, a divisor of n and of `keep`; 0:
                       what suits the device */

    guint keep; /* so many of the candidates go on after half of the steps; 0: all of them */
    PenSamplerChoose choose; /* gets progress_data */

    PenSamplerNoise noise; /* in place of the seed; NULL normally */
    gpointer noise_data;
    guint64 *evaluations; /* of the UNet are added to it; may be NULL */
    PenSamplerProgress progress; /* may be NULL */
    PenSamplerFinished finished; /* may be NULL; gets progress_data */
    gpointer progress_data;
} PenSamplerJob;

/* Fills trajectories[n], or of `keep` candidates as many in the order of the choice, the rest with
 * NULL; the finished latents are the last of each. With an error nothing is filled. Under the bare
 * model the trajectories know their reference log-probabilities. */
gboolean pen_sampler_run(PenRuntime *runtime, const PenSamplerJob *job,
                         PenTrajectory **trajectories, GCancellable *cancellable, GError **error);

G_END_DECLS
