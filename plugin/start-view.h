// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What a round starts from, how its pictures will lie in the image, how large they are and how
 * many. Reads and writes the settings of the app.
 */

#include "plugin/app.h"
#include "plugin/spot.h"

G_BEGIN_DECLS

#define PEN_TYPE_START_VIEW (pen_start_view_get_type())
G_DECLARE_FINAL_TYPE(PenStartView, pen_start_view, PEN, START_VIEW, GtkBox)

/* A round that looks further begins so many candidates for each that it shows. */
#define PEN_WIDE 3

GtkWidget *pen_start_view_new(PenApp *app);

/* pen_spot_find() with what is chosen here. The model's numbers must be known: pen_app_model(). */
PenSpot *pen_start_view_find(PenStartView *view, guint *width, guint *height, GError **error);

/* Chooses the shape of pictures of that size. */
void pen_start_view_reuse_size(PenStartView *view, int width, int height);

/* GIMP's list of images may have changed. */
void pen_start_view_refresh_images(PenStartView *view);

G_END_DECLS
