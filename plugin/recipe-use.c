// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/recipe-use.h"

static void set_text(char **text, const char *value)
{
    g_autofree char *old = *text;
    *text = g_strdup(value);
}

static const char *name_of(const char *id)
{
    return id ? id : "";
}

/* The texts of a recipe, and where they are among the settings. */
typedef struct {
    char **setting, **replaced;
    const char *recipe;
} Text;

static void list_texts(PenSettings *settings, Text texts[3])
{
    const PenRecipe *recipe = settings->recipe;
    PenRecipe *replaced = settings->replaced;
    texts[0] =
        (Text){ &settings->negative_prompt, &replaced->negative_prompt, recipe->negative_prompt };
    texts[1] = (Text){ &settings->sampler, &replaced->sampler, recipe->sampler };
    texts[2] = (Text){ &settings->schedule, &replaced->schedule, recipe->schedule };
}

static void give_back(PenSettings *settings)
{
    const PenRecipe *recipe = settings->recipe, *replaced = settings->replaced;
    Text texts[3];
    list_texts(settings, texts);
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        if (texts[i].recipe && g_str_equal(name_of(*texts[i].setting), texts[i].recipe))
            set_text(texts[i].setting, name_of(*texts[i].replaced));
    if (recipe->steps && settings->steps == recipe->steps)
        settings->steps = replaced->steps;
    if (recipe->guidance > 0 && settings->guidance == recipe->guidance)
        settings->guidance = replaced->guidance;
    if (settings->shape == PEN_SHAPE_STYLE)
        settings->shape = settings->replaced_shape;
}

static void take_over(PenSettings *settings)
{
    const PenRecipe *recipe = settings->recipe;
    PenRecipe *replaced = settings->replaced;
    Text texts[3];
    list_texts(settings, texts);
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        set_text(texts[i].replaced, name_of(*texts[i].setting));
        if (texts[i].recipe)
            set_text(texts[i].setting, texts[i].recipe);
    }
    replaced->steps = settings->steps;
    replaced->guidance = settings->guidance;
    if (recipe->steps)
        settings->steps = recipe->steps;
    if (recipe->guidance > 0)
        settings->guidance = recipe->guidance;
    settings->replaced_shape = settings->shape;
    if (recipe->width)
        settings->shape = PEN_SHAPE_STYLE;
}

gboolean pen_recipe_use(PenSettings *settings, const PenRecipe *recipe)
{
    g_autofree char *before = pen_recipe_to_text(settings->recipe);
    g_autofree char *after = pen_recipe_to_text(recipe);
    if (g_strcmp0(before, after) == 0)
        return FALSE;
    give_back(settings);
    pen_recipe_free(settings->recipe);
    settings->recipe = pen_recipe_copy(recipe);
    take_over(settings);
    return TRUE;
}

void pen_recipe_read_settings(PenRecipe *recipe, const PenSettings *settings)
{
    set_text(&recipe->negative_prompt, settings->negative_prompt);
    set_text(&recipe->sampler, settings->sampler);
    set_text(&recipe->schedule, settings->schedule);
    recipe->steps = settings->steps;
    recipe->guidance = settings->guidance;
    gboolean sized = settings->shape == PEN_SHAPE_STYLE;
    recipe->width = sized ? settings->recipe->width : 0;
    recipe->height = sized ? settings->recipe->height : 0;
}
