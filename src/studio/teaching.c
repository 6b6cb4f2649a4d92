// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/teaching.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/engine/forward.h"
#include "src/formats/safetensors-writer.h"
#include "src/learning/adapter-init.h"
#include "src/learning/curriculum.h"

/* A crash costs at most so much of the work, in microseconds. */
#define CHECKPOINT_INTERVAL (10 * G_TIME_SPAN_SECOND)
/* The share of a lesson in which the falling learning rate rises first. The optimiser's first steps are as
 * long for chance as for what all picks agree on, until it has seen enough gradients to tell. */
#define RISING_SHARE 0.2
/* So many updates, evenly from all rounds, make a new adapter's start. */
#define SKETCH_UPDATES 40
/* A word moves so many times as fast as an adapter's values, in units of its tokens (PenWord.unit). */
#define WORD_RATE 15

/* Some timesteps of one round, whose gradient is taken at once. */
typedef struct {
    guint epoch, lesson, update, n_updates;
} Update;

void pen_teaching_clear(PenTeaching *t)
{
    g_clear_pointer(&t->trainer, pen_trainer_free);
    g_clear_pointer(&t->adamw, pen_adamw_free);
    g_clear_pointer(&t->adapter, pen_unet_adapter_free);
    g_clear_pointer(&t->lessons, pen_lessons_free);
    g_clear_pointer(&t->updates, g_array_unref);
    g_clear_pointer(&t->style, pen_style_free);
    g_clear_pointer(&t->run, pen_run_free);
    g_clear_pointer(&t->word, pen_word_free);
    g_clear_pointer(&t->v, g_free);
    g_clear_pointer(&t->values, g_free);
    g_clear_pointer(&t->gradient, g_free);
    g_clear_pointer(&t->sum, g_free);
}

/* --- the course ------------------------------------------------------------------------------ */

static guint count_updates(const PenTeaching *t, const PenLesson *lesson)
{
    return pen_curriculum_count_updates((guint)lesson->round->steps, t->run->d3po.timestep_fraction,
                                        t->run->d3po.timesteps_per_update);
}

/* All rounds once, an update of each in turn: the optimiser's momentum then has the mean of what the
 * rounds ask for, and not each round's wishes one after the other. */
static void list_pass(PenTeaching *t, guint epoch)
{
    guint n = t->lessons->list->len, most = 1;
    g_autofree guint *order = g_new(guint, n);
    pen_curriculum_order_rounds(t->run->seed, epoch, n, order);
    for (guint u = 0; u < most; u++)
        for (guint i = 0; i < n; i++) {
            guint n_updates = count_updates(t, pen_lessons_get(t->lessons, order[i]));
            Update update = {epoch, order[i], u, n_updates};
            if (u < n_updates)
                g_array_append_val(t->updates, update);
            most = MAX(most, n_updates);
        }
}

/* The course of the run, which its settings and rounds alone decide. */
void pen_teaching_plan(PenTeaching *t)
{
    guint n = 0;
    for (guint i = 0; i < t->lessons->list->len; i++)
        n += count_updates(t, pen_lessons_get(t->lessons, i));
    pen_curriculum_pace(n, t->run->d3po.updates, &t->passes, &t->together);
    t->updates = g_array_new(FALSE, FALSE, sizeof(Update));
    for (guint epoch = 0; epoch < t->run->d3po.epochs * t->passes; epoch++)
        list_pass(t, epoch);
    t->sketched = MIN(n, SKETCH_UPDATES);
    t->run->steps_total = (int)((t->updates->len + t->together - 1) / t->together);
}

/* --- the adapter ----------------------------------------------------------------------------- */

static void init_values(PenTeaching *t)
{
    for (guint i = 0; i < t->adapter->n_modules; i++) {
        const PenUNetAdapterModule *module = &t->adapter->modules[i];
        pen_adapter_init_down(t->run->seed, module->path, t->adapter->rank,
                              (gsize)t->adapter->rank * module->in, t->values + module->a);
    }
}

/* The version whose values a lesson starts from; 0: a new adapter. A lesson that begins afresh leaves
 * behind what earlier lessons made of these picks, but not an adapter that no lesson made: one that
 * was imported. */
