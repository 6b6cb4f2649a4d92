// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/studio/teaching.h"

/* Seconds: what another process is just writing is younger. */
#define GARBAGE_AGE (24 * 60 * 60)

/* Rounds that are left out are named one by one up to so many. */
#define NAMED_ROUNDS 5

void pen_teach_settings_init(PenTeachSettings *settings, gboolean paper)
{
    *settings = (PenTeachSettings){.d3po = PEN_D3PO_CONFIG_INIT};
    if (paper)
        return;
    /* The published values suit thousands of pictures; docs/experiments has how these were found. */
    settings->d3po.learning_rate = 4e-3;
    settings->d3po.clip = 0;
    settings->d3po.loser_weight = 0;
    settings->d3po.timesteps_per_update = 3;
    settings->d3po.hindsight = TRUE;
    settings->d3po.guided = FALSE;
    settings->d3po.afresh = TRUE;
    settings->d3po.updates = 140;
    settings->d3po.falling_rate = TRUE;
    settings->d3po.one_pair = TRUE;
    settings->d3po.word = TRUE;
}

typedef struct {
    gint64 style;
    PenTeachSettings settings;
} Input;

/* --- the run --------------------------------------------------------------------------------- */

/* Makes ready what a new run will be; begin() records it. */
static gboolean plan_run(PenTeaching *t, const PenTeachSettings *settings, GError **error)
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
        if (!pen_lessons_add(t->lessons, picks->pdata[i], error))
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

static gboolean begin(PenTeaching *t, GError **error)
{
    guint n = t->lessons->list->len;
    g_autofree gint64 *picks = g_new(gint64, n);
    for (guint i = 0; i < n; i++)
        picks[i] = pen_lessons_get(t->lessons, i)->pick->id;
    t->run->id = pen_store_begin_run(t->store, t->run, picks, n, error);
    return t->run->id != 0;
}

static gboolean resume(PenTeaching *t, gint64 run, GError **error)
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
        if (!pen_lessons_add(t->lessons, picks->pdata[i], error))
            return FALSE;
    t->step = t->kept = (guint)t->run->steps_done;
    g_autofree char *text =
        g_strdup_printf(_("Going on at step %u of %d."), t->step + 1, t->run->steps_total);
    pen_job_notice(t->job, text);
    return TRUE;
}

static gboolean plan_or_resume(PenTeaching *t, const PenTeachSettings *settings, GError **error)
{
    g_autoptr(PenRun) unfinished = pen_store_find_unfinished_run(t->store, t->style->id, NULL);
    return unfinished && unfinished->state == PEN_RUN_PAUSED && !settings->fresh
               ? resume(t, unfinished->id, error)
               : plan_run(t, settings, error);
}

/* --- what can be learnt from ----------------------------------------------------------------- */

static gboolean has_trainable_step(const PenTeaching *t, const PenLesson *lesson)
{
    const PenTrajectory *first =
        lesson->trajectories->len ? lesson->trajectories->pdata[0] : NULL;
    g_autofree gboolean *trainable = g_new0(gboolean, first ? first->steps : 1);
    gboolean has = FALSE;
    if (first)
        pen_trainer_trainable_steps(&t->run->d3po, first, trainable);
    for (guint k = 0; first && k < first->steps; k++)
        has = has || trainable[k];
    return has;
}

/* Whether the round's trajectories can be read and are this model's. */
static gboolean is_sound(PenTeaching *t, PenLesson *lesson, gboolean *has, GError **error)
{
    if (!pen_teaching_load_lesson(t, lesson, error))
        return FALSE;
    *has = has_trainable_step(t, lesson);
    if (!*has)
        return TRUE;
    PenTrainerRound round = pen_lesson_round(lesson);
    return pen_trainer_check(t->runtime, &round, error);
}

static void tell_unlearnt(PenTeaching *t, guint unsound, guint still)
{
    if (unsound > NAMED_ROUNDS) {
        g_autofree char *more = g_strdup_printf(
            g_dngettext(GETTEXT_PACKAGE, "%u more round was left out for such reasons.",
                        "%u more rounds were left out for such reasons.", unsound - NAMED_ROUNDS),
            unsound - NAMED_ROUNDS);
        pen_job_notice(t->job, more);
    }
    g_autofree char *text = g_strdup_printf(
        g_dngettext(GETTEXT_PACKAGE,
                    "%u pick was not learnt: its pictures were made in too few steps, or without "
                    "the fresh noise that the published loss needs.",
                    "%u picks were not learnt: their pictures were made in too few steps, or "
                    "without the fresh noise that the published loss needs.",
                    still),
        still);
    if (still)
        pen_job_notice(t->job, text);
}

