// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What Penchant adds to GIMP's procedure database, for the menu and for scripts:
 *
 *     plug-in-penchant        the window; or, not interactive, a round into layers
 *     plug-in-penchant-pick   records which candidates of a round are better
 *     plug-in-penchant-teach  teaches a style
 *     plug-in-penchant-insert inserts a candidate where it belongs
 */

#include <libgimp/gimp.h>

G_BEGIN_DECLS

#define PEN_PROCEDURE "plug-in-penchant"
#define PEN_PROCEDURE_PICK "plug-in-penchant-pick"
#define PEN_PROCEDURE_TEACH "plug-in-penchant-teach"
#define PEN_PROCEDURE_INSERT "plug-in-penchant-insert"

/* The names of all; g_list_free_full() with g_free(). */
GList *pen_procedure_names(void);

/* NULL for another name. */
GimpProcedure *pen_procedure_new(GimpPlugIn *plug_in, const char *name);

G_END_DECLS
