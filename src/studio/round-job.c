// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/round-work.h"
#include "src/studio/thinning.h"

void pen_round_result_free(PenRoundResult *result)
{
    if (!result)
        return;
    for (guint i = 0; result->rgb && i < result->n; i++)
        g_free(result->rgb[i]);
    g_free(result->rgb);
    g_free(result->model_name);
    g_free(result->model_hash);
    g_free(result);
}

static void round_clear(PenRoundWork *r)
{
    pen_origin_clear(&r->origin);
    pen_guess_clear(&r->guess);
    g_clear_pointer(&r->adapter, pen_unet_adapter_free);
    g_clear_pointer(&r->model, pen_model_unref);
    g_clear_pointer(&r->start, g_free);
    g_clear_pointer(&r->condition, g_free);
    g_clear_pointer(&r->spec, g_free);
    g_clear_pointer(&r->prompt, pen_prompt_free);
    g_clear_pointer(&r->negative, pen_prompt_free);
    pen_sampling_choice_clear(&r->sampling);
}

/* The round that the store has already, if it was asked for once. */
static gboolean find_made(PenRoundWork *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    g_autoptr(PenRound) row = request->once || request->only_look ? pen_round_describe(r) : NULL;
    if (row && !pen_store_find_same_round(r->job->studio->store, row, request->count,
                                          &r->result->round, error))
        return FALSE;
    r->result->was_there = r->result->round != 0;
    return TRUE;
}

/* What comes of older rounds is no matter of this one, so it does not fail by it. */
static void keep_budget(PenJob *job)
{
    g_autoptr(GError) error = NULL;
    guint64 budget = 0;
    PenThinning done;
    if (pen_store_get_trajectory_budget(job->studio->store, &budget, &error) && budget)
        pen_studio_thin(job->studio, budget, &done, &error);
    if (error)
        pen_job_notice(job, error->message);
}

static gpointer make(PenJob *job, PenRoundInput *input, GError **error)
{
    PenRoundWork r = { .job = job, .input = input, .result = g_new0(PenRoundResult, 1) };
    gint64 style = r.input->request.style;
    gboolean ok = TRUE;
    if (style) {
        r.input->style = pen_store_get_style(job->studio->store, style, error);
        ok = r.input->style != NULL;
    }
    ok = ok && pen_round_plan(&r, error) && find_made(&r, error);
    if (!r.result->was_there && !r.input->request.only_look) {
        ok = ok && pen_round_draw(&r, error);
        ok = pen_round_end(&r, ok, ok ? error : NULL) && ok;
    }
    if (ok && !r.result->was_there)
        keep_budget(job);
    round_clear(&r);
    if (!ok)
        g_clear_pointer(&r.result, pen_round_result_free);
    return r.result;
}

static gpointer run(PenJob *job, GError **error)
{
    return make(job, job->input, error);
}

gpointer pen_job_make_round(PenJob *job, const PenRoundRequest *request, GError **error)
{
    PenRoundInput *input = pen_round_input_new(request);
    gpointer result = make(job, input, error);
    pen_round_input_free(input);
    return result;
}

void pen_studio_generate_async(PenStudio *studio, const PenRoundRequest *request,
                               PenStudioEventFunc event, gpointer event_data,
                               GCancellable *cancellable, GAsyncReadyCallback callback,
                               gpointer user_data)
{
    pen_job_start(studio, run, pen_round_input_new(request), pen_round_input_free,
                  (GDestroyNotify)pen_round_result_free, event, event_data, cancellable, callback,
                  user_data, pen_studio_generate_async);
}

PenRoundResult *pen_studio_generate_finish(PenStudio *studio G_GNUC_UNUSED, GAsyncResult *result,
                                           GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
