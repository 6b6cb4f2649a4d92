// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What a round is made from: prompt, starting point, number, size, model, style, and the advanced
 * settings. It reads and writes the settings of the app.
 *
 *     generate()         a round was asked for
 *     stop()             the running round should stop
 *     unwanted(i: uint)  a round that stands in line is not wanted any more
 */

#include "plugin/round-order.h"
#include "src/studio/taken-settings.h"

G_BEGIN_DECLS

#define PEN_TYPE_ROUND_PANEL (pen_round_panel_get_type())
G_DECLARE_FINAL_TYPE(PenRoundPanel, pen_round_panel, PEN, ROUND_PANEL, GtkBox)

GtkWidget *pen_round_panel_new(PenApp *app);

/* Reads the widgets, and then the image, piece by piece. The model's numbers must be known:
 * pen_app_model(). */
void pen_round_panel_order_async(PenRoundPanel *panel, GAsyncReadyCallback callback, gpointer data);
PenRoundOrder *pen_round_panel_order_finish(PenRoundPanel *panel, GAsyncResult *result,
                                            GError **error);

/* While a round runs the Generate button is a Stop button. `text` says how far it is. */
void pen_round_panel_set_running(PenRoundPanel *panel, gboolean running);
void pen_round_panel_set_progress(PenRoundPanel *panel, double fraction, const char *text);

/* The prompts of the rounds that stand in line. */
void pen_round_panel_set_line(PenRoundPanel *panel, const char *const *prompts, guint n);

char *pen_round_panel_get_prompt(PenRoundPanel *panel);
/* Takes over what a past round was made with, its seed included, or what a picture says of itself.
 */
void pen_round_panel_reuse(PenRoundPanel *panel, const PenRound *round);
void pen_round_panel_take(PenRoundPanel *panel, const PenTakenSettings *taken);
void pen_round_panel_focus_prompt(PenRoundPanel *panel);
/* GIMP's list of images may have changed. */
void pen_round_panel_refresh_images(PenRoundPanel *panel);

G_END_DECLS
