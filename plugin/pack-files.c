// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/pack-files.h"

#include <glib/gi18n-lib.h>

#include "plugin/ui.h"
#include "plugin/window.h"
#include "src/studio/packs/pack.h"

typedef struct {
    PenApp *app;
    PenStudio *studio;
    GCancellable *job;
    char *pack, *target;
    PenImported imported;
    PenPackContent content;
} PackJob;

static void pack_job_free(gpointer data)
{
    PackJob *job = data;
    g_object_unref(job->app);
    g_free(job->pack);
    g_free(job->target);
    g_free(job);
}

static void start(PenApp *app, const char *pack, const char *target, GTaskThreadFunc run,
                  GAsyncReadyCallback done)
{
    PackJob *job = g_new0(PackJob, 1);
    *job = (PackJob){
        .app = g_object_ref(app),
        .studio = pen_app_studio(app),
        .job = pen_app_begin_job(app), /* a window that closes waits for it */
        .pack = g_strdup(pack),
        .target = g_strdup(target),
    };
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, NULL);
    g_task_set_task_data(task, job, pack_job_free);
    g_task_run_in_thread(task, run);
}

static void answer(GTask *task, gboolean ok, GError *error)
{
    if (ok)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

/* --- picks, back ------------------------------------------------------------------------------ */

static void run_save(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    PackJob *job = data;
    PenPackSelection selection = { .kind = PEN_PACK_PICKS, .first = 1, .of_pack = job->pack };
    GError *error = NULL;
    gboolean ok =
        pen_studio_write_pack(job->studio, &selection, job->target, &job->content, &error);
    answer(task, ok, error);
}

static void on_saved(GObject *source, GAsyncResult *result, gpointer data)
{
    PackJob *job = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;
    if (g_task_propagate_boolean(G_TASK(result), &error)) {
        g_autofree char *text =
            g_strdup_printf(g_dngettext(GETTEXT_PACKAGE, "%u vote is in %s, to be sent back.",
                                        "%u votes are in %s, to be sent back.", job->content.picks),
                            job->content.picks, job->target);
        pen_app_notify(job->app, GTK_MESSAGE_INFO, text);
    } else {
        pen_app_report(job->app, error);
    }
    pen_app_end_job(job->app, job->job);
}

static void on_target(GtkFileChooser *chooser, const char *path, gpointer data)
{
    start(data, g_object_get_data(G_OBJECT(chooser), "pack"), path, run_save, on_saved);
}

/* The bar's button knows nothing of widgets. */
static GtkWidget *find_window(void)
{
    g_autoptr(GList) windows = gtk_window_list_toplevels();
    for (GList *link = windows; link; link = link->next)
        if (PEN_IS_WINDOW(link->data))
            return link->data;
    g_return_val_if_reached(NULL);
}

static void ask_target(PenApp *app, const char *pack)
{
    g_autofree char *artist = pen_store_get_artist(pen_app_store(app));
    g_autofree char *base = g_path_get_basename(pack);
    char *end = g_str_has_suffix(base, ".tar") ? strrchr(base, '.') : NULL;
    if (end)
        *end = '\0';
    g_autofree char *name = g_strdup_printf("%s-%s.tar", base, artist);
    GtkWidget *dialog =
        pen_ui_new_file_dialog(find_window(), GTK_FILE_CHOOSER_ACTION_SAVE, _("Save the Votes"),
                               name, _("_Save"), on_target, app);
    g_object_set_data_full(G_OBJECT(dialog), "pack", g_strdup(pack), g_free);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* --- rounds, here ----------------------------------------------------------------------------- */

static void run_merge(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    PackJob *job = data;
    GError *error = NULL;
    gboolean ok = pen_studio_merge_pack(job->studio, job->pack, NULL, &job->imported, &error);
    answer(task, ok, error);
}

static void on_merged(GObject *source, GAsyncResult *result, gpointer data)
{
    PackJob *job = g_task_get_task_data(G_TASK(result));
    PenApp *app = job->app;
    const PenImported *imported = &job->imported;
    g_autoptr(GError) error = NULL;
    if (!g_task_propagate_boolean(G_TASK(result), &error)) {
        pen_app_report(app, error);
        pen_app_end_job(app, job->job);
        return;
    }
    pen_app_rounds_changed(app);
    guint rounds = imported->rounds + imported->known;
    g_autofree char *name = g_path_get_basename(job->pack);
    g_autofree char *text =
        rounds
            ? g_strdup_printf(g_dngettext(GETTEXT_PACKAGE,
                                          "%u round of “%s” is among the earlier rounds, to be "
                                          "voted on. Drop the file again to save your votes later.",
                                          "%u rounds of “%s” are among the earlier rounds, to be "
                                          "voted on. Drop the file again to save your votes later.",
                                          rounds),
                              rounds, name)
            : g_strdup_printf(g_dngettext(GETTEXT_PACKAGE, "%u vote of others is new.",
                                          "%u votes of others are new.", imported->picks),
                              imported->picks);
    if (rounds)
        pen_app_offer(app, GTK_MESSAGE_INFO, text, _("_Save My Votes…"), ask_target, job->pack);
    else
        pen_app_notify(app, GTK_MESSAGE_INFO, text);
    pen_app_end_job(app, job->job);
}

void pen_pack_merge_file(PenApp *app, const char *path)
{
    start(app, path, NULL, run_merge, on_merged);
}
