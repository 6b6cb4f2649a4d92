// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/style-rows.h"

#include "plugin/ui.h"

static gint64 id_of(GtkListBoxRow *row)
{
    gint64 *id = row ? g_object_get_data(G_OBJECT(row), "id") : NULL;
    return id ? *id : 0;
}

GtkWidget *pen_style_rows_new(const char *name, GtkWidget **list)
{
    *list = pen_ui_name(gtk_list_box_new(), name);
    gtk_list_box_set_activate_on_single_click(GTK_LIST_BOX(*list), FALSE);
    GtkWidget *scrolled = gtk_scrolled_window_new(NULL, NULL);
    gtk_scrolled_window_set_shadow_type(GTK_SCROLLED_WINDOW(scrolled), GTK_SHADOW_IN);
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
                                   GTK_POLICY_AUTOMATIC);
    gtk_scrolled_window_set_min_content_height(GTK_SCROLLED_WINDOW(scrolled), 110);
    gtk_container_add(GTK_CONTAINER(scrolled), *list);
    return scrolled;
}

void pen_style_rows_begin(GtkWidget *list)
{
    GtkWidget *focus = gtk_container_get_focus_child(GTK_CONTAINER(list));
    g_object_set_data(G_OBJECT(list), "had-focus", GINT_TO_POINTER(focus != NULL));
    pen_ui_clear(list);
}

static GtkWidget *new_line(const char *text, const char *css_class)
{
    GtkWidget *label = pen_ui_label(text, css_class);
    gtk_label_set_line_wrap(GTK_LABEL(label), FALSE);
    gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_END);
    gtk_widget_set_tooltip_text(label, text);
    return label;
}

GtkWidget *pen_style_rows_add(GtkWidget *list, gint64 id, const char *title, const char *subtitle,
                              GtkWidget *image)
{
    GtkWidget *row = gtk_list_box_row_new();
    GtkWidget *line = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 9);
    GtkWidget *words = gtk_box_new(GTK_ORIENTATION_VERTICAL, 1);
    gtk_style_context_add_class(gtk_widget_get_style_context(row), "pen-row");
    gtk_widget_set_valign(words, GTK_ALIGN_CENTER);
    gtk_box_pack_start(GTK_BOX(words), new_line(title, "pen-title"), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(words), new_line(subtitle, "pen-hint"), FALSE, FALSE, 0);
    if (image)
        gtk_box_pack_start(GTK_BOX(line), image, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(line), words, TRUE, TRUE, 0);
    gtk_container_add(GTK_CONTAINER(row), line);
    g_object_set_data_full(G_OBJECT(row), "id", g_memdup2(&id, sizeof id), g_free);
    pen_ui_name(row, title);
    atk_object_set_description(gtk_widget_get_accessible(row), subtitle);
    gtk_widget_show_all(row);
    gtk_list_box_insert(GTK_LIST_BOX(list), row, -1);
    return row;
}

void pen_style_rows_end(GtkWidget *list, gint64 selected)
{
    for (int i = 0;; i++) {
        GtkListBoxRow *row = gtk_list_box_get_row_at_index(GTK_LIST_BOX(list), i);
        if (!row)
            return;
        if (id_of(row) != selected)
            continue;
        gtk_list_box_select_row(GTK_LIST_BOX(list), row);
        if (g_object_get_data(G_OBJECT(list), "had-focus"))
            gtk_widget_grab_focus(GTK_WIDGET(row));
        return;
    }
}

gint64 pen_style_rows_get(GtkWidget *list)
{
    return id_of(gtk_list_box_get_selected_row(GTK_LIST_BOX(list)));
}
