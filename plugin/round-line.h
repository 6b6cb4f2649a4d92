// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * From the panel to the line: what the artist asks for in the panel becomes an order for the round
 * maker, and the panel shows which orders stand in line.
 */

#include "plugin/app.h"
#include "plugin/round-maker.h"
#include "plugin/round-panel.h"

G_BEGIN_DECLS

#define PEN_TYPE_ROUND_LINE (pen_round_line_get_type())
G_DECLARE_FINAL_TYPE(PenRoundLine, pen_round_line, PEN, ROUND_LINE, GObject)

PenRoundLine *pen_round_line_new(PenApp *app, PenRoundPanel *panel, PenRoundMaker *maker);

/* As the panel's button does. */
void pen_round_line_generate(PenRoundLine *line);

/* More like a candidate of a round; `place` -1: like its best, or the first that is finished. */
void pen_round_line_like(PenRoundLine *line, gint64 round, int place);

G_END_DECLS
