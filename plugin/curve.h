// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* A small curve of how often the style agrees with the artist's picks, step by step of teaching. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define PEN_TYPE_CURVE (pen_curve_get_type())
G_DECLARE_FINAL_TYPE(PenCurve, pen_curve, PEN, CURVE, GtkDrawingArea)

GtkWidget *pen_curve_new(void);
void pen_curve_reset(PenCurve *curve);
/* So many steps are expected in all: its width. */
void pen_curve_set_steps(PenCurve *curve, guint steps);
/* `step` from 1, `agreement` from 0 to 1; NaN is left out. */
void pen_curve_add(PenCurve *curve, guint step, double agreement);
/* The mean of the latest steps, as shown in words; NaN without any. */
double pen_curve_get_level(PenCurve *curve);

G_END_DECLS
