// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A panel beside what it is for, with a handle between them; one above the other where the window
 * is too narrow for both.
 *
 *     moved(width: int)  the artist has given the panel another width
 */

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define PEN_TYPE_COLUMNS (pen_columns_get_type())
G_DECLARE_FINAL_TYPE(PenColumns, pen_columns, PEN, COLUMNS, GtkPaned)

GtkWidget *pen_columns_new(GtkWidget *panel, GtkWidget *rest, int width);

G_END_DECLS
