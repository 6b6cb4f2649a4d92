// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/styles-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/ui.h"

struct _PenStylesView {
    GtkBox parent;
    PenApp *app;
    GtkWidget *list, *details, *nothing, *stack;
    GtkWidget *name, *model, *strength, *versions, *export;
    gboolean filling;
};

G_DEFINE_FINAL_TYPE(PenStylesView, pen_styles_view, GTK_TYPE_BOX)

static gint64 row_id(GtkListBoxRow *row)
{
    gint64 *id = g_object_get_data(G_OBJECT(row), "id");
    return id ? *id : 0;
}

static GtkWidget *new_row(GtkWidget *list, gint64 id, const char *title, const char *subtitle)
{
    GtkWidget *row = gtk_list_box_row_new();
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 1);
    gtk_style_context_add_class(gtk_widget_get_style_context(row), "pen-row");
    GtkWidget *label = pen_ui_label(title, "pen-title");
    gtk_label_set_line_wrap(GTK_LABEL(label), FALSE);
    gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_END);
    gtk_box_pack_start(GTK_BOX(box), label, FALSE, FALSE, 0);
    GtkWidget *below = pen_ui_label(subtitle, "pen-hint");
    gtk_label_set_line_wrap(GTK_LABEL(below), FALSE);
    gtk_label_set_ellipsize(GTK_LABEL(below), PANGO_ELLIPSIZE_END);
    gtk_box_pack_start(GTK_BOX(box), below, FALSE, FALSE, 0);
    gtk_container_add(GTK_CONTAINER(row), box);
    g_object_set_data_full(G_OBJECT(row), "id", g_memdup2(&id, sizeof id), g_free);
    pen_ui_name(row, title);
    gtk_widget_show_all(row);
    gtk_list_box_insert(GTK_LIST_BOX(list), row, -1);
    return row;
}

static void clear(GtkWidget *list)
{
    gtk_container_foreach(GTK_CONTAINER(list), (GtkCallback)(void (*)(void))gtk_widget_destroy,
                          NULL);
}

static char *when(gint64 microseconds)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(microseconds / G_USEC_PER_SEC);
    g_autoptr(GDateTime) here = g_date_time_to_local(utc);
    /* Date and time as the artist's language writes them. */
    return g_date_time_format(here, "%x %H:%M");
}

/* --- showing --------------------------------------------------------------------------------- */

static void fill_versions(PenStylesView *view, const PenStyle *style)
{
    clear(view->versions);
    PenStore *store = pen_app_store(view->app);
    g_autoptr(GPtrArray) versions = pen_store_list_style_versions(store, style->id, NULL);
    for (guint i = versions ? versions->len : 0; i-- > 0;) {
        PenStyleVersion *version = versions->pdata[i];
        g_autoptr(GPtrArray) picks =
            version->run ? pen_store_list_run_picks(store, version->run, NULL) : NULL;
        g_autofree char *title = g_strdup_printf(_("Version %d"), version->number);
        g_autofree char *date = when(version->created);
        g_autofree char *source =
            picks ? g_strdup_printf(
                        ngettext("taught with %u pick", "taught with %u picks", picks->len),
                        picks->len)
                  : g_strdup(_("imported or copied"));
        g_autofree char *text = g_strdup_printf("%s · %s", source, date);
        GtkWidget *row = new_row(view->versions, version->id, title, text);
        if (version->id == style->current_version)
            gtk_list_box_select_row(GTK_LIST_BOX(view->versions), GTK_LIST_BOX_ROW(row));
    }
    GtkWidget *bare = new_row(view->versions, 0, _("Before any teaching"), _("the bare model"));
    if (!style->current_version)
        gtk_list_box_select_row(GTK_LIST_BOX(view->versions), GTK_LIST_BOX_ROW(bare));
}

static void fill(PenStylesView *view)
{
    PenStore *store = pen_app_store(view->app);
    if (!store)
        return;
    view->filling = TRUE;
    clear(view->list);
    g_autoptr(GPtrArray) styles = pen_store_list_styles(store, FALSE, NULL);
    for (guint i = 0; styles && i < styles->len; i++) {
        PenStyle *style = styles->pdata[i];
        g_autofree char *text = style->current_number
                                    ? g_strdup_printf(_("Version %d"), style->current_number)
                                    : g_strdup(_("Not taught yet"));
        GtkWidget *row = new_row(view->list, style->id, style->name, text);
        if (style->id == pen_app_style(view->app))
            gtk_list_box_select_row(GTK_LIST_BOX(view->list), GTK_LIST_BOX_ROW(row));
    }
    g_autoptr(PenStyle) style = pen_app_load_style(view->app);
    gtk_stack_set_visible_child(GTK_STACK(view->stack), style ? view->details : view->nothing);
    if (style) {
        gtk_entry_set_text(GTK_ENTRY(view->name), style->name);
        g_autofree char *model = g_strdup_printf(_("For the model %s"), style->model_name);
        gtk_label_set_text(GTK_LABEL(view->model), model);
        gtk_range_set_value(GTK_RANGE(view->strength), style->strength);
        gtk_widget_set_sensitive(view->export, style->current_version != 0);
        fill_versions(view, style);
    }
    view->filling = FALSE;
}

