// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/engine/sampler.h"

#include <string.h>

#include "src/engine/denoiser.h"
#include "src/sampling/noise.h"

/* So many latents fill a GPU, and smaller pictures are evaluated together; a processor is full with
 * any. */
#define BATCH_LATENTS 4096

/* The largest divisor of n, and of those that are kept, whose batch is not larger than that. */
static guint pictures_at_once(const PenSamplerJob *job, const PenDeviceInfo *device)
{
    guint64 most = MAX(BATCH_LATENTS / ((guint64)job->height * job->width), 1);
    if (job->together)
        return job->together;
    if (job->tile || device->kind == PEN_DEVICE_SOFTWARE)
        return 1;
    for (guint d = job->keep ? job->keep : job->n; d > 1; d--)
        if (job->n % d == 0 && job->keep % d == 0 && d <= most)
            return d;
    return 1;
}

static void seeded_noise(guint candidate, guint step, gsize n, float *out, gpointer data)
{
    const PenSamplerJob *job = data;
    gboolean initial = step == PEN_SAMPLER_INITIAL;
    guint64 seed = initial && job->shared_noise
                       ? job->seed
                       : pen_noise_derive_seed(job->seed, PEN_STREAM_CANDIDATE, candidate);
    pen_noise_fill(seed, initial ? PEN_STREAM_INITIAL : pen_noise_step_stream(step), 0, n, out);
}

typedef struct {
    const PenSamplerJob *job;
    PenSamplerNoise noise;
    gpointer noise_data;
    const PenModel *model;
    PenDenoiser *denoiser;
    PenTrajectory **trajectories;
    float **predicted; /* [n] */
    guint n;           /* candidates that are being made */
    guint *candidates; /* [n] which they are: whose noise they take */
    guint at_once;
    guint done, all;      /* steps of a candidate, over all candidates */
    PenTiles *tiles;      /* NULL: as a whole */
    float *cond, *uncond; /* what tiles answer together */
} Sampling;

/* Where no step takes fresh noise the candidates would not part: each starts from the finished
 * picture with noise of its own on it. */
static void part(Sampling *s, guint k)
{
    const PenTrajectory *origin = s->job->origin;
    gsize n = pen_trajectory_elements(origin);
    for (guint i = 0; i < s->job->n; i++) {
        PenTrajectory *t = s->trajectories[i];
        float *latents = pen_trajectory_latents(t, k);
        if (pen_step_is_stochastic(&t->table[k])) {
            memcpy(latents, pen_trajectory_latents(origin, k), n * sizeof *latents);
        } else {
            s->noise(i, k, n, latents, s->noise_data);
            pen_add_noise(t->table[k].alpha, t->table[k].sigma, n,
                          pen_trajectory_latents(origin, origin->steps), latents, latents);
        }
    }
}

/* The first step, and what enters it. */
static gboolean start(Sampling *s, const PenModel *model, GError **error)
{
    const PenSamplerJob *job = s->job;
    PenSampling sampling = job->sampling;
    if (job->start)
        sampling.first = pen_method_first_step(sampling.method, sampling.steps, job->strength);
    if (job->origin)
        sampling.first = job->parting;
    g_autoptr(PenSteps) steps = pen_sampling_steps(&sampling, model->schedule, error);
    if (!steps)
        return FALSE;
    const PenStep *first = &steps->step[sampling.first];
    for (guint i = 0; i < job->n; i++) {
        PenTrajectory *t = pen_trajectory_new(job->height, job->width, model->unet.out_channels,
                                              steps->n, sampling.first);
        s->trajectories[i] = t;
        t->guidance = job->guidance;
        t->guidance_rescale = job->guidance_rescale;
        t->drawn_scale = job->adapter ? job->scale : 0;
        memcpy(t->table, steps->step, steps->n * sizeof *t->table);
        pen_trajectory_keep_answers(t, job->guidance != 1);
        if (model->condition_channels)
            pen_trajectory_set_condition(t, model->condition_channels, job->condition);
        gsize n = pen_trajectory_elements(t);
        float *latents = pen_trajectory_latents(t, sampling.first);
        s->noise(i, PEN_SAMPLER_INITIAL, n, latents, s->noise_data);
        if (job->start)
            pen_add_noise(first->alpha, first->sigma, n, job->start, latents, latents);
        for (gsize e = 0; !job->start && e < n; e++)
            latents[e] = (float)(latents[e] * steps->noise_scale);
    }
    if (job->origin)
        part(s, sampling.first);
    return TRUE;
}

