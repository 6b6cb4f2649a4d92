// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/style-details.h"

#include <glib/gi18n-lib.h>

#include "plugin/recipe-view.h"
#include "plugin/style-files.h"
#include "plugin/style-rows.h"
#include "plugin/text-undo.h"
#include "plugin/ui.h"

struct _PenStyleDetails {
    GtkBox parent;
    PenApp *app;
    GtkWidget *name, *model, *find, *use, *strength, *recipe, *versions, *use_version, *export;
    gint64 style;     /* that is shown */
    gint64 version;   /* the style's current one; 0: before any teaching */
    gboolean looking; /* for its model */
    gboolean filling;
};

G_DEFINE_FINAL_TYPE(PenStyleDetails, pen_style_details, GTK_TYPE_BOX)

static PenStyle *load(PenStyleDetails *details)
{
    PenStore *store = pen_app_store(details->app);
    return store ? pen_store_get_style(store, details->style, NULL) : NULL;
}

/* --- showing --------------------------------------------------------------------------------- */

static char *when(gint64 microseconds)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(microseconds / G_USEC_PER_SEC);
    g_autoptr(GDateTime) here = g_date_time_to_local(utc);
    /* Date and time as the artist's language writes them. */
    return g_date_time_format(here, "%x %H:%M");
}

static void add_version(PenStyleDetails *details, gint64 id, const char *title, const char *text)
{
    g_autofree char *used =
        id == details->version ? g_strdup_printf(_("in use · %s"), text) : g_strdup(text);
    pen_style_rows_add(details->versions, id, title, used, NULL);
}

static void fill_versions(PenStyleDetails *details, gint64 selected)
{
    PenStore *store = pen_app_store(details->app);
    g_autoptr(GPtrArray) versions = pen_store_list_style_versions(store, details->style, NULL);
    pen_style_rows_begin(details->versions);
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
        add_version(details, version->id, title, text);
    }
    add_version(details, 0, _("Before any teaching"), _("the bare model"));
    pen_style_rows_end(details->versions, selected);
}

static void show_use_version(PenStyleDetails *details)
{
    gtk_widget_set_sensitive(details->use_version,
                             pen_style_rows_get(details->versions) != details->version);
}

/* Its model, and how well its votes tell what comes next. */
static void show_facts(PenStyleDetails *details, const PenStyle *style)
{
    PenGuessRecord record;
    g_autofree char *model = g_strdup_printf(_("For the model %s"), style->model_name);
    g_autofree char *guesses = NULL;
    if (pen_store_get_guess_record(pen_app_store(details->app), style->id, &record, NULL) &&
        record.picks)
        guesses = g_strdup_printf(ngettext("Guessed your vote in %d of %d round",
                                           "Guessed your vote in %d of %d rounds", record.picks),
                                  record.right, record.picks);
    g_autofree char *text = guesses ? g_strdup_printf("%s\n%s", model, guesses) : g_strdup(model);
    gtk_label_set_text(GTK_LABEL(details->model), text);
}

/* --- its model ------------------------------------------------------------------------------- */

static void look_for_model(PenStyleDetails *details);

/* A style whose model is looked for; the models have to be opened for that. */
typedef struct {
    PenStyleDetails *details;
    GCancellable *job;
    gint64 style;
} Search;

static void search_free(gpointer data)
{
    Search *search = data;
    g_object_unref(search->details);
    g_free(search);
}

static void run_search(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Search *search = data;
    g_autoptr(GError) error = NULL;
    pen_studio_check_style_model(pen_app_studio(search->details->app), search->style, &error);
    g_task_return_boolean(task,
                          g_error_matches(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_MODEL_GONE));
}

static void on_searched(GObject *source, GAsyncResult *result, gpointer data)
{
    Search *search = g_task_get_task_data(G_TASK(result));
    PenStyleDetails *details = search->details;
    gboolean gone = g_task_propagate_boolean(G_TASK(result), NULL);
    details->looking = FALSE;
    if (search->style == details->style)
        gtk_widget_set_visible(details->find, gone);
    else if (!pen_app_is_closing(details->app)) /* another one is shown meanwhile */
        look_for_model(details);
    pen_app_end_job(details->app, search->job);
}

