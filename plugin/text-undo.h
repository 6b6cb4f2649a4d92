// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Undo for a text field (GtkTextView or GtkEntry), which GTK 3 does not have: Ctrl+Z takes back
 * what was typed, a word or so at a time, Ctrl+Shift+Z and Ctrl+Y do it again. What a program sets
 * can be taken back, too; what the field holds when it gets its undo is the beginning.
 */

#include <gtk/gtk.h>

G_BEGIN_DECLS

void pen_text_undo_add(GtkWidget *field);

/* The field is about something else now: what it holds is the beginning again. */
void pen_text_undo_restart(GtkWidget *field);

G_END_DECLS