/* Drops the lessons that cannot be learnt from and says why; a run does not count them as learnt. */
static gboolean keep_learnable(PenTeaching *t, GError **error)
{
    g_autoptr(GError) last = NULL;
    guint unsound = 0, still = 0;
    for (guint i = t->lessons->list->len; i-- > 0;) {
        PenLesson *lesson = pen_lessons_get(t->lessons, i);
        gboolean has = FALSE;
        g_autoptr(GError) reason = NULL;
        if (is_sound(t, lesson, &has, &reason) && has)
            continue;
        if (reason && unsound++ < NAMED_ROUNDS) {
            g_autofree char *text = g_strdup_printf(
                _("Round %d was left out: %s"), (int)lesson->round->id, reason->message);
            pen_job_notice(t->job, text);
            g_set_error_literal(&last, reason->domain, reason->code, reason->message);
        }
        still += !reason;
        pen_lessons_remove(t->lessons, i);
        if (g_cancellable_set_error_if_cancelled(t->job->cancellable, error))
            return FALSE;
    }
    tell_unlearnt(t, unsound, still);
    if (t->lessons->list->len)
        return TRUE;
    if (last)
        g_propagate_error(error, g_steal_pointer(&last));
    else
        g_set_error_literal(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING,
                            t->run->d3po.hindsight
                                ? _("Nothing can be learnt from these picks: their pictures were "
                                    "made in too few steps. Make a round with more, and pick the "
                                    "best.")
                                : _("Nothing can be learnt from these picks: the published loss "
                                    "learns from the fresh noise of the steps, and their pictures "
                                    "have none. Use DDIM with an eta of 1, Euler a or an SDE "
                                    "sampler, or teach with --hindsight on."));
    return FALSE;
}

/* --- the job --------------------------------------------------------------------------------- */

static gboolean encode_texts(PenTeaching *t, PenLesson *lesson, GError **error)
{
    const PenRound *round = lesson->round;
    PenPromptReading reading = round->words ? PEN_PROMPT_WORDS : PEN_PROMPT_WEIGHTS;
    g_autoptr(PenPrompt) prompt = pen_prompt_new(round->prompt, reading);
    g_autoptr(PenPrompt) against =
        round->negative_prompt ? pen_prompt_new(round->negative_prompt, reading) : NULL;
    PenPrompt *prompts[2] = {prompt, against};
    PenConditioning *conditionings[2];
    if (!pen_runtime_encode_prompts(t->runtime, prompts, 2, (guint)round->clip_skip, conditionings,
                                    NULL, t->job->cancellable, error))
        return FALSE;
    lesson->cond = conditionings[0];
    lesson->uncond = conditionings[1];
    return TRUE;
}

/* Takes all that the run needs of model, device and memory. `spec`: the model. */
static gboolean prepare(PenTeaching *t, const char *spec, GError **error)
{
    t->runtime = pen_job_runtime(t->job, spec, error);
    if (!t->runtime || !keep_learnable(t, error) || !pen_teaching_load(t, error) ||
        !pen_unet_adapter_allocate(t->adapter, pen_runtime_device(t->runtime),
                                   pen_runtime_dtype(t->runtime), error))
        return FALSE;
    /* Before the trainer takes its memory: the text encoder needs some, too. */
    for (guint i = 0; i < t->lessons->list->len; i++)
        if (!encode_texts(t, pen_lessons_get(t->lessons, i), error))
            return FALSE;
    t->trainer = pen_trainer_new(t->runtime, t->adapter, &t->run->d3po);
    PenLesson *first = pen_lessons_get(t->lessons, 0);
    if (!pen_teaching_load_lesson(t, first, error) ||
        !pen_trainer_prepare(t->trainer, first->trajectories->pdata[0],
                             t->run->d3po.one_pair ? 2 : first->trajectories->len,
                             first->cond->tokens, error))
        return FALSE;
    pen_job_notice_memory(t->job, t->runtime, pen_trainer_recomputes(t->trainer));
    return TRUE;
}

/* A lesson that taught nothing makes no version. */
static gboolean check_learnt(PenTeaching *t, GError **error)
{
    if (t->overflowed) {
        g_autofree char *text = g_strdup_printf(
            g_dngettext(GETTEXT_PACKAGE,
                        "The model's numbers overflowed in %u step, which was not learnt from.",
                        "The model's numbers overflowed in %u steps, which were not learnt from.",
                        t->overflowed),
            t->overflowed);
        pen_job_notice(t->job, text);
    }
    if (t->changed)
        return TRUE;
    g_set_error_literal(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING,
                        _("The model's numbers overflowed in every step of the lesson, so nothing "
                          "was learnt. Use --precision f32, or a smaller learning rate."));
    return FALSE;
}

