// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * A store's state for other processes to work from, which write to the copy alone: SQLite over a network, or
 * written by many, is no safe place.
 */

/* Writes the database, as it is at this moment, to a file that does not exist yet. */
gboolean pen_store_write_snapshot(PenStore *store, const char *path, GError **error);

/* The files (relative) of a style's versions. g_strfreev(). */
char **pen_store_list_adapter_files(PenStore *store, gint64 style, GError **error);

G_END_DECLS
