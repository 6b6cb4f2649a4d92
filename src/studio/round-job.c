// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/engine/forward.h"
#include "src/engine/inpainting.h"
#include "src/engine/sampler.h"
#include "src/engine/tiles.h"
#include "src/formats/png-settings.h"
#include "src/formats/png.h"
#include "src/models/user-files.h"
#include "src/sampling/noise.h"
#include "src/studio/guess.h"
#include "src/studio/origin.h"
#include "src/studio/own-picture.h"

/* A candidate's decoding counts as so many of its sampling steps in the progress. */
#define DECODE_STEPS 1.0

typedef struct {
    PenRoundRequest request; /* with copies of its strings and pixels */
    PenStyle *style;         /* or NULL */
} Input;

static void input_free(gpointer data)
{
    Input *input = data;
    g_free((char *)input->request.model);
    g_free((char *)input->request.prompt);
    g_free((char *)input->request.negative_prompt);
    g_free((char *)input->request.sampler);
    g_free((char *)input->request.schedule);
    g_free((guint8 *)input->request.start_rgb);
    g_free((guint8 *)input->request.start_mask);
    pen_place_free((PenPlace *)input->request.place);
    g_free((guint8 *)input->request.place_mask);
    g_free((guint8 *)input->request.own_rgb);
    pen_style_free(input->style);
    g_free(input);
}

static Input *input_new(const PenRoundRequest *request)
{
    Input *input = g_new0(Input, 1);
    gsize pixels = (gsize)request->width * request->height;
    input->request = *request;
    input->request.model = g_strdup(request->model);
    input->request.prompt = g_strdup(request->prompt);
    input->request.negative_prompt = g_strdup(request->negative_prompt);
    input->request.sampler = g_strdup(request->sampler);
    input->request.schedule = g_strdup(request->schedule);
    if (request->start_rgb)
        input->request.start_rgb = g_memdup2(request->start_rgb, pixels * 3);
    if (request->start_mask)
        input->request.start_mask = g_memdup2(request->start_mask, pixels);
    if (request->own_rgb)
        input->request.own_rgb = g_memdup2(request->own_rgb, pixels * 3);
    if (request->place)
        input->request.place = pen_place_copy(request->place);
    if (request->place_mask)
        input->request.place_mask = g_memdup2(
            request->place_mask, (gsize)request->place->width * request->place->height);
    return input;
}

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

/* --- checks ---------------------------------------------------------------------------------- */

static gboolean invalid(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static gboolean invalid(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID, message);
    return FALSE;
}

static gboolean check_size(guint size, const char *which, guint multiple, GError **error)
{
    if (size % multiple != 0) {
        guint below = size / multiple * multiple;
        return invalid(error, _("The %s %u is not a multiple of %u; use %u or %u."), which, size,
                       multiple, MAX(below, multiple), below + multiple);
    }
    if (size > 4096)
        return invalid(error, _("The %s %u is too large; at most 4096 pixels are possible."),
                       which, size);
    return TRUE;
}

static gboolean check_request(const PenRoundRequest *r, const PenModelInfo *model, GError **error)
{
    if (!r->prompt)
        return invalid(error, _("A round needs a prompt."));
    if (r->count < 1 || r->count > PEN_ROUND_MAX)
        return invalid(error, _("%u candidates are not possible; ask for 1 to %d."), r->count,
                       PEN_ROUND_MAX);
    if (r->own_rgb && (r->count < 2 || r->wide || r->like_round || r->start_rgb))
        return invalid(error, _("A picture of your own is learnt beside at least one that is drawn "
                                "from noise alone."));
    if (r->wide && (r->wide <= r->count || r->wide > PEN_ROUND_WIDE_MAX))
        return invalid(error, _("To choose %u of %u candidates is not possible; make more, up to "
                                "%d."),
                       r->count, r->wide, PEN_ROUND_WIDE_MAX);
    if (r->steps < 1 || r->steps > 1000)
        return invalid(error, _("%u steps are not possible; use 1 to 1000, 20 is usual."),
                       r->steps);
    if (!(r->guidance > 0 && r->guidance <= PEN_MODEL_MAX_GUIDANCE))
        return invalid(error, _("The guidance scale must be more than 0 and at most %g; %g suits "
                                "this model."),
                       PEN_MODEL_MAX_GUIDANCE, model->guidance);
    if (!(r->guidance_rescale <= 1))
        return invalid(error, _("The guidance rescale must be from 0 to 1."));
    if (!(r->eta >= 0 && r->eta <= 1))
        return invalid(error, _("eta must be between 0 and 1."));
    if (r->start_rgb && !(r->start_strength >= 0 && r->start_strength <= 1))
        return invalid(error, _("The strength must be between 0 and 1."));
    return check_size(r->width, _("width"), model->multiple, error) &&
           check_size(r->height, _("height"), model->multiple, error);
}