/* --- the list -------------------------------------------------------------------------------- */

static void on_row_selected(GtkListBox *list, GtkListBoxRow *row, PenStylesView *view)
{
    if (!view->filling && row)
        pen_app_set_style(view->app, row_id(row));
}

static void on_named(const char *name, gpointer data)
{
    PenStylesView *view = data;
    g_autoptr(GError) error = NULL;
    /* For what is drawn with now, a style's model included. */
    const PenModelInfo *model = pen_app_model(view->app);
    gint64 style = pen_studio_create_style(
        pen_app_studio(view->app), name,
        model ? model->spec : pen_app_settings(view->app)->model, &error);
    if (style)
        pen_app_set_style(view->app, style);
    else
        pen_app_report(view->app, error);
}

static void on_new(GtkButton *button, PenStylesView *view)
{
    if (pen_app_studio(view->app))
        pen_ui_ask(GTK_WIDGET(view), _("A New Style"), _("_Name of the style"), _("My style"),
                   _("C_reate"), on_named, view);
}

/* Files of adapters may be large: they are read and written in a thread. */
typedef struct {
    PenStylesView *view;
    PenStudio *studio;
    GCancellable *job;
    char *path, *model, *notice;
    gint64 style;
    PenExportFormat format;
} FileJob;

static FileJob *file_job_new(PenStylesView *view, const char *path)
{
    FileJob *job = g_new(FileJob, 1);
    *job = (FileJob){
        .view = g_object_ref(view),
        .studio = pen_app_studio(view->app),
        .job = pen_app_begin_job(view->app),
        .path = g_strdup(path),
        .model = g_strdup(pen_app_settings(view->app)->model),
        .style = pen_app_style(view->app),
    };
    return job;
}

static void file_job_free(gpointer data)
{
    FileJob *job = data;
    g_object_unref(job->view);
    g_free(job->path);
    g_free(job->model);
    g_free(job->notice);
    g_free(job);
}

static void start_file_job(FileJob *job, GTaskThreadFunc run, GAsyncReadyCallback done)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, job->view);
    g_task_set_task_data(task, job, file_job_free);
    g_task_run_in_thread(task, run);
}

static void run_import(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    FileJob *job = data;
    GError *error = NULL;
    gint64 style =
        pen_studio_import_style(job->studio, job->path, NULL, job->model, &job->notice, &error);
    if (style)
        g_task_return_int(task, style);
    else
        g_task_return_error(task, error);
}

static void on_imported(GObject *source, GAsyncResult *result, gpointer data)
{
    PenStylesView *view = data;
    FileJob *job = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;
    gint64 style = g_task_propagate_int(G_TASK(result), &error);
    if (error)
        pen_app_report_file(view->app, error, _("Choose another file, or get this one anew."));
    else
        pen_app_set_style(view->app, style);
    if (job->notice)
        pen_app_notify(view->app, GTK_MESSAGE_WARNING, job->notice);
    pen_app_end_job(view->app, job->job);
}

static void on_import_file(GtkFileChooser *chooser, const char *path, gpointer data)
{
    start_file_job(file_job_new(data, path), run_import, on_imported);
}

static void on_import(GtkButton *button, PenStylesView *view)
{
    if (!pen_app_studio(view->app))
        return;
    GtkWidget *dialog =
        pen_ui_new_file_dialog(GTK_WIDGET(view), GTK_FILE_CHOOSER_ACTION_OPEN, _("Import a Style"),
                               NULL, _("I_mport"), on_import_file, view);
    GtkFileFilter *filter = gtk_file_filter_new();
    gtk_file_filter_set_name(filter, _("Adapters (safetensors)"));
    gtk_file_filter_add_pattern(filter, "*.safetensors");
    gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(dialog), filter);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* --- one style ------------------------------------------------------------------------------- */

static void on_rename(PenStylesView *view)
{
    g_autoptr(PenStyle) style = pen_app_load_style(view->app);
    const char *name = gtk_entry_get_text(GTK_ENTRY(view->name));
    if (view->filling || !style || g_strcmp0(style->name, name) == 0)
        return;
    g_autoptr(GError) error = NULL;
    if (!pen_store_rename_style(pen_app_store(view->app), style->id, name, &error)) {
        pen_app_report(view->app, error);
        gtk_entry_set_text(GTK_ENTRY(view->name), style->name);
        return;
    }
    pen_app_styles_changed(view->app);
}

