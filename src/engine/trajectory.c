// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/engine/trajectory.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/engine/forward.h"
#include "src/formats/safetensors-writer.h"
#include "src/sampling/method.h"

/* A step is a row of the file's table. */
#define STEP_NUMBERS (sizeof(PenStep) / sizeof(double))
#define MAX_STEPS 10000
/* Floats that a thin file may grow to: any more, and it lies. */
#define MAX_THIN ((gsize)1 << 27)

PenTrajectory *pen_trajectory_new(guint32 height, guint32 width, guint32 channels, guint steps,
                                  guint first)
{
    PenTrajectory *t = g_new0(PenTrajectory, 1);
    t->height = height;
    t->width = width;
    t->channels = channels;
    t->steps = steps;
    t->first = first;
    t->table = g_new0(PenStep, steps);
    t->latents = g_new0(float, (steps - first + 1) * pen_trajectory_elements(t));
    t->reference = g_new(double, steps);
    for (guint k = 0; k < steps; k++)
        t->reference[k] = NAN;
    return t;
}

void pen_trajectory_free(PenTrajectory *trajectory)
{
    if (!trajectory)
        return;
    g_free(trajectory->table);
    g_free(trajectory->latents);
    g_free(trajectory->reference);
    g_free(trajectory->condition);
    g_free(trajectory->cond);
    g_free(trajectory->uncond);
    g_free(trajectory->bare[0]);
    g_free(trajectory->bare[1]);
    g_free(trajectory);
}

void pen_trajectory_set_condition(PenTrajectory *trajectory, guint32 channels,
                                  const float *condition)
{
    gsize n = (gsize)trajectory->height * trajectory->width * channels;
    g_free(trajectory->condition);
    trajectory->condition_channels = channels;
    trajectory->condition = g_memdup2(condition, n * sizeof *condition);
}

void pen_trajectory_keep_answers(PenTrajectory *trajectory, gboolean guided)
{
    gsize n = (trajectory->steps - trajectory->first) * pen_trajectory_elements(trajectory);
    trajectory->cond = g_new0(float, n);
    trajectory->uncond = guided ? g_new0(float, n) : NULL;
}

gsize pen_trajectory_elements(const PenTrajectory *trajectory)
{
    return (gsize)trajectory->height * trajectory->width * trajectory->channels;
}

float *pen_trajectory_latents(const PenTrajectory *trajectory, guint step)
{
    return trajectory->latents + (step - trajectory->first) * pen_trajectory_elements(trajectory);
}

float *pen_trajectory_answer(const PenTrajectory *trajectory, float *answers, guint step)
{
    return answers ? answers + (step - trajectory->first) * pen_trajectory_elements(trajectory)
                   : NULL;
}

gboolean pen_trajectory_lacks_answers(const PenTrajectory *trajectory)
{
    return !trajectory->cond && !trajectory->undrawn;
}

gsize pen_trajectory_bytes(const PenTrajectory *trajectory)
{
    /* Latents, two answers of who drew it and as many of the bare model. */
    return 5 * (trajectory->steps - trajectory->first + 1) * pen_trajectory_elements(trajectory) *
           sizeof(float);
}

const float *pen_trajectory_get_bare(const PenTrajectory *trajectory, guint step,
                                     gboolean without_prompt)
{
    const float *answer =
        pen_trajectory_answer(trajectory, trajectory->bare[without_prompt], step);
    return answer && !isnan(*answer) ? answer : NULL;
}

void pen_trajectory_set_bare(PenTrajectory *trajectory, guint step, gboolean without_prompt,
                             const float *answer)
{
    float **bare = &trajectory->bare[without_prompt];
    gsize n = pen_trajectory_elements(trajectory), steps = trajectory->steps - trajectory->first;
    if (!*bare) {
        *bare = g_new(float, steps * n);
        for (gsize k = 0; k < steps; k++)
            (*bare)[k * n] = NAN;
    }
    memcpy(pen_trajectory_answer(trajectory, *bare, step), answer, n * sizeof *answer);
}

