// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The settings of a round that most artists never open, folded away: steps, guidance, randomness,
 * seed, device, decoder and adapters. It shows the settings of the app and
 * writes what the artist changes to them.
 */

#include <gtk/gtk.h>

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_ADVANCED_VIEW (pen_advanced_view_get_type())
G_DECLARE_FINAL_TYPE(PenAdvancedView, pen_advanced_view, PEN, ADVANCED_VIEW, GtkExpander)

GtkWidget *pen_advanced_view_new(PenApp *app);

/* Takes over what a past round was made with; what of it is 0, NULL or negative is not known. `seed`: its
 * seed, too. */
void pen_advanced_view_reuse(PenAdvancedView *view, const PenRound *round, gboolean seed);

G_END_DECLS
