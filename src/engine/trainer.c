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
    guint32 height, width, tokens;
    guint batch_latents;
    guint n, at_once; /* candidates of a round, and of one evaluation: all of them or one */
    gboolean guided;
};

PenTrainer *pen_trainer_new(PenRuntime *runtime, PenUNetAdapter *adapter,
                            const PenD3poConfig *config)
{
    PenTrainer *trainer = g_new0(PenTrainer, 1);
    trainer->runtime = runtime;
    trainer->adapter = adapter;
    trainer->config = *config;
    trainer->batch_latents = PEN_TRAINER_BATCH_LATENTS;
    return trainer;
}

void pen_trainer_set_batch_latents(PenTrainer *trainer, guint latents)
{
    g_clear_pointer(&trainer->denoiser, pen_denoiser_free);
    trainer->batch_latents = latents;
}

void pen_trainer_free(PenTrainer *trainer)
{
    if (!trainer)
        return;
    pen_denoiser_free(trainer->denoiser);
    g_free(trainer);
}

static gboolean make_denoiser(PenTrainer *trainer, guint at_once, GError **error)
{
    PenDenoiserOptions options = {
        .height = trainer->height,
        .width = trainer->width,
        .pictures = at_once,
        .tokens = trainer->tokens,
        .guided = trainer->guided,
        .adapter = trainer->adapter,
        .gradient = TRUE,
        .shrinks = at_once == 1,
    };
    g_clear_pointer(&trainer->denoiser, pen_denoiser_free);
    trainer->at_once = at_once;
    trainer->denoiser = pen_denoiser_new(trainer->runtime, &options, error);
    return trainer->denoiser != NULL;
}

gboolean pen_trainer_prepare(PenTrainer *trainer, const PenTrajectory *like, guint n,
                             guint32 tokens, GError **error)
{
    gboolean guided = trainer->config.guided && like->guidance != 1;
    if (!trainer->denoiser || trainer->n != n || trainer->height != like->height ||
        trainer->width != like->width || trainer->tokens != tokens || trainer->guided != guided) {
        trainer->n = n;
        trainer->tokens = tokens;
        trainer->height = like->height;
        trainer->width = like->width;
        trainer->guided = guided;
        gboolean together =
            n > 1 && trainer->config.loser_weight > 0 && (guint64)n * like->height * like->width <= trainer->batch_latents &&
            make_denoiser(trainer, n, NULL) &&
            pen_plan_bytes(pen_denoiser_plan(trainer->denoiser)) <=
                pen_device_memory_left(pen_runtime_device(trainer->runtime)) / 2;
        if (!together && !make_denoiser(trainer, 1, error))
            return FALSE;
    }
    return pen_plan_allocate(pen_denoiser_plan(trainer->denoiser), error);
}

gboolean pen_trainer_recomputes(const PenTrainer *trainer)
{
    return trainer->denoiser && pen_denoiser_recomputes(trainer->denoiser);
}

gboolean pen_trainer_check(PenRuntime *runtime, const PenTrainerRound *round, GError **error)
{
    const PenTrajectory *first = round->trajectories[0];
    const PenModel *model = pen_runtime_model(runtime);
    if (first->condition_channels == model->condition_channels &&
        first->channels == model->unet.out_channels)
        return TRUE;
    g_set_error_literal(
        error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
        first->channels != model->unet.out_channels
            ? _("A round that was made with another kind of model cannot teach this one.")
        : model->condition_channels
            ? _("A round that was not made with this inpainting model cannot teach it.")
            : _("A round that was made with an inpainting model cannot teach another one."));
    return FALSE;
}

static gboolean prepare(PenTrainer *trainer, const PenTrainerRound *round, GError **error)
{
    const PenTrajectory *first = round->trajectories[0];
    if (!pen_trainer_check(trainer->runtime, round, error) ||
        !pen_trainer_prepare(trainer, first, round->n, round->cond->tokens, error))
        return FALSE;
    pen_denoiser_set_conditioning(trainer->denoiser,
                                  round->without_prompt ? round->uncond : round->cond,
                                  round->uncond);
    /* The candidates of a round differ in their noise alone. */
    for (guint i = 0; first->condition_channels && i < trainer->at_once; i++)
        pen_denoiser_set_condition(trainer->denoiser, i, first->condition);
    return TRUE;
}

