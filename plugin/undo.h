// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Undo of votes, choices and changes of styles, each in its own place, back to where the window was
 * opened. */

#include "plugin/app.h"

G_BEGIN_DECLS

/* Takes the latest action of a place back, or does it again, and says which. `*round` gets the
 * round whose pick changed, or 0. FALSE: nothing was done, which is said. */
gboolean pen_undo(PenApp *app, PenActionScope scope, gboolean redo, gint64 *round);
gboolean pen_undo_is_possible(PenApp *app, PenActionScope scope, gboolean redo);

G_END_DECLS
