// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/recipe.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/formats/json.h"
#include "src/sampling/method.h"
#include "src/studio/job.h"

/* Enough for the longest texts, each character escaped. */
static const PenJsonLimits limits = { .size = 128 * 1024, .depth = 4, .n_values = 64 };

#define MAX_SIDE 4096
#define MAX_NAME 100

PenRecipe *pen_recipe_new(void)
{
    return g_new0(PenRecipe, 1);
}

PenRecipe *pen_recipe_copy(const PenRecipe *recipe)
{
    PenRecipe *copy = g_memdup2(recipe, sizeof *recipe);
    copy->prompt = g_strdup(recipe->prompt);
    copy->negative_prompt = g_strdup(recipe->negative_prompt);
    copy->sampler = g_strdup(recipe->sampler);
    copy->schedule = g_strdup(recipe->schedule);
    return copy;
}

void pen_recipe_free(PenRecipe *recipe)
{
    if (!recipe)
        return;
    g_free(recipe->prompt);
    g_free(recipe->negative_prompt);
    g_free(recipe->sampler);
    g_free(recipe->schedule);
    g_free(recipe);
}

/* --- checking -------------------------------------------------------------------------------- */

static gboolean normalize_text(char **text, GError **error)
{
    if (!*text)
        return TRUE;
    if (!g_utf8_validate(*text, -1, NULL))
        return pen_studio_invalid(error, _("What a style adds to prompts must be text in UTF-8."));
    g_strstrip(*text);
    if (g_utf8_strlen(*text, -1) > PEN_RECIPE_MAX_TEXT)
        return pen_studio_invalid(error,
                                  _("What a style adds to prompts may have at most %d characters."),
                                  PEN_RECIPE_MAX_TEXT);
    if (!**text)
        g_clear_pointer(text, g_free);
    return TRUE;
}

static gboolean normalize_template(char **template, GError **error)
{
    const char *at = *template ? strstr(*template, PEN_RECIPE_PROMPT) : NULL;
    if (at && strstr(at + 1, PEN_RECIPE_PROMPT))
        return pen_studio_invalid(error, _("“%s” stands for the prompt, and can stand there once."),
                                  PEN_RECIPE_PROMPT);
    if (*template && !at) {
        char *behind = g_strconcat(PEN_RECIPE_PROMPT ", ", *template, NULL);
        g_free(*template);
        *template = behind;
    } else if (at && g_str_equal(*template, PEN_RECIPE_PROMPT)) {
        g_clear_pointer(template, g_free);
    }
    return TRUE;
}

static void set_id(char **name, const char *id)
{
    g_free(*name);
    *name = g_strdup(id);
}

static gboolean normalize_sampler(PenRecipe *recipe, GError **error)
{
    PenSpread spread = PEN_SPREAD_AUTOMATIC;
    if (recipe->sampler && !*recipe->sampler)
        g_clear_pointer(&recipe->sampler, g_free);
    if (recipe->schedule && !*recipe->schedule)
        g_clear_pointer(&recipe->schedule, g_free);
    if ((recipe->sampler && strlen(recipe->sampler) > MAX_NAME) ||
        (recipe->schedule && strlen(recipe->schedule) > MAX_NAME))
        return pen_studio_invalid(error, _("No sampler and no schedule has a name that long."));
    if (recipe->sampler) {
        const PenMethod *method = pen_method_find(recipe->sampler, &spread, error);
        if (!method)
            return FALSE;
        set_id(&recipe->sampler, pen_method_id(method));
    }
    if (recipe->schedule && !pen_spread_find(recipe->schedule, &spread, error))
        return FALSE;
    set_id(&recipe->schedule, spread == PEN_SPREAD_AUTOMATIC ? NULL : pen_spread_id(spread));
    return TRUE;
}

