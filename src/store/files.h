// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Files below the store's folder. They are named by rows (relative, with '/') and are written so
 * that at any moment, also after a power cut, a name leads to nothing, the old or the new content,
 * never to part of one. Most callers never write a file themselves: the functions of rounds.h,
 * styles.h and runs.h take the content and choose the name.
 */

/* The absolute path of a relative one, whether it exists or not. Free with g_free(). */
char *pen_store_path(PenStore *store, const char *relative);

/*
 * Writes `content` to the file `relative`, making its folders. Written beside it first, synced,
 * renamed over it, and the folder synced. Errors: FULL, READ_ONLY, FAILED, INVALID (a path that
 * is absolute or leads out of the folder).
 */
gboolean pen_store_write(PenStore *store, const char *relative, GBytes *content, GError **error);

/* The content of the file `relative`, memory-mapped. */
GBytes *pen_store_read(PenStore *store, const char *relative, GError **error);

/* Deletes a folder (an absolute path), with all that is in it. Links are deleted, and not followed. */
void pen_store_remove_folder(const char *path);

typedef struct {
    guint files;
    guint64 bytes;
} PenGarbage;

/*
 * Deletes the files in the folders of rounds, styles and runs that no row names (left by a process that
 * was killed between writing a file and recording it) and that were last written more than
 * `min_age_seconds` ago, and folders that are empty then. A day is a good age: what another process
 * is just writing must be spared. Folders of rounds, styles and runs that the database does not know
 * stay: repair.h. Styles that are deleted, and may be restored, keep their files.
 * `deleted` may be NULL.
 */
gboolean pen_store_collect_garbage(PenStore *store, gint64 min_age_seconds, PenGarbage *deleted,
                                   GError **error);

G_END_DECLS
