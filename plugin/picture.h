// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Pictures as the widgets draw them. */

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <gio/gio.h>

G_BEGIN_DECLS

/* Copies rows of R, G, B without padding. */
GdkPixbuf *pen_picture_new(const guint8 *rgb, int width, int height);

/* As large as fits into a square of that side. */
GdkPixbuf *pen_picture_fit(GdkPixbuf *picture, int side);

/* An array whose items are GdkPixbuf, owned by it, or NULL. */
GPtrArray *pen_pictures_new(void);

/* `pictures`: GdkPixbuf, or NULL for a path that was NULL or could not be read. */
typedef void (*PenPicturesLoaded)(GPtrArray *pictures, gpointer data);

/* Reads pictures from their files in a thread: nine large ones take longer than a click may wait.
 * `paths`: char * or NULL. `loaded` is not called once `cancellable` was cancelled. */
void pen_pictures_load(GPtrArray *paths, GCancellable *cancellable, PenPicturesLoaded loaded,
                       gpointer data);

G_END_DECLS