static gboolean find_start(PenTeaching *t, gint64 *start, GError **error)
{
    *start = t->run->from_version;
    while (*start && t->run->d3po.afresh) {
        g_autoptr(PenStyleVersion) version =
            pen_store_get_style_version(t->store, *start, error);
        if (!version)
            return FALSE;
        if (!version->run)
            break;
        *start = version->parent;
    }
    return TRUE;
}

/* What the optimiser moves: the word, or the adapter's values. */
static gsize count_learnt(const PenTeaching *t)
{
    return t->word ? t->word->width : t->adapter->n_values;
}

static float *learnt(PenTeaching *t)
{
    return t->word ? t->v : t->values;
}

static gboolean load_start(PenTeaching *t, GError **error)
{
    const PenModel *model = pen_runtime_model(t->runtime);
    g_autofree float *from = NULL;
    gint64 start;
    if (!find_start(t, &start, error))
        return FALSE;
    t->adapter = start ? pen_studio_load_adapter(t->job->studio, model, start, &from, error)
                       : pen_unet_adapter_new(&model->unet, t->run->d3po.adapter_rank, error);
    if (!t->adapter)
        return FALSE;
    t->is_new = !start;
    gsize n = t->adapter->n_values;
    t->values = g_new0(float, n);
    t->gradient = g_new0(float, n);
    t->sum = g_new0(float, n);
    PenD3poConfig *d3po = &t->run->d3po;
    d3po->word = d3po->word && t->is_new && d3po->hindsight && !d3po->guided;
    if (d3po->word) {
        t->word = pen_word_new(t->runtime, t->adapter, t->job->cancellable, error);
        if (!t->word)
            return FALSE;
        t->v = g_new0(float, t->word->width);
    } else if (from)
        memcpy(t->values, from, n * sizeof *from);
    else
        init_values(t);
    t->adamw = pen_adamw_new(count_learnt(t));
    return TRUE;
}

static GBytes *save_checkpoint(PenTeaching *t, GError **error)
{
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    g_autoptr(GBytes) adamw = pen_adamw_save(t->adamw);
    gsize n = count_learnt(t), size = g_bytes_get_size(adamw);
    pen_safetensors_writer_set_metadata(writer, "format", "penchant checkpoint 1");
    pen_safetensors_writer_add(writer, "values", PEN_SAFETENSOR_F32, 1, &n, learnt(t));
    pen_safetensors_writer_add_bytes(writer, "adamw", PEN_SAFETENSOR_U8, 1, &size, adamw);
    return pen_safetensors_writer_to_bytes(writer, error);
}

static gboolean load_checkpoint(PenTeaching *t, GError **error)
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
    if (values->n_elements != count_learnt(t)) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("The interrupted lesson in “%s” does not fit the model. Start afresh."),
                    path);
        return FALSE;
    }
    g_autoptr(GBytes) bytes = g_bytes_new(state->data, state->size);
    g_clear_pointer(&t->adamw, pen_adamw_free);
    t->adamw = pen_adamw_load(bytes, count_learnt(t), error);
    t->is_new = FALSE;
    t->changed = TRUE;
    return t->adamw && pen_safetensor_to_f32(values, learnt(t), error);
}

gboolean pen_teaching_load(PenTeaching *t, GError **error)
{
    return load_start(t, error) && load_checkpoint(t, error);
}

gboolean pen_teaching_load_lesson(PenTeaching *t, PenLesson *lesson, GError **error)
{
    return pen_lessons_load(t->lessons, lesson, pen_runtime_model(t->runtime)->schedule, error);
}

/* --- gradients ------------------------------------------------------------------------------- */

/* Trajectories keep the reference log-probabilities of the steps that were sampled, under the guided
 * model as it was then: those of other steps and policies, and of a model in 8 bits, are not theirs. */
static gboolean reference_is_kept(const PenTeaching *t)
{
    return !t->run->d3po.hindsight && t->run->d3po.guided && !pen_runtime_eight_bits(t->runtime);
}

/* Whether the loss compares answers with targets, for which it needs the answers. */
static gboolean needs_answers(const PenTeaching *t)
{
    return t->run->d3po.hindsight && !t->run->d3po.guided && !t->word;
}