static gboolean on_name_left(GtkWidget *entry, GdkEvent *event, PenStylesView *view)
{
    on_rename(view);
    return FALSE;
}

static void on_strength(GtkRange *range, PenStylesView *view)
{
    if (view->filling || !pen_app_style(view->app))
        return;
    g_autoptr(GError) error = NULL;
    if (!pen_store_set_style_strength(pen_app_store(view->app), pen_app_style(view->app),
                                      gtk_range_get_value(range), &error))
        pen_app_report(view->app, error);
}

static void on_version(GtkListBox *list, GtkListBoxRow *row, PenStylesView *view)
{
    g_autoptr(PenStyle) style = pen_app_load_style(view->app);
    if (view->filling || !row || !style || style->current_version == row_id(row))
        return;
    g_autoptr(GError) error = NULL;
    if (!pen_store_set_style_version(pen_app_store(view->app), style->id, row_id(row), &error))
        pen_app_report(view->app, error);
    pen_app_styles_changed(view->app);
    pen_app_picks_changed(view->app);
}

static void on_duplicate(GtkButton *button, PenStylesView *view)
{
    g_autoptr(GError) error = NULL;
    gint64 copy =
        pen_store_duplicate_style(pen_app_store(view->app), pen_app_style(view->app), NULL, &error);
    if (copy)
        pen_app_set_style(view->app, copy);
    else
        pen_app_report(view->app, error);
}

static void on_delete(GtkButton *button, PenStylesView *view)
{
    g_autoptr(PenStyle) style = pen_app_load_style(view->app);
    g_autoptr(GError) error = NULL;
    if (!style)
        return;
    if (!pen_store_delete_style(pen_app_store(view->app), style->id, &error)) {
        pen_app_report(view->app, error);
        return;
    }
    pen_app_styles_changed(view->app);
    pen_app_picks_changed(view->app);
    g_autofree char *text =
        g_strdup_printf(_("The style “%s” is deleted. Undo brings it back."), style->name);
    pen_app_notify(view->app, GTK_MESSAGE_INFO, text);
}

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
    PenStylesView *view = data;
    FileJob *job = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;
    if (g_task_propagate_boolean(G_TASK(result), &error)) {
        g_autofree char *text = g_strdup_printf(_("Exported to %s."), job->path);
        pen_app_notify(view->app, GTK_MESSAGE_INFO, text);
    } else {
        pen_app_report(view->app, error);
    }
    pen_app_end_job(view->app, job->job);
}

static void on_export_file(GtkFileChooser *chooser, const char *path, gpointer data)
{
    GtkComboBox *format = g_object_get_data(G_OBJECT(chooser), "format");
    FileJob *job = file_job_new(data, path);
    job->format = gtk_combo_box_get_active(format) == 1 ? PEN_EXPORT_DIFFUSERS : PEN_EXPORT_KOHYA;
    start_file_job(job, run_export, on_exported);
}

static void on_export(GtkButton *button, PenStylesView *view)
{
    g_autoptr(PenStyle) style = pen_app_load_style(view->app);
    if (!style)
        return;
    g_autofree char *name = g_strdup_printf("%s.safetensors", style->name);
    GtkWidget *dialog =
        pen_ui_new_file_dialog(GTK_WIDGET(view), GTK_FILE_CHOOSER_ACTION_SAVE,
                               _("Export the Style"), name, _("_Export"), on_export_file, view);
    GtkWidget *format = gtk_combo_box_text_new();
    gtk_combo_box_text_append_text(GTK_COMBO_BOX_TEXT(format), _("For most programs (kohya)"));
    gtk_combo_box_text_append_text(GTK_COMBO_BOX_TEXT(format), _("For Python (diffusers)"));
    gtk_combo_box_set_active(GTK_COMBO_BOX(format), 0);
    g_object_set_data(G_OBJECT(dialog), "format", format);
    GtkWidget *extra = pen_ui_field(_("_Format"), format);
    gtk_widget_set_halign(extra, GTK_ALIGN_START);
    gtk_widget_show_all(extra);
    gtk_file_chooser_set_extra_widget(GTK_FILE_CHOOSER(dialog), extra);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* --- building -------------------------------------------------------------------------------- */

static GtkWidget *new_button(const char *mnemonic, GCallback callback, PenStylesView *view)
{
    GtkWidget *button = gtk_button_new_with_mnemonic(mnemonic);
    g_signal_connect(button, "clicked", callback, view);
    return button;
}

static GtkWidget *in_frame(GtkWidget *list)
{
    GtkWidget *scrolled = gtk_scrolled_window_new(NULL, NULL);
    gtk_scrolled_window_set_shadow_type(GTK_SCROLLED_WINDOW(scrolled), GTK_SHADOW_IN);
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
                                   GTK_POLICY_AUTOMATIC);
    gtk_container_add(GTK_CONTAINER(scrolled), list);
    return scrolled;
}

