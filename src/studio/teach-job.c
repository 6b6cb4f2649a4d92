// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/engine/trainer.h"
#include "src/formats/safetensors-writer.h"
#include "src/learning/adamw.h"
#include "src/learning/adapter-init.h"
#include "src/learning/curriculum.h"
#include "src/sampling/noise.h"
#include "src/studio/job.h"

void pen_teach_settings_init(PenTeachSettings *settings, gboolean paper)
{
    *settings = (PenTeachSettings){.d3po = PEN_D3PO_CONFIG_INIT};
    if (paper)
        return;
    /* The published values suit thousands of pictures. docs/learning.md has the comparison that
     * chose these for a few picks. */
    settings->d3po.learning_rate = 2e-3;
    settings->d3po.clip = 0.02;
    settings->d3po.loser_weight = 0.4;
    settings->d3po.timesteps_per_update = 3;
    settings->d3po.hindsight = TRUE;
    settings->d3po.guided = FALSE;
}

typedef struct {
    gint64 style;
    PenTeachSettings settings;
} Input;

/* A picked round, ready to be trained on. */
typedef struct {
    PenPick *pick;
    PenRound *round;
    PenConditioning *cond, *uncond; /* of its texts; in a loss without guidance, of no text */
} Lesson;

static void lesson_free(gpointer data)
{
    Lesson *lesson = data;
    pen_pick_free(lesson->pick);
    pen_round_free(lesson->round);
    pen_conditioning_free(lesson->cond);
    pen_conditioning_free(lesson->uncond);
    g_free(lesson);
}

/* One step of AdamW: some timesteps of one round. */
typedef struct {
    guint epoch, lesson, update, n_updates;
} Update;

/* A run and where it stands. */
typedef struct {
    PenJob *job;
    PenStore *store;
    PenStyle *style;
    PenRun *run;
    GPtrArray *lessons; /* Lesson, in the order of the run's picks */
    GArray *updates;    /* Update, in the order in which they are made */
    PenRuntime *runtime;
    PenUNetAdapter *adapter;
    float *values, *gradient;
    PenAdamw *adamw;
    PenTrainer *trainer;
    guint step; /* updates done */
} Teaching;

static void teaching_clear(Teaching *t)
{
    g_clear_pointer(&t->trainer, pen_trainer_free);
    g_clear_pointer(&t->adamw, pen_adamw_free);
    g_clear_pointer(&t->adapter, pen_unet_adapter_free);
    g_clear_pointer(&t->lessons, g_ptr_array_unref);
    g_clear_pointer(&t->updates, g_array_unref);
    g_clear_pointer(&t->style, pen_style_free);
    g_clear_pointer(&t->run, pen_run_free);
    g_clear_pointer(&t->values, g_free);
    g_clear_pointer(&t->gradient, g_free);
}

/* --- the run --------------------------------------------------------------------------------- */

static gboolean add_lesson(Teaching *t, const PenPick *pick, GError **error)
{
    PenRound *round = pen_store_get_round(t->store, pick->round, error);
    if (!round)
        return FALSE;
    Lesson *lesson = g_new0(Lesson, 1);
    lesson->pick = pen_pick_copy(pick);
    lesson->round = round;
    g_ptr_array_add(t->lessons, lesson);
    return TRUE;
}

/* Makes ready what a new run will be; begin() records it. */
static gboolean plan_run(Teaching *t, const PenTeachSettings *settings, GError **error)
{
    g_autoptr(GPtrArray) picks =
        pen_store_list_picks(t->store, t->style->id, settings->only_new, error);
    if (!picks)
        return FALSE;
    if (picks->len == 0) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING,
                    settings->only_new
                        ? _("“%s” has learnt all its picks. Make a round for it and pick the "
                            "best.")
                        : _("There are no picks for “%s” yet that prefer one picture to another. "
                            "Make a round for it and pick the best."),
                    t->style->name);
        return FALSE;
    }
    for (guint i = 0; i < picks->len; i++)
        if (!add_lesson(t, picks->pdata[i], error))
            return FALSE;
    PenRun run = {
        .style = t->style->id,
        .from_version = t->style->current_version,
        .d3po = settings->d3po,
        .seed = settings->has_seed ? settings->seed
                                   : (guint64)g_random_int() << 20 ^ g_random_int(),
    };
    run.d3po.adapter_rank = (guint)t->style->rank;
    t->run = pen_run_copy(&run);
    return TRUE;
}

