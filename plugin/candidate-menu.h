// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The menu of a candidate: what a mouse or a keyboard does otherwise, in words. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef enum {
    PEN_MENU_BEST, /* the first three in the order of PenVote */
    PEN_MENU_NEXT,
    PEN_MENU_TIE,
    PEN_MENU_ZOOM,
    PEN_MENU_LIKE,
    PEN_MENU_INSERT,
    PEN_MENU_OPEN,
    PEN_MENU_SAVE,
} PenMenuEntry;

typedef void (*PenMenuChosen)(PenMenuEntry entry, int k, gpointer data);

/* Of candidate `k`, at the pointer over its card, or below a button, then without the entries that
 * have buttons of their own. */
void pen_candidate_menu_popup(int k, gboolean ready, gboolean zoomed, GtkWidget *card_or_button,
                              gboolean is_card, PenMenuChosen chosen, gpointer data);

G_END_DECLS
