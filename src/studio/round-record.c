// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <string.h>

#include "src/formats/picture-settings.h"
#include "src/formats/png.h"
#include "src/models/user-files.h"
#include "src/sampling/noise.h"
#include "src/studio/own-picture.h"
#include "src/studio/round-work.h"

static gboolean record_start(PenRoundWork *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    if (!request->start_rgb)
        return TRUE;
    g_autoptr(GBytes) picture =
        pen_png_to_bytes(request->start_rgb, request->width, request->height, 3, 0, NULL, 0, error);
    g_autoptr(GBytes) mask = NULL;
    if (picture && request->start_mask)
        mask = pen_png_to_bytes(request->start_mask, request->width, request->height, 1, 0, NULL, 0,
                                error);
    return picture && (mask || !request->start_mask) &&
           pen_store_set_round_start(r->job->studio->store, r->result->round, picture, mask, error);
}

static gboolean record_place(PenRoundWork *r, GError **error)
{
    const PenPlace *place = r->input->request.place;
    const guint8 *pixels = r->input->request.place_mask;
    g_autoptr(GBytes) mask = NULL;
    if (place && pixels)
        mask = pen_png_to_bytes(pixels, (guint)place->width, (guint)place->height, 1, 0, NULL, 0,
                                error);
    return !place ||
           ((mask || !pixels) &&
            pen_store_set_place(r->job->studio->store, r->result->round, place, mask, error));
}

PenRound *pen_round_describe(const PenRoundWork *r)
{
    const PenRoundRequest *request = &r->input->request;
    PenDevice *device = pen_runtime_device(r->runtime);
    gboolean v = pen_schedule_get_prediction(r->model->schedule) == PEN_PREDICTION_V;
    const PenStyle *style = r->input->style;
    g_autofree char *own_picture = request->own_rgb
                                       ? pen_own_picture_hash(request->own_rgb, request->width,
                                                              request->height, request->prompt)
                                       : NULL;
    g_autofree char *sampler = pen_method_full_name(r->sampling.method, r->sampling.spread);
    g_autofree char *timesteps = pen_sampling_choice_timesteps(&r->sampling, request->steps);
    PenRound row = {
        .id = request->wished_round,
        .style = pen_round_teaches(r) ? style->id : 0,
        .style_version = pen_round_version(r),
        .style_strength = r->scale,
        .prompt = (char *)request->prompt,
        .negative_prompt = (char *)request->negative_prompt,
        .words = request->words,
        .clip_skip = (int)MAX(request->clip_skip, 1),
        .model_path = r->spec,
        .model_name = r->model->name,
        .model_hash = r->model->identity,
        .width = (int)request->width,
        .height = (int)request->height,
        .steps = (int)request->steps,
        .guidance = request->guidance,
        .guidance_rescale = request->guidance_rescale,
        .eta = request->eta,
        .seed = r->result->seed,
        .sampler = sampler,
        .timesteps = timesteps,
        .prediction_type = (char *)(v ? "v_prediction" : "epsilon"),
        .device = (char *)pen_device_info(device)->name,
        .precision = (char *)(pen_runtime_dtype(r->runtime) == PEN_DTYPE_F16 ? "f16" : "f32"),
        .start = !request->start_rgb   ? PEN_START_TEXT
                 : request->start_mask ? PEN_START_SELECTION
                                       : PEN_START_PICTURE,
        .start_strength = request->start_rgb ? request->start_strength : 0,
        .made = (int)r->guess.made,
        .origin = r->origin.candidate,
        .own_picture = own_picture,
    };
    return pen_round_copy(&row);
}

gboolean pen_round_record(PenRoundWork *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    g_autoptr(PenRound) row = pen_round_describe(r);
    guint64 seeds[PEN_ROUND_MAX];
    for (guint i = 0; i < request->count; i++)
        seeds[i] = pen_noise_derive_seed(r->result->seed, PEN_STREAM_CANDIDATE, r->guess.chosen[i]);
    r->result->round =
        pen_store_begin_round(r->job->studio->store, row, seeds, request->count, error);
    if (!r->result->round)
        return FALSE;
    if (!record_start(r, error) || !record_place(r, error))
        return FALSE;
    pen_job_event(r->job, &(PenStudioEvent){ .kind = PEN_STUDIO_ROUND, .round = r->result->round });
    return TRUE;
}

/* "NAME:STRENGTH, NAME:STRENGTH", or NULL. */
static char *list_adapters(const PenModelSpec *spec)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < spec->loras->len; i++) {
        const PenModelLora *lora = spec->loras->pdata[i];
        g_autofree char *name = pen_user_file_stem(lora->file);
        char strength[G_ASCII_DTOSTR_BUF_SIZE];
        g_ascii_formatd(strength, sizeof strength, "%g", lora->strength);
        g_string_append_printf(text, "%s%s:%s", text->len ? ", " : "", name, strength);
    }
    return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

static char *settings_text(const PenRoundWork *r, guint place)
{
    const PenRoundRequest *request = &r->input->request;
    g_autoptr(PenPictureSettings) settings = pen_picture_settings_new();
    settings->prompt = g_strdup(request->prompt);
    settings->negative = g_strdup(request->negative_prompt);
    settings->words = request->words;
    settings->clip_skip = (int)request->clip_skip;
    settings->steps = (int)request->steps;
    settings->sampler = pen_method_full_name(r->sampling.method, r->sampling.spread);
    settings->timesteps = pen_sampling_choice_timesteps(&r->sampling, request->steps);
    settings->guidance = request->guidance;
    settings->guidance_rescale = request->guidance_rescale;
    if (pen_method_uses_eta(r->sampling.method))
        settings->eta = request->eta;
    settings->has_seed = TRUE;
    settings->seed = r->result->seed;
    settings->candidate = (int)r->guess.chosen[place];
    settings->width = request->width;
    settings->height = request->height;
    settings->model_hash = g_strndup(r->model->identity, 10);
    settings->model = g_strdup(r->model->name);
    settings->adapters = list_adapters(r->model->spec);
    if (r->model->spec->vae)
        settings->vae = pen_user_file_stem(r->model->spec->vae);
    if (r->adapter) {
        settings->style = g_strdup(r->input->style->name);
        settings->style_strength = r->scale;
    }
    return pen_picture_settings_to_text(settings);
}

gboolean pen_round_record_candidate(PenRoundWork *r, guint place, const PenTrajectory *trajectory,
                                    GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    gboolean own = place < pen_round_first_drawn(r);
    g_autofree char *text = settings_text(r, place);
    PenPngText chunk = { (char *)PEN_PICTURE_SETTINGS_KEY, text };
    g_autoptr(GBytes) png = pen_png_to_bytes(r->result->rgb[place], request->width, request->height,
                                             3, 0, &chunk, own ? 0 : 1, error);
    g_autoptr(GBytes) steps = png ? pen_trajectory_save(trajectory, error) : NULL;
    return steps && pen_store_finish_candidate(r->job->studio->store, r->result->round, (int)place,
                                               png, steps, error);
}

gboolean pen_round_end(PenRoundWork *r, gboolean ok, GError **error)
{
    gboolean cancelled = g_cancellable_is_cancelled(r->job->cancellable);
    PenRoundState state = ok          ? PEN_ROUND_COMPLETE
                          : cancelled ? PEN_ROUND_CANCELLED
                                      : PEN_ROUND_FAILED;
    return !r->result->round ||
           pen_store_end_round(r->job->studio->store, r->result->round, state, error);
}