static gboolean begin(Teaching *t, GError **error)
{
    g_autofree gint64 *picks = g_new(gint64, t->lessons->len);
    for (guint i = 0; i < t->lessons->len; i++)
        picks[i] = ((const Lesson *)t->lessons->pdata[i])->pick->id;
    t->run->id = pen_store_begin_run(t->store, t->run, picks, t->lessons->len, error);
    return t->run->id != 0;
}

static gboolean resume(Teaching *t, gint64 run, GError **error)
{
    t->run = pen_store_resume_run(t->store, run, error);
    if (!t->run)
        return FALSE;
    const PenD3poConfig fixed = PEN_D3PO_CONFIG_INIT; /* what the store does not keep */
    t->run->d3po.adam_beta1 = fixed.adam_beta1;
    t->run->d3po.adam_beta2 = fixed.adam_beta2;
    t->run->d3po.adam_epsilon = fixed.adam_epsilon;
    g_autoptr(GPtrArray) picks = pen_store_list_run_picks(t->store, run, error);
    if (!picks)
        return FALSE;
    for (guint i = 0; i < picks->len; i++)
        if (!add_lesson(t, picks->pdata[i], error))
            return FALSE;
    t->step = (guint)t->run->steps_done;
    g_autofree char *text =
        g_strdup_printf(_("Going on at step %u of %d."), t->step + 1, t->run->steps_total);
    pen_job_notice(t->job, text);
    return TRUE;
}

/* The course of the run, which its settings and rounds alone decide. */
static void list_updates(Teaching *t)
{
    guint n = t->lessons->len;
    g_autofree guint *order = g_new(guint, n);
    t->updates = g_array_new(FALSE, FALSE, sizeof(Update));
    for (guint epoch = 0; epoch < t->run->d3po.epochs; epoch++) {
        pen_curriculum_order_rounds(t->run->seed, epoch, n, order);
        for (guint i = 0; i < n; i++) {
            const Lesson *lesson = t->lessons->pdata[order[i]];
            guint n_updates = pen_curriculum_count_updates((guint)lesson->round->steps,
                                                           t->run->d3po.timestep_fraction,
                                                           t->run->d3po.timesteps_per_update);
            for (guint u = 0; u < n_updates; u++) {
                Update update = {epoch, order[i], u, n_updates};
                g_array_append_val(t->updates, update);
            }
        }
    }
    t->run->steps_total = (int)t->updates->len;
}

static gboolean plan_or_resume(Teaching *t, const PenTeachSettings *settings, GError **error)
{
    g_autoptr(PenRun) unfinished = pen_store_find_unfinished_run(t->store, t->style->id, NULL);
    return unfinished && unfinished->state == PEN_RUN_PAUSED && !settings->fresh
               ? resume(t, unfinished->id, error)
               : plan_run(t, settings, error);
}

/* --- the adapter ----------------------------------------------------------------------------- */

static void init_values(Teaching *t)
{
    for (guint i = 0; i < t->adapter->n_modules; i++) {
        const PenUNetAdapterModule *module = &t->adapter->modules[i];
        pen_adapter_init_down(t->run->seed, module->path, t->adapter->rank,
                              (gsize)t->adapter->rank * module->in, t->values + module->a);
    }
}

static gboolean load_version(Teaching *t, GError **error)
{
    const PenModel *model = pen_runtime_model(t->runtime);
    g_autofree float *from = NULL;
    if (t->run->from_version) {
        t->adapter = pen_studio_load_adapter(t->job->studio, model, t->run->from_version, &from,
                                             error);
        if (!t->adapter)
            return FALSE;
    } else {
        t->adapter = pen_unet_adapter_new(&model->unet, t->run->d3po.adapter_rank, error);
        if (!t->adapter)
            return FALSE;
    }
    t->values = g_new0(float, t->adapter->n_values);
    t->gradient = g_new0(float, t->adapter->n_values);
    if (from)
        memcpy(t->values, from, t->adapter->n_values * sizeof *from);
    else
        init_values(t);
    t->adamw = pen_adamw_new(t->adapter->n_values);
    return TRUE;
}

static GBytes *save_checkpoint(Teaching *t, GError **error)
{
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    g_autoptr(GBytes) adamw = pen_adamw_save(t->adamw);
    gsize n = t->adapter->n_values, size = g_bytes_get_size(adamw);
    pen_safetensors_writer_set_metadata(writer, "format", "penchant checkpoint 1");
    pen_safetensors_writer_add(writer, "values", PEN_SAFETENSOR_F32, 1, &n, t->values);
    pen_safetensors_writer_add_bytes(writer, "adamw", PEN_SAFETENSOR_U8, 1, &size, adamw);
    return pen_safetensors_writer_to_bytes(writer, error);
}

