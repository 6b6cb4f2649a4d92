// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/engine/forward.h"
#include "src/engine/inpainting.h"
#include "src/engine/sampler.h"
#include "src/engine/tiles.h"
#include "src/sampling/noise.h"
#include "src/studio/round-work.h"

/* A candidate's decoding counts as so many of its sampling steps in the progress. */
#define DECODE_STEPS 1.0

/* `sampled` is the share of the sampling that is done. */
static void report_progress(const PenRoundWork *r, double sampled)
{
    double steps = r->input->request.steps;
    double decoded = (double)r->decoded / r->input->request.count;
    pen_job_progress(r->job, (sampled * steps + decoded * DECODE_STEPS) / (steps + DECODE_STEPS));
}

static void show_previews(PenRoundWork *r, guint first, guint n, float *const *predicted)
{
    PenPreviewer *previewer = pen_job_previewer(r->job, NULL);
    if (!previewer) /* the pictures themselves will tell what is wrong */
        return;
    gsize positions = (gsize)r->height * r->width;
    g_autofree guint8 *rgb = g_new(guint8, positions * 3);
    for (guint i = first; i < first + n; i++) {
        pen_previewer_run(previewer, predicted[i], positions, rgb);
        pen_job_event(r->job, &(PenStudioEvent){
                                  .kind = PEN_STUDIO_PREVIEW,
                                  .round = r->result->round,
                                  .place = (int)(i + pen_round_first_drawn(r)),
                                  .picture = { r->width, r->height, rgb },
                              });
    }
}

static gboolean choose(float *const *predicted, guint *chosen, gpointer data, GError **error)
{
    PenRoundWork *r = data;
    if (!pen_guess_choose(&r->guess, (const float *const *)predicted, error))
        return FALSE;
    memcpy(chosen, r->guess.chosen, r->guess.count * sizeof *chosen);
    return TRUE;
}

/* The round is recorded when the first step is done, so that a request that the device cannot do
 * leaves nothing behind; a wide one when its candidates are chosen. */
static gboolean record_once(PenRoundWork *r, GError **error)
{
    return !r->input->request.keep || r->result->round || pen_round_record(r, error);
}

static gboolean on_step(double done, guint first, guint n, float *const *predicted, gpointer data,
                        GError **error)
{
    PenRoundWork *r = data;
    gboolean chosen = !pen_guess_is_wide(&r->guess) || r->guess.has_chosen;
    if (chosen && !record_once(r, error))
        return FALSE;
    if (chosen && r->input->request.previews)
        show_previews(r, first, n, predicted);
    r->sampled = done;
    report_progress(r, done);
    return TRUE;
}

/* Tiles are those of one step of one candidate. */
static void on_tile(guint done, guint count, gpointer data)
{
    PenRoundWork *r = data;
    const PenRoundRequest *request = &r->input->request;
    guint steps = pen_method_evaluations(r->sampling.method, request->steps);
    if (request->start_rgb)
        steps -= pen_method_first_step(r->sampling.method, request->steps, request->start_strength);
    report_progress(r, r->sampled + (double)done / count / (steps * request->count));
}

/* Where the mask is 0 the picture stays exactly what it was. */
static void keep_unmasked(const PenRoundRequest *request, guint8 *rgb)
{
    gsize n = (gsize)request->width * request->height;
    for (gsize i = 0; i < n * 3; i++) {
        guint mask = request->start_mask[i / 3];
        rgb[i] = (guint8)((rgb[i] * mask + request->start_rgb[i] * (255 - mask) + 127) / 255);
    }
}

static gboolean decode(PenRoundWork *r, const float *latents, guint8 *rgb, GError **error)
{
    if (!r->tile)
        return pen_runtime_latents_to_rgb(r->runtime, latents, 1, r->height, r->width, rgb, NULL,
                                          NULL, r->job->cancellable, error);
    g_autoptr(PenTiles) tiles = pen_tiles_new(r->height, r->width, r->tile);
    return pen_tiles_decode(tiles, r->runtime, latents, rgb, r->job->cancellable, error);
}