static gboolean evaluate(Sampling *s, const float *latents, double timestep,
                         PenModelOutput *outputs, GCancellable *cancellable, GError **error)
{
    const PenSamplerJob *job = s->job;
    if (!s->tiles)
        return pen_denoiser_run(s->denoiser, latents, timestep, job->scale, job->guidance, outputs,
                                cancellable, error);
    return pen_tiles_denoise(s->tiles, s->denoiser, s->model, job->condition, latents, timestep,
                             job->scale, job->guidance, s->cond, s->uncond, outputs,
                             job->tile_progress, job->progress_data, cancellable, error);
}

/* Step k of the i-th candidate that is being made, when the model has answered. */
static void take_step(Sampling *s, guint i, guint k, PenModelOutput *output)
{
    const PenSamplerJob *job = s->job;
    PenTrajectory *t = s->trajectories[i];
    const PenStep *step = &t->table[k];
    gsize n = pen_trajectory_elements(t);
    g_autofree double *offset = g_new(double, n);
    g_autofree float *noise = pen_step_is_stochastic(step) ? g_new(float, n) : NULL;
    float *next = pen_trajectory_latents(t, k + 1);
    output->rescale = job->guidance_rescale;
    if (noise)
        s->noise(s->candidates[i], k, n, noise, s->noise_data);
    memcpy(pen_trajectory_answer(t, t->cond, k), output->cond, n * sizeof(float));
    if (t->uncond)
        memcpy(pen_trajectory_answer(t, t->uncond, k), output->uncond, n * sizeof(float));
    pen_trajectory_offset(t, k, offset);
    pen_step_advance(step, n, offset, output, noise, next);
    pen_step_predict_x0(step, n, pen_trajectory_latents(t, k), output, s->predicted[i]);
    if (noise && (!job->adapter || job->scale == 0))
        t->reference[k] = pen_step_log_prob(step, n, offset, output, next);
}

/* Step k of the candidates first … first + at_once - 1. */
static gboolean advance(Sampling *s, guint k, guint first, GCancellable *cancellable,
                        GError **error)
{
    gsize n = pen_trajectory_elements(s->trajectories[0]);
    g_autofree float *latents = g_new(float, s->at_once *n);
    g_autofree PenModelOutput *outputs = g_new0(PenModelOutput, s->at_once);
    for (guint i = 0; i < s->at_once; i++)
        memcpy(latents + i * n, pen_trajectory_latents(s->trajectories[first + i], k),
               n * sizeof *latents);
    if (!evaluate(s, latents, s->trajectories[0]->table[k].timestep, outputs, cancellable, error))
        return FALSE;
    for (guint i = 0; i < s->at_once; i++)
        take_step(s, first + i, k, &outputs[i]);
    return TRUE;
}

/* Goes on with the candidates that are chosen, in that order. */
static gboolean narrow(Sampling *s, GError **error)
{
    const PenSamplerJob *job = s->job;
    g_autofree guint *chosen = g_new(guint, job->keep);
    g_autofree PenTrajectory **kept = g_new(PenTrajectory *, job->keep);
    /* What chooses may need the memory. */
    pen_plan_release(pen_denoiser_plan(s->denoiser));
    if (!job->choose(s->predicted, chosen, job->progress_data, error))
        return FALSE;
    for (guint i = 0; i < job->keep; i++)
        kept[i] = g_steal_pointer(&s->trajectories[chosen[i]]);
    for (guint i = 0; i < s->n; i++)
        g_clear_pointer(&s->trajectories[i], pen_trajectory_free);
    memcpy(s->trajectories, kept, job->keep * sizeof *kept);
    memcpy(s->candidates, chosen, job->keep * sizeof *chosen);
    s->n = job->keep;
    return TRUE;
}