/* Offers to say where the model is, if that is not known. */
static void look_for_model(PenStyleDetails *details)
{
    if (details->looking)
        return;
    details->looking = TRUE;
    Search *search = g_new(Search, 1);
    *search = (Search){ g_object_ref(details), pen_app_begin_job(details->app), details->style };
    g_autoptr(GTask) task = g_task_new(NULL, NULL, on_searched, NULL);
    g_task_set_task_data(task, search, search_free);
    g_task_run_in_thread(task, run_search);
}

static void on_find(PenStyleDetails *details)
{
    g_autoptr(PenStyle) style = load(details);
    if (style)
        pen_style_find_model(details->app, style, GTK_WIDGET(details));
}

void pen_style_details_show(PenStyleDetails *details, const PenStyle *style)
{
    gboolean another = details->style != style->id;
    gboolean same = !another && details->version == style->current_version;
    gint64 selected = same ? pen_style_rows_get(details->versions) : style->current_version;
    details->filling = TRUE;
    details->style = style->id;
    details->version = style->current_version;
    gtk_entry_set_text(GTK_ENTRY(details->name), style->name);
    if (another)
        pen_text_undo_restart(details->name);
    if (!same)
        gtk_widget_hide(details->find);
    look_for_model(details);
    show_facts(details, style);
    gboolean used = style->id == pen_app_style(details->app);
    gtk_button_set_label(GTK_BUTTON(details->use),
                         used ? _("This Style Is in Use") : _("_Use This Style"));
    gtk_widget_set_sensitive(details->use, !used);
    gtk_range_set_value(GTK_RANGE(details->strength), style->strength);
    pen_recipe_view_show(PEN_RECIPE_VIEW(details->recipe), style);
    gtk_widget_set_sensitive(details->export, style->current_version != 0);
    fill_versions(details, selected);
    details->filling = FALSE;
    show_use_version(details);
}

/* --- changing -------------------------------------------------------------------------------- */

static void on_use(PenStyleDetails *details)
{
    pen_app_set_style(details->app, details->style);
}

static void on_rename(PenStyleDetails *details)
{
    g_autoptr(PenStyle) style = load(details);
    const char *name = gtk_entry_get_text(GTK_ENTRY(details->name));
    if (details->filling || !style || style->deleted || g_strcmp0(style->name, name) == 0)
        return;
    g_autoptr(GError) error = NULL;
    if (!pen_store_rename_style(pen_app_store(details->app), style->id, name, &error)) {
        pen_app_report(details->app, error);
        gtk_entry_set_text(GTK_ENTRY(details->name), style->name);
        return;
    }
    pen_app_styles_changed(details->app);
}

static gboolean on_name_left(GtkWidget *entry, GdkEvent *event, PenStyleDetails *details)
{
    on_rename(details);
    return FALSE;
}

static void on_strength(GtkRange *range, PenStyleDetails *details)
{
    if (details->filling)
        return;
    g_autoptr(GError) error = NULL;
    if (!pen_store_set_style_strength(pen_app_store(details->app), details->style,
                                      gtk_range_get_value(range), &error))
        pen_app_report(details->app, error);
    pen_app_log_changed(details->app);
}

static void on_version_selected(PenStyleDetails *details)
{
    if (!details->filling)
        show_use_version(details);
}

static void on_use_version(PenStyleDetails *details)
{
    gint64 version = pen_style_rows_get(details->versions);
    if (version == details->version)
        return;
    g_autoptr(GError) error = NULL;
    if (!pen_store_set_style_version(pen_app_store(details->app), details->style, version, &error))
        pen_app_report(details->app, error);
    pen_app_styles_changed(details->app);
    pen_app_picks_changed(details->app);
}

static void on_duplicate(PenStyleDetails *details)
{
    g_autoptr(GError) error = NULL;
    gint64 copy =
        pen_store_duplicate_style(pen_app_store(details->app), details->style, NULL, &error);
    if (copy)
        pen_app_set_style(details->app, copy);
    else
        pen_app_report(details->app, error);
}

static void on_delete(PenStyleDetails *details)
{
    g_autoptr(PenStyle) style = load(details);
    g_autoptr(GError) error = NULL;
    if (!style)
        return;
    if (!pen_store_delete_style(pen_app_store(details->app), style->id, &error)) {
        pen_app_report(details->app, error);
        return;
    }
    pen_app_styles_changed(details->app);
    pen_app_picks_changed(details->app);
    g_autofree char *text =
        g_strdup_printf(_("The style “%s” is deleted. Undo brings it back."), style->name);
    pen_app_notify(details->app, GTK_MESSAGE_INFO, text);
}