/* --- the round ------------------------------------------------------------------------------- */

typedef struct {
    PenJob *job;
    Input *input;
    PenRuntime *runtime;
    PenModel *model;
    char *spec; /* of the model */
    PenPrompt *prompt, *negative; /* as they are read; NULL: no negative prompt */
    const PenMethod *method;
    PenSpread spread;
    guint32 height, width; /* of latents */
    guint32 tile;          /* side in latents; 0: as a whole */
    guint step;            /* so many are done */
    double scale;          /* of the adapter */
    PenUNetAdapter *adapter;
    float *start;
    float *condition; /* of an inpainting model */
    PenOrigin origin;
    PenGuess guess;
    PenRoundResult *result;
} Round;

static void round_clear(Round *r)
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
}

/* A style learns about the very model it was made for: with adapters added it draws, but what it
 * would learn were the differences to another model. */
static gboolean teaches(const Round *r)
{
    const PenStyle *style = r->input->style;
    return style && g_str_equal(style->model_hash, r->model->identity);
}

/* The style's version that samples; 0: none. */
static gint64 version_of(const Round *r)
{
    const PenStyle *style = r->input->style;
    if (!style || r->input->request.without_style)
        return 0;
    return r->input->request.style_version ? r->input->request.style_version
                                           : style->current_version;
}

static gboolean record_start(Round *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    if (!request->start_rgb)
        return TRUE;
    g_autoptr(GBytes) picture = pen_png_to_bytes(request->start_rgb, request->width,
                                                 request->height, 3, 0, NULL, 0, error);
    g_autoptr(GBytes) mask = NULL;
    if (picture && request->start_mask)
        mask = pen_png_to_bytes(request->start_mask, request->width, request->height, 1, 0, NULL,
                                0, error);
    return picture && (mask || !request->start_mask) &&
           pen_store_set_round_start(r->job->studio->store, r->result->round, picture, mask,
                                     error);
}

static gboolean record_place(Round *r, GError **error)
{
    const PenPlace *place = r->input->request.place;
    const guint8 *pixels = r->input->request.place_mask;
    g_autoptr(GBytes) mask = NULL;
    if (place && pixels)
        mask = pen_png_to_bytes(pixels, (guint)place->width, (guint)place->height, 1, 0, NULL, 0,
                                error);
    return !place || ((mask || !pixels) &&
                      pen_store_set_place(r->job->studio->store, r->result->round, place, mask,
                                          error));
}

/* Records the round; it happens when the first step is done, so that a request that the device
 * cannot do leaves nothing behind. */
