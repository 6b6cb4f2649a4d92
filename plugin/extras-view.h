// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What goes on top of the model: a decoder (VAE) in place of its own, and adapters (LoRA) of other
 * trainers with their strengths. It edits the extras of the app's settings; the app reads the model
 * with them and says in the bar when a file does not do. Adapters that the chosen style was taught
 * on top of are listed first and cannot be changed.
 */

#include <gtk/gtk.h>

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_EXTRAS_VIEW (pen_extras_view_get_type())
G_DECLARE_FINAL_TYPE(PenExtrasView, pen_extras_view, PEN, EXTRAS_VIEW, GtkBox)

GtkWidget *pen_extras_view_new(PenApp *app);

G_END_DECLS
