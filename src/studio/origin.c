// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/origin.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "src/formats/png.h"
#include "src/models/model-spec.h"

void pen_origin_clear(PenOrigin *origin)
{
    g_clear_pointer(&origin->trajectory, pen_trajectory_free);
    g_clear_pointer(&origin->model_hash, g_free);
    g_clear_pointer(&origin->file, g_free);
}

static void set_text(const char **text, const char *value)
{
    g_free((char *)*text);
    *text = g_strdup(value);
}

/* Reads a file of the store, of the given size: `channels` bytes a pixel of its R, G, B. NULL:
 * without an error where there is no such file. */
static gboolean read_pixels(PenStore *store, const char *file, guint width, guint height,
                            guint channels, const guint8 **pixels, GError **error)
{
    g_clear_pointer((guint8 **)pixels, g_free);
    if (!file)
        return TRUE;
    g_autofree char *path = pen_store_path(store, file);
    g_autoptr(PenPng) png = pen_png_read(path, error);
    if (!png)
        return FALSE;
    if (png->width != width || png->height != height) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("“%s” does not have the size of its round any more."), path);
        return FALSE;
    }
    guint8 *values = g_new(guint8, (gsize)width * height * channels);
    for (gsize i = 0; i < (gsize)width * height * channels; i++)
        values[i] = png->rgba[i / channels * 4 + i % channels];
    *pixels = values;
    return TRUE;
}

static gboolean take_place(PenStore *store, gint64 round, PenRoundRequest *request, GError **error)
{
    g_clear_pointer((PenPlace **)&request->place, pen_place_free);
    PenPlace *place = pen_store_get_place(store, round, NULL);
    request->place = place;
    return !place || read_pixels(store, place->mask_file, (guint)place->width, (guint)place->height,
                                 1, &request->place_mask, error);
}

/* The round's model, unless one is named, with what else is said of it. */
static gboolean take_model(const PenRound *round, PenRoundRequest *request, GError **error)
{
    g_autoptr(PenModelSpec) said = pen_model_spec_parse(request->model, error);
    if (!said || said->model)
        return said != NULL;
    g_autoptr(PenModelSpec) spec = pen_model_spec_parse(round->model_path, error);
    if (!spec)
        return FALSE;
    pen_model_spec_overlay(spec, said);
    g_free((char *)request->model);
    request->model = pen_model_spec_to_text(spec);
    return TRUE;
}

static gboolean take_settings(PenStore *store, const PenRound *round, PenRoundRequest *request,
                              GError **error)
{
    if (!take_model(round, request, error))
        return FALSE;
    set_text(&request->prompt, round->prompt);
    set_text(&request->negative_prompt, round->negative_prompt);
    request->width = (guint)round->width;
    request->height = (guint)round->height;
    request->steps = (guint)round->steps;
    request->guidance = round->guidance;
    request->guidance_rescale = round->guidance_rescale;
    request->eta = round->eta;
    set_text(&request->sampler, round->sampler);
    set_text(&request->schedule, NULL);
    set_text(&request->timesteps, round->timesteps);
    request->words = round->words;
    request->clip_skip = (guint)round->clip_skip;
    request->start_strength = round->start_strength;
    return read_pixels(store, round->start_file, request->width, request->height, 3,
                       &request->start_rgb, error) &&
           read_pixels(store, round->mask_file, request->width, request->height, 1,
                       &request->start_mask, error) &&
           take_place(store, round->id, request, error);
}

gboolean pen_origin_load(PenOrigin *origin, PenStudio *studio, PenRoundRequest *request,
                         GError **error)
{
    PenStore *store = studio->store;
    g_autoptr(PenRound) round = pen_store_get_round(store, request->like_round, error);
    g_autoptr(GPtrArray) candidates =
        round ? pen_store_list_candidates(store, round->id, error) : NULL;
    if (!candidates)
        return FALSE;
    if (request->like_place < 0 || request->like_place >= (int)candidates->len) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("Round %d has the candidates 0 to %d, and no %d."), (int)round->id,
                    (int)candidates->len - 1, request->like_place);
        return FALSE;
    }
    if (!(request->like_part >= 0 && request->like_part < 1)) {
        g_set_error_literal(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                            _("The part of the steps that is shared is from 0 to less than 1."));
        return FALSE;
    }
    const PenCandidate *candidate = candidates->pdata[request->like_place];
    if (!candidate->trajectory_file) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("Candidate %d of round %d was not drawn to the end. Choose another one."),
                    request->like_place, (int)round->id);
        return FALSE;
    }
    if (!take_settings(store, round, request, error))
        return FALSE;
    origin->file = pen_store_path(store, candidate->trajectory_file);
    origin->candidate = candidate->id;
    origin->model_hash = g_strdup(round->model_hash);
    return TRUE;
}

gboolean pen_origin_take(PenOrigin *origin, const PenModel *model, const PenMethod *method,
                         const PenRoundRequest *request, GError **error)
{
    if (!origin->file)
        return TRUE;
    if (!g_str_equal(origin->model_hash, model->identity)) {
        g_set_error(
            error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
            _("Candidate %d of round %d was drawn with another model than “%s”. Choose that "
              "model, or a candidate of this one."),
            request->like_place, (int)request->like_round, model->name);
        return FALSE;
    }
    PenTrajectory *t = origin->trajectory =
        pen_trajectory_load(origin->file, model->schedule, error);
    if (!t)
        return FALSE;
    if (t->steps != pen_method_evaluations(method, request->steps) ||
        t->height != request->height / model->factor ||
        t->width != request->width / model->factor || t->channels != model->unet.out_channels ||
        t->condition_channels != model->condition_channels) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("What candidate %d of round %d was drawn with does not fit its round. Choose "
                      "another one."),
                    request->like_place, (int)request->like_round);
        return FALSE;
    }
    guint steps = t->steps - t->first;
    guint parting = t->first + MIN((guint)lround(request->like_part * steps), steps - 1);
    origin->parting = pen_method_whole_step(method, parting);
    return TRUE;
}