static gboolean store_trajectory(PenTeaching *t, const PenLesson *lesson, guint i, GError **error)
{
    g_autoptr(GBytes) file = pen_trajectory_save(lesson->trajectories->pdata[i], error);
    return file && pen_store_write(t->store, lesson->files->pdata[i], file, error);
}

/* For all steps at once, so that each trajectory is written once. */
static gboolean fill_reference(PenTeaching *t, const PenLesson *lesson, const PenTrainerRound *round,
                               GError **error)
{
    g_autofree gboolean *changed = g_new0(gboolean, round->n);
    if (!pen_trainer_fill_reference(t->trainer, round, changed, t->job->cancellable, error))
        return FALSE;
    for (guint i = 0; i < round->n; i++)
        if (changed[i] && !store_trajectory(t, lesson, i, error))
            return FALSE;
    return TRUE;
}

static void on_progress(double fraction, gpointer user_data)
{
    PenTeaching *t = user_data;
    pen_job_progress(t->job, (t->done + fraction / t->together) / t->work);
}

static gboolean leaves_out_prompt(const PenTeaching *t, const Update *update,
                                  const PenTrajectory *trajectory)
{
    return !t->run->d3po.guided && trajectory->guidance != 1 && !t->word &&
           pen_curriculum_leaves_out_prompt(t->run->seed, update->epoch, update->lesson,
                                            update->update, update->n_updates);
}

typedef struct {
    PenTrajectory *trajectories[2];
    int ranks[2];
} Pair;

/* Leaves of the round the pair that the update is about; it lives in `pair`. */
static void narrow(const PenTeaching *t, const Update *update, PenTrainerRound *round, Pair *pair)
{
    guint winner, loser;
    if (!pen_curriculum_choose_pair(t->run->seed, update->epoch, update->lesson, update->update,
                                    round->n, round->ranks, &winner, &loser))
        return;
    *pair = (Pair){{round->trajectories[winner], round->trajectories[loser]}, {1, 0}};
    round->trajectories = pair->trajectories;
    round->ranks = pair->ranks;
    round->n = G_N_ELEMENTS(pair->ranks);
}

/*
 * The candidates as a sampler would have come to them from noise that is drawn anew for each update. What
 * the model said when it drew them is a part of their own trajectories, so that there the bare model
 * explains its own pictures better, at the late steps, than any word does.
 */
static gboolean draw_noise(PenTeaching *t, const Update *update, PenTrainerRound *round,
                           GPtrArray *renewed, GError **error)
{
    guint64 place = ((guint64)update->epoch * t->lessons->list->len + update->lesson) * update->n_updates +
                    update->update;
    for (guint i = 0; i < round->n; i++) {
        const PenTrajectory *old = round->trajectories[i];
        PenTrajectory *t_new = pen_forward_trajectory(
            pen_runtime_model(t->runtime), pen_trajectory_latents(old, old->steps), old->height,
            old->width, old->condition, old->steps, old->guidance,
            t->run->seed + place * round->n + i, error);
        if (!t_new)
            return FALSE;
        g_ptr_array_add(renewed, t_new);
    }
    round->trajectories = (PenTrajectory **)renewed->pdata;
    return TRUE;
}