static gboolean finish_candidate(PenRoundWork *r, guint place, const PenTrajectory *trajectory,
                                 GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    gsize bytes = (gsize)request->width * request->height * 3;
    gboolean own = place < pen_round_first_drawn(r);
    if (r->result->rgb[place]) /* of the first try, before half precision was found too narrow */
        return TRUE;
    g_autofree guint8 *rgb = own ? g_memdup2(request->own_rgb, bytes) : g_malloc(bytes);
    if (!own && !decode(r, pen_trajectory_latents(trajectory, trajectory->steps), rgb, error))
        return FALSE;
    if (request->start_mask)
        keep_unmasked(request, rgb);
    r->result->rgb[place] = g_steal_pointer(&rgb);
    if (!record_once(r, error) ||
        (request->keep && !pen_round_record_candidate(r, place, trajectory, error)))
        return FALSE;
    r->decoded++;
    pen_job_event(r->job, &(PenStudioEvent){
                              .kind = PEN_STUDIO_CANDIDATE,
                              .round = r->result->round,
                              .place = (int)place,
                              .picture = { request->width, request->height, r->result->rgb[place] },
                          });
    report_progress(r, r->sampled);
    return TRUE;
}

static gboolean on_finished(guint candidate, const PenTrajectory *trajectory, gpointer data,
                            GError **error)
{
    PenRoundWork *r = data;
    return finish_candidate(r, candidate + pen_round_first_drawn(r), trajectory, error);
}

/* The artist's own picture, as if it had been drawn. */
static PenTrajectory *own_trajectory(PenRoundWork *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    g_autofree float *latents =
        g_new(float, (gsize)r->height * r->width * r->model->vae.latent_channels);
    if (!pen_runtime_rgb_to_latents(r->runtime, request->own_rgb, 1, request->height,
                                    request->width, latents, NULL, NULL, r->job->cancellable,
                                    error))
        return NULL;
    guint64 seed = pen_noise_derive_seed(r->result->seed, PEN_STREAM_CANDIDATE, r->guess.chosen[0]);
    return pen_forward_trajectory(r->model, latents, r->height, r->width, r->condition,
                                  request->steps, request->guidance, seed, error);
}

/* Says which of the finished candidates the picks so far speak for. */
static gboolean guess_best(PenRoundWork *r, PenTrajectory *const *trajectories, GError **error)
{
    const float *latents[PEN_ROUND_MAX];
    if (!r->result->round)
        return TRUE;
    for (guint i = 0; i < r->result->n; i++)
        latents[i] = pen_trajectory_latents(trajectories[i], trajectories[i]->steps);
    return pen_guess_best(&r->guess, r->result->round, latents, &r->result->guess, error);
}

static gboolean sample(PenRoundWork *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    PenPrompt *prompts[2] = { r->prompt, r->negative };
    PenConditioning *conditionings[2];
    g_autoptr(GPtrArray) notices = g_ptr_array_new_with_free_func(g_free);
    if (!pen_runtime_encode_prompts(r->runtime, prompts, 2, request->clip_skip, conditionings,
                                    notices, r->job->cancellable, error))
        return FALSE;
    if (request->clip_skip > 1 && r->model->n_encoders > 1)
        g_ptr_array_add(notices, g_strdup(_("This model's text encoders are read before their last "
                                            "layers anyway: clip skip does nothing.")));
    for (guint i = 0; i < notices->len; i++)
        pen_job_warning(r->job, notices->pdata[i]);
    g_autoptr(PenConditioning) cond = conditionings[0];
    g_autoptr(PenConditioning) uncond = conditionings[1];
    guint own = pen_round_first_drawn(r);
    PenSamplerJob job = {
        .n = r->guess.made - own,
        .keep = pen_guess_is_wide(&r->guess) ? request->count : 0,
        .choose = choose,
        .origin = r->origin.trajectory,
        .parting = r->origin.parting,
        .height = r->height,
        .width = r->width,
        .sampling = { .method = r->sampling.method,
                      .timesteps = r->sampling.timesteps,
                      .steps = request->steps,
                      .eta = request->eta },
        .guidance = request->guidance,
        .guidance_rescale = request->guidance_rescale,
        .cond = cond,
        .uncond = uncond,
        .adapter = r->adapter,
        .scale = r->scale,
        .seed = r->result->seed,
        .shared_noise = request->shared_noise,
        .start = r->start,
        .condition = r->condition,
        .strength = request->start_strength,
        .tile = r->tile,
        .tile_progress = on_tile,
        .evaluations = &r->result->evaluations,
        .progress = on_step,
        .finished = on_finished,
        .progress_data = r,
    };
    pen_sampling_set_spread(&job.sampling, r->sampling.spread, r->model->schedule);
    PenTrajectory *trajectories[PEN_ROUND_WIDE_MAX + 1];
    g_autoptr(PenTrajectory) mine = own ? own_trajectory(r, error) : NULL;
    if ((own && !mine) ||
        !pen_sampler_run(r->runtime, &job, trajectories + own, r->job->cancellable, error))
        return FALSE;
    if (own)
        trajectories[0] = g_steal_pointer(&mine);
    pen_job_notice_memory(r->job, r->runtime, FALSE);
    gboolean ok = (!own || finish_candidate(r, 0, trajectories[0], error)) &&
                  guess_best(r, trajectories, error);
    for (guint i = 0; i < request->count; i++)
        pen_trajectory_free(trajectories[i]);
    return ok;
}

