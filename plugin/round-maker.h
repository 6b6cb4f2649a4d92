// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Makes rounds one after another: the one that is being made, with its candidates as far as they
 * are, and those that were asked for meanwhile. Rounds wait while a style is being taught. The
 * window can show another round at any time and come back to the one that is being made.
 *
 *     begun(waited: gboolean)      a round is being made from now on; `waited`: it stood in line
 *     recorded(round: gint64)      the store has it now
 *     changed(k: int)              a candidate looks different, or is finished
 *     progress(fraction: double, text: string)
 *     ended(recorded: gboolean)    it is over; FALSE: nothing is left of it
 *     line-changed()               another order waits, or one no longer does
 */

#include "plugin/app.h"
#include "plugin/candidate-card.h"
#include "plugin/round-order.h"

G_BEGIN_DECLS

#define PEN_TYPE_ROUND_MAKER (pen_round_maker_get_type())
G_DECLARE_FINAL_TYPE(PenRoundMaker, pen_round_maker, PEN, ROUND_MAKER, GObject)

PenRoundMaker *pen_round_maker_new(PenApp *app);

/* Takes the order: makes it at once, or later. */
void pen_round_maker_add(PenRoundMaker *maker, PenRoundOrder *order);
/* Ends what is being made; what is finished stays. The next in line begins. */
void pen_round_maker_stop(PenRoundMaker *maker);

/* The line. */
guint pen_round_maker_count_waiting(PenRoundMaker *maker);
const char *pen_round_maker_get_waiting(PenRoundMaker *maker, guint i); /* its prompt */
void pen_round_maker_remove_waiting(PenRoundMaker *maker, guint i);

/* What is being made. The others need it to be TRUE. */
gboolean pen_round_maker_is_making(PenRoundMaker *maker);
gint64 pen_round_maker_get_round(PenRoundMaker *maker); /* 0 until it is recorded */
int pen_round_maker_get_n(PenRoundMaker *maker);
double pen_round_maker_get_shape(PenRoundMaker *maker); /* height over width */
/* How far candidate `k` is, on its card. */
void pen_round_maker_show(PenRoundMaker *maker, int k, PenCandidateCard *card);

G_END_DECLS
