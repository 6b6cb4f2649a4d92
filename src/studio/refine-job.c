// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "src/engine/enlarge.h"
#include "src/formats/png.h"
#include "src/studio/job.h"

#define LARGEST 4096 /* pixels a side, as for rounds */

static gboolean invalid(GError **error, const char *message)
{
    g_set_error_literal(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID, message);
    return FALSE;
}

static gboolean check(const PenRefineRequest *request, GError **error)
{
    if (!(request->scale >= 1 && request->scale <= 8))
        return invalid(error, _("A picture can be made 1 to 8 times as large; 2 is usual."));
    if (!(request->strength >= 0 && request->strength <= 1))
        return invalid(error, _("The strength must be between 0 and 1."));
    return TRUE;
}

static PenPng *read_candidate(PenStore *store, const PenRefineRequest *request, GError **error)
{
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, request->round, error);
    if (!candidates)
        return NULL;
    const PenCandidate *candidate = request->place >= 0 && request->place < (int)candidates->len
                                        ? candidates->pdata[request->place]
                                        : NULL;
    if (!candidate || !candidate->picture_file) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND,
                    _("Round %d has no finished candidate %d; they count from 0."),
                    (int)request->round, request->place);
        return NULL;
    }
    g_autofree char *path = pen_store_path(store, candidate->picture_file);
    return pen_png_read(path, error);
}

/* The style whose version drew the round. */
static gboolean find_style(PenStore *store, const PenRound *round, PenRoundRequest *request,
                           GError **error)
{
    if (!round->style_version && round->style_strength != 0)
        return pen_studio_invalid(error,
                                  _("Round %d was drawn with a style that is not here: it can be "
                                    "refined where it was made."),
                                  (int)round->id);
    if (!round->style_version)
        return TRUE;
    g_autoptr(PenStyleVersion) version =
        pen_store_get_style_version(store, round->style_version, error);
    if (!version)
        return FALSE;
    request->style = version->style;
    request->style_version = version->id;
    request->style_strength = round->style_strength;
    return TRUE;
}

/* Multiples of `multiple` in the picture's proportions. */
static gboolean choose_size(const PenRefineRequest *request, const PenPng *png, guint multiple,
                            guint *width, guint *height, GError **error)
{
    double scale = MAX(request->scale, MAX((double)request->least_width / png->width,
                                           (double)request->least_height / png->height));
    double room = (double)LARGEST / MAX(png->width, png->height);
    if (request->scale > room) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("The picture would have more than %d pixels a side: choose a smaller scale."),
                    LARGEST);
        return FALSE;
    }
    scale = MIN(scale, room);
    *width = MAX((guint)lround(png->width * scale / multiple), 1) * multiple;
    *height = MAX((guint)lround(png->height * scale / multiple), 1) * multiple;
    *width = MAX(*width, png->width);
    *height = MAX(*height, png->height);
    return TRUE;
}

static gpointer run(PenJob *job, GError **error)
{
    const PenRefineRequest *input = job->input;
    PenStore *store = job->studio->store;
    if (!check(input, error))
        return NULL;
    g_autoptr(PenRound) round = pen_store_get_round(store, input->round, error);
    g_autoptr(PenPng) png = round ? read_candidate(store, input, error) : NULL;
    if (!png)
        return NULL;
    PenRoundRequest request = pen_round_request_again(round);
    /* How the model is usually drawn with, and without fresh noise. */
    request.sampler = request.timesteps = NULL;
    request.steps = 0;
    request.eta = 0;
    request.tiles = TRUE;
    request.start_strength = input->strength;
    if (!find_style(store, round, &request, error))
        return NULL;
    g_autoptr(PenModelInfo) info =
        pen_studio_model_info(job->studio, request.model, request.style, error);
    if (!info || !choose_size(input, png, info->multiple, &request.width, &request.height, error))
        return NULL;

    gsize n = (gsize)png->width * png->height;
    g_autofree guint8 *rgb = g_new(guint8, n * 3);
    for (gsize i = 0; i < n * 3; i++)
        rgb[i] = png->rgba[i / 3 * 4 + i % 3];
    g_autofree guint8 *start =
        pen_enlarge(rgb, png->width, png->height, request.width, request.height);
    request.start_rgb = start;
    return pen_job_make_round(job, &request, error);
}

void pen_studio_refine_async(PenStudio *studio, const PenRefineRequest *request,
                             PenStudioEventFunc event, gpointer event_data,
                             GCancellable *cancellable, GAsyncReadyCallback callback,
                             gpointer user_data)
{
    pen_job_start(studio, run, g_memdup2(request, sizeof *request), g_free,
                  (GDestroyNotify)pen_round_result_free, event, event_data, cancellable, callback,
                  user_data, pen_studio_refine_async);
}

PenRoundResult *pen_studio_refine_finish(PenStudio *studio G_GNUC_UNUSED, GAsyncResult *result,
                                         GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