/* The gradient of the loss of an update's timesteps, added to t->sum. */
static gboolean add_gradient(PenTeaching *t, const Update *update, gboolean policy_is_bare,
                             PenTrainerResult *result, GError **error)
{
    PenLesson *lesson = pen_lessons_get(t->lessons, update->lesson);
    if (!pen_teaching_load_lesson(t, lesson, error))
        return FALSE;
    const PenTrajectory *first = lesson->trajectories->pdata[0];
    g_autofree gboolean *trainable = g_new0(gboolean, first->steps);
    g_autofree guint *chosen = g_new0(guint, first->steps);
    g_autofree guint *mine = g_new0(guint, first->steps);
    pen_trainer_trainable_steps(&t->run->d3po, first, trainable);
    PenTrainerRound round = pen_lesson_round(lesson);
    Pair pair;
    if (t->run->d3po.one_pair)
        narrow(t, update, &round, &pair);
    g_autoptr(GPtrArray) renewed = g_ptr_array_new_with_free_func((GDestroyNotify)pen_trajectory_free);
    if (t->word && !draw_noise(t, update, &round, renewed, error))
        return FALSE;
    round.without_prompt = leaves_out_prompt(t, update, first);
    round.hindsight = &t->hindsight;
    round.policy_is_bare = policy_is_bare;
    round.steps = chosen;
    round.n_steps = pen_curriculum_choose_steps(t->run->seed, update->epoch, update->lesson,
                                                first->steps, t->run->d3po.timestep_fraction,
                                                trainable, chosen);
    for (guint i = 0; !reference_is_kept(t) && i < round.n; i++)
        for (guint k = 0; k < first->steps; k++)
            round.trajectories[i]->reference[k] = NAN;
    if (reference_is_kept(t) && !fill_reference(t, lesson, &round, error))
        return FALSE;
    round.steps = mine;
    round.n_steps = pen_curriculum_split_steps(chosen, round.n_steps, update->update,
                                               update->n_updates, mine);
    PenTrainerResult one = {.stats = result->stats};
    if (!pen_trainer_gradient(t->trainer, &round, t->gradient, &one, on_progress, t,
                              t->job->cancellable, error))
        return FALSE;
    for (gsize v = 0; v < t->adapter->n_values; v++)
        t->sum[v] += t->gradient[v];
    result->stats = one.stats;
    t->overflowed += one.overflowed;
    t->done += 1.0 / t->together;
    return TRUE;
}

/* --- the start ------------------------------------------------------------------------------- */

/* An adapter made for these picks (src/learning/adapter-init.h). */
static gboolean sketch(PenTeaching *t, GError **error)
{
    PenTrainerResult result = {0};
    memset(t->values, 0, t->adapter->n_values * sizeof *t->values);
    memset(t->sum, 0, t->adapter->n_values * sizeof *t->sum);
    for (guint i = 0; i < t->adapter->n_modules; i++) {
        const PenUNetAdapterModule *module = &t->adapter->modules[i];
        pen_adapter_init_sketch(t->run->seed, module->path,
                                (gsize)t->adapter->rank * module->out, t->values + module->b);
    }
    if (!pen_unet_adapter_upload(t->adapter, t->values, error))
        return FALSE;
    for (guint i = 0; i < t->sketched; i++) {
        guint place = i * (t->updates->len / (t->passes * t->run->d3po.epochs)) / t->sketched;
        if (!add_gradient(t, &g_array_index(t->updates, Update, place), TRUE, &result, error))
            return FALSE;
    }
    memset(t->values, 0, t->adapter->n_values * sizeof *t->values);
    for (guint i = 0; i < t->adapter->n_modules; i++) {
        const PenUNetAdapterModule *module = &t->adapter->modules[i];
        memcpy(t->values + module->a, t->sum + module->a,
               (gsize)t->adapter->rank * module->in * sizeof *t->values);
        pen_adapter_init_from_sketch(t->run->seed, module->path, t->adapter->rank, module->in,
                                     t->values + module->a);
    }
    return TRUE;
}

/* What the targets follow from, for all lessons. */
static gboolean fit_hindsight(PenTeaching *t, GError **error)
{
    for (guint i = 0; i < t->lessons->list->len && needs_answers(t); i++) {
        PenLesson *lesson = pen_lessons_get(t->lessons, i);
        if (!pen_teaching_load_lesson(t, lesson, error))
            return FALSE;
        PenTrainerRound round = pen_lesson_round(lesson);
        gboolean lacking = FALSE;
        for (guint c = 0; c < round.n; c++)
            lacking = lacking || pen_trajectory_lacks_answers(round.trajectories[c]);
        if (lacking &&
            !pen_trainer_fill_answers(t->trainer, &round, t->job->cancellable, error))
            return FALSE;
        gboolean exact = !pen_runtime_eight_bits(t->runtime);
        for (guint c = 0; c < round.n; c++) {
            if (lacking && exact && !store_trajectory(t, lesson, c, error))
                return FALSE;
            pen_hindsight_add(&t->hindsight, round.trajectories[c]);
        }
    }
    return TRUE;
}

