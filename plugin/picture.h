// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Pictures as the widgets draw them. */

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <gio/gio.h>

#include "src/store/files.h"
#include "src/store/rounds.h"

G_BEGIN_DECLS

/* Copies rows of R, G, B without padding. */
GdkPixbuf *pen_picture_new(const guint8 *rgb, int width, int height);

/* An array whose items are GdkPixbuf, owned by it, or NULL. */
GPtrArray *pen_pictures_new(void);

/* The files of a round's candidates, for pen_pictures_load(). */
GPtrArray *pen_pictures_of_round(PenStore *store, gint64 round, GError **error);

/* `pictures`: GdkPixbuf, or NULL for a path that was NULL or could not be read. */
typedef void (*PenPicturesLoaded)(GPtrArray *pictures, gpointer data);

/*
 * Reads pictures from their files in a thread: nine large ones take longer than a click may wait.
 * `paths`: char * or NULL. `side`: as large as fits into a square of it; 0: as they are. `loaded`
 * is not called once `cancellable` was cancelled; `data_free` may be NULL and is called in any
 * case.
 */
void pen_pictures_load(GPtrArray *paths, int side, GCancellable *cancellable,
                       PenPicturesLoaded loaded, gpointer data, GDestroyNotify data_free);

G_END_DECLS
