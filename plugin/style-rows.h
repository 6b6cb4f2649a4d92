// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Rows of a list box that stand for rows of the store. Filling such a list again keeps what is
 * selected and what has the keyboard. It must not happen while GTK still handles a click or key on
 * one of the rows: call it from pen_ui_later().
 */

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* A list in a frame that scrolls; `*list` gets the list box. Enter or a double click activates a
 * row, a click only selects it. */
GtkWidget *pen_style_rows_new(const char *name, GtkWidget **list);

/* Begins to fill it; what is added from then on takes the place of the rows that it has. */
void pen_style_rows_begin(GtkWidget *list);
/* `image` may be NULL: with a place for a picture, that the caller sets. Returns the row. */
GtkWidget *pen_style_rows_add(GtkWidget *list, gint64 id, const char *title, const char *subtitle,
                              GtkWidget *image);
/* Selects the row of that id. */
void pen_style_rows_end(GtkWidget *list, gint64 selected);

/* The id of the selected row; 0 also when none is. */
gint64 pen_style_rows_get(GtkWidget *list);

G_END_DECLS
