// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/message-bar.h"

#include <glib/gi18n-lib.h>

#include "plugin/ui.h"

#define INFO_SECONDS 8
#define WARNING_SECONDS 30

struct _PenMessageBar {
    GtkRevealer parent;
    GtkWidget *plate, *icon, *text, *button;
    guint timeout;
};

G_DEFINE_FINAL_TYPE(PenMessageBar, pen_message_bar, GTK_TYPE_REVEALER)

static guint answer_signal;

/* How a kind of message looks, and how long it stays: 0 is until it is closed. */
typedef struct {
    const char *icon, *css_class;
    guint seconds;
} Look;

static const Look *look_of(GtkMessageType type)
{
    static const Look info = { "dialog-information-symbolic", "pen-info", INFO_SECONDS };
    static const Look warning = { "dialog-warning-symbolic", "pen-warning", WARNING_SECONDS };
    static const Look error = { "dialog-error-symbolic", "pen-error", 0 };
    return type == GTK_MESSAGE_ERROR ? &error : type == GTK_MESSAGE_WARNING ? &warning : &info;
}

void pen_message_bar_hide(PenMessageBar *bar)
{
    g_clear_handle_id(&bar->timeout, g_source_remove);
    gtk_revealer_set_reveal_child(GTK_REVEALER(bar), FALSE);
    gtk_widget_hide(GTK_WIDGET(bar)); /* it must not take the clicks of what is below it */
}

static gboolean on_timeout(gpointer data)
{
    PenMessageBar *bar = data;
    bar->timeout = 0;
    pen_message_bar_hide(bar);
    return G_SOURCE_REMOVE;
}

void pen_message_bar_show(PenMessageBar *bar, GtkMessageType type, const char *text,
                          const char *button)
{
    const Look *look = look_of(type);
    g_clear_handle_id(&bar->timeout, g_source_remove);
    GtkStyleContext *style = gtk_widget_get_style_context(bar->plate);
    for (GtkMessageType other = GTK_MESSAGE_INFO; other <= GTK_MESSAGE_ERROR; other++)
        gtk_style_context_remove_class(style, look_of(other)->css_class);
    gtk_style_context_add_class(style, look->css_class);
    gtk_image_set_from_icon_name(GTK_IMAGE(bar->icon), look->icon, GTK_ICON_SIZE_BUTTON);
    gtk_label_set_text(GTK_LABEL(bar->text), text);
    gtk_widget_set_visible(bar->button, button != NULL);
    if (button)
        gtk_button_set_label(GTK_BUTTON(bar->button), button);
    gtk_widget_show(GTK_WIDGET(bar));
    gtk_revealer_set_reveal_child(GTK_REVEALER(bar), TRUE);
    if (look->seconds)
        bar->timeout = g_timeout_add_seconds(look->seconds, on_timeout, bar);
}

static void on_button(GtkWidget *button, PenMessageBar *bar)
{
    pen_message_bar_hide(bar);
    g_signal_emit(bar, answer_signal, 0);
}

static void pen_message_bar_destroy(GtkWidget *widget)
{
    g_clear_handle_id(&PEN_MESSAGE_BAR(widget)->timeout, g_source_remove);
    GTK_WIDGET_CLASS(pen_message_bar_parent_class)->destroy(widget);
}

static void pen_message_bar_class_init(PenMessageBarClass *class)
{
    GTK_WIDGET_CLASS(class)->destroy = pen_message_bar_destroy;
    answer_signal = g_signal_new("answer", PEN_TYPE_MESSAGE_BAR, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 0);
}

static void pen_message_bar_init(PenMessageBar *bar)
{
    gtk_revealer_set_transition_type(GTK_REVEALER(bar), GTK_REVEALER_TRANSITION_TYPE_CROSSFADE);
    bar->icon = gtk_image_new();
    bar->text = pen_ui_label(NULL, NULL);
    gtk_label_set_max_width_chars(GTK_LABEL(bar->text), 70);
    gtk_label_set_selectable(GTK_LABEL(bar->text), TRUE);
    gtk_widget_set_can_focus(bar->text, FALSE);
    bar->button = gtk_button_new_with_mnemonic("");
    gtk_widget_set_valign(bar->button, GTK_ALIGN_CENTER);
    g_signal_connect(bar->button, "clicked", G_CALLBACK(on_button), bar);
    GtkWidget *close = pen_ui_icon_button("window-close-symbolic", _("Close the message"));
    g_signal_connect_swapped(close, "clicked", G_CALLBACK(pen_message_bar_hide), bar);

    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 9);
    gtk_box_pack_start(GTK_BOX(row), bar->icon, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), bar->text, TRUE, TRUE, 0);
    gtk_box_pack_end(GTK_BOX(row), close, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(row), bar->button, FALSE, FALSE, 0);
    /* Without a window of its own a box paints no background. */
    bar->plate = gtk_event_box_new();
    gtk_style_context_add_class(gtk_widget_get_style_context(bar->plate), "pen-message");
    gtk_container_add(GTK_CONTAINER(bar->plate), row);
    gtk_container_add(GTK_CONTAINER(bar), bar->plate);
    gtk_widget_show_all(bar->plate);
    gtk_widget_set_no_show_all(bar->button, TRUE);
    gtk_widget_set_no_show_all(GTK_WIDGET(bar), TRUE);
    atk_object_set_role(gtk_widget_get_accessible(GTK_WIDGET(bar)), ATK_ROLE_ALERT);
}

GtkWidget *pen_message_bar_new(void)
{
    return g_object_new(PEN_TYPE_MESSAGE_BAR, NULL);
}