static GtkWidget *build_details(PenStylesView *view)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 12);
    view->name = gtk_entry_new();
    gtk_entry_set_max_length(GTK_ENTRY(view->name), PEN_STYLE_NAME_MAX);
    g_signal_connect_swapped(view->name, "activate", G_CALLBACK(on_rename), view);
    g_signal_connect(view->name, "focus-out-event", G_CALLBACK(on_name_left), view);
    GtkWidget *name = pen_ui_field(_("_Name"), view->name);
    view->model = pen_ui_label(NULL, "pen-hint");
    gtk_box_pack_start(GTK_BOX(name), view->model, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), name, FALSE, FALSE, 0);

    view->strength = pen_ui_percent_scale(_("Strength"), 0, 1.5);
    gtk_scale_add_mark(GTK_SCALE(view->strength), 1, GTK_POS_BOTTOM, NULL);
    g_signal_connect(view->strength, "value-changed", G_CALLBACK(on_strength), view);
    gtk_box_pack_start(GTK_BOX(box), pen_ui_field(_("_Strength"), view->strength), FALSE, FALSE, 0);

    view->versions = gtk_list_box_new();
    g_signal_connect(view->versions, "row-selected", G_CALLBACK(on_version), view);
    gtk_box_pack_start(GTK_BOX(box), pen_ui_field(_("_Versions"), in_frame(view->versions)), TRUE,
                       TRUE, 0);
    pen_ui_name(view->versions, _("Versions"));

    GtkWidget *buttons = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    view->export = new_button(_("_Export…"), G_CALLBACK(on_export), view);
    gtk_box_pack_start(GTK_BOX(buttons), view->export, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(buttons),
                       new_button(_("D_uplicate"), G_CALLBACK(on_duplicate), view), FALSE, FALSE,
                       0);
    gtk_box_pack_end(GTK_BOX(buttons), new_button(_("_Delete"), G_CALLBACK(on_delete), view), FALSE,
                     FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), buttons, FALSE, FALSE, 0);
    return box;
}

static void build(PenStylesView *view)
{
    GtkWidget *left = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
    gtk_widget_set_size_request(left, 240, -1);
    view->list = gtk_list_box_new();
    pen_ui_name(view->list, _("Styles"));
    g_signal_connect(view->list, "row-selected", G_CALLBACK(on_row_selected), view);
    gtk_box_pack_start(GTK_BOX(left), in_frame(view->list), TRUE, TRUE, 0);
    GtkWidget *buttons = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_box_set_homogeneous(GTK_BOX(buttons), TRUE);
    gtk_box_pack_start(GTK_BOX(buttons), new_button(_("Ne_w…"), G_CALLBACK(on_new), view), TRUE,
                       TRUE, 0);
    gtk_box_pack_start(GTK_BOX(buttons), new_button(_("I_mport…"), G_CALLBACK(on_import), view),
                       TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(left), buttons, FALSE, FALSE, 0);

    view->details = build_details(view);
    view->nothing =
        pen_ui_placeholder(_("No style is chosen"),
                           _("A style is what Penchant has learnt of your taste. Make one here, or "
                             "just pick candidates and press Teach."));
    view->stack = gtk_stack_new();
    gtk_container_add(GTK_CONTAINER(view->stack), view->nothing);
    gtk_container_add(GTK_CONTAINER(view->stack), view->details);

    gtk_box_pack_start(GTK_BOX(view), left, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), view->stack, TRUE, TRUE, 0);
    gtk_widget_show_all(GTK_WIDGET(view));
}

static void pen_styles_view_class_init(PenStylesViewClass *class)
{
}

static void pen_styles_view_init(PenStylesView *view)
{
    gtk_box_set_spacing(GTK_BOX(view), 18);
    gtk_style_context_add_class(gtk_widget_get_style_context(GTK_WIDGET(view)), "pen-panel");
}

GtkWidget *pen_styles_view_new(PenApp *app)
{
    PenStylesView *view = g_object_new(PEN_TYPE_STYLES_VIEW, NULL);
    view->app = app;
    build(view);
    g_signal_connect_object(app, "opened", G_CALLBACK(fill), view, G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "styles-changed", G_CALLBACK(fill), view, G_CONNECT_SWAPPED);
    return GTK_WIDGET(view);
}