void pen_trajectory_offset(const PenTrajectory *t, guint k, double *offset)
{
    const PenStep *step = &t->table[k];
    const float *x[PEN_STEP_HISTORY] = { NULL }, *x0[PEN_STEP_HISTORY] = { NULL };
    gsize n = pen_trajectory_elements(t);
    g_autofree float *guesses = g_new(float, (PEN_STEP_HISTORY - 1) * n);
    for (guint j = 0; j < PEN_STEP_HISTORY && j <= k - t->first; j++) {
        x[j] = pen_trajectory_latents(t, k - j);
        if (j == 0 || step->from_x0[j] == 0)
            continue;
        PenModelOutput answer = {
            .cond = pen_trajectory_answer(t, t->cond, k - j),
            .uncond = pen_trajectory_answer(t, t->uncond, k - j),
            .guidance = t->guidance,
            .rescale = t->guidance_rescale,
        };
        float *guess = guesses + (j - 1) * n;
        pen_step_predict_x0(&t->table[k - j], n, x[j], &answer, guess);
        x0[j] = guess;
    }
    pen_step_offset(step, n, x, x0, offset);
}

GBytes *pen_trajectory_save(const PenTrajectory *t, GError **error)
{
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    gsize steps = t->steps;
    pen_safetensors_writer_set_metadata(writer, "format", "penchant trajectory 2");
    pen_safetensors_writer_add(writer, "steps", PEN_SAFETENSOR_F64, 2,
                               (gsize[]){steps, STEP_NUMBERS}, t->table);
    pen_safetensors_writer_add(writer, "guidance", PEN_SAFETENSOR_F64, 1, (gsize[]){1},
                               &t->guidance);
    if (t->guidance_rescale != 0)
        pen_safetensors_writer_add(writer, "guidance_rescale", PEN_SAFETENSOR_F64, 0, NULL,
                                   &t->guidance_rescale);
    pen_safetensors_writer_add(writer, "reference_log_prob", PEN_SAFETENSOR_F64, 1, &steps,
                               t->reference);
    pen_safetensors_writer_add(writer, "latents", PEN_SAFETENSOR_F32, 4,
                               (gsize[]){steps - t->first + 1, t->height, t->width, t->channels},
                               t->latents);
    if (t->condition)
        pen_safetensors_writer_add(writer, "condition", PEN_SAFETENSOR_F32, 3,
                                   (gsize[]){t->height, t->width, t->condition_channels},
                                   t->condition);
    static const gint32 yes = 1;
    if (t->undrawn)
        pen_safetensors_writer_add(writer, "undrawn", PEN_SAFETENSOR_I32, 1, (gsize[]){1}, &yes);
    gsize answers[4] = {steps - t->first, t->height, t->width, t->channels};
    if (t->cond) {
        pen_safetensors_writer_add(writer, "drawn_scale", PEN_SAFETENSOR_F64, 1, (gsize[]){1},
                                   &t->drawn_scale);
        pen_safetensors_writer_add_floats(writer, "cond", PEN_SAFETENSOR_F16, 4, answers, t->cond);
    }
    if (t->cond && t->uncond)
        pen_safetensors_writer_add_floats(writer, "uncond", PEN_SAFETENSOR_F16, 4, answers,
                                          t->uncond);
    return pen_safetensors_writer_to_bytes(writer, error);
}

static gboolean damaged(const char *path, GError **error)
{
    g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                _("“%s” is not a candidate's trajectory or is damaged; its round cannot be learnt "
                  "from."),
                path);
    return FALSE;
}

static gboolean all_finite(const float *values, gsize n)
{
    gboolean finite = TRUE;
    for (gsize i = 0; i < n; i++)
        finite = finite && isfinite(values[i]);
    return finite;
}