/* The adapter on the device, unless the bare model samples. */
static gboolean load_style(PenRoundWork *r, GError **error)
{
    if (!pen_round_version(r))
        return TRUE;
    g_autofree float *values = NULL;
    r->adapter =
        pen_studio_load_adapter(r->job->studio, r->model, pen_round_version(r), &values, error);
    return r->adapter &&
           pen_unet_adapter_allocate(r->adapter, pen_runtime_device(r->runtime),
                                     pen_runtime_dtype(r->runtime), error) &&
           pen_unet_adapter_upload(r->adapter, values, error);
}

static gboolean encode_start(PenRoundWork *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    if (r->model->condition_channels) {
        r->condition =
            pen_inpainting_condition(r->runtime, request->start_rgb, request->start_mask,
                                     request->height, request->width, r->job->cancellable, error);
        if (!r->condition)
            return FALSE;
    }
    if (!request->start_rgb)
        return TRUE;
    r->start = g_new(float, (gsize)r->height * r->width * r->model->vae.latent_channels);
    if (!r->tile)
        return pen_runtime_rgb_to_latents(r->runtime, request->start_rgb, 1, request->height,
                                          request->width, r->start, NULL, NULL, r->job->cancellable,
                                          error);
    g_autoptr(PenTiles) tiles = pen_tiles_new(r->height, r->width, r->tile);
    return pen_tiles_encode(tiles, r->runtime, request->start_rgb, r->start, r->job->cancellable,
                            error);
}

/* What the picks so far speak for, if the round needs it. */
static gboolean learn_picks(PenRoundWork *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    r->guess = (PenGuess){
        .job = r->job,
        .runtime = r->runtime,
        .height = r->height,
        .width = r->width,
        .condition = r->condition,
        .made = request->count,
        .count = request->count,
    };
    for (guint i = 0; i < request->count; i++) /* an own picture takes the last one's noise */
        r->guess.chosen[i] = (i + request->count - pen_round_first_drawn(r)) % request->count;
    if ((request->keep || request->wide) && !request->own_rgb && !r->tile &&
        !pen_guess_learn(&r->guess, pen_round_teaches(r) ? request->style : 0, request->wide,
                         error))
        return FALSE;
    r->result->made = r->guess.made;
    return TRUE;
}

gboolean pen_round_draw(PenRoundWork *r, GError **error)
{
    if (!encode_start(r, error) || !learn_picks(r, error))
        return FALSE;
    GError *failure = NULL;
    gboolean ok = load_style(r, &failure) && sample(r, &failure);
    if (!ok && g_error_matches(failure, PEN_MODEL_ERROR, PEN_MODEL_ERROR_TOO_NARROW)) {
        g_clear_error(&failure);
        g_clear_pointer(&r->adapter, pen_unet_adapter_free);
        ok = load_style(r, &failure) && sample(r, &failure);
    }
    if (!ok)
        g_propagate_error(error, failure);
    return ok;
}
