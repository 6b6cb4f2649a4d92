// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/drop.h"

#include <glib/gi18n-lib.h>

#include "plugin/image.h"
#include "plugin/model-chooser.h"
#include "plugin/pack-files.h"
#include "plugin/style-files.h"
#include "src/studio/file-role.h"

/* Lives as long as the window. */
typedef struct {
    GtkWidget *window;
    PenApp *app;
    PenDropSettings take;
    gpointer data;
} Target;

/* --- what becomes of it ---------------------------------------------------------------------- */

/* What a file was found to be. */
typedef struct {
    char *path;
    PenFileRole role;
    PenTakenSettings *taken;
    GError *error;
} Finding;

static void finding_free(gpointer data)
{
    Finding *finding = data;
    g_free(finding->path);
    pen_taken_settings_free(finding->taken);
    g_clear_error(&finding->error);
    g_free(finding);
}

/* `format` has the file's name in it. */
static void tell(PenApp *app, const char *format, const char *path)
{
    g_autofree char *name = g_filename_display_basename(path);
    g_autofree char *text = g_strdup_printf(format, name);
    pen_app_notify(app, GTK_MESSAGE_INFO, text);
}

static void start_from(PenApp *app, const char *path)
{
    g_autoptr(GFile) file = g_file_new_for_path(path);
    GimpImage *image = gimp_file_load(GIMP_RUN_NONINTERACTIVE, file);
    if (!image) {
        g_autoptr(GError) error = NULL;
        pen_image_set_error(&error);
        pen_app_report(app, error);
        return;
    }
    gimp_display_new(image);
    pen_app_start_from(app, image);
}

static void offer_start(PenApp *app, const char *path)
{
    g_autofree char *name = g_filename_display_basename(path);
    g_autofree char *text = g_strdup_printf(
        _("“%s” does not say how it was made. It can become an image to start from."), name);
    pen_app_offer(app, GTK_MESSAGE_WARNING, text, _("_Start From It"), start_from, path);
}

static void choose_model(PenApp *app, const char *path)
{
    g_autoptr(PenStyle) style = pen_app_load_style(app);
    g_autofree char *name = g_filename_display_basename(path);
    g_autofree char *text =
        style
            ? g_strdup_printf(_("“%s” is the model now. The style “%s” belongs to another one and "
                                "is not used."),
                              name, style->name)
            : g_strdup_printf(_("“%s” is the model now."), name);
    pen_app_notify(app, GTK_MESSAGE_INFO, text);
    pen_app_set_style(app, 0);
    g_autofree char *model = pen_model_chooser_name(app, path);
    pen_app_set_model(app, model);
}

static void use(Target *target, Finding *finding)
{
    PenApp *app = target->app;
    switch (finding->role) {
    case PEN_FILE_SETTINGS:
        target->take(finding->taken, target->data);
        if (finding->taken->notice)
            pen_app_notify(app, GTK_MESSAGE_WARNING, finding->taken->notice);
        else
            tell(app, _("The next round is made with the settings of “%s”."), finding->path);
        break;
    case PEN_FILE_PICTURE:
        offer_start(app, finding->path);
        break;
    case PEN_FILE_MODEL:
        choose_model(app, finding->path);
        break;
    case PEN_FILE_ADAPTER:
        if (pen_app_add_adapter(app, finding->path))
            tell(app, _("The adapter “%s” is added."), finding->path);
        break;
    case PEN_FILE_STYLE:
        pen_style_import_file(app, finding->path);
        break;
    case PEN_FILE_VAE:
        pen_app_set_vae(app, finding->path);
        tell(app, _("“%s” is the decoder now."), finding->path);
        break;
    case PEN_FILE_PACK:
        pen_pack_merge_file(app, finding->path);
        break;
    case PEN_FILE_EMBEDDING:
        tell(app,
             _("“%s” is an embedding: put it into the models folder, and write its name in the "
               "prompt."),
             finding->path);
        break;
    case PEN_FILE_NOTHING:
        pen_app_report(app, finding->error);
        break;
    }
}

/* --- looking at it, in a thread -------------------------------------------------------------- */

static void look(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    const Target *target = g_object_get_data(G_OBJECT(source), "penchant-drop");
    PenStudio *studio = pen_app_studio(target->app);
    GPtrArray *findings = data;
    for (guint i = 0; i < findings->len; i++) {
        Finding *finding = findings->pdata[i];
        finding->role = pen_file_role(finding->path, &finding->error);
        if (finding->role == PEN_FILE_SETTINGS)
            finding->taken = pen_studio_take_settings(studio, finding->path, &finding->error);
        if (finding->error)
            finding->role = PEN_FILE_NOTHING;
    }
    g_task_return_boolean(task, TRUE);
}