static gboolean finish(PenTeaching *t, PenTeachResult *result, GError **error)
{
    if (!check_learnt(t, error) || !pen_teaching_end(t, error))
        return FALSE;
    g_autoptr(GBytes) adapter = pen_studio_save_adapter(t->adapter, t->values, error);
    if (!adapter)
        return FALSE;
    result->version = pen_store_finish_run(t->store, t->run->id, adapter, error);
    result->style = t->style->id;
    result->run = t->run->id;
    result->picks = t->lessons->list->len;
    result->steps = t->step;
    g_autoptr(GPtrArray) curve = pen_store_list_training_steps(t->store, t->run->id, NULL);
    if (curve && curve->len) {
        result->first = *(const PenTrainingStep *)curve->pdata[0];
        result->last = *(const PenTrainingStep *)curve->pdata[curve->len - 1];
    }
    return result->version != 0;
}

static gboolean teach(PenTeaching *t, const PenTeachSettings *settings, PenTeachResult *result,
                      GError **error)
{
    if (!plan_or_resume(t, settings, error))
        return FALSE;
    g_autofree char *spec = pen_studio_find_taught_model(t->job->studio, t->style, error);
    /* A run is recorded once model, device and memory are there. */
    if (!spec || !prepare(t, spec, error))
        return FALSE;
    pen_teaching_plan(t);
    if ((!t->run->id && !begin(t, error)) || !pen_teaching_start(t, error))
        return FALSE;
    while (t->step < (guint)t->run->steps_total) {
        pen_job_progress(t->job, t->done / t->work);
        if (!pen_teaching_take_step(t, error) || !pen_teaching_keep(t, FALSE, error) ||
            g_cancellable_set_error_if_cancelled(t->job->cancellable, error)) {
            /* However it ends, the steps that were taken are not taken again. */
            pen_teaching_keep(t, TRUE, NULL);
            return FALSE;
        }
    }
    return finish(t, result, error);
}

static gboolean teach_style(PenJob *job, gint64 style, const PenTeachSettings *settings,
                            PenTeachResult *result, GError **error)
{
    PenTeaching t = {
        .job = job,
        .store = job->studio->store,
        .lessons = pen_lessons_new(job->studio->store),
    };
    GError *failure = NULL;
    t.style = pen_store_get_style(t.store, style, &failure);
    gboolean ok = t.style && teach(&t, settings, result, &failure);
    if (!ok) {
        /* Whatever went wrong, what was done stays and the run can be resumed. */
        if (t.run && t.run->id)
            pen_store_stop_run(t.store, t.run->id, PEN_RUN_PAUSED, failure->message, NULL);
        g_propagate_error(error, failure);
    }
    pen_teaching_clear(&t);
    return ok;
}

static gpointer run(PenJob *job, GError **error)
{
    const Input *input = job->input;
    PenTeachSettings settings = input->settings;
    PenTeachResult *result = g_new0(PenTeachResult, 1);
    GError *failure = NULL;
    gboolean ok = teach_style(job, input->style, &settings, result, &failure);
    if (!ok && g_error_matches(failure, PEN_MODEL_ERROR, PEN_MODEL_ERROR_TOO_NARROW)) {
        g_clear_error(&failure);
        settings.fresh = FALSE; /* the run that this one began goes on */
        ok = teach_style(job, input->style, &settings, result, &failure);
    }
    if (!ok) {
        g_clear_pointer(&result, g_free);
        g_propagate_error(error, failure);
    }
    /* Lessons leave most of what nobody needs any more: checkpoints of those that were given up. */
    pen_store_collect_garbage(job->studio->store, GARBAGE_AGE, NULL, NULL);
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
    PenTeachSettings settings;
    pen_teach_settings_init(&settings, FALSE);
    PenTeaching t = {
        .job = job,
        .store = job->studio->store,
        .lessons = pen_lessons_new(job->studio->store),
        .run = pen_run_copy(&(PenRun){.d3po = settings.d3po}),
    };
    t.run->d3po.adapter_rank = (guint)question->rank;
    g_autoptr(PenPick) pick = pen_store_get_pick(t.store, question->round, error);
    gboolean ok = pick && pen_lessons_add(t.lessons, pick, error) &&
                  prepare(&t, pen_lessons_get(t.lessons, 0)->round->model_path, error);
    pen_teaching_clear(&t);
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