/* Steps from … to - 1 of the candidates first … first + at_once - 1. */
static gboolean run_steps(Sampling *s, guint first, guint from, guint to, GCancellable *cancellable,
                          GError **error)
{
    const PenSamplerJob *job = s->job;
    for (guint k = from; k < to; k++) {
        if (!advance(s, k, first, cancellable, error))
            return FALSE;
        s->done += s->at_once;
        if (job->progress && !job->progress((double)s->done / s->all, first, s->at_once,
                                            s->predicted, job->progress_data, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean finish(Sampling *s, guint first, GError **error)
{
    const PenSamplerJob *job = s->job;
    if (!job->finished)
        return TRUE;
    /* What decodes them may need the memory. */
    pen_plan_release(pen_denoiser_plan(s->denoiser));
    for (guint i = first; i < first + s->at_once; i++)
        if (!job->finished(i, s->trajectories[i], job->progress_data, error))
            return FALSE;
    return TRUE;
}

static gboolean sample(Sampling *s, GCancellable *cancellable, GError **error)
{
    const PenSamplerJob *job = s->job;
    guint first = s->trajectories[0]->first, steps = s->trajectories[0]->steps;
    guint shared = job->keep ? (first + steps - 1) / 2 + 1 : first; /* before the choice */
    s->all = s->n * (shared - first) + (job->keep ? job->keep : s->n) * (steps - shared);
    if (job->keep) {
        for (guint i = 0; i < s->n; i += s->at_once)
            if (!run_steps(s, i, first, shared, cancellable, error))
                return FALSE;
        if (!narrow(s, error))
            return FALSE;
    }
    for (guint i = 0; i < s->n; i += s->at_once)
        if (!run_steps(s, i, shared, steps, cancellable, error) || !finish(s, i, error))
            return FALSE;
    return TRUE;
}

gboolean pen_sampler_run(PenRuntime *runtime, const PenSamplerJob *job,
                         PenTrajectory **trajectories, GCancellable *cancellable, GError **error)
{
    const PenModel *model = pen_runtime_model(runtime);
    g_return_val_if_fail(!model->condition_channels || job->condition, FALSE);
    Sampling s = {
        .job = job,
        .noise = job->noise ? job->noise : seeded_noise,
        .noise_data = job->noise ? job->noise_data : (gpointer)job,
        .trajectories = trajectories,
        .n = job->n,
        .at_once = pictures_at_once(job, pen_device_info(pen_runtime_device(runtime))),
        .model = model,
        .tiles = job->tile ? pen_tiles_new(job->height, job->width, job->tile) : NULL,
    };
    PenDenoiserOptions options = {
        .height = s.tiles ? s.tiles->tile_height : job->height,
        .width = s.tiles ? s.tiles->tile_width : job->width,
        .pictures = s.at_once,
        .tokens = job->cond->tokens,
        .guided = job->guidance != 1,
        .adapter = job->adapter,
        .shrinks = TRUE,
    };
    memset(trajectories, 0, job->n * sizeof *trajectories);
    s.denoiser = pen_denoiser_new(runtime, &options, error);
    if (!s.denoiser) {
        pen_tiles_free(s.tiles);
        return FALSE;
    }
    pen_denoiser_set_conditioning(s.denoiser, job->cond, job->uncond);
    for (guint i = 0; model->condition_channels && !s.tiles && i < s.at_once; i++)
        pen_denoiser_set_condition(s.denoiser, i, job->condition);
    gsize n = (gsize)job->height * job->width * model->unet.out_channels;
    if (s.tiles) {
        s.cond = g_new(float, n);
        s.uncond = options.guided ? g_new(float, n) : NULL;
    }
    s.predicted = g_new(float *, job->n);
    s.candidates = g_new(guint, job->n);
    for (guint i = 0; i < job->n; i++) {
        s.predicted[i] = g_new(float, n);
        s.candidates[i] = i;
    }

    gboolean ok = start(&s, model, error) && sample(&s, cancellable, error);
    for (guint i = 0; i < job->n; i++) {
        g_free(s.predicted[i]);
        if (!ok)
            g_clear_pointer(&trajectories[i], pen_trajectory_free);
    }
    g_free(s.predicted);
    g_free(s.cond);
    g_free(s.uncond);
    pen_tiles_free(s.tiles);
    g_free(s.candidates);
    if (job->evaluations)
        *job->evaluations += pen_denoiser_count(s.denoiser);
    pen_denoiser_free(s.denoiser);
    return ok;
}