static gboolean record(Round *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    PenDevice *device = pen_runtime_device(r->runtime);
    gboolean v = pen_schedule_get_prediction(r->model->schedule) == PEN_PREDICTION_V;
    const PenStyle *style = r->input->style;
    g_autofree char *own_picture =
        request->own_rgb ? pen_own_picture_hash(request->own_rgb, request->width, request->height,
                                                request->prompt)
                         : NULL;
    g_autofree char *sampler = pen_method_full_name(r->method, r->spread);
    PenRound row = {
        .style = teaches(r) ? style->id : 0,
        .style_version = r->adapter ? version_of(r) : 0,
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
        .eta = request->eta,
        .seed = r->result->seed,
        .sampler = sampler,
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
    guint64 seeds[PEN_ROUND_MAX];
    for (guint i = 0; i < request->count; i++)
        seeds[i] = pen_noise_derive_seed(r->result->seed, PEN_STREAM_CANDIDATE, r->guess.chosen[i]);
    r->result->round =
        pen_store_begin_round(r->job->studio->store, &row, seeds, request->count, error);
    if (!r->result->round)
        return FALSE;
    if (!record_start(r, error) || !record_place(r, error))
        return FALSE;
    pen_job_event(r->job, &(PenStudioEvent){.kind = PEN_STUDIO_ROUND, .round = r->result->round});
    return TRUE;
}

/* The artist's own picture comes before those that are drawn. */
static guint first_drawn(const Round *r)
{
    return r->input->request.own_rgb ? 1 : 0;
}

static void show_previews(Round *r, float *const *predicted)
{
    PenPreviewer *previewer = pen_job_previewer(r->job, NULL);
    if (!previewer) /* the pictures themselves will tell what is wrong */
        return;
    gsize n = (gsize)r->height * r->width;
    g_autofree guint8 *rgb = g_new(guint8, n * 3);
    for (guint i = first_drawn(r); i < r->result->n; i++) {
        pen_previewer_run(previewer, predicted[i - first_drawn(r)], n, rgb);
        pen_job_event(r->job, &(PenStudioEvent){
                                  .kind = PEN_STUDIO_PREVIEW,
                                  .round = r->result->round,
                                  .place = (int)i,
                                  .picture = {r->width, r->height, rgb},
                              });
    }
}

static double steps_and_decoding(const Round *r, double steps)
{
    return steps / (r->input->request.steps + DECODE_STEPS);
}

static gboolean choose(float *const *predicted, guint *chosen, gpointer data, GError **error)
{
    Round *r = data;
    if (!pen_guess_choose(&r->guess, (const float *const *)predicted, error))
        return FALSE;
    memcpy(chosen, r->guess.chosen, r->guess.count * sizeof *chosen);
    return TRUE;
}

static gboolean on_step(guint step, guint steps, float *const *predicted, gpointer data,
                        GError **error)
{
    Round *r = data;
    r->step = step;
    gboolean chosen = !pen_guess_is_wide(&r->guess) || r->guess.has_chosen;
    if (chosen && r->input->request.keep && !r->result->round && !record(r, error))
        return FALSE;
    if (chosen && r->input->request.previews)
        show_previews(r, predicted);
    pen_job_progress(r->job, steps_and_decoding(
                                 r, (double)step / steps * r->input->request.steps));
    return TRUE;
}

static void on_tile(guint done, guint count, gpointer data)
{
    Round *r = data;
    const PenRoundRequest *request = &r->input->request;
    guint steps = pen_method_evaluations(r->method, request->steps);
    if (request->start_rgb)
        steps -= pen_method_first_step(r->method, request->steps, request->start_strength);
    double now = (r->step + (double)done / count) / steps;
    pen_job_progress(r->job, steps_and_decoding(r, now * request->steps));
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

static char *settings_text(const Round *r, guint place)
{
    const PenRoundRequest *request = &r->input->request;
    g_autoptr(PenPngSettings) settings = pen_png_settings_new();
    settings->prompt = g_strdup(request->prompt);
    settings->negative = g_strdup(request->negative_prompt);
    settings->words = request->words;
    settings->clip_skip = (int)request->clip_skip;
    settings->steps = (int)request->steps;
    settings->sampler = pen_method_full_name(r->method, r->spread);
    settings->guidance = request->guidance;
    if (pen_method_uses_eta(r->method))
        settings->eta = request->eta;
    settings->has_seed = TRUE;
    settings->seed = r->result->seed;
    settings->candidate = (int)r->guess.chosen[place];
    settings->width = request->width;
    settings->height = request->height;
    settings->model_hash = g_strndup(r->model->identity, 10);
    settings->model = g_strdup(r->model->name);
    settings->adapters = list_adapters(r->model->spec);
    if (r->adapter) {
        settings->style = g_strdup(r->input->style->name);
        settings->style_strength = r->scale;
    }
    return pen_png_settings_to_text(settings);
}

/* Where the mask is 0 the picture stays exactly what it was. */
static void keep_unmasked(const PenRoundRequest *request, guint8 *rgb)
{
    gsize n = (gsize)request->width * request->height;
    for (gsize i = 0; i < n * 3; i++) {
        guint mask = request->start_mask[i / 3];
        rgb[i] = (guint8)((rgb[i] * mask + request->start_rgb[i] * (255 - mask) + 127) / 255);
    }
}

static gboolean decode(Round *r, const float *latents, guint8 *rgb, GError **error)
{
    if (!r->tile)
        return pen_runtime_latents_to_rgb(r->runtime, latents, 1, r->height, r->width, rgb, NULL,
                                          NULL, r->job->cancellable, error);
    g_autoptr(PenTiles) tiles = pen_tiles_new(r->height, r->width, r->tile);
    return pen_tiles_decode(tiles, r->runtime, latents, rgb, r->job->cancellable, error);
}

static gboolean finish_candidate(Round *r, guint place, const PenTrajectory *trajectory,
                                 GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    gsize bytes = (gsize)request->width * request->height * 3;
    gboolean own = place < first_drawn(r);
    guint8 *rgb = own ? g_memdup2(request->own_rgb, bytes) : g_malloc(bytes);
    r->result->rgb[place] = rgb;
    if (!own &&
        !decode(r, pen_trajectory_latents(trajectory, trajectory->steps), rgb, error))
        return FALSE;
    if (request->start_mask)
        keep_unmasked(request, rgb);
    if (request->keep) {
        g_autofree char *text = settings_text(r, place);
        PenPngText chunk = {(char *)PEN_PNG_SETTINGS_KEY, text};
        g_autoptr(GBytes) png =
            pen_png_to_bytes(rgb, request->width, request->height, 3, 0, &chunk, own ? 0 : 1, error);
        g_autoptr(GBytes) steps = png ? pen_trajectory_save(trajectory, error) : NULL;
        if (!steps || !pen_store_finish_candidate(r->job->studio->store, r->result->round,
                                                  (int)place, png, steps, error))
            return FALSE;
    }
    pen_job_event(r->job, &(PenStudioEvent){
                              .kind = PEN_STUDIO_CANDIDATE,
                              .round = r->result->round,
                              .place = (int)place,
                              .picture = {request->width, request->height, rgb},
                          });
    return TRUE;
}

/* The artist's own picture, as if it had been drawn. */
static PenTrajectory *own_trajectory(Round *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    g_autofree float *latents =
        g_new(float, (gsize)r->height * r->width * r->model->vae.latent_channels);
    if (!pen_runtime_rgb_to_latents(r->runtime, request->own_rgb, 1, request->height,
                                    request->width, latents, NULL, NULL, r->job->cancellable,
                                    error))
        return NULL;
    guint64 seed =
        pen_noise_derive_seed(r->result->seed, PEN_STREAM_CANDIDATE, r->guess.chosen[0]);
    return pen_forward_trajectory(r->model, latents, r->height, r->width, r->condition,
                                  request->steps, request->guidance, seed, error);
}

/* Says which of the finished candidates the picks so far speak for. */
static gboolean guess_best(Round *r, PenTrajectory *const *trajectories, GError **error)
{
    const float *latents[PEN_ROUND_MAX];
    if (!r->result->round)
        return TRUE;
    for (guint i = 0; i < r->result->n; i++)
        latents[i] = pen_trajectory_latents(trajectories[i], trajectories[i]->steps);
    return pen_guess_best(&r->guess, r->result->round, latents, &r->result->guess, error);
}

static gboolean sample(Round *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    PenPrompt *prompts[2] = {r->prompt, r->negative};
    PenConditioning *conditionings[2];
    g_autoptr(GPtrArray) notices = g_ptr_array_new_with_free_func(g_free);
    if (!pen_runtime_encode_prompts(r->runtime, prompts, 2, request->clip_skip, conditionings,
                                    notices, r->job->cancellable, error))
        return FALSE;
    if (request->clip_skip > 1 && r->model->n_encoders > 1)
        g_ptr_array_add(notices, g_strdup(_("This model's text encoders are read before their last "
                                            "layers anyway: clip skip does nothing.")));
    for (guint i = 0; i < notices->len; i++)
        pen_job_notice(r->job, notices->pdata[i]);
    g_autoptr(PenConditioning) cond = conditionings[0];
    g_autoptr(PenConditioning) uncond = conditionings[1];
    guint own = first_drawn(r);
    PenSamplerJob job = {
        .n = r->guess.made - own,
        .keep = pen_guess_is_wide(&r->guess) ? request->count : 0,
        .choose = choose,
        .origin = r->origin.trajectory,
        .parting = r->origin.parting,
        .height = r->height,
        .width = r->width,
        .sampling = { .method = r->method, .steps = request->steps, .eta = request->eta },
        .guidance = request->guidance,
        .guidance_rescale = request->guidance_rescale < 0 ? r->model->guidance_rescale
                                                          : request->guidance_rescale,
        .cond = cond,
        .uncond = uncond,
        .adapter = r->adapter,
        .scale = r->scale,
        .seed = r->result->seed,
        .shared_noise = request->shared_noise,
        .start = r->start,
        .condition = r->condition,
        .strength = request->start_strength,
        .tile = r->tile,
        .tile_progress = on_tile,
        .progress = on_step,
        .progress_data = r,
    };
    pen_sampling_set_spread(&job.sampling, r->spread, r->model->schedule);
    PenTrajectory *trajectories[PEN_ROUND_WIDE_MAX + 1];
    g_autoptr(PenTrajectory) mine = own ? own_trajectory(r, error) : NULL;
    if ((own && !mine) || !pen_sampler_run(r->runtime, &job, trajectories + own,
                                           r->job->cancellable, error))
        return FALSE;
    if (own)
        trajectories[0] = g_steal_pointer(&mine);
    pen_job_notice_memory(r->job, r->runtime, FALSE);
    /* A wide round of one step has only now been chosen. */
    gboolean ok = (!request->keep || r->result->round || record(r, error)) &&
                  guess_best(r, trajectories, error);
    for (guint i = 0; i < request->count; i++) {
        ok = ok && finish_candidate(r, i, trajectories[i], error);
        pen_trajectory_free(trajectories[i]);
        if (ok)
            pen_job_progress(r->job, steps_and_decoding(r, request->steps +
                                                               DECODE_STEPS * (i + 1) /
                                                                   request->count));
    }
    return ok;
}

/* The adapter on the device, unless the bare model samples. */
static gboolean load_style(Round *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    const PenStyle *style = r->input->style;
    if (!version_of(r))
        return TRUE;
    r->scale = request->style_strength < 0 ? style->strength : request->style_strength;
    g_autofree float *values = NULL;
    r->adapter = pen_studio_load_adapter(r->job->studio, r->model, version_of(r), &values,
                                         error);
    return r->adapter &&
           pen_unet_adapter_allocate(r->adapter, pen_runtime_device(r->runtime),
                                     pen_runtime_dtype(r->runtime), error) &&
           pen_unet_adapter_upload(r->adapter, values, error);
}

static gboolean encode_start(Round *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    if (r->model->condition_channels) {
        r->condition = pen_inpainting_condition(r->runtime, request->start_rgb, request->start_mask,
                                                request->height, request->width,
                                                r->job->cancellable, error);
        if (!r->condition)
            return FALSE;
    }
    if (!request->start_rgb)
        return TRUE;
    r->start = g_new(float, (gsize)r->height * r->width * r->model->vae.latent_channels);
    if (!r->tile)
        return pen_runtime_rgb_to_latents(r->runtime, request->start_rgb, 1, request->height,
                                          request->width, r->start, NULL, NULL,
                                          r->job->cancellable, error);
    g_autoptr(PenTiles) tiles = pen_tiles_new(r->height, r->width, r->tile);
    return pen_tiles_encode(tiles, r->runtime, request->start_rgb, r->start, r->job->cancellable,
                            error);
}

/* The adapters that the prompt names, on top of the model that is asked for. A new spec. */
static char *add_prompt_adapters(const Round *r, const char *wanted, GError **error)
{
    g_autofree char *folder = pen_model_user_folder();
    g_autoptr(PenModelSpec) spec = pen_model_spec_parse(wanted, error);
    if (!spec)
        return NULL;
    for (guint i = 0; i < r->prompt->loras->len; i++) {
        const PenPromptLora *lora = &g_array_index(r->prompt->loras, PenPromptLora, i);
        g_autofree char *file = pen_user_file_find(folder, lora->name);
        if (file && fabs(lora->strength) <= PEN_MODEL_LORA_MAX_STRENGTH) {
            if (!pen_model_spec_find_lora(spec, file))
                pen_model_spec_add_lora(spec, file, lora->strength);
            continue;
        }
        g_autofree char *text = g_strdup_printf(
            file ? _("%s was left out: a strength is from -100 to 100.")
                 : _("%s was left out: there is no such file in %s."),
            lora->written, folder);
        pen_job_notice(r->job, text);
    }
    return pen_model_spec_to_text(spec);
}

static gboolean read_prompts(Round *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    PenPromptReading reading = request->words ? PEN_PROMPT_WORDS : PEN_PROMPT_WEIGHTS;
    r->prompt = pen_prompt_new(request->prompt, reading);
    if (request->negative_prompt)
        r->negative = pen_prompt_new(request->negative_prompt, reading);
    for (guint i = 0; r->negative && i < r->negative->loras->len; i++) {
        const PenPromptLora *lora = &g_array_index(r->negative->loras, PenPromptLora, i);
        g_ptr_array_add(r->negative->not_understood, g_strdup(lora->written));
    }
    g_autoptr(GError) inner = NULL;
    g_autofree char *wanted = add_prompt_adapters(r, request->model, &inner);
    if (inner)
        g_propagate_error(error, g_steal_pointer(&inner));
    else
        r->spec = pen_studio_find_model(r->job->studio, wanted, r->input->style, error);
    return r->spec != NULL;
}

/* What the picks so far speak for, if the round needs it. */
static gboolean learn_picks(Round *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    r->guess = (PenGuess){
        .job = r->job,
        .runtime = r->runtime,
        .height = r->height,
        .width = r->width,
        .condition = r->condition,
        .made = request->count,
        .count = request->count,
    };
    for (guint i = 0; i < request->count; i++) /* an own picture takes the last one's noise */
        r->guess.chosen[i] = (i + request->count - first_drawn(r)) % request->count;
    if ((request->keep || request->wide) && !request->own_rgb && !r->tile &&
        !pen_guess_learn(&r->guess, teaches(r) ? request->style : 0, request->wide, error))
        return FALSE;
    r->result->made = r->guess.made;
    return TRUE;
}

/* Names come from people and scripts; an empty one is none. */
static gboolean choose_sampler(Round *r, GError **error)
{
    const PenRoundRequest *request = &r->input->request;
    r->method = pen_methods()[0];
    if (request->own_rgb) /* src/engine/forward.h: the artist's picture comes as DDIM would draw it */
        return TRUE;
    if (request->sampler && *request->sampler)
        r->method = pen_method_find(request->sampler, &r->spread, error);
    return r->method && (!request->schedule || !*request->schedule ||
                         pen_spread_find(request->schedule, &r->spread, error));
}

static gboolean make_round(Round *r, GError **error)
{
    PenRoundRequest *request = &r->input->request;
    PenStudio *studio = r->job->studio;
    if (request->like_round && !pen_origin_load(&r->origin, studio, request, error))
        return FALSE;
    if (!read_prompts(r, error))
        return FALSE;
    g_autoptr(PenModelInfo) info = pen_studio_model_info(studio, r->spec, 0, error);
    if (!info)
        return FALSE;
    if (!request->width)
        request->width = info->size;
    if (!request->height)
        request->height = info->size;
    if (!request->guidance)
        request->guidance = info->guidance;
    if (!choose_sampler(r, error))
        return FALSE;
    if (!check_request(request, info, error))
        return FALSE;
    r->runtime = pen_job_runtime(r->job, r->spec, error);
    if (!r->runtime)
        return FALSE;
    r->model = pen_model_ref(pen_runtime_model(r->runtime));
    if (!pen_origin_take(&r->origin, r->model, r->method, request, error))
        return FALSE;
    if (r->input->style && request->keep && !teaches(r)) {
        g_autofree char *text = g_strdup_printf(
            _("Picks of this round will not teach “%s”, which was made without these adapters."),
            r->input->style->name);
        pen_job_notice(r->job, text);
    }
    r->height = request->height / r->model->factor;
    r->width = request->width / r->model->factor;
    r->tile = request->tiles ? info->size / r->model->factor : 0;

    PenRoundResult *result = r->result;
    result->seed = request->has_seed ? request->seed
                                     : (guint64)g_random_int() << 20 ^ g_random_int();
    result->n = request->count;
    result->guess = -1;
    result->width = request->width;
    result->height = request->height;
    result->rgb = g_new0(guint8 *, request->count);
    result->model_name = g_strdup(r->model->name);
    result->model_hash = g_strdup(r->model->identity);
    if (!encode_start(r, error) || !learn_picks(r, error))
        return FALSE;
    GError *failure = NULL;
    gboolean ok = load_style(r, &failure) && sample(r, &failure);
    if (!ok && g_error_matches(failure, PEN_MODEL_ERROR, PEN_MODEL_ERROR_TOO_NARROW)) {
        g_clear_error(&failure);
        g_clear_pointer(&r->adapter, pen_unet_adapter_free);
        ok = load_style(r, &failure) && sample(r, &failure);
    }
    if (!ok)
        g_propagate_error(error, failure);
    return ok;
}

/* Ends a recorded round as what it came to. */
static gboolean end_round(Round *r, gboolean ok, GError **error)
{
    gboolean cancelled = g_cancellable_is_cancelled(r->job->cancellable);
    PenRoundState state = ok          ? PEN_ROUND_COMPLETE
                          : cancelled ? PEN_ROUND_CANCELLED
                                      : PEN_ROUND_FAILED;
    return !r->result->round ||
           pen_store_end_round(r->job->studio->store, r->result->round, state, error);
}

static gpointer make(PenJob *job, Input *input, GError **error)
{
    Round r = {.job = job, .input = input, .result = g_new0(PenRoundResult, 1)};
    gint64 style = r.input->request.style;
    gboolean ok = TRUE;
    if (style) {
        r.input->style = pen_store_get_style(job->studio->store, style, error);
        ok = r.input->style != NULL;
    }
    ok = ok && make_round(&r, error);
    ok = end_round(&r, ok, ok ? error : NULL) && ok;
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
    Input *input = input_new(request);
    gpointer result = make(job, input, error);
    input_free(input);
    return result;
}

void pen_studio_generate_async(PenStudio *studio, const PenRoundRequest *request,
                               PenStudioEventFunc event, gpointer event_data,
                               GCancellable *cancellable, GAsyncReadyCallback callback,
                               gpointer user_data)
{
    pen_job_start(studio, run, input_new(request), input_free,
                  (GDestroyNotify)pen_round_result_free, event, event_data, cancellable, callback,
                  user_data, pen_studio_generate_async);
}

PenRoundResult *pen_studio_generate_finish(PenStudio *studio G_GNUC_UNUSED, GAsyncResult *result,
                                           GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
