// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/insert-bar.h"

#include <glib/gi18n-lib.h>

#include "plugin/image.h"
#include "plugin/picture-use.h"
#include "plugin/picture.h"
#include "plugin/ui.h"

#define PEN_TYPE_INSERT_BAR (pen_insert_bar_get_type())
G_DECLARE_FINAL_TYPE(PenInsertBar, pen_insert_bar, PEN, INSERT_BAR, GtkRevealer)

struct _PenInsertBar {
    GtkRevealer parent;
    PenApp *app;
    GtkWidget *text, *remove, *twice, *four_times, *to_place, *stop, *close;
    PenInsertion *last; /* what was inserted last; NULL: nothing yet */
    GCancellable *job;  /* of refining; NULL: nothing is */
    gboolean latest;    /* nothing was voted since the insert */
};

G_DEFINE_FINAL_TYPE(PenInsertBar, pen_insert_bar, GTK_TYPE_REVEALER)

static GimpLayer *layer_of(PenInsertBar *bar)
{
    return bar->last ? pen_insertion_find_layer(bar->last) : NULL;
}

static void update(PenInsertBar *bar)
{
    gboolean refining = bar->job != NULL;
    gtk_widget_set_visible(bar->stop, refining);
    gtk_widget_set_visible(bar->remove, !refining);
    gtk_widget_set_visible(bar->twice, !refining);
    gtk_widget_set_visible(bar->four_times, !refining);
    gtk_widget_set_visible(bar->to_place, !refining && bar->last && bar->last->coarse);
    gtk_widget_set_visible(bar->close, !refining);
}

/* The insert is not, or no longer, what Undo takes back. */
static void pass(PenInsertBar *bar)
{
    bar->latest = FALSE;
    pen_app_log_changed(bar->app);
}

static void on_close(GtkButton *button, PenInsertBar *bar)
{
    gtk_revealer_set_reveal_child(GTK_REVEALER(bar), FALSE);
}

/* --- removing -------------------------------------------------------------------------------- */

static void remove_layer(PenInsertBar *bar)
{
    GimpLayer *layer = layer_of(bar);
    GimpImage *image = layer ? gimp_item_get_image(GIMP_ITEM(layer)) : NULL;
    gtk_revealer_set_reveal_child(GTK_REVEALER(bar), FALSE);
    pass(bar);
    if (!image) {
        pen_app_notify(bar->app, GTK_MESSAGE_INFO, _("The layer is gone already."));
        return;
    }
    if (!gimp_image_remove_layer(image, layer)) {
        g_autoptr(GError) error = NULL;
        pen_image_set_error(&error);
        pen_app_report(bar->app, error);
        return;
    }
    gimp_displays_flush();
}

static void on_remove(GtkButton *button, PenInsertBar *bar)
{
    remove_layer(bar);
}

gboolean pen_insert_bar_can_undo(GtkWidget *widget)
{
    PenInsertBar *bar = PEN_INSERT_BAR(widget);
    return bar->latest && !bar->job && layer_of(bar);
}

void pen_insert_bar_undo(GtkWidget *widget)
{
    PenInsertBar *bar = PEN_INSERT_BAR(widget);
    remove_layer(bar);
    pen_app_notify(bar->app, GTK_MESSAGE_INFO, _("The layer is removed."));
}

static void on_picks_changed(PenInsertBar *bar)
{
    if (bar->latest)
        pass(bar);
}

/* --- refining -------------------------------------------------------------------------------- */

static void on_event(const PenStudioEvent *event, gpointer data)
{
    PenInsertBar *bar = data;
    if (pen_app_event(bar->app, event) || event->kind != PEN_STUDIO_PROGRESS)
        return;
    g_autofree char *left = pen_ui_time_left(event->seconds_left);
    g_autofree char *text = g_strdup_printf(_("Refining, %d %% done. %s"),
                                            (int)(event->fraction * 100), left ? left : "");
    gtk_label_set_text(GTK_LABEL(bar->text), text);
}

static void on_refined(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(PenInsertBar) bar = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRoundResult) made =
        pen_studio_refine_finish(pen_app_studio(bar->app), result, &error);
    GCancellable *job = g_steal_pointer(&bar->job);
    update(bar);
    gtk_revealer_set_reveal_child(GTK_REVEALER(bar), FALSE);
    if (made) {
        g_autoptr(GdkPixbuf) picture =
            pen_picture_new(made->rgb[0], (int)made->width, (int)made->height);
        /* The coarse one stays below, unseen. */
        PenPictureUse use = { bar->last->round, bar->last->place, picture, bar->last };
        pen_picture_insert(bar->app, &use);
    } else {
        pen_app_report(bar->app, error);
    }
    pen_app_end_job(bar->app, job);
}

static void refine(PenInsertBar *bar, double scale, int least_width, int least_height)
{
    PenRefineRequest request = PEN_REFINE_REQUEST_INIT;
    request.round = bar->last->round;
    request.place = bar->last->place;
    request.scale = scale;
    request.least_width = (guint)least_width;
    request.least_height = (guint)least_height;
    bar->job = pen_app_begin_job(bar->app);
    gtk_label_set_text(GTK_LABEL(bar->text), pen_app_is_teaching(bar->app)
                                                 ? _("Waiting until teaching is done…")
                                                 : _("Refining the picture…"));
    update(bar);
    pen_studio_refine_async(pen_app_studio(bar->app), &request, on_event, bar, bar->job, on_refined,
                            g_object_ref(bar));
}

