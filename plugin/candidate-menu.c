// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/candidate-menu.h"

#include <glib/gi18n-lib.h>

typedef struct {
    PenMenuEntry entry;
    int k;
    PenMenuChosen chosen;
    gpointer data;
} Choice;

static void on_activate(GtkMenuItem *item, Choice *choice)
{
    choice->chosen(choice->entry, choice->k, choice->data);
}

static void add(GtkWidget *menu, Choice choice, gboolean ready, const char *label)
{
    GtkWidget *item = gtk_menu_item_new_with_mnemonic(label);
    g_signal_connect_data(item, "activate", G_CALLBACK(on_activate),
                          g_memdup2(&choice, sizeof choice), (GClosureNotify)(void (*)(void))g_free,
                          0);
    gtk_widget_set_sensitive(item, ready);
    gtk_menu_shell_append(GTK_MENU_SHELL(menu), item);
}

void pen_candidate_menu_popup(int k, gboolean ready, gboolean zoomed, GtkWidget *card_or_button,
                              gboolean is_card, PenMenuChosen chosen, gpointer data)
{
    GtkWidget *menu = gtk_menu_new();
#define ADD(entry, label) add(menu, (Choice){ entry, k, chosen, data }, ready, label)
    if (is_card) {
        ADD(PEN_MENU_BEST, _("This Is the _Best"));
        ADD(PEN_MENU_NEXT, _("This Comes _Next"));
        ADD(PEN_MENU_TIE, _("This Is _as Good as the Last Chosen"));
        gtk_menu_shell_append(GTK_MENU_SHELL(menu), gtk_separator_menu_item_new());
    }
    ADD(PEN_MENU_ZOOM, zoomed ? _("Show _All Candidates") : _("_Larger View"));
    ADD(PEN_MENU_LIKE, _("More Li_ke This"));
    if (is_card)
        ADD(PEN_MENU_INSERT, _("_Insert as Layer"));
    ADD(PEN_MENU_OPEN, _("_Open as New Image"));
    ADD(PEN_MENU_SAVE, _("_Save…"));
#undef ADD
    g_signal_connect(menu, "selection-done", G_CALLBACK(gtk_widget_destroy), NULL);
    gtk_widget_show_all(menu);
    gtk_menu_attach_to_widget(GTK_MENU(menu), card_or_button, NULL);
    if (is_card)
        gtk_menu_popup_at_pointer(GTK_MENU(menu), NULL);
    else
        gtk_menu_popup_at_widget(GTK_MENU(menu), card_or_button, GDK_GRAVITY_NORTH_EAST,
                                 GDK_GRAVITY_SOUTH_EAST, NULL);
}