static gboolean load_checkpoint(Teaching *t, GError **error)
{
    if (!t->run->checkpoint_file)
        return TRUE;
    g_autofree char *path = pen_store_path(t->store, t->run->checkpoint_file);
    g_autoptr(PenSafetensors) file = pen_safetensors_open(path, error);
    if (!file)
        return FALSE;
    const PenSafetensor *values = pen_safetensors_require(file, "values", error);
    const PenSafetensor *state = pen_safetensors_require(file, "adamw", error);
    if (!values || !state)
        return FALSE;
    if (values->n_elements != t->adapter->n_values) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("The interrupted lesson in “%s” does not fit the model. Start afresh."),
                    path);
        return FALSE;
    }
    g_autoptr(GBytes) bytes = g_bytes_new(state->data, state->size);
    g_clear_pointer(&t->adamw, pen_adamw_free);
    t->adamw = pen_adamw_load(bytes, t->adapter->n_values, error);
    return t->adamw && pen_safetensor_to_f32(values, t->values, error);
}

/* --- one step -------------------------------------------------------------------------------- */

static gboolean encode_texts(Teaching *t, Lesson *lesson, GError **error)
{
    const char *negative = t->run->d3po.guided ? lesson->round->negative_prompt : NULL;
    PenPromptReading reading = lesson->round->words ? PEN_PROMPT_WORDS : PEN_PROMPT_WEIGHTS;
    g_autoptr(PenPrompt) prompt = pen_prompt_new(lesson->round->prompt, reading);
    g_autoptr(PenPrompt) against = negative ? pen_prompt_new(negative, reading) : NULL;
    PenPrompt *prompts[2] = {prompt, against};
    PenConditioning *conditionings[2];
    if (!pen_runtime_encode_prompts(t->runtime, prompts, 2, (guint)lesson->round->clip_skip,
                                    conditionings, NULL, t->job->cancellable, error))
        return FALSE;
    lesson->cond = conditionings[0];
    lesson->uncond = conditionings[1];
    return TRUE;
}

/* The trajectories of the candidates that the pick ranks, their ranks and their files. */
typedef struct {
    GPtrArray *trajectories;
    GArray *ranks;
    GPtrArray *files;
} Candidates;

static void candidates_clear(Candidates *c)
{
    g_clear_pointer(&c->trajectories, g_ptr_array_unref);
    g_clear_pointer(&c->ranks, g_array_unref);
    g_clear_pointer(&c->files, g_ptr_array_unref);
}

/* Trajectories keep the reference log-probabilities of the steps that were sampled, under the guided
 * model as it was then: those of other steps and policies, and of a model in 8 bits, are not theirs. */
static gboolean reference_is_kept(const Teaching *t)
{
    return !t->run->d3po.hindsight && t->run->d3po.guided && !pen_runtime_eight_bits(t->runtime);
}

static gboolean load_candidates(Teaching *t, const Lesson *lesson, Candidates *c, GError **error)
{
    c->trajectories = g_ptr_array_new_with_free_func((GDestroyNotify)pen_trajectory_free);
    c->ranks = g_array_new(FALSE, FALSE, sizeof(int));
    c->files = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) list =
        pen_store_list_candidates(t->store, lesson->round->id, error);
    if (!list)
        return FALSE;
    for (guint i = 0; i < list->len; i++) {
        const PenCandidate *candidate = list->pdata[i];
        int rank = (int)i < lesson->pick->n ? lesson->pick->ranks[i] : PEN_RANK_NONE;
        if (rank == PEN_RANK_NONE || !candidate->trajectory_file)
            continue;
        g_autofree char *path = pen_store_path(t->store, candidate->trajectory_file);
        PenTrajectory *trajectory = pen_trajectory_load(path, error);
        if (!trajectory)
            return FALSE;
        for (guint k = 0; !reference_is_kept(t) && k < trajectory->steps; k++)
            trajectory->reference[k] = NAN;
        g_ptr_array_add(c->trajectories, trajectory);
        g_array_append_val(c->ranks, rank);
        g_ptr_array_add(c->files, g_strdup(candidate->trajectory_file));
    }
    return TRUE;
}

