// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Past rounds as a strip of small pictures, the latest first, with what was asked for, by which
 * style and when, and a star where the artist voted. They can be searched by words of the prompt
 * and by style. A page of them is shown at a time, so that thousands are as fast as ten.
 *
 *     chosen(round: gint64)  a round is to be shown
 *     reuse(round: gint64)   the next round is to be made with the settings of this one
 *     like(round: gint64)    more pictures like this one's best are to be made
 */

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_HISTORY_STRIP (pen_history_strip_get_type())
G_DECLARE_FINAL_TYPE(PenHistoryStrip, pen_history_strip, PEN, HISTORY_STRIP, GtkBox)

GtkWidget *pen_history_strip_new(PenApp *app);

/* The round that is shown large; 0: none. */
void pen_history_strip_set_current(PenHistoryStrip *strip, gint64 round);
/* A round is new, or looks different now. */
void pen_history_strip_update(PenHistoryStrip *strip, gint64 round);
/* Rounds are gone, or back. */
void pen_history_strip_refill(PenHistoryStrip *strip);

G_END_DECLS