static gboolean check_numbers(const PenRecipe *recipe, GError **error)
{
    if (recipe->steps < 0 || recipe->steps > PEN_RECIPE_MAX_STEPS)
        return pen_studio_invalid(error, _("A style draws in 1 to %d steps, not %d."),
                                  PEN_RECIPE_MAX_STEPS, recipe->steps);
    if (!(recipe->guidance >= 0 && recipe->guidance <= PEN_RECIPE_MAX_GUIDANCE))
        return pen_studio_invalid(error, _("A style's guidance is more than 0 and at most %g."),
                                  PEN_RECIPE_MAX_GUIDANCE);
    const int sides[] = { recipe->width, recipe->height };
    for (guint i = 0; i < G_N_ELEMENTS(sides); i++)
        if (sides[i] < 0 || sides[i] > MAX_SIDE || sides[i] % 8)
            return pen_studio_invalid(
                error, _("A style's width and height are multiples of 8 up to %d."), MAX_SIDE);
    if (!recipe->width != !recipe->height)
        return pen_studio_invalid(error, _("A style's size is a width and a height, or neither."));
    return TRUE;
}

gboolean pen_recipe_normalize(PenRecipe *recipe, GError **error)
{
    return normalize_text(&recipe->prompt, error) && normalize_template(&recipe->prompt, error) &&
           normalize_text(&recipe->negative_prompt, error) && normalize_sampler(recipe, error) &&
           check_numbers(recipe, error);
}

/* --- text ------------------------------------------------------------------------------------ */

PenRecipe *pen_recipe_parse(const char *text, GError **error)
{
    g_autoptr(PenRecipe) recipe = pen_recipe_new();
    if (!text)
        return g_steal_pointer(&recipe);
    g_autoptr(PenJson) json = pen_json_parse(text, strlen(text), _("recipe"), &limits, error);
    if (!json)
        return NULL;
    if (!pen_json_is_object(json)) {
        pen_json_set_error(json, NULL, error, _("expected an object."));
        return NULL;
    }
    if (!pen_json_get_string(json, "prompt", &recipe->prompt, error) ||
        !pen_json_get_string(json, "negative_prompt", &recipe->negative_prompt, error) ||
        !pen_json_get_string(json, "sampler", &recipe->sampler, error) ||
        !pen_json_get_string(json, "schedule", &recipe->schedule, error) ||
        !pen_json_get_int(json, "steps", 0, PEN_RECIPE_MAX_STEPS, &recipe->steps, error) ||
        !pen_json_get_double(json, "guidance", &recipe->guidance, error) ||
        !pen_json_get_int(json, "width", 0, MAX_SIDE, &recipe->width, error) ||
        !pen_json_get_int(json, "height", 0, MAX_SIDE, &recipe->height, error) ||
        !pen_recipe_normalize(recipe, error))
        return NULL;
    return g_steal_pointer(&recipe);
}

char *pen_recipe_to_text(const PenRecipe *recipe)
{
    g_autoptr(JsonObject) object = json_object_new();
    const struct {
        const char *name, *value;
    } texts[] = {
        { "prompt", recipe->prompt },
        { "negative_prompt", recipe->negative_prompt },
        { "sampler", recipe->sampler },
        { "schedule", recipe->schedule },
    };
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        if (texts[i].value)
            json_object_set_string_member(object, texts[i].name, texts[i].value);
    if (recipe->steps)
        json_object_set_int_member(object, "steps", recipe->steps);
    if (recipe->guidance > 0)
        json_object_set_double_member(object, "guidance", recipe->guidance);
    if (recipe->width) {
        json_object_set_int_member(object, "width", recipe->width);
        json_object_set_int_member(object, "height", recipe->height);
    }
    if (!json_object_get_size(object))
        return NULL;
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    json_node_set_object(node, object);
    return json_to_string(node, FALSE);
}

PenRecipe *pen_studio_get_recipe(PenStudio *studio, gint64 style, GError **error)
{
    g_autoptr(PenStyle) row = pen_store_get_style(pen_studio_store(studio), style, error);
    return row ? pen_recipe_parse(row->recipe, error) : NULL;
}

gboolean pen_studio_set_recipe(PenStudio *studio, gint64 style, const PenRecipe *recipe,
                               GError **error)
{
    g_autoptr(PenRecipe) checked = pen_recipe_copy(recipe);
    if (!pen_recipe_normalize(checked, error))
        return FALSE;
    g_autofree char *text = pen_recipe_to_text(checked);
    return pen_store_set_style_recipe(pen_studio_store(studio), style, text, error);
}

/* --- the prompt ------------------------------------------------------------------------------ */

