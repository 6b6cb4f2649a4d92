// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/round-order.h"

void pen_round_order_free(PenRoundOrder *order)
{
    if (!order)
        return;
    g_free(order->prompt);
    g_free(order->negative_prompt);
    g_free(order->model);
    g_free(order->sampler);
    g_free(order->schedule);
    pen_spot_start_free(order->start);
    g_free(order);
}

PenRoundOrder *pen_round_order_like(PenApp *app, gint64 round, int k, GError **error)
{
    g_autoptr(PenRound) row = pen_store_get_round(pen_app_store(app), round, error);
    if (!row)
        return NULL;
    PenRoundOrder *order = g_new0(PenRoundOrder, 1);
    PenRoundRequest *request = &order->request;
    *request = (PenRoundRequest)PEN_ROUND_REQUEST_INIT;
    /* What is shown of it while it waits; the studio takes the rest from the round, too. */
    order->prompt = g_strdup(row->prompt);
    request->width = (guint)row->width;
    request->height = (guint)row->height;
    request->like_round = round;
    request->like_place = k;
    request->style = pen_app_style(app);
    request->count = (guint)pen_app_settings(app)->count;
    request->previews = TRUE;
    return order;
}
