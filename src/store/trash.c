// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/trash.h"

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "src/store/files.h"
#include "src/store/private.h"

static gboolean set_not_found(gint64 round, GError **error)
{
    g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND, _("There is no round %d."),
                (int)round);
    return FALSE;
}

gboolean pen_store_delete_round(PenStore *store, gint64 round, GError **error)
{
    gint64 running = 0;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error) ||
        !pen_sql_int(store->sql, &running, error,
                     "SELECT COUNT(*) FROM rounds WHERE id = ? AND state = 'running'",
                     PEN_SQL_INT(round)))
        return FALSE;
    if (running) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                    _("Round %d is still being made: stop it first."), (int)round);
        return FALSE;
    }
    if (!pen_sql_run(store->sql, error,
                     "UPDATE rounds SET deleted = ? WHERE id = ? AND deleted IS NULL",
                     PEN_SQL_INT(g_get_real_time()), PEN_SQL_INT(round)))
        return FALSE;
    return pen_sql_changes(store->sql) ? pen_sql_commit(&scope, error)
                                       : set_not_found(round, error);
}

gboolean pen_store_undelete_round(PenStore *store, gint64 round, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error) ||
        !pen_sql_run(store->sql, error,
                     "UPDATE rounds SET deleted = NULL WHERE id = ? AND deleted IS NOT NULL "
                     "AND EXISTS (SELECT 1 FROM candidates WHERE round = rounds.id AND "
                     "(picture_file IS NOT NULL OR state <> 'complete'))",
                     PEN_SQL_INT(round)))
        return FALSE;
    return pen_sql_changes(store->sql) ? pen_sql_commit(&scope, error)
                                       : set_not_found(round, error);
}

/* Rounds whose files go; ?1 is the time before which they were deleted. */
#define RIPE                                                                                       \
    "SELECT id FROM rounds WHERE deleted < ?1 AND id NOT IN (SELECT p.round FROM picks p "         \
    "JOIN run_picks u ON u.pick = p.id JOIN runs r ON r.id = u.run "                               \
    "WHERE r.state IN ('running', 'paused'))"

/* What names their files, and what it is afterwards. */
static const char *const clearings[] = {
    "UPDATE candidates SET picture_file = NULL, trajectory_file = NULL, features_file = NULL "
    "WHERE round IN (" RIPE ")",
    "UPDATE rounds SET start_file = NULL, mask_file = NULL WHERE id IN (" RIPE ")",
    "UPDATE places SET mask_file = NULL WHERE round IN (" RIPE ")",
};

gboolean pen_store_empty_trash(PenStore *store, gint64 min_age_seconds, GError **error)
{
    gint64 before = g_get_real_time() - min_age_seconds * G_USEC_PER_SEC;
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error) ||
        !pen_sql_read_texts(
            store->sql,
            "SELECT f FROM (SELECT round, picture_file AS f FROM candidates "
            "UNION SELECT round, trajectory_file FROM candidates "
            "UNION SELECT round, features_file FROM candidates "
            "UNION SELECT id, start_file FROM rounds UNION SELECT id, mask_file FROM rounds "
            "UNION SELECT round, mask_file FROM places) "
            "WHERE f IS NOT NULL AND round IN (" RIPE ")",
            PEN_SQL_VALUES(PEN_SQL_INT(before)), files, error))
        return FALSE;
    if (files->len == 0)
        return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(clearings); i++)
        if (!pen_sql_run(store->sql, error, clearings[i], PEN_SQL_INT(before)))
            return FALSE;
    if (!pen_sql_commit(&scope, error))
        return FALSE;
    for (guint i = 0; i < files->len; i++) {
        pen_files_forget(store, files->pdata[i]);
        g_autofree char *path = pen_store_path(store, files->pdata[i]);
        g_autofree char *folder = g_path_get_dirname(path);
        g_rmdir(folder); /* when the last file is gone */
    }
    return TRUE;
}
