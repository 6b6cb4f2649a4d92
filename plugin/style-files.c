// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/style-files.h"

#include <glib/gi18n-lib.h>

#include "plugin/ui.h"

/* --- import ---------------------------------------------------------------------------------- */

/* Files of adapters may be large: they are read and written in a thread. */
typedef struct {
    PenApp *app;
    PenStudio *studio;
    GCancellable *job;
    char *path, *model, *notice;
    gint64 style;
    PenExportFormat format;
} FileJob;

static FileJob *file_job_new(PenApp *app, const char *path)
{
    FileJob *job = g_new0(FileJob, 1);
    *job = (FileJob){
        .app = g_object_ref(app),
        .studio = pen_app_studio(app),
        .job = pen_app_begin_job(app),
        .path = g_strdup(path),
        .model = g_strdup(pen_app_settings(app)->model),
    };
    return job;
}

static void file_job_free(gpointer data)
{
    FileJob *job = data;
    g_object_unref(job->app);
    g_free(job->path);
    g_free(job->model);
    g_free(job->notice);
    g_free(job);
}

static void start_file_job(FileJob *job, GTaskThreadFunc run, GAsyncReadyCallback done)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, NULL);
    g_task_set_task_data(task, job, file_job_free);
    g_task_run_in_thread(task, run);
}

static void run_import(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    FileJob *job = data;
    GError *error = NULL;
    gint64 style =
        pen_studio_import_style(job->studio, job->path, NULL, NULL, job->model, &job->notice,
                                &error);
    if (style)
        g_task_return_int(task, style);
    else
        g_task_return_error(task, error);
}

static void on_imported(GObject *source, GAsyncResult *result, gpointer data)
{
    FileJob *job = g_task_get_task_data(G_TASK(result));
    PenApp *app = job->app;
    g_autoptr(GError) error = NULL;
    gint64 style = g_task_propagate_int(G_TASK(result), &error);
    if (error)
        pen_app_report_file(app, error, _("Choose another file, or get this one anew."));
    else
        pen_app_set_style(app, style);
    if (job->notice)
        pen_app_notify(app, GTK_MESSAGE_WARNING, job->notice);
    pen_app_end_job(app, job->job);
}

void pen_style_import_file(PenApp *app, const char *path)
{
    start_file_job(file_job_new(app, path), run_import, on_imported);
}

static void on_import_file(GtkFileChooser *chooser, const char *path, gpointer data)
{
    pen_style_import_file(data, path);
}

void pen_style_import(PenApp *app, GtkWidget *parent)
{
    if (!pen_app_studio(app))
        return;
    GtkWidget *dialog =
        pen_ui_new_file_dialog(parent, GTK_FILE_CHOOSER_ACTION_OPEN, _("Import a Style"), NULL,
                               _("I_mport"), on_import_file, app);
    GtkFileFilter *filter = gtk_file_filter_new();
    gtk_file_filter_set_name(filter, _("Adapters (safetensors)"));
    gtk_file_filter_add_pattern(filter, "*.safetensors");
    gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(dialog), filter);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* --- a model that was moved ------------------------------------------------------------------ */

static void run_relocate(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    FileJob *job = data;
    GError *error = NULL;
    if (pen_studio_relocate_style(job->studio, job->style, job->path, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void on_relocated(GObject *source, GAsyncResult *result, gpointer data)
{
    FileJob *job = g_task_get_task_data(G_TASK(result));
    PenApp *app = job->app;
    g_autoptr(GError) error = NULL;
    pen_app_clear_message(app);
    if (g_task_propagate_boolean(G_TASK(result), &error)) {
        pen_app_styles_changed(app);
        pen_app_notify(app, GTK_MESSAGE_INFO, _("The style has its model again."));
    } else {
        pen_app_report(app, error);
    }
    pen_app_end_job(app, job->job);
}

static void on_model_path(GtkFileChooser *chooser, const char *path, gpointer data)
{
    FileJob *job = file_job_new(data, path);
    job->style = *(gint64 *)g_object_get_data(G_OBJECT(chooser), "style");
    start_file_job(job, run_relocate, on_relocated);
}

static void keep_style(GtkWidget *dialog, const PenStyle *style)
{
    g_object_set_data_full(G_OBJECT(dialog), "style", g_memdup2(&style->id, sizeof style->id),
                           g_free);
}

void pen_style_find_model(PenApp *app, const PenStyle *style, GtkWidget *parent)
{
    GtkWidget *dialog = pen_ui_new_path_dialog(
        parent, _("The Model of the Style"), _("_Choose"),
        _("Models (a folder, or *.safetensors)"), "*.safetensors", on_model_path, app);
    keep_style(dialog, style);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* --- export ---------------------------------------------------------------------------------- */

static void run_export(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    FileJob *job = data;
    GError *error = NULL;
    if (pen_studio_export_style(job->studio, job->style, job->path, job->format, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void on_exported(GObject *source, GAsyncResult *result, gpointer data)
{
    FileJob *job = g_task_get_task_data(G_TASK(result));
    PenApp *app = job->app;
    g_autoptr(GError) error = NULL;
    if (g_task_propagate_boolean(G_TASK(result), &error)) {
        g_autofree char *text = g_strdup_printf(_("Exported to %s."), job->path);
        pen_app_notify(app, GTK_MESSAGE_INFO, text);
    } else {
        pen_app_report(app, error);
    }
    pen_app_end_job(app, job->job);
}

static void on_export_file(GtkFileChooser *chooser, const char *path, gpointer data)
{
    GtkComboBox *format = g_object_get_data(G_OBJECT(chooser), "format");
    FileJob *job = file_job_new(data, path);
    job->style = *(gint64 *)g_object_get_data(G_OBJECT(chooser), "style");
    job->format = gtk_combo_box_get_active(format) == 1 ? PEN_EXPORT_DIFFUSERS : PEN_EXPORT_KOHYA;
    start_file_job(job, run_export, on_exported);
}

void pen_style_export(PenApp *app, const PenStyle *style, GtkWidget *parent)
{
    g_autofree char *name = g_strdup_printf("%s.safetensors", style->name);
    GtkWidget *dialog =
        pen_ui_new_file_dialog(parent, GTK_FILE_CHOOSER_ACTION_SAVE, _("Export the Style"), name,
                               _("_Export"), on_export_file, app);
    GtkWidget *format = gtk_combo_box_text_new();
    gtk_combo_box_text_append_text(GTK_COMBO_BOX_TEXT(format), _("For most programs (kohya)"));
    gtk_combo_box_text_append_text(GTK_COMBO_BOX_TEXT(format), _("For Python (diffusers)"));
    gtk_combo_box_set_active(GTK_COMBO_BOX(format), 0);
    g_object_set_data(G_OBJECT(dialog), "format", format);
    keep_style(dialog, style);
    GtkWidget *extra = pen_ui_field(_("_Format"), format);
    gtk_widget_set_halign(extra, GTK_ALIGN_START);
    gtk_widget_show_all(extra);
    gtk_file_chooser_set_extra_widget(GTK_FILE_CHOOSER(dialog), extra);
    gtk_window_present(GTK_WINDOW(dialog));
}