/* Some candidates of a round at one step: as many as the denoiser takes at once. */
typedef struct {
    const PenTrainerRound *round;
    PenTrajectory **trajectories;
    guint n, k;
    PenStep step;            /* as it was taken, or in hindsight */
    float *latents;          /* [n, elements] */
    double *offset;          /* the same: pen_step_offset() of the step */
    float *next;             /* the same: the steps whose log-probability counts */
    PenModelOutput *outputs; /* [n], the denoiser's: valid until its next run */
    double *log_prob;        /* [n] */
    double *reference;       /* [n] */
    gboolean asked;          /* the policy: its answers are in the denoiser */
} Batch;

static void batch_clear(Batch *batch)
{
    g_free(batch->latents);
    g_free(batch->offset);
    g_free(batch->next);
    g_free(batch->outputs);
    g_free(batch->log_prob);
    g_free(batch->reference);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Batch, batch_clear)

static void batch_init(Batch *batch, PenTrainer *trainer, const PenTrainerRound *round,
                       guint first, guint k)
{
    PenTrajectory **t = round->trajectories + first;
    gsize n = pen_trajectory_elements(t[0]);
    *batch = (Batch){
        .round = round,
        .trajectories = t,
        .n = trainer->at_once,
        .k = k,
        .step = t[0]->table[k],
        .latents = g_new(float, trainer->at_once * n),
        .offset = g_new(double, trainer->at_once * n),
        .next = g_new(float, trainer->at_once * n),
        .outputs = g_new0(PenModelOutput, trainer->at_once),
        .log_prob = g_new0(double, trainer->at_once),
        .reference = g_new0(double, trainer->at_once),
    };
    if (trainer->config.hindsight)
        batch->step = pen_step_in_hindsight(&batch->step);
    for (guint i = 0; i < batch->n; i++) {
        const float *x[PEN_STEP_HISTORY] = { pen_trajectory_latents(t[i], k) };
        const float *x0[PEN_STEP_HISTORY] = { NULL };
        memcpy(batch->latents + i * n, x[0], n * sizeof(float));
        if (trainer->config.hindsight)
            pen_step_offset(&batch->step, n, x, x0, batch->offset + i * n);
        else
            pen_trajectory_offset(t[i], k, batch->offset + i * n);
    }
}

/* The model's answers, into batch->outputs; they stay in the denoiser for a backward pass. */
static gboolean ask(PenTrainer *trainer, Batch *batch, double scale, GCancellable *cancellable,
                    GError **error)
{
    if (!pen_denoiser_run(trainer->denoiser, batch->latents, batch->step.timestep, scale,
                          trainer->guided ? batch->trajectories[0]->guidance : 1, batch->outputs,
                          cancellable, error))
        return FALSE;
    for (guint i = 0; i < batch->n; i++)
        batch->outputs[i].rescale = batch->trajectories[i]->guidance_rescale;
    return TRUE;
}

static void take_log_prob(const Batch *batch, double *log_prob)
{
    gsize n = pen_trajectory_elements(batch->trajectories[0]);
    for (guint i = 0; i < batch->n; i++)
        log_prob[i] = pen_step_log_prob(&batch->step, n, batch->offset + i * n,
                                        &batch->outputs[i], batch->next + i * n);
}

/* Whether the loss compares the answers of c and u with targets (src/engine/hindsight.h). */
static gboolean has_targets(const PenTrainer *trainer)
{
    return trainer->config.hindsight && !trainer->config.guided;
}

/* --- the bare model -------------------------------------------------------------------------- */

/* Lets the bare model answer where it has not yet; of trajectories that it drew itself, and with the
 * same numbers, the answers are there. */
static gboolean fill_bare(PenTrainer *trainer, Batch *batch, GCancellable *cancellable,
                          GError **error)
{
    gboolean turn = batch->round->without_prompt, missing = FALSE;
    gboolean as_drawn = !pen_runtime_eight_bits(trainer->runtime);
    for (guint i = 0; i < batch->n; i++) {
        PenTrajectory *t = batch->trajectories[i];
        const float *drawn = pen_trajectory_answer(t, turn && t->uncond ? t->uncond : t->cond, batch->k);
        if (as_drawn && drawn && t->drawn_scale == 0 && !pen_trajectory_get_bare(t, batch->k, turn))
            pen_trajectory_set_bare(t, batch->k, turn, drawn);
        missing = missing || !pen_trajectory_get_bare(t, batch->k, turn);
    }
    if (!missing)
        return TRUE;
    batch->asked = batch->round->policy_is_bare;
    if (!ask(trainer, batch, batch->asked ? 1 : 0, cancellable, error))
        return FALSE;
    for (guint i = 0; i < batch->n; i++)
        pen_trajectory_set_bare(batch->trajectories[i], batch->k, turn, batch->outputs[i].cond);
    return TRUE;
}