/* For all steps at once, so that each trajectory is written once. */
static gboolean fill_reference(Teaching *t, const PenTrainerRound *round, const Candidates *c,
                               GError **error)
{
    g_autofree gboolean *changed = g_new0(gboolean, round->n);
    if (!pen_trainer_fill_reference(t->trainer, round, changed, t->job->cancellable, error))
        return FALSE;
    for (guint i = 0; i < round->n; i++) {
        if (!changed[i])
            continue;
        g_autoptr(GBytes) file = pen_trajectory_save(round->trajectories[i], error);
        if (!file || !pen_store_write(t->store, c->files->pdata[i], file, error))
            return FALSE;
    }
    return TRUE;
}

static void on_progress(double fraction, gpointer user_data)
{
    Teaching *t = user_data;
    pen_job_progress(t->job, (t->step + fraction) / t->run->steps_total);
}

static gboolean leaves_out_prompt(const Teaching *t, const Update *update,
                                  const PenTrajectory *trajectory)
{
    return !t->run->d3po.guided && trajectory->guidance != 1 &&
           pen_curriculum_leaves_out_prompt(t->run->seed, update->epoch, update->lesson,
                                            update->update, update->n_updates);
}

/* The gradient of the loss of an update's timesteps. */
static gboolean update_gradient(Teaching *t, const Update *update, PenTrainerResult *result,
                                GError **error)
{
    Lesson *lesson = t->lessons->pdata[update->lesson];
    Candidates c = {0};
    gboolean ok = load_candidates(t, lesson, &c, error);
    if (ok && c.trajectories->len) {
        const PenTrajectory *first = c.trajectories->pdata[0];
        g_autofree gboolean *trainable = g_new0(gboolean, first->steps);
        g_autofree guint *chosen = g_new0(guint, first->steps);
        g_autofree guint *mine = g_new0(guint, first->steps);
        ok = pen_trainer_trainable_steps(t->runtime, first, trainable, error);
        PenTrainerRound round = {
            .n = c.trajectories->len,
            .trajectories = (PenTrajectory **)c.trajectories->pdata,
            .ranks = (const int *)(gpointer)c.ranks->data,
            .cond = leaves_out_prompt(t, update, first) ? lesson->uncond : lesson->cond,
            .uncond = lesson->uncond,
            .steps = chosen,
            .n_steps = pen_curriculum_choose_steps(t->run->seed, update->epoch, update->lesson,
                                                   first->steps, t->run->d3po.timestep_fraction,
                                                   trainable, chosen),
        };
        ok = ok && (!reference_is_kept(t) || fill_reference(t, &round, &c, error));
        round.steps = mine;
        round.n_steps = pen_curriculum_split_steps(chosen, round.n_steps, update->update,
                                                   update->n_updates, mine);
        ok = ok && pen_trainer_gradient(t->trainer, &round, t->gradient, result, on_progress, t,
                                        t->job->cancellable, error);
    }
    candidates_clear(&c);
    return ok;
}

static gboolean record_step(Teaching *t, const PenTrainingStep *row, GError **error)
{
    g_autoptr(GBytes) checkpoint = save_checkpoint(t, error);
    if (!checkpoint || !pen_store_add_training_step(t->store, t->run->id, row, error) ||
        !pen_store_checkpoint_run(t->store, t->run->id, row->step, checkpoint, error))
        return FALSE;
    pen_job_event(t->job, &(PenStudioEvent){
                              .kind = PEN_STUDIO_STEP,
                              .step = (guint)row->step,
                              .steps = (guint)t->run->steps_total,
                              .training = row,
                          });
    return TRUE;
}

static gboolean take_step(Teaching *t, PenTrainingStep *row, GError **error)
{
    gint64 since = g_get_monotonic_time();
    PenTrainerResult result = {0};
    memset(t->gradient, 0, t->adapter->n_values * sizeof *t->gradient);
    if (!pen_unet_adapter_upload(t->adapter, t->values, error) ||
        !update_gradient(t, &g_array_index(t->updates, Update, t->step), &result, error))
        return FALSE;
    PenAdamwConfig adamw = {
        .learning_rate = t->run->d3po.learning_rate,
        .beta1 = t->run->d3po.adam_beta1,
        .beta2 = t->run->d3po.adam_beta2,
        .weight_decay = t->run->d3po.weight_decay,
        .epsilon = t->run->d3po.adam_epsilon,
    };
    double norm = pen_clip_grad_norm(t->gradient, t->adapter->n_values, t->run->d3po.max_grad_norm);
    if (isfinite(norm) && result.stats.terms)
        pen_adamw_step(t->adamw, &adamw, t->values, t->gradient);
    *row = (PenTrainingStep){
        .step = (int)t->step + 1,
        .loss = pen_d3po_stats_get_loss(&result.stats),
        .margin = pen_d3po_stats_get_margin(&result.stats),
        .agreement = pen_d3po_stats_get_agreement(&result.stats),
        .grad_norm = norm,
        .seconds = (double)(g_get_monotonic_time() - since) * 1e-6,
    };
    return record_step(t, row, error);
}

