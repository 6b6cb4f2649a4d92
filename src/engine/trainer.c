// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/engine/trainer.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/engine/denoiser.h"
#include "src/learning/ranking.h"

struct _PenTrainer {
    PenRuntime *runtime;
    PenUNetAdapter *adapter;
    PenD3poConfig config;
    PenDenoiser *denoiser; /* for rounds like the last one */
    guint32 height, width;
    gboolean guided;
};

PenTrainer *pen_trainer_new(PenRuntime *runtime, PenUNetAdapter *adapter,
                            const PenD3poConfig *config)
{
    PenTrainer *trainer = g_new0(PenTrainer, 1);
    trainer->runtime = runtime;
    trainer->adapter = adapter;
    trainer->config = *config;
    return trainer;
}

void pen_trainer_free(PenTrainer *trainer)
{
    if (!trainer)
        return;
    pen_denoiser_free(trainer->denoiser);
    g_free(trainer);
}

gboolean pen_trainer_prepare(PenTrainer *trainer, const PenTrajectory *like, GError **error)
{
    gboolean guided = like->guidance != 1;
    if (!trainer->denoiser || trainer->height != like->height || trainer->width != like->width ||
        trainer->guided != guided) {
        g_clear_pointer(&trainer->denoiser, pen_denoiser_free);
        PenDenoiserOptions options = {
            .height = like->height,
            .width = like->width,
            .pictures = 1,
            .guided = guided,
            .adapter = trainer->adapter,
            .gradient = TRUE,
        };
        trainer->denoiser = pen_denoiser_new(trainer->runtime, &options, error);
        if (!trainer->denoiser)
            return FALSE;
        trainer->height = like->height;
        trainer->width = like->width;
        trainer->guided = guided;
    }
    return pen_plan_allocate(pen_denoiser_plan(trainer->denoiser), error);
}

static gboolean prepare(PenTrainer *trainer, const PenTrainerRound *round, GError **error)
{
    if (!pen_trainer_prepare(trainer, round->trajectories[0], error))
        return FALSE;
    pen_denoiser_set_context(trainer->denoiser, round->context, round->negative);
    return TRUE;
}

static gboolean step_of(PenTrainer *trainer, const PenTrajectory *t, guint k, PenDdimStep *step,
                        GError **error)
{
    const PenSchedule *schedule = pen_runtime_model(trainer->runtime)->schedule;
    return pen_ddim_step_init(step, schedule, t->timesteps[k], (int)t->steps, t->eta, error);
}

/* The log-probability of step k; the model's output stays in the denoiser for a backward pass. */
static gboolean evaluate(PenTrainer *trainer, const PenTrajectory *t, guint k, double scale,
                         PenDdimStep *step, PenModelOutput *output, double *log_prob,
                         GCancellable *cancellable, GError **error)
{
    const float *x = pen_trajectory_latents(t, k);
    if (!step_of(trainer, t, k, step, error) ||
        !pen_denoiser_run(trainer->denoiser, x, step->timestep, scale, t->guidance, output,
                          cancellable, error))
        return FALSE;
    *log_prob = pen_ddim_log_prob(step, pen_trajectory_elements(t), x, output,
                                  pen_trajectory_latents(t, k + 1));
    if (!isfinite(*log_prob)) {
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_FAILED,
                    _("The model's numbers overflowed while learning. Use --precision f32, or a "
                      "smaller learning rate from an earlier version of the style."));
        return FALSE;
    }
    return TRUE;
}

static gboolean fill_reference(PenTrainer *trainer, PenTrajectory *t, guint k, gboolean *changed,
                               GCancellable *cancellable, GError **error)
{
    PenDdimStep step;
    PenModelOutput output;
    if (!isnan(t->reference[k]))
        return TRUE;
    *changed = TRUE;
    return evaluate(trainer, t, k, 0, &step, &output, &t->reference[k], cancellable, error);
}

