// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "src/models/user-files.h"
#include "src/studio/recipe.h"
#include "src/studio/round-work.h"

/* --- the request ------------------------------------------------------------------------------ */

PenRoundRequest pen_round_request_again(const PenRound *round)
{
    PenRoundRequest request = PEN_ROUND_REQUEST_INIT;
    request.as_is = TRUE;
    request.model = round->model_path;
    request.prompt = round->prompt;
    request.negative_prompt = round->negative_prompt;
    request.words = round->words;
    request.clip_skip = (guint)round->clip_skip;
    request.count = 1;
    request.width = (guint)round->width;
    request.height = (guint)round->height;
    request.sampler = round->sampler;
    request.steps = (guint)round->steps;
    request.timesteps = round->timesteps;
    request.guidance = round->guidance;
    request.guidance_rescale = round->guidance_rescale;
    request.eta = round->eta;
    request.has_seed = TRUE;
    request.seed = round->seed;
    request.keep = FALSE;
    return request;
}

void pen_round_input_free(gpointer data)
{
    PenRoundInput *input = data;
    g_free((char *)input->request.model);
    g_free((char *)input->request.prompt);
    g_free((char *)input->request.negative_prompt);
    g_free((char *)input->request.sampler);
    g_free((char *)input->request.schedule);
    g_free((char *)input->request.timesteps);
    g_free((guint8 *)input->request.start_rgb);
    g_free((guint8 *)input->request.start_mask);
    pen_place_free((PenPlace *)input->request.place);
    g_free((guint8 *)input->request.place_mask);
    g_free((guint8 *)input->request.own_rgb);
    pen_style_free(input->style);
    g_free(input);
}

PenRoundInput *pen_round_input_new(const PenRoundRequest *request)
{
    PenRoundInput *input = g_new0(PenRoundInput, 1);
    gsize pixels = (gsize)request->width * request->height;
    input->request = *request;
    input->request.model = g_strdup(request->model);
    input->request.prompt = g_strdup(request->prompt);
    input->request.negative_prompt = g_strdup(request->negative_prompt);
    input->request.sampler = g_strdup(request->sampler);
    input->request.schedule = g_strdup(request->schedule);
    input->request.timesteps = g_strdup(request->timesteps);
    if (request->start_rgb)
        input->request.start_rgb = g_memdup2(request->start_rgb, pixels * 3);
    if (request->start_mask)
        input->request.start_mask = g_memdup2(request->start_mask, pixels);
    if (request->own_rgb)
        input->request.own_rgb = g_memdup2(request->own_rgb, pixels * 3);
    if (request->place)
        input->request.place = pen_place_copy(request->place);
    if (request->place_mask)
        input->request.place_mask =
            g_memdup2(request->place_mask, (gsize)request->place->width * request->place->height);
    return input;
}

/* --- checks ---------------------------------------------------------------------------------- */

static gboolean check_size(guint size, const char *which, guint multiple, GError **error)
{
    if (size % multiple != 0) {
        guint below = size / multiple * multiple;
        return pen_studio_invalid(error, _("The %s %u is not a multiple of %u; use %u or %u."),
                                  which, size, multiple, MAX(below, multiple), below + multiple);
    }
    if (size > 4096)
        return pen_studio_invalid(
            error, _("The %s %u is too large; at most 4096 pixels are possible."), which, size);
    return TRUE;
}

static gboolean check_request(const PenRoundRequest *r, const PenModelInfo *model, GError **error)
{
    if (!r->prompt)
        return pen_studio_invalid(error, _("A round needs a prompt."));
    if (r->count < 1 || r->count > PEN_ROUND_MAX)
        return pen_studio_invalid(error, _("%u candidates are not possible; ask for 1 to %d."),
                                  r->count, PEN_ROUND_MAX);
    if (r->own_rgb && (r->count < 2 || r->wide || r->like_round || r->start_rgb))
        return pen_studio_invalid(
            error, _("A picture of your own is learnt beside at least one that is drawn "
                     "from noise alone."));
    if (r->wide && (r->wide <= r->count || r->wide > PEN_ROUND_WIDE_MAX))
        return pen_studio_invalid(
            error,
            _("To choose %u of %u candidates is not possible; make more, up to "
              "%d."),
            r->count, r->wide, PEN_ROUND_WIDE_MAX);
    if (r->steps < 1 || r->steps > 1000)
        return pen_studio_invalid(
            error, _("%u steps are not possible; use 1 to 1000, 20 is usual."), r->steps);
    if (!(r->guidance > 0 && r->guidance <= PEN_MODEL_MAX_GUIDANCE))
        return pen_studio_invalid(
            error,
            _("The guidance scale must be more than 0 and at most %g; %g suits "
              "this model."),
            PEN_MODEL_MAX_GUIDANCE, model->guidance);
    if (!(r->guidance_rescale <= 1))
        return pen_studio_invalid(error, _("The guidance rescale must be from 0 to 1."));
    if (!(r->eta >= 0 && r->eta <= 1))
        return pen_studio_invalid(error, _("eta must be between 0 and 1."));
    if (r->start_rgb && !(r->start_strength >= 0 && r->start_strength <= 1))
        return pen_studio_invalid(error, _("The strength must be between 0 and 1."));
    return check_size(r->width, _("width"), model->multiple, error) &&
           check_size(r->height, _("height"), model->multiple, error);
}