/* What stands before and behind the prompt; FALSE without a template. */
static gboolean split(const PenRecipe *recipe, char **before, const char **behind)
{
    const char *at = recipe->prompt ? strstr(recipe->prompt, PEN_RECIPE_PROMPT) : NULL;
    if (!at)
        return FALSE;
    *before = g_strndup(recipe->prompt, (gsize)(at - recipe->prompt));
    *behind = at + strlen(PEN_RECIPE_PROMPT);
    return TRUE;
}

char *pen_recipe_read_prompt(const PenRecipe *recipe, const char *prompt)
{
    g_autofree char *before = NULL;
    const char *behind;
    if (!split(recipe, &before, &behind) || !g_str_has_prefix(prompt, before) ||
        !g_str_has_suffix(prompt, behind) || strlen(prompt) < strlen(before) + strlen(behind))
        return g_strdup(prompt);
    return g_strndup(prompt + strlen(before), strlen(prompt) - strlen(before) - strlen(behind));
}

char *pen_recipe_write_prompt(const PenRecipe *recipe, const char *prompt)
{
    g_autofree char *before = NULL;
    const char *behind;
    g_autofree char *own = pen_recipe_read_prompt(recipe, prompt);
    return split(recipe, &before, &behind) ? g_strconcat(before, own, behind, NULL)
                                           : g_strdup(prompt);
}

/* --- words ----------------------------------------------------------------------------------- */

static void list(GString *text, char *part)
{
    if (text->len)
        g_string_append(text, ", ");
    g_string_append(text, part);
    g_free(part);
}

/* The sampler as people know it, with its schedule. */
static char *sampler_name(const PenRecipe *recipe)
{
    PenSpread spread = PEN_SPREAD_AUTOMATIC;
    if (recipe->schedule)
        pen_spread_find(recipe->schedule, &spread, NULL);
    const PenMethod *method = recipe->sampler ? pen_method_find(recipe->sampler, NULL, NULL) : NULL;
    return method ? pen_method_full_name(method, spread) : g_strdup(pen_spread_name(spread));
}

char *pen_recipe_describe(const PenRecipe *recipe)
{
    g_autoptr(GString) text = g_string_new(NULL);
    if (recipe->prompt)
        list(text, g_strdup_printf(_("“%s”"), recipe->prompt));
    if (recipe->negative_prompt)
        list(text, g_strdup_printf(_("without “%s”"), recipe->negative_prompt));
    if (recipe->sampler || recipe->schedule)
        list(text, sampler_name(recipe));
    if (recipe->steps)
        list(text, g_strdup_printf(ngettext("%d step", "%d steps", (gulong)recipe->steps),
                                   recipe->steps));
    if (recipe->guidance > 0)
        list(text, g_strdup_printf(_("guidance %g"), recipe->guidance));
    if (recipe->width)
        list(text, g_strdup_printf(_("%d × %d pixels"), recipe->width, recipe->height));
    return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

/* --- a round --------------------------------------------------------------------------------- */

static void fill_text(const char **text, const char *value)
{
    if (!*text)
        *text = g_strdup(value);
}

void pen_recipe_open_sampling(PenRecipe *recipe)
{
    g_clear_pointer(&recipe->sampler, g_free);
    g_clear_pointer(&recipe->schedule, g_free);
    recipe->steps = 0;
    recipe->guidance = 0;
}

/* A name from a script may be "", which is none. */
static gboolean is_open(const char *name)
{
    return !name || !*name;
}

void pen_recipe_apply(const PenRecipe *recipe, PenRoundRequest *request)
{
    if (request->prompt) {
        char *whole = pen_recipe_write_prompt(recipe, request->prompt);
        g_free((char *)request->prompt);
        request->prompt = whole;
    }
    fill_text(&request->negative_prompt, recipe->negative_prompt);
    /* The recipe's schedule goes with its sampler. */
    if (is_open(request->sampler)) {
        if (is_open(request->schedule)) {
            g_free((char *)request->schedule);
            request->schedule = g_strdup(recipe->schedule);
        }
        g_free((char *)request->sampler);
        request->sampler = g_strdup(recipe->sampler);
    }
    if (!request->steps)
        request->steps = (guint)recipe->steps;
    if (!request->guidance)
        request->guidance = recipe->guidance;
    if (!request->width && !request->height) {
        request->width = (guint)recipe->width;
        request->height = (guint)recipe->height;
    }
}
