// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A candidate at its place before anything is inserted: the image's own projection around the
 * place, with the picture over it as the insert would put it there. GIMP has no layer outside the
 * undo history, so it is composed here. The wheel zooms, dragging moves, and “Before” shows the
 * image without it.
 */

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_IN_PLACE_VIEW (pen_in_place_view_get_type())
G_DECLARE_FINAL_TYPE(PenInPlaceView, pen_in_place_view, PEN, IN_PLACE_VIEW, GtkBox)

GtkWidget *pen_in_place_view_new(PenApp *app);

/* Shows the picture of a round, as soon as it is composed; what is shown stays until then. */
void pen_in_place_view_show(PenInPlaceView *view, gint64 round, GdkPixbuf *picture);

/* Before and after in turn. */
void pen_in_place_view_toggle(PenInPlaceView *view);

void pen_in_place_view_focus(PenInPlaceView *view);
gboolean pen_in_place_view_has_focus(PenInPlaceView *view);

G_END_DECLS
