// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Small things that every view of the window builds with. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* Gives a widget its accessible name; returns the widget. */
GtkWidget *pen_ui_name(GtkWidget *widget, const char *name);

/*
 * Calls `func` once, when what happens now is over. A handler of a click or key must not destroy
 * what was clicked: GTK is not done with it. Who refills a list or chooser does it so. `*source` is
 * 0 or the source that is waiting already; remove it (g_clear_handle_id()) when `data` dies.
 */
typedef void (*PenUiLater)(gpointer data);
void pen_ui_later(guint *source, PenUiLater func, gpointer data);

/* Destroys what a container holds. */
void pen_ui_clear(GtkWidget *container);

/* Lets a screen reader say something that is only seen otherwise. */
void pen_ui_announce(GtkWidget *widget, const char *text);

/* A label with a mnemonic above the widget it belongs to, in a box. */
GtkWidget *pen_ui_field(const char *mnemonic, GtkWidget *widget);

/* A label with a mnemonic, and at its end the button that adds to the list below. */
GtkWidget *pen_ui_heading(const char *mnemonic, GtkWidget *button);

GtkWidget *pen_ui_label(const char *text, const char *css_class);

/* A flat button with an icon, whose name is also its tooltip. */
GtkWidget *pen_ui_icon_button(const char *icon, const char *name);

/* A horizontal scale that shows its value as per cent. */
GtkWidget *pen_ui_percent_scale(const char *name, double low, double high);

/* “2 minutes left”; NULL while unknown (negative). Free with g_free(). */
char *pen_ui_time_left(double seconds);

/* Lets a chooser with long entries stay narrow; returns it. */
GtkWidget *pen_ui_ellipsize(GtkWidget *combo);

GtkWidget *pen_ui_spin(double low, double high, double step, double value);

/* Shows a word in place of the lowest value. The word is static. */
void pen_ui_spin_name_lowest(GtkWidget *spin, const char *word);

/* A check button whose words break into lines where the panel is narrow. */
GtkWidget *pen_ui_check(const char *mnemonic);

/* Two fields side by side, equally wide. */
GtkWidget *pen_ui_pair(GtkWidget *left, GtkWidget *right);

/* A view that may have more than fits below each other: it scrolls, and to what the keyboard goes
 * to. */
GtkWidget *pen_ui_scrolled(GtkWidget *view);

/* What a view shows while it is empty: the icon, what it is for, and how to begin. */
GtkWidget *pen_ui_placeholder(const char *title, const char *text);

/* The digit that a key types without its modifiers, or -1. */
int pen_ui_digit(const GdkEventKey *event);

/*
 * Dialogs call back when the artist agreed, and not at all when he cancelled. They never run a main
 * loop of their own: that would shut assistive technology out while they are open. The view that
 * asks must live as long as its window.
 */
typedef void (*PenUiAnswer)(const char *answer, gpointer data);

/* Asks for a line of text, e.g. a name; the answer has no space around it. */
void pen_ui_ask(GtkWidget *parent, const char *title, const char *label, const char *text,
                const char *button, PenUiAnswer answered, gpointer data);

typedef void (*PenUiFile)(GtkFileChooser *chooser, const char *path, gpointer data);

/* Asks for a file or folder; `name` is the proposed one where one is saved, else NULL. Returns the
 * chooser, for filters and the like; it is not shown yet. */
GtkWidget *pen_ui_new_file_dialog(GtkWidget *parent, GtkFileChooserAction action, const char *title,
                                  const char *name, const char *button, PenUiFile chosen,
                                  gpointer data);

/* Asks for a file or a folder, whichever is marked. `filter` names what is shown, beside folders:
 * files that match the pattern. */
GtkWidget *pen_ui_new_path_dialog(GtkWidget *parent, const char *title, const char *button,
                                  const char *filter, const char *pattern, PenUiFile chosen,
                                  gpointer data);

/* Penchant's icon in device pixels; NULL if it cannot be drawn here. Needs no screen. */
GdkPixbuf *pen_ui_icon(int size);

/* The styles that GTK has no class for; once for the screen. */
void pen_ui_load_css(void);

G_END_DECLS