gboolean pen_teaching_start(PenTeaching *t, GError **error)
{
    gboolean sketched = t->is_new && t->run->d3po.afresh && !t->word;
    double before = sketched ? (double)t->sketched / t->together : 0;
    t->work = t->run->steps_total + before;
    t->done = t->step;
    return fit_hindsight(t, error) && (!sketched || sketch(t, error));
}

/* --- steps ----------------------------------------------------------------------------------- */

static gboolean record_step(PenTeaching *t, const PenTrainingStep *row, GError **error)
{
    if (!pen_store_add_training_step(t->store, t->run->id, row, error))
        return FALSE;
    pen_job_event(t->job, &(PenStudioEvent){
                              .kind = PEN_STUDIO_STEP,
                              .step = (guint)row->step,
                              .steps = (guint)t->run->steps_total,
                              .training = row,
                          });
    return TRUE;
}

/* The falling learning rate, as a part of its highest, where `share` of the lesson is done. */
static double rate_at(double share)
{
    return share < RISING_SHARE ? share / RISING_SHARE : (1 - share) / (1 - RISING_SHARE);
}

gboolean pen_teaching_take_step(PenTeaching *t, GError **error)
{
    gint64 since = g_get_monotonic_time();
    gsize n = count_learnt(t);
    PenTrainerResult result = {0};
    guint first = t->step * t->together, end = MIN(first + t->together, t->updates->len);
    memset(t->sum, 0, t->adapter->n_values * sizeof *t->sum);
    if ((t->word && !pen_word_write(t->word, t->v, 1, t->values, error)) ||
        !pen_unet_adapter_upload(t->adapter, t->values, error))
        return FALSE;
    for (guint i = first; i < end; i++)
        if (!add_gradient(t, &g_array_index(t->updates, Update, i), FALSE, &result, error))
            return FALSE;
    for (gsize v = 0; v < t->adapter->n_values; v++)
        t->sum[v] /= (float)(end - first);
    g_autofree float *of_word = t->word ? g_new(float, n) : NULL;
    float *gradient = t->word ? of_word : t->sum;
    if (t->word && !pen_word_gradient(t->word, t->sum, gradient, error))
        return FALSE;
    double rate = t->run->d3po.learning_rate * (t->word ? WORD_RATE * t->word->unit : 1);
    if (t->run->d3po.falling_rate)
        rate *= rate_at((t->step + 0.5) / t->run->steps_total);
    PenAdamwConfig adamw = {
        .learning_rate = rate,
        .beta1 = t->run->d3po.adam_beta1,
        .beta2 = t->run->d3po.adam_beta2,
        .weight_decay = t->run->d3po.weight_decay,
        .epsilon = t->run->d3po.adam_epsilon,
    };
    double norm = pen_clip_grad_norm(gradient, n, t->run->d3po.max_grad_norm);
    if (isfinite(norm) && result.stats.terms) {
        pen_adamw_step(t->adamw, &adamw, learnt(t), gradient);
        t->changed = TRUE;
    }
    PenTrainingStep row = {
        .step = (int)++t->step,
        .loss = pen_d3po_stats_get_loss(&result.stats),
        .margin = pen_d3po_stats_get_margin(&result.stats),
        .agreement = pen_d3po_stats_get_agreement(&result.stats),
        .grad_norm = norm,
        .seconds = (double)(g_get_monotonic_time() - since) * 1e-6,
    };
    return record_step(t, &row, error);
}

gboolean pen_teaching_end(PenTeaching *t, GError **error)
{
    return !t->word || pen_word_write(t->word, t->v, PEN_WORD_STRENGTH, t->values, error);
}

gboolean pen_teaching_keep(PenTeaching *t, gboolean now, GError **error)
{
    gboolean due = !t->checkpointed ||
                   g_get_monotonic_time() - t->checkpointed >= CHECKPOINT_INTERVAL;
    if ((!due && !now) || t->step == t->kept)
        return TRUE;
    g_autoptr(GBytes) checkpoint = save_checkpoint(t, error);
    if (!checkpoint ||
        !pen_store_checkpoint_run(t->store, t->run->id, (int)t->step, checkpoint, error))
        return FALSE;
    t->checkpointed = g_get_monotonic_time();
    t->kept = t->step;
    return TRUE;
}

