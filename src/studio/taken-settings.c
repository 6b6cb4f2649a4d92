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

static gboolean knows_model(const char *name)
{
    g_auto(GStrv) names = pen_model_names();
    return g_strv_contains((const char *const *)names, name);
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

static void take_model(PenTakenSettings *taken, GString *missing)
{
    const PenPngSettings *settings = taken->settings;
    g_autoptr(PenModelSpec) spec = pen_model_spec_new(NULL);
    if (settings->model && knows_model(settings->model))
        spec->model = g_strdup(settings->model);
    else if (settings->model)
        list(missing, _("the model “%s”"), settings->model);
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

static void take_sampler(PenTakenSettings *taken, GString *missing)
{
    char **sampler = &taken->settings->sampler;
    PenSpread spread = PEN_SPREAD_AUTOMATIC;
    if (!*sampler || pen_method_find(*sampler, &spread, NULL))
        return;
    list(missing, _("the sampler “%s”"), *sampler);
    g_clear_pointer(sampler, g_free);
}

PenTakenSettings *pen_studio_take_settings(PenStudio *studio, const char *file, GError **error)
{
    g_autofree char *text = pen_png_read_text(file, PEN_PNG_SETTINGS_KEY, error);
    if (!text)
        return NULL;
    PenTakenSettings *taken = g_new0(PenTakenSettings, 1);
    g_autoptr(GString) missing = g_string_new(NULL);
    taken->settings = pen_png_settings_from_text(text);
    take_model(taken, missing);
    take_style(taken, studio, missing);
    take_sampler(taken, missing);
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
