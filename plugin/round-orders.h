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

#define PEN_TYPE_ROUND_ORDERS (pen_round_orders_get_type())
G_DECLARE_FINAL_TYPE(PenRoundOrders, pen_round_orders, PEN, ROUND_ORDERS, GObject)

PenRoundOrders *pen_round_orders_new(PenApp *app, PenRoundPanel *panel, PenRoundMaker *maker);

/* As the panel's button does. */
void pen_round_orders_generate(PenRoundOrders *orders);

/* More like a candidate of a round; `place` -1: like its best, or the first that is finished. */
void pen_round_orders_like(PenRoundOrders *orders, gint64 round, int place);

G_END_DECLS
