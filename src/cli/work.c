// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <signal.h>

#include "src/cli/cli.h"
#include "src/models/model-spec.h"

/* Lines of progress with --json closer together than this are left out. */
#define JSON_INTERVAL (200 * G_TIME_SPAN_MILLISECOND)

PenStudio *pen_cli_studio(PenCli *cli, GError **error)
{
    g_autoptr(GError) inner = NULL;
    if (!cli->studio)
        cli->studio = pen_studio_new(cli->data, cli->device, cli->precision, &inner);
    if (g_error_matches(inner, PEN_STORE_ERROR, PEN_STORE_ERROR_FAILED) ||
        g_error_matches(inner, PEN_STORE_ERROR, PEN_STORE_ERROR_READ_ONLY))
        g_set_error(error, inner->domain, inner->code,
                    _("The data folder cannot be used (%s): choose another one with --data."),
                    inner->message);
    else if (inner)
        g_propagate_error(error, g_steal_pointer(&inner));
    return cli->studio;
}

PenStudio *pen_cli_share_studio(PenCli *cli, const char *style, GError **error)
{
    PenStore *store = NULL;
    g_autoptr(PenStyle) row = NULL;
    if (cli->crew->rank == 0) {
        if (!pen_cli_studio(cli, error) || (style && !(row = pen_cli_find_style(cli, style, error))))
            return NULL;
        store = pen_studio_store(cli->studio);
    }
    if (!pen_crew_share_store(cli->crew, store, row ? row->id : 0, &cli->copy, error))
        return NULL;
    if (cli->copy)
        cli->studio = pen_studio_new(cli->copy, cli->device, cli->precision, error);
    return cli->studio;
}

char *pen_cli_model(const char *model, const char *vae, const char *prediction, char **loras,
                    GError **error)
{
    g_autoptr(PenModelSpec) spec = pen_model_spec_new(model);
    if (prediction && !g_str_equal(prediction, "epsilon") && !g_str_equal(prediction, "v")) {
        pen_cli_usage_error(error, _("--prediction is epsilon or v, not “%s”."), prediction);
        return NULL;
    }
    if (prediction)
        spec->prediction = g_strdup(*prediction == 'v' ? "v_prediction" : prediction);
    if (vae && *vae && !g_file_test(vae, G_FILE_TEST_EXISTS)) {
        pen_cli_usage_error(error, _("There is no VAE %s."), vae);
        return NULL;
    }
    spec->vae = g_strdup(vae);
    for (char **lora = loras; lora && *lora; lora++)
        if (!pen_model_spec_add_lora_text(spec, *lora, error))
            return NULL;
    pen_model_spec_make_absolute(spec);
    char *text = pen_model_spec_to_text(spec);
    return text ? text : g_strdup("{}");
}

static char *style_names(PenStore *store)
{
    g_autoptr(GPtrArray) styles = pen_store_list_styles(store, FALSE, NULL);
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; styles && i < styles->len; i++) {
        const PenStyle *style = styles->pdata[i];
        g_string_append_printf(names, "%s%s", i ? ", " : "", style->name);
    }
    return g_string_free(g_steal_pointer(&names), FALSE);
}

PenStyle *pen_cli_find_style(PenCli *cli, const char *name, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio)
        return NULL;
    g_autoptr(GError) inner = NULL;
    PenStyle *style = pen_store_find_style(pen_studio_store(studio), name, &inner);
    if (style)
        return style;
    if (!g_error_matches(inner, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&inner));
        return NULL;
    }
    g_autofree char *names = style_names(pen_studio_store(studio));
    if (*names)
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND,
                    _("There is no style “%s”. There are: %s. Make a new one with "
                      "“penchant style create NAME [--model DIR]”."),
                    name, names);
    else
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND,
                    _("There is no style “%s”, and no other one yet. Make one with "
                      "“penchant style create NAME [--model DIR]”."),
                    name);
    return NULL;
}

gboolean pen_cli_check_device(PenCli *cli, GError **error)
{
    g_autoptr(GPtrArray) devices = pen_device_list(error);
    return devices && pen_device_choose(devices, cli->device, NULL, error) >= 0;
}

PenDevice *pen_cli_open_device(PenCli *cli, GError **error)
{
    return pen_device_open(cli->device, error);
}

/* --- jobs ------------------------------------------------------------------------------------ */

void pen_cli_job_init(PenCliJob *job, PenCli *cli)
{
    *job = (PenCliJob){
        .cli = cli,
        .cancellable = g_cancellable_new(),
        .loop = g_main_loop_new(NULL, FALSE),
    };
}

void pen_cli_job_clear(PenCliJob *job)
{
    g_clear_object(&job->cancellable);
    g_clear_object(&job->result);
    g_clear_pointer(&job->loop, g_main_loop_unref);
}

void pen_cli_job_done(GObject *source G_GNUC_UNUSED, GAsyncResult *result, gpointer data)
{
    PenCliJob *job = data;
    job->result = g_object_ref(result);
    g_main_loop_quit(job->loop);
}

/* Without the source the signal has its own effect again, so the second Ctrl-C ends the program. */
static gboolean on_interrupt(gpointer data)
{
    PenCliJob *job = data;
    pen_cli_note(job->cli, _("Stopping…"));
    g_cancellable_cancel(job->cancellable);
    return G_SOURCE_REMOVE;
}

GAsyncResult *pen_cli_job_wait(PenCliJob *job)
{
    const int signals[] = { SIGINT, SIGTERM };
    GSource *sources[G_N_ELEMENTS(signals)];
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++) {
        sources[i] = g_unix_signal_source_new(signals[i]);
        g_source_set_callback(sources[i], on_interrupt, job, NULL);
        g_source_attach(sources[i], NULL);
    }
    g_main_loop_run(job->loop);
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++) {
        g_source_destroy(sources[i]);
        g_source_unref(sources[i]);
    }
    pen_progress_clear(job->cli->progress);
    return job->result;
}

void pen_cli_show_event(PenCli *cli, const PenStudioEvent *event, const char *what)
{
    JsonObject *object;
    switch (event->kind) {
    case PEN_STUDIO_LOADING:
    case PEN_STUDIO_PROGRESS: {
        gboolean loading = event->kind == PEN_STUDIO_LOADING;
        double left = loading ? -1 : event->seconds_left;
        pen_progress_show(cli->progress, loading ? _("Loading the model") : what, event->fraction,
                          left);
        gint64 now = g_get_monotonic_time();
        if (now - cli->last_progress < JSON_INTERVAL && event->fraction < 1)
            break;
        cli->last_progress = now;
        object = pen_cli_object(loading ? "loading" : "progress");
        pen_cli_set_number(object, "fraction", event->fraction);
        if (left >= 0)
            pen_cli_set_number(object, "seconds_left", left);
        pen_cli_emit(cli, object);
        break;
    }
    case PEN_STUDIO_DEVICE:
        if (cli->json) {
            object = pen_cli_object("device");
            json_object_set_string_member(object, "name", event->text);
            pen_cli_emit(cli, object);
        } else {
            pen_cli_note(cli, _("Working on %s."), event->text);
        }
        break;
    case PEN_STUDIO_WARNING:
        pen_cli_warn(cli, event->text);
        break;
    case PEN_STUDIO_NOTICE:
        pen_cli_note(cli, "%s", event->text);
        break;
    default:
        break;
    }
}
