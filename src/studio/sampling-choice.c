// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/sampling-choice.h"

#include <glib/gi18n-lib.h>

#define USUAL_ETA 1.0

/* Numbers with spaces, commas or semicolons between them. */
static gboolean read_timesteps(PenRoundRequest *request, PenSamplingChoice *choice, GError **error)
{
    g_auto(GStrv) words = g_strsplit_set(request->timesteps, " ,;", -1);
    g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(int));
    for (char **word = words; *word; word++) {
        guint64 number = 0;
        if (!**word)
            continue;
        if (!g_ascii_string_to_unsigned(*word, 10, 0, G_MAXINT, &number, NULL)) {
            g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                        _("Timesteps are whole numbers that fall, as in 999,749,499,249; “%s” is "
                          "none."),
                        *word);
            return FALSE;
        }
        int timestep = (int)number;
        g_array_append_val(numbers, timestep);
    }
    if (numbers->len && request->steps && request->steps != numbers->len) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("%u timesteps are not %u steps: leave the steps away."), numbers->len,
                    request->steps);
        return FALSE;
    }
    if (numbers->len) {
        request->steps = numbers->len;
        choice->timesteps = (int *)g_array_free(g_steal_pointer(&numbers), FALSE);
    }
    return TRUE;
}

static const PenFewSteps *few_steps_of(const PenRoundRequest *request, const PenModelInfo *model)
{
    if (request->speed == PEN_SPEED_USUAL)
        return NULL;
    if (model->few_steps.name)
        return &model->few_steps;
    return request->speed == PEN_SPEED_FAST ? &pen_few_steps_any : NULL;
}

/* src/engine/forward.h: a picture that the artist has comes as DDIM would draw it, and so do those
 * that are drawn beside it. */
static gboolean choose_method(const PenRoundRequest *request, const PenFewSteps *few,
                              PenSamplingChoice *choice, GError **error)
{
    const char *sampler = few ? few->sampler : NULL;
    choice->method = pen_methods()[0];
    if (request->own_rgb)
        return TRUE;
    if (request->sampler && *request->sampler)
        sampler = request->sampler;
    if (sampler)
        choice->method = pen_method_find(sampler, &choice->spread, error);
    return choice->method && (!request->schedule || !*request->schedule ||
                              pen_spread_find(request->schedule, &choice->spread, error));
}

gboolean pen_sampling_choose(PenRoundRequest *request, const PenModelInfo *model,
                             PenSamplingChoice *choice, GError **error)
{
    const PenFewSteps *few = few_steps_of(request, model);
    gboolean as_distilled = few && !request->own_rgb && !(request->sampler && *request->sampler);
    if (!choose_method(request, few, choice, error) ||
        (request->timesteps && !read_timesteps(request, choice, error)))
        return FALSE;
    if (!request->steps)
        request->steps = few ? few->steps : PEN_ROUND_STEPS;
    if (!request->guidance)
        request->guidance = few ? few->guidance : model->guidance;
    if (request->guidance_rescale < 0)
        request->guidance_rescale = model->guidance_rescale;
    if (request->eta < 0)
        request->eta = as_distilled ? few->eta : USUAL_ETA;
    /* A model's timesteps belong to its own sampler and number of steps. */
    if (as_distilled && few->timesteps[0] && request->steps == few->steps && !choice->timesteps)
        choice->timesteps = g_memdup2(few->timesteps, few->steps * sizeof *few->timesteps);
    return TRUE;
}

void pen_sampling_choice_clear(PenSamplingChoice *choice)
{
    g_clear_pointer(&choice->timesteps, g_free);
}

char *pen_sampling_choice_timesteps(const PenSamplingChoice *choice, guint steps)
{
    if (!choice->timesteps)
        return NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < steps; i++)
        g_string_append_printf(text, "%s%d", i ? " " : "", choice->timesteps[i]);
    return g_string_free(g_steal_pointer(&text), FALSE);
}