/* `*sound` becomes FALSE where it does not fit the latents. */
static gboolean load_condition(PenTrajectory *t, const PenSafetensors *file, gboolean *sound,
                               GError **error)
{
    const PenSafetensor *condition = pen_safetensors_lookup(file, "condition");
    if (!condition)
        return TRUE;
    *sound = *sound && condition->n_dims == 3 && condition->dims[0] == t->height &&
             condition->dims[1] == t->width && condition->n_elements > 0 &&
             condition->dims[2] <= 256;
    if (!*sound)
        return TRUE;
    g_autofree float *values = g_new(float, condition->n_elements);
    if (!pen_safetensor_to_f32(condition, values, error))
        return FALSE;
    *sound = all_finite(values, condition->n_elements);
    pen_trajectory_set_condition(t, (guint32)condition->dims[2], values);
    return TRUE;
}

/* What the model said, if the file has it. */
static gboolean load_answers(PenTrajectory *t, const PenSafetensors *file, gboolean *sound,
                             GError **error)
{
    t->undrawn = pen_safetensors_lookup(file, "undrawn") != NULL;
    const PenSafetensor *scale = pen_safetensors_lookup(file, "drawn_scale");
    const PenSafetensor *cond = pen_safetensors_lookup(file, "cond");
    const PenSafetensor *uncond = pen_safetensors_lookup(file, "uncond");
    gsize n = (t->steps - t->first) * pen_trajectory_elements(t);
    if (!cond)
        return TRUE;
    *sound = *sound && !t->undrawn && scale && scale->n_elements == 1 && scale->type == PEN_SAFETENSOR_F64 &&
             cond->n_elements == n && (!uncond || uncond->n_elements == n);
    if (!*sound)
        return TRUE;
    pen_trajectory_keep_answers(t, uncond != NULL);
    memcpy(&t->drawn_scale, scale->data, sizeof t->drawn_scale);
    if (!pen_safetensor_to_f32(cond, t->cond, error) ||
        (uncond && !pen_safetensor_to_f32(uncond, t->uncond, error)))
        return FALSE;
    *sound = isfinite(t->drawn_scale) && all_finite(t->cond, n) &&
             (!uncond || all_finite(t->uncond, n));
    return TRUE;
}

/* The table of a file of versions that had DDIM alone. */
static gboolean load_timesteps(PenTrajectory *t, const PenSafetensors *file,
                               const PenSchedule *schedule, gboolean *sound, GError **error)
{
    const PenSafetensor *timesteps = pen_safetensors_require(file, "timesteps", error);
    const PenSafetensor *settings =
        timesteps ? pen_safetensors_require(file, "guidance_eta", error) : NULL;
    double pair[2];
    if (!settings)
        return FALSE;
    *sound = timesteps->n_elements == t->steps && settings->n_elements == 2 &&
             settings->type == PEN_SAFETENSOR_F64;
    if (!*sound)
        return TRUE;
    memcpy(pair, settings->data, sizeof pair);
    g_autofree gint64 *numbers = g_new(gint64, t->steps);
    g_autofree int *list = g_new(int, t->steps);
    if (!pen_safetensor_to_i64(timesteps, numbers, error))
        return FALSE;
    for (guint k = 0; k < t->steps; k++)
        list[k] = (int)CLAMP(numbers[k], -1, G_MAXINT);
    PenSampling sampling = {
        .method = pen_methods()[0],
        .timesteps = list,
        .steps = t->steps,
        .eta = pair[1],
    };
    g_autoptr(PenSteps) steps = pen_sampling_steps(&sampling, schedule, NULL);
    *sound = steps != NULL;
    if (*sound)
        memcpy(t->table, steps->step, t->steps * sizeof *t->table);
    t->guidance = pair[0];
    return TRUE;
}

