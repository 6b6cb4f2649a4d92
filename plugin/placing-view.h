// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * How pictures will lie in the image: for rounds from text how they fit on the selection or canvas,
 * for rounds from a selection how far beyond it they may reach, and how soft its edge is. Reads and
 * writes the settings of the app.
 */

#include "plugin/app.h"

G_BEGIN_DECLS

GtkWidget *pen_placing_view_new(PenApp *app);
/* Shows what the settings' start asks for. */
void pen_placing_view_refresh(GtkWidget *view);

G_END_DECLS
