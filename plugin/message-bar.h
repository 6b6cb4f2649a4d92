// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What Penchant has to say, on a plate that lies over the foot of the page and moves nothing. Its
 * colour and icon say how serious it is. What went well goes away by itself; what went wrong stays
 * until it is read, or over. A screen reader speaks it.
 *
 *     answer()  its button was pressed
 */

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define PEN_TYPE_MESSAGE_BAR (pen_message_bar_get_type())
G_DECLARE_FINAL_TYPE(PenMessageBar, pen_message_bar, PEN, MESSAGE_BAR, GtkRevealer)

GtkWidget *pen_message_bar_new(void);

/* `button`: the label of a button that answers; NULL: none. */
void pen_message_bar_show(PenMessageBar *bar, GtkMessageType type, const char *text,
                          const char *button);
void pen_message_bar_hide(PenMessageBar *bar);

G_END_DECLS
