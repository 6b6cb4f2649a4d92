// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The artist's styles: new, renamed, copied, deleted, exported, imported; how strongly one shows,
 * and its versions. */

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_STYLES_VIEW (pen_styles_view_get_type())
G_DECLARE_FINAL_TYPE(PenStylesView, pen_styles_view, PEN, STYLES_VIEW, GtkBox)

GtkWidget *pen_styles_view_new(PenApp *app);

G_END_DECLS
