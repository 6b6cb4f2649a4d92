// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Rounds that were thrown away. One is out of sight at once: no list and no search has it, and its
 * pick teaches nobody any more. What was learnt from it before stays learnt, and a lesson that was
 * begun with it ends with it. For PEN_STORE_TRASH_DAYS it can be brought back, with its pick; then
 * its files are deleted, and only what other rows refer to stays: what was asked for, and how it
 * was ranked.
 */
#define PEN_STORE_TRASH_DAYS 7

/* INVALID for a round that is still being made, NOT_FOUND for one that is not there (any more). */
gboolean pen_store_delete_round(PenStore *store, gint64 round, GError **error);

/* NOT_FOUND unless it was deleted and its files are still there. */
gboolean pen_store_undelete_round(PenStore *store, gint64 round, GError **error);

/* Deletes the files of rounds that were deleted longer than that ago, but for those that an
 * unfinished lesson needs. pen_store_open() does it with PEN_STORE_TRASH_DAYS. */
gboolean pen_store_empty_trash(PenStore *store, gint64 min_age_seconds, GError **error);

G_END_DECLS
