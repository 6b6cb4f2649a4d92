// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "src/cli/probe.h"
#include "src/engine/sampler.h"
#include "src/engine/trainer.h"

/* The inputs; arrays of latents are channels last. */
typedef struct {
    guint n, steps, n_train;
    gsize latents[4]; /* 1, channels, height, width */
    gsize noises[5];  /* n, steps, channels, height, width */
    double guidance, eta;
    PenD3poConfig config;
    PenConditioning *cond, *uncond;
    float *init_noise, *noise;
    int *ranks;   /* [n] */
    guint *train; /* [n_train] */
    PenTrajectory **trajectories;
} D3po;

static void d3po_clear(D3po *d)
{
    for (guint i = 0; d->trajectories && i < d->n; i++)
        g_clear_pointer(&d->trajectories[i], pen_trajectory_free);
    g_free(d->trajectories);
    pen_conditioning_free(d->cond);
    pen_conditioning_free(d->uncond);
    g_free(d->init_noise);
    g_free(d->noise);
    g_free(d->ranks);
    g_free(d->train);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(D3po, d3po_clear)

/* --- reading -----------------------------------------------------------------------------------
 */

static gboolean read_numbers(PenProbe *probe, D3po *d, GError **error)
{
    PenD3poConfig defaults = PEN_D3PO_CONFIG_INIT;
    double steps;
    d->config = defaults;
    if (!pen_probe_read_number(probe, "steps", &steps, error) ||
        !pen_probe_read_number(probe, "guidance", &d->guidance, error) ||
        !pen_probe_read_number(probe, "eta", &d->eta, error) ||
        !pen_probe_read_number(probe, "beta", &d->config.beta, error) ||
        !pen_probe_read_number(probe, "clip", &d->config.clip, error))
        return FALSE;
    if (!(steps >= 1 && steps <= 1000))
        return pen_cli_usage_error(error, _("“steps” must be from 1 to 1000."));
    d->steps = (guint)steps;
    return TRUE;
}

static gboolean read_conditioning(PenProbe *probe, const char *prefix,
                                  PenConditioning **conditioning, GError **error)
{
    g_autofree PenConditioning **one = pen_probe_read_conditionings(probe, prefix, 1, error);
    *conditioning = one ? one[0] : NULL;
    return one != NULL;
}

static gboolean read_arrays(PenProbe *probe, D3po *d, GError **error)
{
    const PenModel *model = probe->model;
    d->latents[0] = 1;
    d->latents[1] = model->unet.out_channels;
    if (model->condition_channels)
        return pen_cli_usage_error(error, _("d3po does not probe inpainting models."));
    if (!read_conditioning(probe, "", &d->cond, error) ||
        !read_conditioning(probe, "negative_", &d->uncond, error))
        return FALSE;
    d->init_noise = pen_probe_read_pictures(probe, "init_noise", 4, d->latents, error);
    if (!d->init_noise)
        return FALSE;
    d->noises[1] = d->steps;
    memcpy(d->noises + 2, d->latents + 1, 3 * sizeof *d->noises);
    d->noise = pen_probe_read_pictures(probe, "noise", 5, d->noises, error);
    if (!d->noise)
        return FALSE;
    d->n = (guint)d->noises[0];
    return TRUE;
}

static gboolean read_choices(PenProbe *probe, D3po *d, GError **error)
{
    gsize n = d->n, n_train = 0;
    g_autofree gint64 *ranks = pen_probe_read_integers(probe, "rank", 1, &n, error);
    g_autofree gint64 *train =
        ranks ? pen_probe_read_integers(probe, "train_steps", 1, &n_train, error) : NULL;
    if (!train)
        return FALSE;
    d->ranks = g_new(int, d->n);
    for (guint i = 0; i < d->n; i++)
        d->ranks[i] = (int)CLAMP(ranks[i], G_MININT, G_MAXINT);
    d->n_train = (guint)n_train;
    d->train = g_new(guint, n_train);
    for (guint j = 0; j < n_train; j++) {
        if (train[j] < 0 || train[j] >= d->steps)
            return pen_cli_usage_error(
                error, _("“train_steps” are indices of the %u steps, not %" PRId64 "."),
                d->steps, train[j]);
        d->train[j] = (guint)train[j];
    }
    return TRUE;
}

/* The file may say which timesteps it means; they must be those of the model's schedule. */
static gboolean check_timesteps(PenProbe *probe, const D3po *d, GError **error)
{
    gsize n = d->steps;
    if (!pen_safetensors_lookup(probe->in, "timesteps"))
        return TRUE;
    g_autofree gint64 *timesteps = pen_probe_read_integers(probe, "timesteps", 1, &n, error);
    if (!timesteps)
        return FALSE;
    for (guint k = 0; k < d->steps; k++)
        if ((double)timesteps[k] != d->trajectories[0]->table[k].timestep)
            return pen_cli_usage_error(error,
                                       _("Step %u is at timestep %" PRId64 " in the file "
                                         "and at %g in the model's schedule."),
                                       k, timesteps[k], d->trajectories[0]->table[k].timestep);
    return TRUE;
}

/* --- sampling and training ---------------------------------------------------------------------
 */

static void given_noise(guint candidate, guint step, gsize n, float *out, gpointer data)
{
    const D3po *d = data;
    const float *from = step == PEN_SAMPLER_INITIAL
                            ? d->init_noise
                            : d->noise + ((gsize)candidate * d->steps + step) * n;
    memcpy(out, from, n * sizeof *out);
}

static gboolean sample(PenProbe *probe, D3po *d, const PenProbeAdapter *adapter, GError **error)
{
    PenSamplerJob job = {
        .n = d->n,
        .height = (guint32)d->latents[2],
        .width = (guint32)d->latents[3],
        .sampling = { .method = pen_methods()[0], .steps = d->steps, .eta = d->eta },
        .guidance = d->guidance,
        .cond = d->cond,
        .uncond = d->uncond,
        .adapter = adapter->adapter,
        .scale = 1,
        .noise = given_noise,
        .noise_data = d,
    };
    pen_sampling_set_spread(&job.sampling, PEN_SPREAD_AUTOMATIC, probe->model->schedule);
    d->trajectories = g_new0(PenTrajectory *, d->n);
    return pen_sampler_run(probe->runtime, &job, d->trajectories, NULL, error);
}

/* Trajectories in the input that were sampled with another adapter are taken as given. */
#define SAME_TRAJECTORY 0.1 /* relative L2 distance */

static gboolean take_given(PenProbe *probe, D3po *d, gboolean *taken, GError **error)
{
    gsize n = pen_trajectory_elements(d->trajectories[0]);
    double difference = 0, size = 0;
    *taken = FALSE;
    if (!pen_safetensors_lookup(probe->in, "latents") ||
        !pen_safetensors_lookup(probe->in, "next_latents"))
        return TRUE;
    g_autofree float *given = pen_probe_read_pictures(probe, "latents", 5, d->noises, error);
    if (!given)
        return FALSE;
    g_autofree float *next = pen_probe_read_pictures(probe, "next_latents", 5, d->noises, error);
    if (!next)
        return FALSE;
    for (gsize i = 0; i < d->n; i++)
        for (gsize k = 0; k < d->steps; k++)
            for (gsize v = 0; v < n; v++) {
                double x = next[(i * d->steps + k) * n + v];
                double y = pen_trajectory_latents(d->trajectories[i], (guint)k + 1)[v];
                difference += (x - y) * (x - y);
                size += x * x;
            }
    if (!isfinite(size) || difference <= SAME_TRAJECTORY * SAME_TRAJECTORY * size)
        return TRUE;
    *taken = TRUE;
    for (gsize i = 0; i < d->n; i++) {
        float *to = pen_trajectory_latents(d->trajectories[i], 0);
        memcpy(to, given + i * d->steps * n, d->steps * n * sizeof *to);
        memcpy(to + d->steps * n, next + (i + 1) * d->steps * n - n, n * sizeof *to);
    }
    return TRUE;
}

static void write_latents(PenProbe *probe, const D3po *d, const char *name, guint first)
{
    gsize n = pen_trajectory_elements(d->trajectories[0]);
    g_autofree float *all = g_new(float, d->n * d->steps * n);
    for (guint i = 0; i < d->n; i++)
        for (guint k = 0; k < d->steps; k++)
            memcpy(all + ((gsize)i * d->steps + k) * n,
                   pen_trajectory_latents(d->trajectories[i], k + first), n * sizeof *all);
    pen_probe_write_pictures(probe, name, 5, d->noises, all);
}

static void write_doubles(PenProbe *probe, const char *name, guint n_dims, const gsize *dims,
                          gsize n, const double *values)
{
    g_autofree float *floats = g_new(float, n);
    for (gsize i = 0; i < n; i++)
        floats[i] = (float)values[i];
    pen_probe_write(probe, name, n_dims, dims, floats);
}

static gboolean train(PenProbe *probe, D3po *d, const PenProbeAdapter *adapter, GError **error)
{
    gsize n = (gsize)d->n * d->n_train;
    g_autofree double *log_prob = g_new(double, n), *reference = g_new(double, n);
    g_autofree float *gradient = g_new(float, adapter->adapter->n_values);
    PenTrainerRound round = {
        .n = d->n,
        .trajectories = d->trajectories,
        .ranks = d->ranks,
        .cond = d->cond,
        .uncond = d->uncond,
        .n_steps = d->n_train,
        .steps = d->train,
    };
    PenTrainerResult result = { .log_prob = log_prob, .reference = reference };
    g_autoptr(PenTrainer) trainer = pen_trainer_new(probe->runtime, adapter->adapter, &d->config);
    if (!pen_trainer_gradient(trainer, &round, gradient, &result, NULL, NULL, NULL, error))
        return FALSE;
    gsize dims[2] = { d->n, d->n_train }, one = 1;
    write_doubles(probe, "log_prob", 2, dims, n, log_prob);
    write_doubles(probe, "ref_log_prob", 2, dims, n, reference);
    write_doubles(probe, "loss", 1, &one, 1, &result.loss);
    pen_probe_write_gradient(probe, adapter, gradient);
    return TRUE;
}

gboolean pen_probe_d3po(PenProbe *probe, GError **error)
{
    g_auto(D3po) d = { 0 };
    if (!probe->adapters->len)
        return pen_cli_usage_error(error, _("d3po needs an adapter: give --lora FILE."));
    const PenProbeAdapter *sampling = probe->adapters->pdata[0];
    const PenProbeAdapter *training = probe->adapters->pdata[probe->adapters->len - 1];
    if (!read_numbers(probe, &d, error) || !read_arrays(probe, &d, error) ||
        !read_choices(probe, &d, error) || !sample(probe, &d, sampling, error) ||
        !check_timesteps(probe, &d, error))
        return FALSE;
    gboolean given = FALSE;
    if (sampling == training && !take_given(probe, &d, &given, error))
        return FALSE;
    if (given)
        pen_cli_note(probe->cli, _("The input's latents were sampled with another adapter: they "
                                   "are trained on as they are."));
    write_latents(probe, &d, "latents", 0);
    write_latents(probe, &d, "next_latents", 1);
    return train(probe, &d, training, error);
}
