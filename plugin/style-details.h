// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* One style as the artist looks at it, whether it is the one in use or not: its name, how strongly
 * it shows, its versions, and what can be done with it. */

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_STYLE_DETAILS (pen_style_details_get_type())
G_DECLARE_FINAL_TYPE(PenStyleDetails, pen_style_details, PEN, STYLE_DETAILS, GtkBox)

GtkWidget *pen_style_details_new(PenApp *app);
/* Reads the style anew. */
void pen_style_details_show(PenStyleDetails *details, const PenStyle *style);

G_END_DECLS
