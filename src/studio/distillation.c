// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/studio/distillation.h"

#include <math.h>
#include <string.h>

#include "src/engine/distiller.h"
#include "src/engine/forward.h"

#define PICTURES_PER_STEP 2 /* with two texts each */

guint pen_distillation_count_steps(const PenTeaching *t)
{
    gboolean guided = FALSE;
    for (guint i = 0; t->word && i < t->lessons->list->len; i++)
        guided = guided || pen_lessons_get(t->lessons, i)->round->guidance != 1;
    return guided ? (guint)t->run->steps_total : 0;
}

static gboolean begin(PenTeaching *t, PenDistiller *distiller, GError **error)
{
    if (t->distil_adamw)
        return TRUE;
    if (!pen_word_write(t->word, t->v, PEN_WORD_STRENGTH, t->values, error))
        return FALSE;
    pen_distiller_start(distiller, t->run->seed, t->values);
    t->distil_adamw = pen_adamw_new(t->adapter->n_values);
    return TRUE;
}

/* Adds the gradient for a text; numbers that overflow add none. */
static gboolean add_text(PenTeaching *t, PenDistiller *distiller, const PenTrajectory *noised, guint k,
                         const PenConditioning *text, double *loss, GError **error)
{
    GError *failure = NULL;
    if (pen_distiller_add_gradient(distiller, noised, k, text, noised->guidance, t->sum, loss,
                                   t->job->cancellable, &failure))
        return TRUE;
    if (!g_error_matches(failure, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FINITE)) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    g_error_free(failure);
    t->overflowed++;
    return TRUE;
}

/* Adds the gradient for a picture of the lesson, noised to one of its steps. */
static gboolean add_picture(PenTeaching *t, PenDistiller *distiller, guint number, GRand *lot,
                            double *loss, GError **error)
{
    PenLesson *lesson = pen_lessons_get(t->lessons, number % t->lessons->list->len);
    if (!pen_teaching_load_lesson(t, lesson, error))
        return FALSE;
    guint candidate = (guint)g_rand_int_range(lot, 0, (gint32)lesson->trajectories->len);
    guint random_text = g_rand_int(lot);
    const PenTrajectory *old = lesson->trajectories->pdata[candidate];
    guint k = (guint)g_rand_int_range(lot, (gint32)old->first, (gint32)old->steps);
    guint64 seed = (guint64)g_rand_int(lot) << 32 | g_rand_int(lot);
    g_autoptr(PenTrajectory) noised = pen_forward_trajectory(
        pen_runtime_model(t->runtime), pen_trajectory_latents(old, old->steps), old->height, old->width,
        old->condition, old->steps, old->guidance, seed, error);
    const PenConditioning *prompt = number / t->lessons->list->len % 2
                                        ? pen_distiller_text(distiller, random_text)
                                        : lesson->cond;
    return noised && add_text(t, distiller, noised, k, prompt, loss, error) &&
           add_text(t, distiller, noised, k, lesson->uncond, loss, error);
}

static gboolean take_step(PenTeaching *t, PenDistiller *distiller, GError **error)
{
    const guint32 seeds[] = {(guint32)t->run->seed, (guint32)(t->run->seed >> 32), t->distilled};
    g_autoptr(GRand) lot = g_rand_new_with_seed_array(seeds, G_N_ELEMENTS(seeds));
    gsize n = t->adapter->n_values;
    double loss = 0;
    memset(t->sum, 0, n * sizeof *t->sum);
    if (!pen_unet_adapter_upload(t->adapter, t->values, error))
        return FALSE;
    for (guint i = 0; i < PICTURES_PER_STEP; i++)
        if (!add_picture(t, distiller, t->distilled * PICTURES_PER_STEP + i, lot, &loss, error))
            return FALSE;
    for (gsize v = 0; v < n; v++)
        t->sum[v] /= 2 * PICTURES_PER_STEP;
    PenAdamwConfig adamw = pen_teaching_optimiser(t, ((double)t->distilled + 0.5) / t->to_distil);
    double norm = pen_clip_grad_norm(t->sum, n, t->run->d3po.max_grad_norm);
    if (isfinite(norm) && loss > 0)
        pen_adamw_step(t->distil_adamw, &adamw, t->values, t->sum);
    g_debug("distillation step %u: %g of the push", t->distilled, loss / (2 * PICTURES_PER_STEP));
    t->distilled++;
    return TRUE;
}

gboolean pen_distillation_run(PenTeaching *t, GError **error)
{
    g_clear_pointer(&t->trainer, pen_trainer_free);
    g_autoptr(PenDistiller) distiller = pen_distiller_new(t->runtime, t->adapter, t->v, t->run->seed,
                                                          t->job->cancellable, error);
    if (!distiller || !begin(t, distiller, error))
        return FALSE;
    while (t->distilled < t->to_distil) {
        pen_job_progress(t->job, t->done / t->work);
        if (!take_step(t, distiller, error) || !pen_teaching_keep(t, FALSE, error) ||
            g_cancellable_set_error_if_cancelled(t->job->cancellable, error)) {
            pen_teaching_keep(t, TRUE, NULL);
            return FALSE;
        }
        t->done++;
    }
    pen_distiller_finish(distiller, t->values);
    return TRUE;
}
