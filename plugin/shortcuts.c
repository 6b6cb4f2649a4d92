// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/shortcuts.h"

#include <glib/gi18n-lib.h>

#define SHORTCUTS "penchant-shortcuts" /* the window, once it was made */

typedef struct {
    const char *keys, *text; /* `keys` as GtkShortcutsShortcut:accelerator; NULL: a group begins */
} Shortcut;

static const Shortcut shortcuts[] = {
    { NULL, N_("Rounds") },
    { "Return", N_("Make a round, or one more") },
    { "<Primary>L", N_("Write the prompt; Up and Down recall earlier ones") },
    { "<Primary>Z", N_("Undo what was done on this page, or typed") },
    { "<Primary><Shift>Z", N_("Redo") },
    { NULL, N_("Votes") },
    { "1...9", N_("The best") },
    { "<Shift>1...9", N_("The next best") },
    { "<Primary>1...9", N_("As good as the last") },
    { "Y", N_("The guess is right") },
    { "0", N_("None of these") },
    { "Delete", N_("Take the selected picture's vote back") },
    { NULL, N_("The selected picture") },
    { "space",
      N_("Larger view, or at its place before and after; arrow keys leaf, Escape leaves") },
    { "<Primary>I", N_("Insert as layer") },
    { "<Primary>O", N_("Open as new image") },
    { "<Primary>S", N_("Save the picture") },
    { NULL, N_("Window") },
    { "<Alt>1...3", N_("Create, Compare, Styles") },
    { "F1", N_("Help") },
    { "<Primary>question", N_("These shortcuts") },
    { "<Primary>W", N_("Close") },
};

void pen_shortcuts_show(GtkWindow *parent)
{
    GtkWidget *there = g_object_get_data(G_OBJECT(parent), SHORTCUTS);
    if (there) {
        gtk_window_present(GTK_WINDOW(there));
        return;
    }
    GtkWidget *window = g_object_new(GTK_TYPE_SHORTCUTS_WINDOW, "modal", TRUE, "transient-for",
                                     parent, "destroy-with-parent", TRUE, NULL);
    GtkWidget *section =
        g_object_new(GTK_TYPE_SHORTCUTS_SECTION, "section-name", "all", "visible", TRUE, NULL);
    GtkWidget *group = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(shortcuts); i++) {
        const Shortcut *shortcut = &shortcuts[i];
        if (!shortcut->keys) {
            group = g_object_new(GTK_TYPE_SHORTCUTS_GROUP, "title", _(shortcut->text), "visible",
                                 TRUE, NULL);
            gtk_container_add(GTK_CONTAINER(section), group);
            continue;
        }
        gtk_container_add(GTK_CONTAINER(group),
                          g_object_new(GTK_TYPE_SHORTCUTS_SHORTCUT, "accelerator", shortcut->keys,
                                       "title", _(shortcut->text), "visible", TRUE, NULL));
    }
    gtk_container_add(GTK_CONTAINER(window), section);
    g_signal_connect(window, "delete-event", G_CALLBACK(gtk_widget_hide_on_delete), NULL);
    g_object_set_data(G_OBJECT(parent), SHORTCUTS, window);
    gtk_window_present(GTK_WINDOW(window));
}
