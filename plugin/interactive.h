// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The window as GIMP runs it: in the main loop of the plug-in's own process, so that GIMP stays
 * usable. While it is open, asking for it again (in another process) shows the same window, through
 * a temporary procedure.
 */

#include <libgimp/gimp.h>

G_BEGIN_DECLS

/* Returns when the window was closed, or at once if it was open already. `image` may be NULL. */
void pen_interactive_run(GimpProcedure *procedure, GimpImage *image);

G_END_DECLS
