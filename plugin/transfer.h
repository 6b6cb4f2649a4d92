// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Pixels on their way between GIMP and this process. Only the main thread may talk to GIMP, and a
 * large picture takes it a second or more, so a transfer is cut into pieces of a few milliseconds,
 * and input is handled between them.
 */

#include <gegl.h>
#include <gio/gio.h>

G_BEGIN_DECLS

/*
 * Copies `area` of `from` to x, y of `to`, either of which may be a drawable's buffer; what `from`
 * lacks is taken from its border (GEGL_ABYSS_CLAMP) or is nothing (GEGL_ABYSS_NONE).
 */
void pen_transfer_async(GeglBuffer *from, const GeglRectangle *area, GeglAbyssPolicy abyss,
                        GeglBuffer *to, int x, int y, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer data);
gboolean pen_transfer_finish(GAsyncResult *result, GError **error);

G_END_DECLS
