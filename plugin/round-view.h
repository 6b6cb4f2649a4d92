// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * One round: its candidates as cards while they are made and afterwards, the artist's votes, and
 * what can be done with a picture. Also leafs through earlier rounds.
 *
 *     shown(round: gint64)    another round, or none (0), is shown
 *     renewed(round: gint64)  a round is new in the store, or looks different now
 */

#include "plugin/app.h"
#include "plugin/candidate-grid.h"
#include "plugin/candidate-menu.h"
#include "plugin/round-panel.h"

G_BEGIN_DECLS

#define PEN_TYPE_ROUND_VIEW (pen_round_view_get_type())
G_DECLARE_FINAL_TYPE(PenRoundView, pen_round_view, PEN, ROUND_VIEW, GtkBox)

/* `panel` says what rounds are made from, and shows the progress. */
GtkWidget *pen_round_view_new(PenApp *app, PenRoundPanel *panel);

void pen_round_view_show_round(PenRoundView *view, gint64 round);
gint64 pen_round_view_get_round(PenRoundView *view);
/* Shows another round if the one that is shown was thrown away. */
void pen_round_view_check(PenRoundView *view);
/* Makes more pictures like the best of a round. */
void pen_round_view_make_like(PenRoundView *view, gint64 round);
/* The pictures, for what is laid over them. */
GtkWidget *pen_round_view_get_pictures(PenRoundView *view);
/* Reads the pick of the round that is shown again, e.g. after an undo. */
void pen_round_view_refresh(PenRoundView *view);

/* TRUE if the key means something here (plugin/round-keys.h). */
gboolean pen_round_view_key(PenRoundView *view, GdkEventKey *event);

/* Inserts, opens or saves the picture that is meant. */
void pen_round_view_use(PenRoundView *view, PenMenuEntry how);

G_END_DECLS
