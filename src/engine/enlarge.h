// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* rgb[height, width, 3] -> [to_height, to_width, 3], neither smaller: by Catmull and Rom's spline,
 * which passes through the pixels and keeps edges sharp. Free with g_free(). */
guint8 *pen_enlarge(const guint8 *rgb, guint width, guint height, guint to_width, guint to_height);

G_END_DECLS
