// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/device-test-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/ui.h"

#define PEN_TYPE_DEVICE_TEST_VIEW (pen_device_test_view_get_type())
G_DECLARE_FINAL_TYPE(PenDeviceTestView, pen_device_test_view, PEN, DEVICE_TEST_VIEW, GtkBox)

struct _PenDeviceTestView {
    GtkBox parent;
    PenApp *app;
    GtkWidget *button, *progress, *verdict;
    GCancellable *job; /* of the test that runs; or NULL */
};

G_DEFINE_FINAL_TYPE(PenDeviceTestView, pen_device_test_view, GTK_TYPE_BOX)

static void show(PenDeviceTestView *view, const char *text)
{
    gtk_label_set_text(GTK_LABEL(view->verdict), text);
    gtk_widget_set_visible(view->verdict, text != NULL);
    gtk_widget_set_visible(view->progress, view->job != NULL);
    gtk_button_set_label(GTK_BUTTON(view->button),
                         view->job ? _("_Stop the Test") : _("_Test the Graphics Card"));
    if (text)
        pen_ui_announce(view->verdict, text);
}

static void on_event(const PenStudioEvent *event, gpointer data)
{
    PenDeviceTestView *view = g_object_get_data(G_OBJECT(data), "view");
    if (event->kind != PEN_STUDIO_PROGRESS || !view->progress)
        return;
    g_autofree char *left = pen_ui_time_left(event->seconds_left);
    gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(view->progress), event->fraction);
    gtk_progress_bar_set_text(GTK_PROGRESS_BAR(view->progress), left ? left : _("Testing"));
}

static void on_tested(GObject *source, GAsyncResult *result, gpointer data)
{
    GCancellable *job = data;
    PenDeviceTestView *view = g_object_get_data(G_OBJECT(job), "view");
    g_autoptr(GError) error = NULL;
    g_autoptr(PenDeviceTest) test =
        pen_studio_test_device_finish(pen_app_studio(view->app), result, &error);
    g_clear_object(&view->job);
    g_autofree char *text =
        test ? g_strdup_printf(_("%s\nThe report is in %s"), test->verdict, test->report)
        : g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ? NULL
                                                                   : g_strdup(error->message);
    if (view->verdict) /* nobody has closed it in between */
        show(view, text);
    pen_app_end_job(view->app, job);
}

static void on_clicked(GtkButton *button, PenDeviceTestView *view)
{
    if (view->job) {
        g_cancellable_cancel(view->job);
        return;
    }
    GCancellable *job = pen_app_begin_job(view->app);
    view->job = g_object_ref(job);
    g_object_set_data_full(G_OBJECT(job), "view", g_object_ref(view), g_object_unref);
    gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(view->progress), 0);
    gtk_progress_bar_set_text(GTK_PROGRESS_BAR(view->progress), _("Testing"));
    show(view, NULL);
    pen_studio_test_device_async(pen_app_studio(view->app), on_event, job, job, on_tested, job);
}

static void pen_device_test_view_destroy(GtkWidget *widget)
{
    PenDeviceTestView *view = PEN_DEVICE_TEST_VIEW(widget);
    if (view->job)
        g_cancellable_cancel(view->job);
    view->button = view->progress = view->verdict = NULL;
    GTK_WIDGET_CLASS(pen_device_test_view_parent_class)->destroy(widget);
}

static void pen_device_test_view_class_init(PenDeviceTestViewClass *class)
{
    GTK_WIDGET_CLASS(class)->destroy = pen_device_test_view_destroy;
}

static void pen_device_test_view_init(PenDeviceTestView *view)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(view), GTK_ORIENTATION_VERTICAL);
    gtk_box_set_spacing(GTK_BOX(view), 6);
}

GtkWidget *pen_device_test_view_new(PenApp *app)
{
    PenDeviceTestView *view = g_object_new(PEN_TYPE_DEVICE_TEST_VIEW, NULL);
    view->app = app;
    view->button = gtk_button_new_with_mnemonic(_("_Test the Graphics Card"));
    gtk_widget_set_halign(view->button, GTK_ALIGN_START);
    gtk_widget_set_sensitive(view->button, pen_app_studio(app) != NULL);
    gtk_widget_set_tooltip_text(
        view->button, _("Whether pictures come out right; takes a few minutes, ten at most"));
    view->progress = gtk_progress_bar_new();
    gtk_progress_bar_set_show_text(GTK_PROGRESS_BAR(view->progress), TRUE);
    view->verdict = pen_ui_label(NULL, NULL);
    gtk_label_set_max_width_chars(GTK_LABEL(view->verdict), 60);
    gtk_label_set_selectable(GTK_LABEL(view->verdict), TRUE);
    gtk_widget_set_can_focus(view->verdict, FALSE);
    g_signal_connect(view->button, "clicked", G_CALLBACK(on_clicked), view);
    gtk_box_pack_start(GTK_BOX(view), view->button, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), view->progress, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), view->verdict, FALSE, FALSE, 0);
    gtk_widget_show(GTK_WIDGET(view));
    gtk_widget_show(view->button);
    gtk_widget_set_no_show_all(GTK_WIDGET(view), TRUE);
    return GTK_WIDGET(view);
}