/* Of a word: the deviation with which the step counts is the bare model's own error there, so that what is
 * gained on it counts alike at every step, early (what kind of picture it will be) and late (its detail). */
static void even_out(Batch *batch)
{
    double level = log(batch->step.sd) + 0.5 * log(2 * G_PI), error = 0;
    for (guint i = 0; i < batch->n; i++)
        error += 2 * -(batch->reference[i] + level) / batch->n; /* in squares of the step's deviation */
    error = MAX(error, 1e-12);
    batch->step.sd *= sqrt(error);
    for (guint i = 0; i < batch->n; i++)
        batch->reference[i] = (batch->reference[i] + level) / error - level - 0.5 * log(error);
}

static void aim_at_targets(Batch *batch, gboolean evenly)
{
    gsize n = pen_trajectory_elements(batch->trajectories[0]);
    gboolean turn = batch->round->without_prompt;
    g_autofree float *target = g_new(float, n);
    for (guint i = 0; i < batch->n; i++) {
        const PenTrajectory *t = batch->trajectories[i];
        const double *offset = batch->offset + i * n;
        PenModelOutput answer = {.cond = target, .guidance = 1};
        pen_hindsight_target(batch->round->hindsight, t, batch->k, turn, target);
        pen_step_mean(&batch->step, n, offset, &answer, batch->next + i * n);
        answer.cond = (float *)pen_trajectory_get_bare(t, batch->k, turn);
        batch->reference[i] =
            pen_step_log_prob(&batch->step, n, offset, &answer, batch->next + i * n);
    }
    if (evenly)
        even_out(batch);
}

static void aim_at_steps(const PenTrainer *trainer, const Batch *batch)
{
    gsize n = pen_trajectory_elements(batch->trajectories[0]);
    g_autofree float *found = g_new(float, n);
    for (guint i = 0; i < batch->n; i++) {
        const PenTrajectory *t = batch->trajectories[i];
        PenModelOutput answer = {.cond = found, .guidance = 1};
        float *next = batch->next + i * n;
        if (!trainer->config.hindsight) {
            memcpy(next, pen_trajectory_latents(t, batch->k + 1), n * sizeof *next);
            continue;
        }
        pen_step_answer_for_x0(&batch->step, n, batch->latents + i * n,
                               pen_trajectory_latents(t, t->steps), found);
        pen_step_mean(&batch->step, n, batch->offset + i * n, &answer, next);
    }
}

static gboolean fill_reference(PenTrainer *trainer, Batch *batch, gboolean *changed,
                               GCancellable *cancellable, GError **error)
{
    gboolean missing = FALSE;
    for (guint i = 0; i < batch->n; i++) {
        batch->reference[i] = batch->trajectories[i]->reference[batch->k];
        missing = missing || isnan(batch->reference[i]);
    }
    if (!missing)
        return TRUE;
    if (!ask(trainer, batch, 0, cancellable, error))
        return FALSE;
    take_log_prob(batch, batch->log_prob);
    for (guint i = 0; i < batch->n; i++)
        if (isnan(batch->reference[i])) {
            batch->trajectories[i]->reference[batch->k] = batch->reference[i] =
                batch->log_prob[i];
            if (changed)
                changed[i] = TRUE;
        }
    return TRUE;
}

/* Which steps count, and their log-probability under the bare model. */
static gboolean aim(PenTrainer *trainer, Batch *batch, gboolean *changed,
                    GCancellable *cancellable, GError **error)
{
    if (!has_targets(trainer)) {
        aim_at_steps(trainer, batch);
        return fill_reference(trainer, batch, changed, cancellable, error);
    }
    if (!fill_bare(trainer, batch, cancellable, error))
        return FALSE;
    aim_at_targets(batch, trainer->config.word);
    return TRUE;
}

gboolean pen_trainer_fill_reference(PenTrainer *trainer, const PenTrainerRound *round,
                                    gboolean *changed, GCancellable *cancellable, GError **error)
{
    if (!prepare(trainer, round, error))
        return FALSE;
    for (guint i = 0; i < round->n; i += trainer->at_once)
        for (guint j = 0; j < round->n_steps; j++) {
            g_auto(Batch) batch = { 0 };
            batch_init(&batch, trainer, round, i, round->steps[j]);
            if (!aim(trainer, &batch, changed ? changed + i : NULL, cancellable, error))
                return FALSE;
        }
    return TRUE;
}