/* --- the job --------------------------------------------------------------------------------- */

static gboolean has_trainable_step(const Teaching *t, const Candidates *c, gboolean *has,
                                   GError **error)
{
    const PenTrajectory *first = c->trajectories->len ? c->trajectories->pdata[0] : NULL;
    g_autofree gboolean *trainable = g_new0(gboolean, first ? first->steps : 1);
    if (first && !pen_trainer_trainable_steps(t->runtime, first, trainable, error))
        return FALSE;
    *has = FALSE;
    for (guint k = 0; first && k < first->steps; k++)
        *has = *has || trainable[k];
    return TRUE;
}

/* Drops the lessons that cannot be learnt from; a run does not count them as learnt. */
static gboolean keep_learnable(Teaching *t, GError **error)
{
    guint before = t->lessons->len;
    for (guint i = before; i-- > 0;) {
        Candidates c = {0};
        gboolean has = FALSE;
        gboolean ok = load_candidates(t, t->lessons->pdata[i], &c, error) &&
                      has_trainable_step(t, &c, &has, error);
        candidates_clear(&c);
        if (!ok)
            return FALSE;
        if (!has)
            g_ptr_array_remove_index(t->lessons, i);
    }
    guint dropped = before - t->lessons->len;
    if (t->lessons->len) {
        g_autofree char *text = g_strdup_printf(
            g_dngettext(GETTEXT_PACKAGE,
                        "%u pick was not learnt: its pictures were made in very few steps or with "
                        "hardly any fresh noise.",
                        "%u picks were not learnt: their pictures were made in very few steps or "
                        "with hardly any fresh noise.",
                        dropped),
            dropped);
        if (dropped)
            pen_job_notice(t->job, text);
        return TRUE;
    }
    g_set_error_literal(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING,
                        _("Nothing can be learnt from these picks: their pictures were made in "
                          "very few steps or with hardly any fresh noise. Make a round with about "
                          "20 steps and a randomness (eta) of 1, and pick the best."));
    return FALSE;
}

/* Takes all that the run needs of model, device and memory. `spec`: the model. */
static gboolean prepare(Teaching *t, const char *spec, GError **error)
{
    t->runtime = pen_job_runtime(t->job, spec, error);
    /* A run that is resumed keeps the lessons it began with. */
    if (!t->runtime || (!t->run->id && !keep_learnable(t, error)) ||
        !load_version(t, error) || !load_checkpoint(t, error) ||
        !pen_unet_adapter_allocate(t->adapter, pen_runtime_device(t->runtime),
                                   pen_runtime_dtype(t->runtime), error))
        return FALSE;
    /* Before the trainer takes its memory: the text encoder needs some, too. */
    for (guint i = 0; i < t->lessons->len; i++)
        if (!encode_texts(t, t->lessons->pdata[i], error))
            return FALSE;
    t->trainer = pen_trainer_new(t->runtime, t->adapter, &t->run->d3po);
    Candidates first = {0};
    gboolean ok = load_candidates(t, t->lessons->pdata[0], &first, error) &&
                  pen_trainer_prepare(
                      t->trainer, first.trajectories->pdata[0], first.trajectories->len,
                      ((const Lesson *)t->lessons->pdata[0])->cond->tokens, error);
    candidates_clear(&first);
    if (ok)
        pen_job_notice_memory(t->job, t->runtime, pen_trainer_recomputes(t->trainer));
    return ok;
}

static gboolean finish(Teaching *t, PenTeachResult *result, GError **error)
{
    g_autoptr(GBytes) adapter = pen_studio_save_adapter(t->adapter, t->values, error);
    if (!adapter)
        return FALSE;
    result->version = pen_store_finish_run(t->store, t->run->id, adapter, error);
    result->style = t->style->id;
    result->run = t->run->id;
    result->picks = t->lessons->len;
    result->steps = t->step;
    g_autoptr(GPtrArray) curve = pen_store_list_training_steps(t->store, t->run->id, NULL);
    if (curve && curve->len) {
        result->first = *(const PenTrainingStep *)curve->pdata[0];
        result->last = *(const PenTrainingStep *)curve->pdata[curve->len - 1];
    }
    return result->version != 0;
}

