// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/settings.h"

#include <libgimp/gimp.h>

#define GROUP "penchant"

static char *settings_path(void)
{
    return g_build_filename(gimp_directory(), "penchant.ini", NULL);
}

static int read_int(GKeyFile *file, const char *key, int fallback, int low, int high)
{
    g_autoptr(GError) error = NULL;
    int value = g_key_file_get_integer(file, GROUP, key, &error);
    return error || value < low || value > high ? fallback : value;
}

static double read_double(GKeyFile *file, const char *key, double fallback, double low, double high)
{
    g_autoptr(GError) error = NULL;
    double value = g_key_file_get_double(file, GROUP, key, &error);
    return error || !(value >= low && value <= high) ? fallback : value;
}

/* NULL when it is missing or empty. */
static char *read_text(GKeyFile *file, const char *key)
{
    char *text = g_key_file_get_string(file, GROUP, key, NULL);
    if (text && !*text)
        g_clear_pointer(&text, g_free);
    return text;
}

/* "" when it is missing. */
static char *read_words(GKeyFile *file, const char *key)
{
    char *text = read_text(file, key);
    return text ? text : g_strdup("");
}

/* Whatever the file holds, it is a spec without a model. */
static PenModelSpec *read_extras(GKeyFile *file)
{
    g_autofree char *text = read_text(file, "extras");
    PenModelSpec *extras = pen_model_spec_parse(text, NULL);
    if (!extras)
        extras = pen_model_spec_new(NULL);
    g_clear_pointer(&extras->model, g_free);
    return extras;
}

/* Whatever the file holds, it is a recipe. */
static PenRecipe *read_recipe(GKeyFile *file, const char *key)
{
    g_autofree char *text = read_text(file, key);
    PenRecipe *recipe = pen_recipe_parse(text, NULL);
    return recipe ? recipe : pen_recipe_new();
}

static void write_recipe(GKeyFile *file, const char *key, const PenRecipe *recipe)
{
    g_autofree char *text = pen_recipe_to_text(recipe);
    g_key_file_set_string(file, GROUP, key, text ? text : "");
}

static PenShape read_shape(GKeyFile *file, const char *key, const PenRecipe *recipe)
{
    int last = recipe->width ? PEN_SHAPE_STYLE : PEN_SHAPE_LANDSCAPE;
    return (PenShape)read_int(file, key, PEN_SHAPE_IMAGE, PEN_SHAPE_IMAGE, last);
}

PenSettings *pen_settings_load(void)
{
    g_autofree char *path = settings_path();
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL);

    PenSettings *settings = g_new0(PenSettings, 1);
    settings->prompt = read_words(file, "prompt");
    settings->negative_prompt = read_words(file, "negative-prompt");
    settings->model = read_text(file, "model");
    settings->extras = read_extras(file);
    settings->device = read_text(file, "device");
    settings->style = MAX(g_key_file_get_int64(file, GROUP, "style", NULL), 0);
    settings->recipe = read_recipe(file, "recipe");
    settings->replaced = read_recipe(file, "replaced");
    settings->replaced_shape = read_shape(file, "replaced-shape", settings->recipe);
    settings->from = read_int(file, "from", PEN_FROM_TEXT, PEN_FROM_TEXT, PEN_FROM_SELECTION);
    settings->start_strength = read_double(file, "start-strength", 0.6, 0.05, 1);
    settings->shape = read_shape(file, "shape", settings->recipe);
    settings->fit = read_int(file, "fit", PEN_FIT_CONTAIN, PEN_FIT_OWN, PEN_FIT_FILL);
    settings->grow = read_int(file, "grow", 0, 0, PEN_MAX_GROW);
    settings->soften = read_int(file, "soften", 8, 0, PEN_MAX_GROW);
    settings->count = read_int(file, "count", 4, 2, 9);
    settings->wide = g_key_file_get_boolean(file, GROUP, "wide", NULL);
    settings->sampler = read_text(file, "sampler");
    settings->schedule = read_text(file, "schedule");
    settings->speed = read_int(file, "speed", PEN_SPEED_AUTOMATIC, PEN_SPEED_AUTOMATIC,
                               PEN_SPEED_USUAL);
    settings->steps = read_int(file, "steps", 0, 0, 150);
    settings->guidance = read_double(file, "guidance", 0, 0, 30);
    settings->eta = read_double(file, "eta", 1, 0, 1);
    settings->words = g_key_file_get_boolean(file, GROUP, "words", NULL);
    settings->clip_skip = read_int(file, "clip-skip", 1, 1, 12);
    settings->fixed_seed = g_key_file_get_boolean(file, GROUP, "fixed-seed", NULL);
    settings->seed = g_key_file_get_uint64(file, GROUP, "seed", NULL);
    settings->advanced = g_key_file_get_boolean(file, GROUP, "advanced", NULL);
    settings->width = read_int(file, "width", 0, 400, 20000);
    settings->height = read_int(file, "height", 0, 300, 20000);
    settings->x = read_int(file, "x", -1, 0, 20000);
    settings->y = read_int(file, "y", -1, 0, 20000);
    settings->panel = read_int(file, "panel", 0, 200, 2000);
    settings->maximized = g_key_file_get_boolean(file, GROUP, "maximized", NULL);
    return settings;
}