/* One turn's answers to all steps of trajectories that have none. */
static gboolean fill_turn(PenTrainer *trainer, const PenTrainerRound *round, GCancellable *cancellable,
                          GError **error)
{
    const PenTrajectory *first = round->trajectories[0];
    gsize n = pen_trajectory_elements(first);
    if (!prepare(trainer, round, error))
        return FALSE;
    for (guint i = 0; i < round->n; i += trainer->at_once)
        for (guint k = first->first; k < first->steps; k++) {
            g_auto(Batch) batch = { 0 };
            batch_init(&batch, trainer, round, i, k);
            if (!ask(trainer, &batch, 0, cancellable, error))
                return FALSE;
            for (guint b = 0; b < batch.n; b++) {
                PenTrajectory *t = batch.trajectories[b];
                float *answer =
                    pen_trajectory_answer(t, round->without_prompt ? t->uncond : t->cond, k);
                if (answer)
                    memcpy(answer, batch.outputs[b].cond, n * sizeof *answer);
            }
        }
    return TRUE;
}

gboolean pen_trainer_fill_answers(PenTrainer *trainer, const PenTrainerRound *round,
                                  GCancellable *cancellable, GError **error)
{
    gboolean missing = FALSE, guided = round->trajectories[0]->guidance != 1;
    for (guint i = 0; i < round->n; i++)
        missing = missing || pen_trajectory_lacks_answers(round->trajectories[i]);
    if (!missing)
        return TRUE;
    for (guint i = 0; i < round->n; i++) {
        if (round->trajectories[i]->undrawn)
            continue;
        g_free(round->trajectories[i]->cond);
        g_free(round->trajectories[i]->uncond);
        pen_trajectory_keep_answers(round->trajectories[i], guided);
        round->trajectories[i]->drawn_scale = 0;
    }
    for (guint turn = 0; turn < (guided ? 2 : 1); turn++) {
        PenTrainerRound one = *round;
        one.without_prompt = turn;
        if (!fill_turn(trainer, &one, cancellable, error))
            return FALSE;
    }
    return TRUE;
}

/* --- the gradient ---------------------------------------------------------------------------- */

/* The gradient of sum over the batch of coefficient[i] log_prob[i]; after ask() at scale 1. */
static gboolean backward(PenTrainer *trainer, const Batch *batch, const double *coefficient,
                         float *gradient, GCancellable *cancellable, GError **error)
{
    for (guint i = 0; i < batch->n; i++) {
        gsize n = pen_trajectory_elements(batch->trajectories[i]);
        float *cond, *uncond;
        pen_denoiser_output_gradients(trainer->denoiser, i, &cond, &uncond);
        pen_step_log_prob_gradient(&batch->step, n, batch->offset + i * n, &batch->outputs[i],
                                   batch->next + i * n, coefficient[i], cond, uncond);
    }
    return pen_denoiser_backward(trainer->denoiser, gradient, cancellable, error);
}

/* What a round's gradient is made of. */
typedef struct {
    double *log_prob, *reference, *coefficient; /* [n] of the step at hand */
    float *each;                                /* [n / at_once, n_values] */
    double *sum;                                /* [n_values] */
} Work;

static void work_clear(Work *work)
{
    g_free(work->log_prob);
    g_free(work->reference);
    g_free(work->coefficient);
    g_free(work->each);
    g_free(work->sum);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Work, work_clear)

static void add_gradient(Work *work, gsize n_values, const float *gradient, double coefficient)
{
    for (gsize v = 0; v < n_values && coefficient != 0; v++)
        work->sum[v] += coefficient * gradient[v];
}

/* The log-probabilities of some candidates under the policy and the bare model. `*finite` becomes FALSE
 * where numbers overflowed. */
static gboolean compare(PenTrainer *trainer, Batch *batch, gboolean *finite,
                        GCancellable *cancellable, GError **error)
{
    GError *failure = NULL;
    gboolean ok = aim(trainer, batch, NULL, cancellable, &failure) &&
                  (batch->asked || ask(trainer, batch, 1, cancellable, &failure));
    *finite = !g_error_matches(failure, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FINITE);
    if (!*finite) {
        g_error_free(failure);
        return TRUE;
    }
    if (!ok) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    take_log_prob(batch, batch->log_prob);
    for (guint b = 0; b < batch->n; b++)
        *finite = *finite && isfinite(batch->log_prob[b]) && isfinite(batch->reference[b]);
    return TRUE;
}

