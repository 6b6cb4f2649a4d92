// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/ui.h"

#include <glib/gi18n-lib.h>

GtkWidget *pen_ui_name(GtkWidget *widget, const char *name)
{
    atk_object_set_name(gtk_widget_get_accessible(widget), name);
    return widget;
}

GtkWidget *pen_ui_label(const char *text, const char *css_class)
{
    GtkWidget *label = gtk_label_new(text);
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
    if (css_class)
        gtk_style_context_add_class(gtk_widget_get_style_context(label), css_class);
    return label;
}

GtkWidget *pen_ui_field(const char *mnemonic, GtkWidget *widget)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 3);
    GtkWidget *label = gtk_label_new_with_mnemonic(mnemonic);
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_style_context_add_class(gtk_widget_get_style_context(label), "pen-caption");
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), widget);
    gtk_box_pack_start(GTK_BOX(box), label, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), widget, TRUE, TRUE, 0);
    pen_ui_name(widget, gtk_label_get_text(GTK_LABEL(label)));
    return box;
}

GtkWidget *pen_ui_icon_button(const char *icon, const char *name)
{
    GtkWidget *button = gtk_button_new_from_icon_name(icon, GTK_ICON_SIZE_BUTTON);
    gtk_button_set_relief(GTK_BUTTON(button), GTK_RELIEF_NONE);
    gtk_widget_set_tooltip_text(button, name);
    gtk_widget_set_valign(button, GTK_ALIGN_CENTER);
    return pen_ui_name(button, name);
}

static char *format_percent(GtkScale *scale, double value, gpointer data)
{
    return g_strdup_printf(_("%d %%"), (int)(value * 100 + 0.5));
}

GtkWidget *pen_ui_percent_scale(const char *name, double low, double high)
{
    GtkWidget *scale = gtk_scale_new_with_range(GTK_ORIENTATION_HORIZONTAL, low, high, 0.05);
    gtk_scale_set_value_pos(GTK_SCALE(scale), GTK_POS_RIGHT);
    g_signal_connect(scale, "format-value", G_CALLBACK(format_percent), NULL);
    return pen_ui_name(scale, name);
}

static void on_ask_changed(GtkEntry *entry, GtkDialog *dialog)
{
    g_autofree char *text = g_strstrip(g_strdup(gtk_entry_get_text(entry)));
    gtk_dialog_set_response_sensitive(dialog, GTK_RESPONSE_OK, *text != 0);
}

char *pen_ui_ask(GtkWidget *parent, const char *title, const char *label, const char *text,
                 const char *button)
{
    GtkWidget *dialog =
        gtk_dialog_new_with_buttons(title, GTK_WINDOW(gtk_widget_get_toplevel(parent)),
                                    GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT, _("_Cancel"),
                                    GTK_RESPONSE_CANCEL, button, GTK_RESPONSE_OK, NULL);
    gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_OK);
    gtk_style_context_add_class(gtk_widget_get_style_context(gtk_dialog_get_widget_for_response(
                                    GTK_DIALOG(dialog), GTK_RESPONSE_OK)),
                                GTK_STYLE_CLASS_SUGGESTED_ACTION);
    GtkWidget *entry = gtk_entry_new();
    gtk_entry_set_activates_default(GTK_ENTRY(entry), TRUE);
    gtk_entry_set_width_chars(GTK_ENTRY(entry), 30);
    g_signal_connect(entry, "changed", G_CALLBACK(on_ask_changed), dialog);
    gtk_entry_set_text(GTK_ENTRY(entry), text);
    on_ask_changed(GTK_ENTRY(entry), GTK_DIALOG(dialog));
    GtkWidget *field = pen_ui_field(label, entry);
    gtk_container_set_border_width(GTK_CONTAINER(field), 12);
    gtk_container_add(GTK_CONTAINER(gtk_dialog_get_content_area(GTK_DIALOG(dialog))), field);
    gtk_widget_show_all(field);
    char *answer = NULL;
    if (gtk_dialog_run(GTK_DIALOG(dialog)) == GTK_RESPONSE_OK)
        answer = g_strstrip(g_strdup(gtk_entry_get_text(GTK_ENTRY(entry))));
    gtk_widget_destroy(dialog);
    return answer;
}

void pen_ui_load_css(void)
{
    g_autoptr(GtkCssProvider) provider = gtk_css_provider_new();
    gtk_css_provider_load_from_data(provider,
                                    ".pen-title { font-weight: bold; }"
                                    ".pen-caption { font-size: 92%; }"
                                    ".pen-hint { font-size: 92%; opacity: 0.72; }"
                                    ".pen-display { font-size: 150%; font-weight: bold; }"
                                    ".pen-prompt, .pen-prompt text { padding: 5px; }"
                                    ".pen-panel { padding: 12px; }"
                                    ".pen-bar { padding: 6px 12px; }",
                                    -1, NULL);
    gtk_style_context_add_provider_for_screen(gdk_screen_get_default(), GTK_STYLE_PROVIDER(provider),
                                              GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
}