void pen_settings_ask(const PenSettings *settings, PenRoundRequest *request)
{
    request->words = settings->words;
    request->clip_skip = (guint)settings->clip_skip;
    request->sampler = settings->sampler;
    request->schedule = settings->schedule;
    request->speed = settings->speed;
    request->steps = (guint)settings->steps;
    request->guidance = settings->guidance;
    request->eta = settings->eta < 1 ? settings->eta : -1;
}

gboolean pen_settings_save(const PenSettings *settings, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_key_file_set_string(file, GROUP, "prompt", settings->prompt);
    g_key_file_set_string(file, GROUP, "negative-prompt",
                          settings->negative_prompt);
    g_key_file_set_string(file, GROUP, "model", settings->model ? settings->model : "");
    g_autofree char *extras = pen_model_spec_to_text(settings->extras);
    g_key_file_set_string(file, GROUP, "extras", extras ? extras : "");
    g_key_file_set_string(file, GROUP, "device", settings->device ? settings->device : "");
    g_key_file_set_int64(file, GROUP, "style", settings->style);
    write_recipe(file, "recipe", settings->recipe);
    write_recipe(file, "replaced", settings->replaced);
    g_key_file_set_integer(file, GROUP, "replaced-shape", settings->replaced_shape);
    g_key_file_set_integer(file, GROUP, "from", settings->from);
    g_key_file_set_double(file, GROUP, "start-strength", settings->start_strength);
    g_key_file_set_integer(file, GROUP, "shape", settings->shape);
    g_key_file_set_integer(file, GROUP, "fit", settings->fit);
    g_key_file_set_integer(file, GROUP, "grow", settings->grow);
    g_key_file_set_integer(file, GROUP, "soften", settings->soften);
    g_key_file_set_integer(file, GROUP, "count", settings->count);
    g_key_file_set_boolean(file, GROUP, "wide", settings->wide);
    g_key_file_set_string(file, GROUP, "sampler", settings->sampler ? settings->sampler : "");
    g_key_file_set_string(file, GROUP, "schedule",
                          settings->schedule ? settings->schedule : "");
    g_key_file_set_integer(file, GROUP, "speed", settings->speed);
    g_key_file_set_integer(file, GROUP, "steps", settings->steps);
    g_key_file_set_double(file, GROUP, "guidance", settings->guidance);
    g_key_file_set_double(file, GROUP, "eta", settings->eta);
    g_key_file_set_boolean(file, GROUP, "words", settings->words);
    g_key_file_set_integer(file, GROUP, "clip-skip", settings->clip_skip);
    g_key_file_set_boolean(file, GROUP, "fixed-seed", settings->fixed_seed);
    g_key_file_set_uint64(file, GROUP, "seed", settings->seed);
    g_key_file_set_boolean(file, GROUP, "advanced", settings->advanced);
    g_key_file_set_integer(file, GROUP, "width", settings->width);
    g_key_file_set_integer(file, GROUP, "height", settings->height);
    g_key_file_set_integer(file, GROUP, "x", settings->x);
    g_key_file_set_integer(file, GROUP, "y", settings->y);
    g_key_file_set_integer(file, GROUP, "panel", settings->panel);
    g_key_file_set_boolean(file, GROUP, "maximized", settings->maximized);
    g_autofree char *path = settings_path();
    return g_key_file_save_to_file(file, path, error);
}

void pen_settings_free(PenSettings *settings)
{
    if (!settings)
        return;
    g_free(settings->prompt);
    g_free(settings->negative_prompt);
    g_free(settings->model);
    pen_model_spec_free(settings->extras);
    g_free(settings->device);
    pen_recipe_free(settings->recipe);
    pen_recipe_free(settings->replaced);
    g_free(settings->sampler);
    g_free(settings->schedule);
    g_free(settings);
}