static void on_twice(GtkButton *button, PenInsertBar *bar)
{
    refine(bar, 2, 0, 0);
}

static void on_four_times(GtkButton *button, PenInsertBar *bar)
{
    refine(bar, 4, 0, 0);
}

static void on_to_place(GtkButton *button, PenInsertBar *bar)
{
    refine(bar, 1, bar->last->spot->place.width, bar->last->spot->place.height);
}

static void on_stop(GtkButton *button, PenInsertBar *bar)
{
    g_cancellable_cancel(bar->job);
}

/* --- showing --------------------------------------------------------------------------------- */

static void on_inserted(PenApp *app, PenInsertion *insertion, PenInsertBar *bar)
{
    if (bar->job)
        return; /* it comes back when that is done */
    g_clear_pointer(&bar->last, pen_insertion_unref);
    bar->last = g_rc_box_acquire(insertion);
    const PenPlace *place = &insertion->spot->place;
    GimpLayer *inserted = layer_of(bar);
    if (!inserted)
        return;
    g_autofree char *file = pen_image_label(gimp_item_get_image(GIMP_ITEM(inserted)));
    g_autofree char *text = g_strdup_printf(_("Inserted into %s"), file);
    gtk_label_set_text(GTK_LABEL(bar->text), text);
    g_autofree char *label = g_strdup_printf(_("Refine to %d × %d"), place->width, place->height);
    gtk_button_set_label(GTK_BUTTON(bar->to_place), label);
    update(bar);
    gtk_revealer_set_reveal_child(GTK_REVEALER(bar), TRUE);
    bar->latest = TRUE;
    pen_app_log_changed(app);
}

static GtkWidget *add_button(PenInsertBar *bar, GtkWidget *box, const char *label,
                             const char *tooltip, GCallback clicked)
{
    GtkWidget *button = gtk_button_new_with_label(label);
    gtk_widget_set_tooltip_text(button, tooltip);
    g_signal_connect(button, "clicked", clicked, bar);
    gtk_box_pack_start(GTK_BOX(box), button, FALSE, FALSE, 0);
    return button;
}

static void pen_insert_bar_finalize(GObject *object)
{
    g_clear_pointer(&PEN_INSERT_BAR(object)->last, pen_insertion_unref);
    G_OBJECT_CLASS(pen_insert_bar_parent_class)->finalize(object);
}

static void pen_insert_bar_class_init(PenInsertBarClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_insert_bar_finalize;
}

static void pen_insert_bar_init(PenInsertBar *bar)
{
    gtk_widget_set_valign(GTK_WIDGET(bar), GTK_ALIGN_START);
    gtk_widget_set_halign(GTK_WIDGET(bar), GTK_ALIGN_END);
    GtkWidget *top = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    bar->text = pen_ui_label(NULL, NULL);
    gtk_label_set_line_wrap(GTK_LABEL(bar->text), FALSE);
    gtk_label_set_ellipsize(GTK_LABEL(bar->text), PANGO_ELLIPSIZE_MIDDLE);
    gtk_label_set_max_width_chars(GTK_LABEL(bar->text), 40);
    atk_object_set_role(gtk_widget_get_accessible(bar->text), ATK_ROLE_NOTIFICATION);
    gtk_box_pack_start(GTK_BOX(top), bar->text, TRUE, TRUE, 0);
    bar->remove = add_button(bar, top, _("Remove"), _("Takes the layer out of the image again"),
                             G_CALLBACK(on_remove));
    bar->stop = add_button(bar, top, _("Stop Refining"), NULL, G_CALLBACK(on_stop));
    bar->close = pen_ui_icon_button("window-close-symbolic", _("Close"));
    g_signal_connect(bar->close, "clicked", G_CALLBACK(on_close), bar);
    gtk_box_pack_start(GTK_BOX(top), bar->close, FALSE, FALSE, 0);

    GtkWidget *finer = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    const char *hint = _("Draws over the picture at a larger size, with the same prompt and style");
    bar->twice = add_button(bar, finer, _("Refine 2×"), hint, G_CALLBACK(on_twice));
    bar->four_times = add_button(bar, finer, _("Refine 4×"), hint, G_CALLBACK(on_four_times));
    bar->to_place = add_button(bar, finer, "", hint, G_CALLBACK(on_to_place));

    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
    gtk_box_pack_start(GTK_BOX(box), top, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), finer, FALSE, FALSE, 0);
    /* Without a window of its own a box paints no background. */
    GtkWidget *plate = gtk_event_box_new();
    gtk_style_context_add_class(gtk_widget_get_style_context(plate), "pen-message");
    gtk_style_context_add_class(gtk_widget_get_style_context(plate), "pen-info");
    gtk_widget_set_margin_top(plate, 12);
    gtk_widget_set_margin_end(plate, 12);
    gtk_container_add(GTK_CONTAINER(plate), box);
    gtk_container_add(GTK_CONTAINER(bar), plate);
    gtk_widget_show_all(GTK_WIDGET(bar));
    update(bar);
}

GtkWidget *pen_insert_bar_new(PenApp *app)
{
    PenInsertBar *bar = g_object_new(PEN_TYPE_INSERT_BAR, NULL);
    bar->app = app;
    g_signal_connect_object(app, "inserted", G_CALLBACK(on_inserted), bar, 0);
    g_signal_connect_object(app, "picks-changed", G_CALLBACK(on_picks_changed), bar,
                            G_CONNECT_SWAPPED);
    return GTK_WIDGET(bar);
}
