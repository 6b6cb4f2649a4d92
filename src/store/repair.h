// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/rounds.h"
#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Rows and files that have lost each other: after a damaged database was moved aside
 * (pen_store_move_aside()), or an older one came back from a backup, or files were deleted.
 * src/studio/repair.h reads what the pictures say of themselves, and uses this.
 */

/* The files that rows name and that are not there, relative. g_strfreev(). */
char **pen_store_list_missing_files(PenStore *store, GError **error);

/* The ids (gint64) of the folders below rounds/ that the database does not know, ascending. */
GArray *pen_store_list_lost_rounds(PenStore *store, GError **error);

/* How many adapters of styles lie below styles/ that the database does not know. */
guint pen_store_count_lost_adapters(PenStore *store, GError **error);

/* How many candidates a lost round has: one more than the last whose picture is there. */
guint pen_store_count_lost_candidates(PenStore *store, gint64 round);

/*
 * Records a lost round under its id, with `created` as given. Candidates whose picture lies in its
 * folder are complete, the others failed; a start picture and a mask are taken, too. Of `round`,
 * state, start, start_file and mask_file are ignored. INVALID if the database knows that id.
 */
gboolean pen_store_restore_round(PenStore *store, const PenRound *round, const guint64 *seeds,
                                 guint n_candidates, GError **error);

G_END_DECLS