static void on_export(PenStyleDetails *details)
{
    g_autoptr(PenStyle) style = load(details);
    if (style)
        pen_style_export(details->app, style, GTK_WIDGET(details));
}

/* --- building -------------------------------------------------------------------------------- */

static GtkWidget *new_button(const char *mnemonic, GCallback callback, PenStyleDetails *details)
{
    GtkWidget *button = gtk_button_new_with_mnemonic(mnemonic);
    g_signal_connect_swapped(button, "clicked", callback, details);
    return button;
}

static void build(PenStyleDetails *details)
{
    GtkBox *box = GTK_BOX(details);
    details->name = gtk_entry_new();
    gtk_entry_set_max_length(GTK_ENTRY(details->name), PEN_STYLE_NAME_MAX);
    pen_text_undo_add(details->name);
    g_signal_connect_swapped(details->name, "activate", G_CALLBACK(on_rename), details);
    g_signal_connect(details->name, "focus-out-event", G_CALLBACK(on_name_left), details);
    GtkWidget *name = pen_ui_field(_("_Name"), details->name);
    details->model = pen_ui_label(NULL, "pen-hint");
    gtk_box_pack_start(GTK_BOX(name), details->model, FALSE, FALSE, 0);
    details->find = new_button(_("_Find Its Model…"), G_CALLBACK(on_find), details);
    gtk_widget_set_tooltip_text(details->find,
                                _("The model is not where it was, and not in the models "
                                  "folder"));
    gtk_widget_set_halign(details->find, GTK_ALIGN_START);
    gtk_widget_set_no_show_all(details->find, TRUE);
    gtk_box_pack_start(GTK_BOX(name), details->find, FALSE, FALSE, 0);
    details->use = new_button(_("_Use This Style"), G_CALLBACK(on_use), details);
    gtk_style_context_add_class(gtk_widget_get_style_context(details->use),
                                GTK_STYLE_CLASS_SUGGESTED_ACTION);
    gtk_box_pack_start(box, details->use, FALSE, FALSE, 0);
    gtk_box_pack_start(box, name, FALSE, FALSE, 0);

    details->strength = pen_ui_percent_scale(_("Strength"), 0, 1.5);
    gtk_scale_add_mark(GTK_SCALE(details->strength), 1, GTK_POS_BOTTOM, NULL);
    g_signal_connect(details->strength, "value-changed", G_CALLBACK(on_strength), details);
    gtk_box_pack_start(box, pen_ui_field(_("_Strength"), details->strength), FALSE, FALSE, 0);

    details->recipe = pen_recipe_view_new(details->app);
    gtk_box_pack_start(box, details->recipe, FALSE, FALSE, 0);

    GtkWidget *versions = pen_style_rows_new(_("Versions"), &details->versions);
    g_signal_connect_swapped(details->versions, "row-selected", G_CALLBACK(on_version_selected),
                             details);
    g_signal_connect_swapped(details->versions, "row-activated", G_CALLBACK(on_use_version),
                             details);
    gtk_box_pack_start(box, pen_ui_field(_("_Versions"), versions), TRUE, TRUE, 0);
    details->use_version = new_button(_("Use This _Version"), G_CALLBACK(on_use_version), details);
    gtk_widget_set_halign(details->use_version, GTK_ALIGN_START);
    gtk_box_pack_start(box, details->use_version, FALSE, FALSE, 0);

    GtkWidget *buttons = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    details->export = new_button(_("_Export…"), G_CALLBACK(on_export), details);
    gtk_box_pack_start(GTK_BOX(buttons), details->export, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(buttons),
                       new_button(_("D_uplicate"), G_CALLBACK(on_duplicate), details), FALSE, FALSE,
                       0);
    gtk_box_pack_end(GTK_BOX(buttons), new_button(_("_Delete"), G_CALLBACK(on_delete), details),
                     FALSE, FALSE, 0);
    gtk_box_pack_start(box, buttons, FALSE, FALSE, 0);
}

static void pen_style_details_class_init(PenStyleDetailsClass *class)
{
}

static void pen_style_details_init(PenStyleDetails *details)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(details), GTK_ORIENTATION_VERTICAL);
    gtk_box_set_spacing(GTK_BOX(details), 12);
}

GtkWidget *pen_style_details_new(PenApp *app)
{
    PenStyleDetails *details = g_object_new(PEN_TYPE_STYLE_DETAILS, NULL);
    details->app = app;
    build(details);
    return GTK_WIDGET(details);
}
