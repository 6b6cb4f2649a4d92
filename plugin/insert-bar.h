// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What can be done with the picture that was inserted last, over the head of the candidates: it
 * says which image it went to, removes it again (a step of undo of its own, for libgimp cannot
 * undo), and refines it: draws over it at a larger size, in tiles. Listens to the app's "inserted".
 */

#include "plugin/app.h"

G_BEGIN_DECLS

GtkWidget *pen_insert_bar_new(PenApp *app);

/* Whether the insert is the last thing that was done: nothing was voted since. Then Undo removes
 * the layer. */
gboolean pen_insert_bar_can_undo(GtkWidget *bar);
void pen_insert_bar_undo(GtkWidget *bar);

G_END_DECLS