/* --- what it asks for ------------------------------------------------------------------------- */

gboolean pen_round_teaches(const PenRoundWork *r)
{
    const PenStyle *style = r->input->style;
    return style && g_str_equal(style->model_hash, r->model->identity);
}

gint64 pen_round_version(const PenRoundWork *r)
{
    const PenStyle *style = r->input->style;
    if (!style || r->input->request.without_style)
        return 0;
    return r->input->request.style_version ? r->input->request.style_version
                                           : style->current_version;
}

guint pen_round_first_drawn(const PenRoundWork *r)
{
    return r->input->request.own_rgb ? 1 : 0;
}

/* The adapters that the prompt names, on top of the model that is asked for. A new spec. */
static char *add_prompt_adapters(const PenRoundWork *r, const char *wanted, GError **error)
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
        g_autofree char *text =
            g_strdup_printf(file ? _("%s was left out: a strength is from -100 to 100.")
                                 : _("%s was left out: there is no such file in %s."),
                            lora->written, folder);
        pen_job_warning(r->job, text);
    }
    return pen_model_spec_to_text(spec);
}

static gboolean read_prompts(PenRoundWork *r, GError **error)
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

/* What the request leaves open: as the earlier round has it, or the style's recipe. */
static gboolean complete_request(PenRoundWork *r, GError **error)
{
    PenRoundRequest *request = &r->input->request;
    if (request->like_round)
        return pen_origin_load(&r->origin, r->job->studio, request, error);
    if (r->input->style && !request->as_is) {
        g_autoptr(PenRecipe) recipe = pen_recipe_parse(r->input->style->recipe, error);
        if (!recipe)
            return FALSE;
        if (request->speed != PEN_SPEED_AUTOMATIC || request->timesteps)
            pen_recipe_open_sampling(recipe);
        pen_recipe_apply(recipe, request);
    }
    return TRUE;
}

gboolean pen_round_plan(PenRoundWork *r, GError **error)
{
    PenRoundRequest *request = &r->input->request;
    PenStudio *studio = r->job->studio;
    if (!complete_request(r, error) || !read_prompts(r, error))
        return FALSE;
    g_autoptr(PenModelInfo) info = pen_studio_model_info(studio, r->spec, 0, error);
    if (!info)
        return FALSE;
    if (!request->width)
        request->width = info->size;
    if (!request->height)
        request->height = info->size;
    if (!pen_sampling_choose(request, info, &r->sampling, error) ||
        !check_request(request, info, error))
        return FALSE;
    r->runtime = pen_job_runtime(r->job, r->spec, error);
    if (!r->runtime)
        return FALSE;
    r->model = pen_model_ref(pen_runtime_model(r->runtime));
    if (!pen_origin_take(&r->origin, r->model, r->sampling.method, request, error))
        return FALSE;
    if (r->input->style && request->keep && !pen_round_teaches(r)) {
        g_autofree char *text = g_strdup_printf(
            _("Picks of this round will not teach “%s”, which was made without these adapters."),
            r->input->style->name);
        pen_job_notice(r->job, text);
    }
    if (request->guidance == 1 && request->negative_prompt && *request->negative_prompt)
        pen_job_notice(r->job,
                       _("With guidance 1 what the pictures should not show is not looked at."));
    r->height = request->height / r->model->factor;
    r->width = request->width / r->model->factor;
    if (pen_round_version(r))
        r->scale =
            request->style_strength < 0 ? r->input->style->strength : request->style_strength;
    r->tile = request->tiles ? info->size / r->model->factor : 0;

    PenRoundResult *result = r->result;
    result->seed =
        request->has_seed ? request->seed : (guint64)g_random_int() << 20 ^ g_random_int();
    result->n = request->count;
    result->guess = -1;
    result->width = request->width;
    result->height = request->height;
    result->rgb = g_new0(guint8 *, request->count);
    result->model_name = g_strdup(r->model->name);
    result->model_hash = g_strdup(r->model->identity);
    return TRUE;
}
