// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The window: Create, Compare and Styles, a bar for messages, and the keys. It is shown at once;
 * the studio is opened and the model loaded right after.
 */

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_WINDOW (pen_window_get_type())
G_DECLARE_FINAL_TYPE(PenWindow, pen_window, PEN, WINDOW, GtkWindow)

/* `image`: what pictures go into; may be NULL. */
GtkWidget *pen_window_new(GimpImage *image);

/* Shows it to the artist again, now for `image` unless that is NULL. FALSE if it is closing. */
gboolean pen_window_present(PenWindow *window, GimpImage *image);

G_END_DECLS
