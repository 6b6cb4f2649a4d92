// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/taken-settings.h"

#include <glib/gi18n-lib.h>
#include <string.h>

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
    const PenPictureSettings *settings = taken->settings;
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
static void take_eta(PenPictureSettings *settings, const PenMethod *method, GString *missing)
{
    if (settings->eta < 0 && g_str_equal(pen_method_name(method), "DDIM"))
        settings->eta = 0;
    if (settings->eta < 0 || pen_method_uses_eta(method))
        return;
    if (settings->eta != 1)
        list(missing, "Eta: %g", settings->eta);
    settings->eta = -1;
}

static void take_sampler(PenPictureSettings *settings, GString *missing)
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

PenTakenSettings *pen_studio_take_settings(PenStudio *studio, const char *file, GError **error)
{
    g_autoptr(PenPictureSettings) settings = pen_picture_settings_read(file, error);
    if (!settings)
        return NULL;
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
    pen_picture_settings_free(taken->settings);
    g_free(taken->model);
    g_free(taken->notice);
    g_free(taken);
}
