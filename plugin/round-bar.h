// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Below the pictures of a round: which round it is, the way to its neighbours, what can be done
 * with a picture, and a line that says how to vote.
 *
 *     leaf(direction: int)  to the earlier (-1) or later (1) round
 *     none()                none of the pictures is better than another
 *     insert()              the picture that the button names
 *     in-place()            whether the picture is to be seen at its place has changed
 *     more(button: widget)  a menu of what else can be done with it
 */

#include <gtk/gtk.h>

#include "plugin/choice.h"

G_BEGIN_DECLS

#define PEN_TYPE_ROUND_BAR (pen_round_bar_get_type())
G_DECLARE_FINAL_TYPE(PenRoundBar, pen_round_bar, PEN, ROUND_BAR, GtkBox)

typedef struct {
    gint64 round; /* 0: none yet */
    gboolean older, newer;
    gboolean usable;    /* a picture is finished */
    gboolean placeable; /* there is an image to see it in */
    int meant;          /* the picture that is inserted, from 0; -1: none */
    const PenChoiceState *choice;
    gboolean guessed; /* the votes so far speak for one of the pictures */
} PenRoundBarState;

GtkWidget *pen_round_bar_new(void);
void pen_round_bar_show(PenRoundBar *bar, const PenRoundBarState *state);
gboolean pen_round_bar_wants_place(PenRoundBar *bar);
void pen_round_bar_leave_place(PenRoundBar *bar);

G_END_DECLS