/* What the sampler did, and the guidance. */
static gboolean load_table(PenTrajectory *t, const PenSafetensors *file,
                           const PenSchedule *schedule, gboolean *sound, GError **error)
{
    const PenSafetensor *steps = pen_safetensors_lookup(file, "steps");
    const PenSafetensor *guidance = pen_safetensors_lookup(file, "guidance");
    if (!steps)
        return load_timesteps(t, file, schedule, sound, error);
    *sound = steps->type == PEN_SAFETENSOR_F64 && steps->n_elements == t->steps * STEP_NUMBERS &&
             guidance && guidance->type == PEN_SAFETENSOR_F64 && guidance->n_elements == 1;
    if (!*sound)
        return TRUE;
    memcpy(t->table, steps->data, t->steps * sizeof *t->table);
    memcpy(&t->guidance, guidance->data, sizeof t->guidance);
    for (gsize i = 0; i < t->steps * STEP_NUMBERS; i++)
        *sound = *sound && isfinite(((const double *)(gpointer)t->table)[i]);
    /* No step looks back beyond the first one that was taken. */
    for (guint k = t->first; k < t->steps; k++)
        for (guint j = k - t->first + 1; j < PEN_STEP_HISTORY; j++)
            *sound = *sound && t->table[k].from_x[j] == 0 && t->table[k].from_x0[j] == 0;
    return TRUE;
}

/* Whether what a step looks back on is there. */
static gboolean has_history(const PenTrajectory *t)
{
    gboolean looks_back = FALSE;
    for (guint k = t->first; k < t->steps; k++)
        for (guint j = 1; j < PEN_STEP_HISTORY; j++)
            looks_back = looks_back || t->table[k].from_x0[j] != 0;
    return !looks_back || t->cond != NULL;
}

static PenTrajectory *load_thin(const char *path, const PenSafetensors *file,
                                const PenSafetensor *finished, const PenSchedule *schedule,
                                GError **error)
{
    const PenSafetensor *weight = pen_safetensors_require(file, "guidance", error);
    const PenSafetensor *counts =
        weight ? pen_safetensors_require(file, "steps_seed", error) : NULL;
    double guidance = NAN;
    gint64 numbers[2] = { 0 }; /* steps, and the noise's seed */
    if (!counts)
        return NULL;
    if (weight->type == PEN_SAFETENSOR_F64 && weight->n_elements == 1 &&
        counts->type == PEN_SAFETENSOR_I64 && counts->n_elements == 2 && finished->n_dims == 3 &&
        finished->n_elements > 0) {
        memcpy(&guidance, weight->data, sizeof guidance);
        memcpy(numbers, counts->data, sizeof numbers);
    }
    if (!isfinite(guidance) || numbers[0] < 1 || numbers[0] > MAX_STEPS ||
        finished->n_elements > MAX_THIN / (gsize)(numbers[0] + 1)) {
        damaged(path, error);
        return NULL;
    }
    g_autoptr(PenTrajectory) t =
        pen_trajectory_new((guint32)finished->dims[0], (guint32)finished->dims[1],
                           (guint32)finished->dims[2], (guint)numbers[0], 0);
    float *latents = pen_trajectory_latents(t, t->steps);
    t->guidance = guidance;
    if (!pen_safetensor_to_f32(finished, latents, error))
        return NULL;
    gboolean sound = all_finite(latents, finished->n_elements);
    if (!load_condition(t, file, &sound, error))
        return NULL;
    if (!sound) {
        damaged(path, error);
        return NULL;
    }
    return pen_forward_fill(t, schedule, (guint64)numbers[1], error) ? g_steal_pointer(&t) : NULL;
}