gboolean pen_trainer_fill_reference(PenTrainer *trainer, const PenTrainerRound *round,
                                    gboolean *changed, GCancellable *cancellable, GError **error)
{
    if (!prepare(trainer, round, error))
        return FALSE;
    for (guint i = 0; i < round->n; i++) {
        gboolean learnt = FALSE;
        for (guint j = 0; j < round->n_steps; j++)
            if (!fill_reference(trainer, round->trajectories[i], round->steps[j], &learnt,
                                cancellable, error))
                return FALSE;
        if (changed)
            changed[i] = learnt;
    }
    return TRUE;
}

/* log_prob of candidate i at step k, and its gradient. */
static gboolean policy_gradient(PenTrainer *trainer, const PenTrajectory *t, guint k,
                                double *log_prob, float *gradient, GCancellable *cancellable,
                                GError **error)
{
    PenDdimStep step;
    PenModelOutput output;
    if (!evaluate(trainer, t, k, 1, &step, &output, log_prob, cancellable, error))
        return FALSE;
    float *cond, *uncond;
    pen_denoiser_output_gradients(trainer->denoiser, &cond, &uncond);
    pen_ddim_log_prob_gradient(&step, pen_trajectory_elements(t), pen_trajectory_latents(t, k),
                               &output, pen_trajectory_latents(t, k + 1), 1, cond, uncond);
    return pen_denoiser_backward(trainer->denoiser, gradient, cancellable, error);
}

gboolean pen_trainer_gradient(PenTrainer *trainer, const PenTrainerRound *round, float *gradient,
                              PenTrainerResult *result, PenPlanProgress progress,
                              gpointer user_data, GCancellable *cancellable, GError **error)
{
    if (!prepare(trainer, round, error))
        return FALSE;
    guint n = round->n;
    gsize n_values = trainer->adapter->n_values;
    g_autofree float *each = g_new(float, n * n_values);
    g_autofree double *sum = g_new0(double, n_values);
    g_autofree double *log_prob = g_new(double, n), *reference = g_new(double, n);
    g_autofree double *coefficient = g_new(double, n);
    guint64 terms = pen_ranking_count_pairs(n, round->ranks) * round->n_steps;

    result->loss = 0;
    for (guint j = 0; j < round->n_steps; j++) {
        guint k = round->steps[j];
        for (guint i = 0; i < n; i++) {
            PenTrajectory *t = round->trajectories[i];
            gboolean changed;
            if (!fill_reference(trainer, t, k, &changed, cancellable, error) ||
                !policy_gradient(trainer, t, k, &log_prob[i], each + i * n_values, cancellable,
                                 error))
                return FALSE;
            reference[i] = t->reference[k];
            if (result->log_prob)
                result->log_prob[i * round->n_steps + j] = log_prob[i];
            if (result->reference)
                result->reference[i * round->n_steps + j] = reference[i];
            if (progress)
                progress((double)(j * n + i + 1) / (n * round->n_steps), user_data);
        }
        result->loss += pen_d3po_step_loss(&trainer->config, n, log_prob, reference, round->ranks,
                                           terms, coefficient, &result->stats);
        for (guint i = 0; i < n; i++)
            for (gsize v = 0; v < n_values && coefficient[i] != 0; v++)
                sum[v] += coefficient[i] * each[i * n_values + v];
    }
    for (gsize v = 0; v < n_values; v++)
        gradient[v] = (float)sum[v];
    return TRUE;
}

gboolean pen_trainer_trainable_steps(PenRuntime *runtime, const PenTrajectory *trajectory,
                                     gboolean *trainable, GError **error)
{
    const PenSchedule *schedule = pen_runtime_model(runtime)->schedule;
    for (guint k = 0; k < trajectory->steps; k++) {
        PenDdimStep step;
        if (!pen_ddim_step_init(&step, schedule, trajectory->timesteps[k], (int)trajectory->steps,
                                trajectory->eta, error))
            return FALSE;
        trainable[k] = k >= trajectory->first && step.sd >= PEN_TRAINER_MIN_SD;
    }
    return TRUE;
}
