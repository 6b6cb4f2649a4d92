// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/round-orders.h"

#include <glib/gi18n-lib.h>

#include "plugin/choice.h"
#include "plugin/ui.h"

struct _PenRoundOrders {
    GObject parent;
    PenApp *app;
    PenRoundPanel *panel;
    PenRoundMaker *maker;
    gboolean wanted; /* a round, as soon as the model's numbers are known */
    guint line_soon; /* pen_ui_later() */
};

G_DEFINE_FINAL_TYPE(PenRoundOrders, pen_round_orders, G_TYPE_OBJECT)

/* --- the line -------------------------------------------------------------------------------- */

static void show_line(gpointer data)
{
    PenRoundOrders *orders = data;
    PenRoundMaker *maker = orders->maker;
    g_autoptr(GPtrArray) prompts = g_ptr_array_new();
    for (guint i = 0; i < pen_round_maker_count_waiting(maker); i++)
        g_ptr_array_add(prompts, (gpointer)pen_round_maker_get_waiting(maker, i));
    pen_round_panel_set_line(orders->panel, (const char *const *)prompts->pdata, prompts->len);
}

static void on_line_changed(PenRoundMaker *maker, PenRoundOrders *orders)
{
    pen_ui_later(&orders->line_soon, show_line, orders);
}

static void on_stop(PenRoundPanel *panel, PenRoundOrders *orders)
{
    pen_round_maker_stop(orders->maker);
}

static void on_unwanted(PenRoundPanel *panel, guint i, PenRoundOrders *orders)
{
    pen_round_maker_remove_waiting(orders->maker, i);
}

/* --- ordering -------------------------------------------------------------------------------- */

static void on_ordered(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(PenRoundOrders) orders = data;
    g_autoptr(GError) error = NULL;
    PenRoundOrder *order = pen_round_panel_order_finish(orders->panel, result, &error);
    if (order)
        pen_round_maker_add(orders->maker, order);
    else
        pen_app_report(orders->app, error);
}

void pen_round_orders_generate(PenRoundOrders *orders)
{
    if (!pen_app_open(orders->app))
        return;
    g_autofree char *prompt = pen_round_panel_get_prompt(orders->panel);
    if (!*prompt) {
        pen_app_notify(orders->app, GTK_MESSAGE_INFO,
                       _("Write what should be in the picture first."));
        pen_round_panel_focus_prompt(orders->panel);
        return;
    }
    orders->wanted = !pen_app_model(orders->app);
    if (orders->wanted) {
        /* Reads them again if that has failed. */
        pen_app_set_model(orders->app, pen_app_settings(orders->app)->model);
        return;
    }
    pen_app_clear_message(orders->app);
    pen_round_panel_order_async(orders->panel, on_ordered, g_object_ref(orders));
}

static void on_generate(PenRoundPanel *panel, PenRoundOrders *orders)
{
    pen_round_orders_generate(orders);
}

static void on_model_changed(PenRoundOrders *orders)
{
    if (orders->wanted && pen_app_model(orders->app))
        pen_round_orders_generate(orders);
    else if (!pen_app_is_reading_model(orders->app))
        orders->wanted = FALSE;
}

/* The place of the round's best, or of the first that is finished. */
static int find_best(PenStore *store, gint64 round)
{
    PenChoiceState choice = { 0 };
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, round, NULL);
    guint n = candidates ? candidates->len : 0;
    pen_choice_load(&choice, store, round, (int)n);
    int best = pen_choice_get_best(&choice);
    for (guint i = 0; best < 0 && i < n; i++)
        if (((PenCandidate *)candidates->pdata[i])->picture_file)
            best = (int)i;
    return MAX(best, 0);
}

void pen_round_orders_like(PenRoundOrders *orders, gint64 round, int place)
{
    g_autoptr(GError) error = NULL;
    if (place < 0)
        place = find_best(pen_app_store(orders->app), round);
    PenRoundOrder *order = pen_round_order_like(orders->app, round, place, &error);
    pen_app_clear_message(orders->app);
    if (order)
        pen_round_maker_add(orders->maker, order);
    else
        pen_app_report(orders->app, error);
}

/* --- life ------------------------------------------------------------------------------------ */

static void pen_round_orders_finalize(GObject *object)
{
    g_clear_handle_id(&PEN_ROUND_ORDERS(object)->line_soon, g_source_remove);
    G_OBJECT_CLASS(pen_round_orders_parent_class)->finalize(object);
}

static void pen_round_orders_class_init(PenRoundOrdersClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_round_orders_finalize;
}

static void pen_round_orders_init(PenRoundOrders *orders)
{
}

PenRoundOrders *pen_round_orders_new(PenApp *app, PenRoundPanel *panel, PenRoundMaker *maker)
{
    PenRoundOrders *orders = g_object_new(PEN_TYPE_ROUND_ORDERS, NULL);
    orders->app = app;
    orders->panel = panel;
    orders->maker = maker;
    g_signal_connect_object(maker, "line-changed", G_CALLBACK(on_line_changed), orders, 0);
    g_signal_connect_object(panel, "unwanted", G_CALLBACK(on_unwanted), orders, 0);
    g_signal_connect_object(panel, "generate", G_CALLBACK(on_generate), orders, 0);
    g_signal_connect_object(panel, "stop", G_CALLBACK(on_stop), orders, 0);
    g_signal_connect_object(app, "model-changed", G_CALLBACK(on_model_changed), orders,
                            G_CONNECT_SWAPPED);
    return orders;
}