static void on_looked(GObject *source, GAsyncResult *result, gpointer job)
{
    Target *target = g_object_get_data(source, "penchant-drop");
    GPtrArray *findings = g_task_get_task_data(G_TASK(result));
    for (guint i = 0; i < findings->len && !pen_app_is_closing(target->app); i++)
        use(target, findings->pdata[i]);
    pen_app_end_job(target->app, job);
}

static void on_received(GtkWidget *widget, GdkDragContext *context, int x, int y,
                        GtkSelectionData *data, guint info, guint time, Target *target)
{
    g_auto(GStrv) uris = gtk_selection_data_get_uris(data);
    if (!uris) /* text, for a field */
        return;
    g_signal_stop_emission_by_name(widget, "drag-data-received");
    if (widget != target->window) /* GTK ends it for those that leave it to GTK */
        gtk_drag_finish(context, TRUE, FALSE, time);
    if (!pen_app_open(target->app))
        return;
    pen_app_clear_message(target->app);
    GPtrArray *findings = g_ptr_array_new_with_free_func(finding_free);
    for (char **uri = uris; *uri; uri++) {
        Finding *finding = g_new0(Finding, 1);
        finding->path = g_filename_from_uri(*uri, NULL, NULL);
        if (finding->path)
            g_ptr_array_add(findings, finding);
        else
            finding_free(finding);
    }
    if (findings->len == 0)
        pen_app_notify(target->app, GTK_MESSAGE_ERROR,
                       _("What was dropped is no file of this computer: save it first."));
    GCancellable *job = pen_app_begin_job(target->app); /* a window that closes waits for it */
    g_autoptr(GTask) task = g_task_new(target->window, NULL, on_looked, job);
    g_task_set_task_data(task, findings, (GDestroyNotify)g_ptr_array_unref);
    g_task_run_in_thread(task, look);
}

/* --- where it can be dropped ------------------------------------------------------------------ */

/* GtkTextView refuses what is over its selection, where a file is as welcome as elsewhere. */
static gboolean on_motion(GtkWidget *field, GdkDragContext *context, int x, int y, guint time,
                          gpointer data)
{
    GdkAtom best = gtk_drag_dest_find_target(field, context, NULL);
    if (!gtk_targets_include_uri(&best, 1))
        return FALSE;
    gdk_drag_status(context, gdk_drag_context_get_suggested_action(context), time);
    gtk_drag_highlight(field);
    return TRUE;
}

/* A field takes text, and a file's name as text, unless it is told that there are better ways. */
static void accept_in_fields(GtkWidget *widget, gpointer target)
{
    if (GTK_IS_ENTRY(widget) || GTK_IS_TEXT_VIEW(widget)) {
        GtkTargetList *texts = gtk_drag_dest_get_target_list(widget);
        gint n = 0;
        GtkTargetEntry *table = texts ? gtk_target_table_new_from_list(texts, &n) : NULL;
        GtkTargetList *list = gtk_target_list_new(NULL, 0);
        gtk_target_list_add_uri_targets(list, 0);
        for (gint i = 0; i < n; i++)
            gtk_target_list_add(list, gdk_atom_intern(table[i].target, FALSE), table[i].flags,
                                table[i].info);
        gtk_drag_dest_set_target_list(widget, list);
        gtk_target_list_unref(list);
        if (table)
            gtk_target_table_free(table, n);
        g_signal_connect(widget, "drag-motion", G_CALLBACK(on_motion), NULL);
        g_signal_connect(widget, "drag-data-received", G_CALLBACK(on_received), target);
    } else if (GTK_IS_CONTAINER(widget)) {
        gtk_container_forall(GTK_CONTAINER(widget), accept_in_fields, target);
    }
}

void pen_drop_accept(GtkWidget *window, PenApp *app, PenDropSettings take, gpointer data)
{
    Target *target = g_new(Target, 1);
    *target = (Target){ window, app, take, data };
    g_object_set_data_full(G_OBJECT(window), "penchant-drop", target, g_free);
    gtk_drag_dest_set(window, GTK_DEST_DEFAULT_ALL, NULL, 0, GDK_ACTION_COPY);
    gtk_drag_dest_add_uri_targets(window);
    g_signal_connect(window, "drag-data-received", G_CALLBACK(on_received), target);
    accept_in_fields(window, target);
}