GBytes *pen_trajectory_thin(const char *path, guint64 seed, GError **error)
{
    g_autoptr(PenSafetensors) file = pen_safetensors_open(path, error);
    if (!file)
        return NULL;
    if (pen_safetensors_lookup(file, "finished")) { /* it is thin already */
        char *data;
        gsize size;
        return g_file_get_contents(path, &data, &size, error) ? g_bytes_new_take(data, size) : NULL;
    }
    const PenSafetensor *reference = pen_safetensors_require(file, "reference_log_prob", error);
    const PenSafetensor *latents = reference ? pen_safetensors_require(file, "latents", error) : NULL;
    if (!latents)
        return NULL;
    /* Versions that had DDIM alone wrote eta behind it. */
    const PenSafetensor *guidance = pen_safetensors_lookup(file, "guidance");
    if (!guidance)
        guidance = pen_safetensors_require(file, "guidance_eta", error);
    if (!guidance)
        return NULL;
    if (latents->n_dims != 4 || latents->dims[0] < 2 || latents->n_elements == 0 ||
        guidance->type != PEN_SAFETENSOR_F64 || guidance->n_elements == 0) {
        damaged(path, error);
        return NULL;
    }
    gsize n = latents->n_elements / latents->dims[0];
    g_autofree float *all = g_new(float, latents->n_elements);
    gint64 steps_seed[2] = { (gint64)reference->n_elements, (gint64)seed };
    const PenSafetensor *condition = pen_safetensors_lookup(file, "condition");
    if (!pen_safetensor_to_f32(latents, all, error))
        return NULL;
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    pen_safetensors_writer_set_metadata(writer, "format", "penchant thin trajectory 1");
    pen_safetensors_writer_add(writer, "steps_seed", PEN_SAFETENSOR_I64, 1, (gsize[]){2},
                               steps_seed);
    pen_safetensors_writer_add(writer, "guidance", PEN_SAFETENSOR_F64, 1, (gsize[]){1},
                               guidance->data);
    pen_safetensors_writer_add(writer, "finished", PEN_SAFETENSOR_F32, 3, latents->dims + 1,
                               all + latents->n_elements - n);
    if (condition)
        pen_safetensors_writer_add(writer, "condition", condition->type, condition->n_dims,
                                   condition->dims, condition->data);
    return pen_safetensors_writer_to_bytes(writer, error);
}

PenTrajectory *pen_trajectory_load(const char *path, const PenSchedule *schedule, GError **error)
{
    g_autoptr(PenSafetensors) file = pen_safetensors_open(path, error);
    if (!file)
        return NULL;
    const PenSafetensor *finished = pen_safetensors_lookup(file, "finished");
    if (finished)
        return load_thin(path, file, finished, schedule, error);
    const PenSafetensor *reference = pen_safetensors_require(file, "reference_log_prob", error);
    const PenSafetensor *latents =
        reference ? pen_safetensors_require(file, "latents", error) : NULL;
    if (!latents)
        return NULL;
    gsize steps = reference->n_elements;
    if (reference->type != PEN_SAFETENSOR_F64 || latents->n_dims != 4 || steps == 0 ||
        steps > MAX_STEPS || latents->dims[0] < 2 || latents->dims[0] > steps + 1 ||
        latents->n_elements == 0) {
        damaged(path, error);
        return NULL;
    }
    g_autoptr(PenTrajectory) t = pen_trajectory_new(
        (guint32)latents->dims[1], (guint32)latents->dims[2], (guint32)latents->dims[3],
        (guint)steps, (guint)(steps + 1 - latents->dims[0]));
    gboolean sound = TRUE;
    if (!pen_safetensor_to_f32(latents, t->latents, error) ||
        !load_table(t, file, schedule, &sound, error))
        return NULL;
    memcpy(t->reference, reference->data, steps * sizeof *t->reference);
    const PenSafetensor *rescale = pen_safetensors_lookup(file, "guidance_rescale");
    if (rescale && rescale->n_elements == 1 && rescale->type == PEN_SAFETENSOR_F64)
        memcpy(&t->guidance_rescale, rescale->data, sizeof t->guidance_rescale);
    sound = sound && t->guidance_rescale >= 0 && t->guidance_rescale <= 1;
    sound = sound && isfinite(t->guidance) && all_finite(t->latents, latents->n_elements);
    if (!load_condition(t, file, &sound, error) || !load_answers(t, file, &sound, error))
        return NULL;
    if (!sound || !has_history(t)) {
        damaged(path, error);
        return NULL;
    }
    return g_steal_pointer(&t);
}
