// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Compare: two pictures of the same seed, one with the style and one without, side by side in an
 * order that the artist does not know. The choices are tallied for the style's version.
 */

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_COMPARE_VIEW (pen_compare_view_get_type())
G_DECLARE_FINAL_TYPE(PenCompareView, pen_compare_view, PEN, COMPARE_VIEW, GtkBox)

GtkWidget *pen_compare_view_new(PenApp *app);

/* A prompt for the first comparison, unless one is there already. */
void pen_compare_view_offer_prompt(PenCompareView *view, const char *prompt);
/* TRUE if the key means something here: 1, 2, 0, Enter. */
gboolean pen_compare_view_key(PenCompareView *view, GdkEventKey *event);

/* The pair, for what is laid over it. */
GtkWidget *pen_compare_view_get_pictures(PenCompareView *view);

G_END_DECLS
