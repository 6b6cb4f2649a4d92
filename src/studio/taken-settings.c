// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/taken-settings.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/formats/png.h"
#include "src/models/model.h"
#include "src/models/user-files.h"
#include "src/sampling/method.h"
#include "src/studio/job.h"

static void list(GString *text, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void list(GString *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (text->len)
        g_string_append(text, ", ");
    g_string_append_vprintf(text, format, arguments);
    va_end(arguments);
}

/* The model of that name, also in a folder of the models folder; NULL: it is not here, or there are
 * several. */
static char *find_model(const char *name)
{
    g_auto(GStrv) names = pen_model_names();
    g_autofree char *wanted = pen_user_file_stem(name);
    const char *found = NULL;
    guint n = 0;
    for (char **known = names; *known; known++) {
        g_autofree char *stem = pen_user_file_stem(*known);
        if (g_str_equal(*known, name))
            return g_strdup(name);
        if (pen_user_file_names_equal(stem, wanted)) {
            found = *known;
            n++;
        }
    }
    return n == 1 ? g_strdup(found) : NULL;
}

/* "NAME:STRENGTH, NAME:STRENGTH" */
static void take_adapters(PenModelSpec *spec, const char *adapters, GString *missing)
{
    g_autofree char *folder = pen_model_user_folder();
    g_auto(GStrv) words = g_strsplit(adapters, ", ", -1);
    for (char **word = words; *word; word++) {
        char *colon = strrchr(*word, ':');
        double strength = colon ? g_ascii_strtod(colon + 1, NULL) : 1;
        if (colon)
            *colon = '\0';
        g_autofree char *file = pen_user_file_find(folder, *word);
        if (file)
            pen_model_spec_add_lora(spec, file, strength);
        else
            list(missing, _("the adapter “%s”"), *word);
    }
}

static void take_vae(PenModelSpec *spec, const char *name, GString *missing)
{
    g_autofree char *folder = pen_model_user_folder();
    spec->vae = pen_user_file_find(folder, name);
    if (!spec->vae)
        list(missing, _("the VAE “%s”"), name);
}

static void take_model(PenTakenSettings *taken, GString *missing)
{
    const PenPngSettings *settings = taken->settings;
    g_autoptr(PenModelSpec) spec = pen_model_spec_new(NULL);
    spec->model = settings->model ? find_model(settings->model) : NULL;
    if (settings->model && !spec->model)
        list(missing, _("the model “%s”"), settings->model);
    if (settings->vae)
        take_vae(spec, settings->vae, missing);
    if (settings->adapters)
        take_adapters(spec, settings->adapters, missing);
    taken->model = pen_model_spec_to_text(spec);
}

static void take_style(PenTakenSettings *taken, PenStudio *studio, GString *missing)
{
    const char *name = taken->settings->style;
    g_autoptr(PenStyle) style =
        name ? pen_store_find_style(pen_studio_store(studio), name, NULL) : NULL;
    if (style)
        taken->style = style->id;
    else if (name)
        list(missing, _("the style “%s”"), name);
}

/* Where nothing is said of eta, other programs' DDIM draws without fresh noise. */
static void take_eta(PenPngSettings *settings, const PenMethod *method, GString *missing)
{
    if (settings->eta < 0 && g_str_equal(pen_method_name(method), "DDIM"))
        settings->eta = 0;
    if (settings->eta < 0 || pen_method_uses_eta(method))
        return;
    if (settings->eta != 1)
        list(missing, "Eta: %g", settings->eta);
    settings->eta = -1;
}

static void take_sampler(PenPngSettings *settings, GString *missing)
{
    PenSpread spread = PEN_SPREAD_AUTOMATIC;
    const PenMethod *method =
        settings->sampler ? pen_method_find(settings->sampler, &spread, NULL) : NULL;
    if (settings->sampler && !method) {
        list(missing, _("the sampler “%s”"), settings->sampler);
        g_clear_pointer(&settings->sampler, g_free);
    }
    if (method)
        take_eta(settings, method, missing);
    if (!method || !settings->schedule || spread != PEN_SPREAD_AUTOMATIC ||
        g_ascii_strcasecmp(settings->schedule, "Automatic") == 0)
        return;
    if (pen_spread_find(settings->schedule, &spread, NULL)) {
        g_free(settings->sampler);
        settings->sampler = pen_method_full_name(method, spread);
    } else {
        list(missing, _("the schedule “%s”"), settings->schedule);
    }
}

/* Says which program's way of saying it a picture has that says nothing in A1111's. */
static void explain_other_way(const char *file, GError **error)
{
    static const struct {
        const char *key, *program;
    } others[] = {
        { "workflow", "ComfyUI" },
        { "prompt", "ComfyUI" },
        { "invokeai_metadata", "InvokeAI" },
        { "invokeai_graph", "InvokeAI" },
        { "sd-metadata", "InvokeAI" },
        { "Dream", "InvokeAI" },
        { "fooocus_scheme", "Fooocus" },
        { PEN_PNG_SETTINGS_KEY, "JSON" },
        { "Comment", "NovelAI" },
    };
    g_autoptr(PenPng) png = pen_png_read(file, NULL);
    g_autofree char *name = g_filename_display_name(file);
    for (gsize i = 0; png && i < G_N_ELEMENTS(others); i++)
        if (pen_png_text(png, others[i].key) && *pen_png_text(png, others[i].key) &&
            (!g_str_equal(others[i].program, "NovelAI") ||
             g_strcmp0(pen_png_text(png, "Software"), "NovelAI") == 0)) {
            g_clear_error(error);
            g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                        _("“%s” says how it was made in a form that Penchant does not read (%s): "
                          "save it with A1111's settings text, or type the prompt and settings."),
                        name, others[i].program);
            return;
        }
    if (png && error && !*error)
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                    _("“%s” does not say which settings it was made with."), name);
}

PenTakenSettings *pen_studio_take_settings(PenStudio *studio, const char *file, GError **error)
{
    g_autofree char *text = pen_png_read_text(file, PEN_PNG_SETTINGS_KEY, error);
    g_autoptr(PenPngSettings) settings = text ? pen_png_settings_from_text(text) : NULL;
    if (!settings || !pen_png_settings_say_something(settings)) {
        explain_other_way(file, error);
        return NULL;
    }
    PenTakenSettings *taken = g_new0(PenTakenSettings, 1);
    g_autoptr(GString) missing = g_string_new(NULL);
    taken->settings = g_steal_pointer(&settings);
    take_model(taken, missing);
    take_style(taken, studio, missing);
    take_sampler(taken->settings, missing);
    if (taken->settings->others)
        list(missing, "%s", taken->settings->others);
    if (missing->len)
        taken->notice = g_strdup_printf(_("Not taken over from the picture: %s."), missing->str);
    return taken;
}

void pen_taken_settings_free(PenTakenSettings *taken)
{
    if (!taken)
        return;
    pen_png_settings_free(taken->settings);
    g_free(taken->model);
    g_free(taken->notice);
    g_free(taken);
}
