// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/placing-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/ui.h"

#define PEN_TYPE_PLACING_VIEW (pen_placing_view_get_type())
G_DECLARE_FINAL_TYPE(PenPlacingView, pen_placing_view, PEN, PLACING_VIEW, GtkBox)

struct _PenPlacingView {
    GtkBox parent;
    PenApp *app;
    GtkWidget *fit_field, *edge_fields;
};

G_DEFINE_FINAL_TYPE(PenPlacingView, pen_placing_view, GTK_TYPE_BOX)

static void on_fit_changed(GtkComboBox *combo, PenPlacingView *view)
{
    pen_app_settings(view->app)->fit = gtk_combo_box_get_active(combo);
    pen_app_placing_changed(view->app);
}

static void on_grow_changed(GtkSpinButton *spin, PenPlacingView *view)
{
    pen_app_settings(view->app)->grow = gtk_spin_button_get_value_as_int(spin);
    pen_app_placing_changed(view->app);
}

static void on_soften_changed(GtkSpinButton *spin, PenPlacingView *view)
{
    pen_app_settings(view->app)->soften = gtk_spin_button_get_value_as_int(spin);
    pen_app_placing_changed(view->app);
}

void pen_placing_view_refresh(GtkWidget *widget)
{
    PenPlacingView *view = PEN_PLACING_VIEW(widget);
    PenFrom from = pen_app_settings(view->app)->from;
    gboolean image = pen_app_image(view->app) != NULL;
    gtk_widget_set_visible(view->fit_field, image && from == PEN_FROM_TEXT);
    gtk_widget_set_visible(view->edge_fields, image && from == PEN_FROM_SELECTION);
    gtk_widget_set_visible(widget, image && from != PEN_FROM_LAYER);
}

static void pen_placing_view_class_init(PenPlacingViewClass *class)
{
}

static void pen_placing_view_init(PenPlacingView *view)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(view), GTK_ORIENTATION_VERTICAL);
}

GtkWidget *pen_placing_view_new(PenApp *app)
{
    PenPlacingView *view = g_object_new(PEN_TYPE_PLACING_VIEW, NULL);
    view->app = app;
    const PenSettings *settings = pen_app_settings(app);

    GtkWidget *fit = pen_ui_ellipsize(gtk_combo_box_text_new());
    const char *const fits[] = { _("At its own size"), _("As large as fits"),
                                 _("Filling it, cut off") };
    for (gsize i = 0; i < G_N_ELEMENTS(fits); i++)
        gtk_combo_box_text_append_text(GTK_COMBO_BOX_TEXT(fit), fits[i]);
    gtk_combo_box_set_active(GTK_COMBO_BOX(fit), settings->fit);
    gtk_widget_set_tooltip_text(
        fit,
        _("How a picture is inserted: on the selection or, where there is none, on the canvas"));
    g_signal_connect(fit, "changed", G_CALLBACK(on_fit_changed), view);
    view->fit_field = pen_ui_field(_("Insert it"), fit);

    GtkWidget *grow = pen_ui_spin(0, PEN_MAX_GROW, 1, settings->grow);
    gtk_widget_set_tooltip_text(grow, _("So many pixels beyond the selection may change, too"));
    g_signal_connect(grow, "value-changed", G_CALLBACK(on_grow_changed), view);
    GtkWidget *soften = pen_ui_spin(0, PEN_MAX_GROW, 1, settings->soften);
    gtk_widget_set_tooltip_text(
        soften, _("So many pixels inside the edge the picture fades into the image"));
    g_signal_connect(soften, "value-changed", G_CALLBACK(on_soften_changed), view);
    view->edge_fields =
        pen_ui_pair(pen_ui_field(_("Grow _by"), grow), pen_ui_field(_("Soft edge"), soften));

    gtk_box_pack_start(GTK_BOX(view), view->fit_field, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), view->edge_fields, FALSE, FALSE, 0);
    gtk_widget_show_all(GTK_WIDGET(view));
    gtk_widget_set_no_show_all(GTK_WIDGET(view), TRUE);
    return GTK_WIDGET(view);
}
