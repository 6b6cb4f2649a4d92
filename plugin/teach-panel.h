// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* How much there is to teach, the Teach button, and the progress of teaching. */

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_TEACH_PANEL (pen_teach_panel_get_type())
G_DECLARE_FINAL_TYPE(PenTeachPanel, pen_teach_panel, PEN, TEACH_PANEL, GtkBox)

GtkWidget *pen_teach_panel_new(PenApp *app);

G_END_DECLS