static gboolean all_zero(guint n, const double *coefficient)
{
    for (guint i = 0; i < n; i++)
        if (coefficient[i] != 0)
            return FALSE;
    return TRUE;
}

/*
 * One step of the round. All candidates must be evaluated before the loss gives their coefficients.
 * Where the denoiser takes them all at once, its activations are still there then, and one backward
 * pass of the weighted sum follows. Else each is followed by its backward pass, and the gradients
 * wait for their coefficients. Where these are 0 there is nothing to pass back.
 */
static gboolean step_gradient(PenTrainer *trainer, const PenTrainerRound *round, guint k,
                              guint64 terms, Work *work, PenTrainerResult *result,
                              GCancellable *cancellable, GError **error)
{
    static const double one = 1;
    gsize n_values = trainer->adapter->n_values;
    gboolean together = trainer->at_once == round->n, finite;
    g_auto(Batch) batch = { 0 };
    for (guint i = 0; i < round->n; i += trainer->at_once) {
        batch_clear(&batch);
        batch_init(&batch, trainer, round, i, k);
        if (!compare(trainer, &batch, &finite, cancellable, error))
            return FALSE;
        if (!finite) {
            result->overflowed++;
            return TRUE;
        }
        for (guint b = 0; b < batch.n; b++) {
            work->log_prob[i + b] = batch.log_prob[b];
            work->reference[i + b] = batch.reference[b];
        }
        if (!together &&
            !pen_d3po_is_idle(&trainer->config, round->n, round->ranks, i, work->log_prob[i],
                              work->reference[i]) &&
            !backward(trainer, &batch, &one, work->each + i * n_values, cancellable, error))
            return FALSE;
    }
    result->loss += pen_d3po_step_loss(&trainer->config, round->n, work->log_prob, work->reference,
                                       round->ranks, terms, work->coefficient, &result->stats);
    if (together && !all_zero(round->n, work->coefficient)) {
        if (!backward(trainer, &batch, work->coefficient, work->each, cancellable, error))
            return FALSE;
        add_gradient(work, n_values, work->each, 1);
    } else if (!together) {
        for (guint i = 0; i < round->n; i++)
            add_gradient(work, n_values, work->each + i * n_values, work->coefficient[i]);
    }
    return TRUE;
}

gboolean pen_trainer_gradient(PenTrainer *trainer, const PenTrainerRound *round, float *gradient,
                              PenTrainerResult *result, PenPlanProgress progress,
                              gpointer user_data, GCancellable *cancellable, GError **error)
{
    if (!prepare(trainer, round, error))
        return FALSE;
    guint n = round->n;
    gsize n_values = trainer->adapter->n_values;
    g_auto(Work) work = {
        .log_prob = g_new(double, n),
        .reference = g_new(double, n),
        .coefficient = g_new(double, n),
        .each = g_new(float, n / trainer->at_once * n_values),
        .sum = g_new0(double, n_values),
    };
    guint64 terms = pen_ranking_count_pairs(n, round->ranks) * round->n_steps;

    result->loss = 0;
    result->overflowed = 0;
    for (guint j = 0; j < round->n_steps; j++) {
        if (!step_gradient(trainer, round, round->steps[j], terms, &work, result, cancellable,
                           error))
            return FALSE;
        for (guint i = 0; i < n; i++) {
            if (result->log_prob)
                result->log_prob[i * round->n_steps + j] = work.log_prob[i];
            if (result->reference)
                result->reference[i * round->n_steps + j] = work.reference[i];
        }
        if (progress)
            progress((double)(j + 1) / round->n_steps, user_data);
    }
    for (gsize v = 0; v < n_values; v++)
        gradient[v] = (float)work.sum[v];
    return TRUE;
}

void pen_trainer_trainable_steps(const PenD3poConfig *config, const PenTrajectory *trajectory,
                                 gboolean *trainable)
{
    for (guint k = 0; k < trajectory->steps; k++) {
        PenStep step = trajectory->table[k];
        if (config->hindsight && k >= trajectory->first)
            step = pen_step_in_hindsight(&step);
        trainable[k] = k >= trajectory->first && step.sd >= PEN_TRAINER_MIN_SD;
    }
}