static gboolean teach(Teaching *t, const PenTeachSettings *settings, PenTeachResult *result,
                      GError **error)
{
    if (!plan_or_resume(t, settings, error))
        return FALSE;
    g_autofree char *spec = pen_studio_find_taught_model(t->job->studio, t->style, error);
    /* A run is recorded once model, device and memory are there. */
    if (!spec || !prepare(t, spec, error))
        return FALSE;
    list_updates(t);
    if (!t->run->id && !begin(t, error))
        return FALSE;
    while (t->step < (guint)t->run->steps_total) {
        PenTrainingStep row;
        pen_job_progress(t->job, (double)t->step / t->run->steps_total);
        if (!take_step(t, &row, error))
            return FALSE;
        t->step++;
        if (g_cancellable_set_error_if_cancelled(t->job->cancellable, error))
            return FALSE;
    }
    return finish(t, result, error);
}

static gpointer run(PenJob *job, GError **error)
{
    const Input *input = job->input;
    Teaching t = {
        .job = job,
        .store = job->studio->store,
        .lessons = g_ptr_array_new_with_free_func(lesson_free),
    };
    PenTeachResult *result = g_new0(PenTeachResult, 1);
    GError *failure = NULL;
    t.style = pen_store_get_style(t.store, input->style, &failure);
    gboolean ok = t.style && teach(&t, &input->settings, result, &failure);
    if (!ok) {
        g_clear_pointer(&result, g_free);
        /* Whatever went wrong, what was done stays and the run can be resumed. */
        if (t.run && t.run->id)
            pen_store_stop_run(t.store, t.run->id, PEN_RUN_PAUSED, failure->message, NULL);
        g_propagate_error(error, failure);
    }
    teaching_clear(&t);
    return result;
}

void pen_studio_teach_async(PenStudio *studio, gint64 style, const PenTeachSettings *settings,
                            PenStudioEventFunc event, gpointer event_data,
                            GCancellable *cancellable, GAsyncReadyCallback callback,
                            gpointer user_data)
{
    Input *input = g_new(Input, 1);
    *input = (Input){.style = style, .settings = *settings};
    pen_job_start(studio, run, input, g_free, g_free, event, event_data, cancellable, callback,
                  user_data, pen_studio_teach_async);
}

gboolean pen_studio_teach_finish(PenStudio *studio G_GNUC_UNUSED, GAsyncResult *result,
                                 PenTeachResult *taught, GError **error)
{
    g_autofree PenTeachResult *value = g_task_propagate_pointer(G_TASK(result), error);
    if (!value)
        return FALSE;
    if (taught)
        *taught = *value;
    return TRUE;
}

/* --- whether it could be done ------------------------------------------------------------------ */

typedef struct {
    gint64 round;
    int rank;
} Question;

static gpointer check(PenJob *job, GError **error)
{
    const Question *question = job->input;
    Teaching t = {
        .job = job,
        .store = job->studio->store,
        .lessons = g_ptr_array_new_with_free_func(lesson_free),
        .run = pen_run_copy(&(PenRun){.d3po = PEN_D3PO_CONFIG_INIT}),
    };
    t.run->d3po.adapter_rank = (guint)question->rank;
    g_autoptr(PenPick) pick = pen_store_get_pick(t.store, question->round, error);
    gboolean ok = pick && add_lesson(&t, pick, error) &&
                  prepare(&t, ((const Lesson *)t.lessons->pdata[0])->round->model_path, error);
    teaching_clear(&t);
    return GINT_TO_POINTER(ok);
}

void pen_studio_check_teaching_async(PenStudio *studio, gint64 round, int rank,
                                     GCancellable *cancellable, GAsyncReadyCallback callback,
                                     gpointer user_data)
{
    Question *question = g_new(Question, 1);
    *question = (Question){.round = round, .rank = rank};
    pen_job_start(studio, check, question, g_free, NULL, NULL, NULL, cancellable, callback,
                  user_data, pen_studio_check_teaching_async);
}

gboolean pen_studio_check_teaching_finish(PenStudio *studio G_GNUC_UNUSED, GAsyncResult *result,
                                          GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error) != NULL;
}
