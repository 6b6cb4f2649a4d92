// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A trajectory: the latents of one candidate at every step of its sampling, and what the model said
 * there, which is what D3PO trains on. Latents are [height, width, channels] float32, channels last.
 */

#include <gio/gio.h>

#include "src/sampling/steps.h"

G_BEGIN_DECLS

typedef struct {
    guint32 height, width, channels; /* of latents */
    guint steps;                     /* of the whole table */
    guint first;                     /* the first step that was taken; more than 0 when a picture
                                        was the start */
    PenStep *table;                  /* [steps] what the sampler did at each */
    double guidance;
    double guidance_rescale;         /* PenModelOutput.rescale; only in the file where it is not 0 */
    float *latents;   /* step k leads from latents k - first to the one after it */
    guint32 condition_channels; /* of an inpainting model; else 0 */
    float *condition; /* [height, width, condition_channels]: what the model saw beside the latents */

    /* What the model said at each step, [steps - first] latents each (in the file: float16): with the
     * prompt, and without it or with the negative prompt. NULL in files of versions that did not keep
     * them; `uncond` is NULL, too, where guidance was 1. `drawn_scale` is the adapter's scale then: 0
     * where it was the bare model that said so. */
    float *cond, *uncond;
    double drawn_scale;
    gboolean undrawn; /* nobody drew these steps: of a picture that the artist has, or of a thin file
                         (src/engine/forward.h). There are no answers, and never will be */

    /* What the bare model says at each step, with the prompt and without, as far as somebody has asked
     * it since: not in the file. NULL, or the step's first number NaN, where it is not known. */
    float *bare[2];

    double *reference; /* [steps] log-probability of the step under the bare model; NaN while it is
                          not known */
} PenTrajectory;

PenTrajectory *pen_trajectory_new(guint32 height, guint32 width, guint32 channels, guint steps,
                                  guint first);
void pen_trajectory_free(PenTrajectory *trajectory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenTrajectory, pen_trajectory_free)

/* Keeps a copy of an inpainting model's further input (src/engine/inpainting.h). */
void pen_trajectory_set_condition(PenTrajectory *trajectory, guint32 channels,
                                  const float *condition);

/* Makes room for what the model says; `guided`: also without the prompt. */
void pen_trajectory_keep_answers(PenTrajectory *trajectory, gboolean guided);

/* Whether what drew it is not known but could be: a file of an earlier version. */
gboolean pen_trajectory_lacks_answers(const PenTrajectory *trajectory);

/* Bytes that it takes in memory, about. */
gsize pen_trajectory_bytes(const PenTrajectory *trajectory);

/* Floats of one step's latents. */
gsize pen_trajectory_elements(const PenTrajectory *trajectory);

/* The latents that enter step k (first … steps; the last are the finished ones). */
float *pen_trajectory_latents(const PenTrajectory *trajectory, guint step);

/* What `answers` (cond or uncond) holds of step k; NULL where they were not kept. */
float *pen_trajectory_answer(const PenTrajectory *trajectory, float *answers, guint step);

/* What the bare model says at step k; NULL where it is not known. */
const float *pen_trajectory_get_bare(const PenTrajectory *trajectory, guint step,
                                     gboolean without_prompt);
/* Copies `answer`, one latents' worth. */
void pen_trajectory_set_bare(PenTrajectory *trajectory, guint step, gboolean without_prompt,
                             const float *answer);

/* pen_step_offset() of step k, into offset[elements]: with the earlier latents, and the guesses that
 * follow from the answers that were kept. */
void pen_trajectory_offset(const PenTrajectory *trajectory, guint step, double *offset);

/* As a safetensors file, and back. Loading checks shapes and that numbers are finite. Files of versions
 * that had DDIM alone have timesteps in place of the table; it then follows from the schedule of their
 * model. */
GBytes *pen_trajectory_save(const PenTrajectory *trajectory, GError **error);
PenTrajectory *pen_trajectory_load(const char *path, const PenSchedule *schedule, GError **error);

/* A thin file of the one at `path`, whose steps are left out: when it is loaded, they are drawn anew backwards
 * from the finished latents, with noise of `seed`. */
GBytes *pen_trajectory_thin(const char *path, guint64 seed, GError **error);

G_END_DECLS
