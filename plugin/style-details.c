// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/style-details.h"

#include <glib/gi18n-lib.h>

#include "plugin/style-files.h"
#include "plugin/style-rows.h"
#include "plugin/ui.h"

struct _PenStyleDetails {
    GtkBox parent;
    PenApp *app;
    GtkWidget *name, *model, *use, *strength, *versions, *use_version, *export;
    gint64 style;   /* that is shown */
    gint64 version; /* the style's current one; 0: before any teaching */
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

void pen_style_details_show(PenStyleDetails *details, const PenStyle *style)
{
    gboolean same = details->style == style->id && details->version == style->current_version;
    gint64 selected = same ? pen_style_rows_get(details->versions) : style->current_version;
    details->filling = TRUE;
    details->style = style->id;
    details->version = style->current_version;
    gtk_entry_set_text(GTK_ENTRY(details->name), style->name);
    show_facts(details, style);
    gboolean used = style->id == pen_app_style(details->app);
    gtk_button_set_label(GTK_BUTTON(details->use),
                         used ? _("This Style Is in Use") : _("_Use This Style"));
    gtk_widget_set_sensitive(details->use, !used);
    gtk_range_set_value(GTK_RANGE(details->strength), style->strength);
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
    g_signal_connect_swapped(details->name, "activate", G_CALLBACK(on_rename), details);
    g_signal_connect(details->name, "focus-out-event", G_CALLBACK(on_name_left), details);
    GtkWidget *name = pen_ui_field(_("_Name"), details->name);
    details->model = pen_ui_label(NULL, "pen-hint");
    gtk_box_pack_start(GTK_BOX(name), details->model, FALSE, FALSE, 0);
    details->use = new_button(_("_Use This Style"), G_CALLBACK(on_use), details);
    gtk_style_context_add_class(gtk_widget_get_style_context(details->use),
                                GTK_STYLE_CLASS_SUGGESTED_ACTION);
    gtk_box_pack_start(box, details->use, FALSE, FALSE, 0);
    gtk_box_pack_start(box, name, FALSE, FALSE, 0);

    details->strength = pen_ui_percent_scale(_("Strength"), 0, 1.5);
    gtk_scale_add_mark(GTK_SCALE(details->strength), 1, GTK_POS_BOTTOM, NULL);
    g_signal_connect(details->strength, "value-changed", G_CALLBACK(on_strength), details);
    gtk_box_pack_start(box, pen_ui_field(_("_Strength"), details->strength), FALSE, FALSE, 0);

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
