// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/round-line.h"

#include <glib/gi18n-lib.h>

#include "plugin/choice.h"
#include "plugin/ui.h"

struct _PenRoundLine {
    GObject parent;
    PenApp *app;
    PenRoundPanel *panel;
    PenRoundMaker *maker;
    gboolean wanted; /* a round, as soon as the model's numbers are known */
    guint soon;      /* pen_ui_later() */
};

G_DEFINE_FINAL_TYPE(PenRoundLine, pen_round_line, G_TYPE_OBJECT)

/* --- the line -------------------------------------------------------------------------------- */

static void show_line(gpointer data)
{
    PenRoundLine *line = data;
    PenRoundMaker *maker = line->maker;
    g_autoptr(GPtrArray) prompts = g_ptr_array_new();
    for (guint i = 0; i < pen_round_maker_count_waiting(maker); i++)
        g_ptr_array_add(prompts, (gpointer)pen_round_maker_get_waiting(maker, i));
    pen_round_panel_set_line(line->panel, (const char *const *)prompts->pdata, prompts->len);
}

static void on_line_changed(PenRoundMaker *maker, PenRoundLine *line)
{
    pen_ui_later(&line->soon, show_line, line);
}

static void on_stop(PenRoundPanel *panel, PenRoundLine *line)
{
    pen_round_maker_stop(line->maker);
}

static void on_unwanted(PenRoundPanel *panel, guint i, PenRoundLine *line)
{
    pen_round_maker_remove_waiting(line->maker, i);
}

/* --- ordering -------------------------------------------------------------------------------- */

static void on_ordered(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(PenRoundLine) line = data;
    g_autoptr(GError) error = NULL;
    PenRoundOrder *order = pen_round_panel_order_finish(line->panel, result, &error);
    if (order)
        pen_round_maker_add(line->maker, order);
    else
        pen_app_report(line->app, error);
}

void pen_round_line_generate(PenRoundLine *line)
{
    if (!pen_app_open(line->app))
        return;
    g_autofree char *prompt = pen_round_panel_get_prompt(line->panel);
    if (!*prompt) {
        pen_app_notify(line->app, GTK_MESSAGE_INFO,
                       _("Write what should be in the picture first."));
        pen_round_panel_focus_prompt(line->panel);
        return;
    }
    line->wanted = !pen_app_model(line->app);
    if (line->wanted) {
        /* Reads them again if that has failed. */
        pen_app_set_model(line->app, pen_app_settings(line->app)->model);
        return;
    }
    pen_app_clear_message(line->app);
    pen_round_panel_order_async(line->panel, on_ordered, g_object_ref(line));
}

static void on_generate(PenRoundPanel *panel, PenRoundLine *line)
{
    pen_round_line_generate(line);
}

static void on_model_changed(PenRoundLine *line)
{
    if (line->wanted && pen_app_model(line->app))
        pen_round_line_generate(line);
    else if (!pen_app_is_reading_model(line->app))
        line->wanted = FALSE;
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

void pen_round_line_like(PenRoundLine *line, gint64 round, int place)
{
    g_autoptr(GError) error = NULL;
    if (place < 0)
        place = find_best(pen_app_store(line->app), round);
    PenRoundOrder *order = pen_round_order_like(line->app, round, place, &error);
    pen_app_clear_message(line->app);
    if (order)
        pen_round_maker_add(line->maker, order);
    else
        pen_app_report(line->app, error);
}

/* --- life ------------------------------------------------------------------------------------ */

static void pen_round_line_finalize(GObject *object)
{
    g_clear_handle_id(&PEN_ROUND_LINE(object)->soon, g_source_remove);
    G_OBJECT_CLASS(pen_round_line_parent_class)->finalize(object);
}

static void pen_round_line_class_init(PenRoundLineClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_round_line_finalize;
}

static void pen_round_line_init(PenRoundLine *line)
{
}

PenRoundLine *pen_round_line_new(PenApp *app, PenRoundPanel *panel, PenRoundMaker *maker)
{
    PenRoundLine *line = g_object_new(PEN_TYPE_ROUND_LINE, NULL);
    line->app = app;
    line->panel = panel;
    line->maker = maker;
    g_signal_connect_object(maker, "line-changed", G_CALLBACK(on_line_changed), line, 0);
    g_signal_connect_object(panel, "unwanted", G_CALLBACK(on_unwanted), line, 0);
    g_signal_connect_object(panel, "generate", G_CALLBACK(on_generate), line, 0);
    g_signal_connect_object(panel, "stop", G_CALLBACK(on_stop), line, 0);
    g_signal_connect_object(app, "model-changed", G_CALLBACK(on_model_changed), line,
                            G_CONNECT_SWAPPED);
    return line;
}
