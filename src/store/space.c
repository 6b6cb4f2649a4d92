// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/space.h"

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "src/store/files.h"
#include "src/store/private.h"

/* --- how much there is -------------------------------------------------------------------------
 */

static guint64 size_of(const char *path)
{
    GStatBuf info;
    return g_stat(path, &info) == 0 ? (guint64)info.st_size : 0;
}

typedef struct {
    PenStore *store;
    guint64 bytes;
} Sum;

static void add_size(sqlite3_stmt *row, gpointer data)
{
    Sum *sum = data;
    g_autofree char *path = pen_store_path(sum->store, (const char *)sqlite3_column_text(row, 0));
    sum->bytes += size_of(path);
}

/* The bytes of the files that `query` selects; ?1 in it is the round, or 0. */
static gboolean sum_sizes(PenStore *store, const char *query, gint64 round, guint64 *bytes,
                          GError **error)
{
    Sum sum = { .store = store };
    gboolean ok =
        pen_sql_each(store->sql, query, PEN_SQL_VALUES(PEN_SQL_INT(round)), add_size, &sum, error);
    *bytes = sum.bytes;
    return ok;
}

static gboolean count(PenStore *store, const char *query, gint64 round, guint *n, GError **error)
{
    gint64 number = 0;
    gboolean ok = pen_sql_int(store->sql, &number, error, query, PEN_SQL_INT(round));
    *n = (guint)number;
    return ok;
}

static guint64 database_size(PenStore *store)
{
    static const char *const endings[] = { "", "-wal", "-shm" };
    guint64 bytes = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(endings); i++) {
        g_autofree char *name = g_strconcat(PEN_STORE_FILE, endings[i], NULL);
        g_autofree char *path = pen_store_path(store, name);
        bytes += size_of(path);
    }
    return bytes;
}

#define OF_ROUND "(?1 = 0 OR round = ?1)"

gboolean pen_store_measure(PenStore *store, gint64 round, PenSpace *space, GError **error)
{
    *space = (PenSpace){ 0 };
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin_reading(&scope, store->sql, error) ||
        !count(store,
               "SELECT COUNT(DISTINCT round) FROM candidates "
               "WHERE trajectory_file IS NOT NULL AND " OF_ROUND,
               round, &space->rounds, error) ||
        !count(store,
               "SELECT COUNT(DISTINCT round) FROM candidates "
               "WHERE trajectory_file LIKE '%" PEN_FILES_THIN "' AND " OF_ROUND,
               round, &space->thin, error) ||
        !sum_sizes(store,
                   "SELECT picture_file FROM candidates "
                   "WHERE picture_file IS NOT NULL AND " OF_ROUND,
                   round, &space->pictures, error) ||
        !sum_sizes(store,
                   "SELECT trajectory_file FROM candidates "
                   "WHERE trajectory_file IS NOT NULL AND " OF_ROUND,
                   round, &space->trajectories, error) ||
        !sum_sizes(store,
                   "SELECT f FROM (SELECT round, features_file AS f FROM candidates "
                   "UNION SELECT id, start_file FROM rounds UNION SELECT id, mask_file FROM rounds "
                   "UNION SELECT round, mask_file FROM places) WHERE f IS NOT NULL AND " OF_ROUND,
                   round, &space->others, error))
        return FALSE;
    if (round)
        return TRUE;
    space->database = database_size(store);
    return sum_sizes(store, "SELECT adapter_file FROM style_versions WHERE ?1 = 0", 0,
                     &space->styles, error) &&
           sum_sizes(
               store,
               "SELECT checkpoint_file FROM runs WHERE checkpoint_file IS NOT NULL AND ?1 = 0", 0,
               &space->runs, error);
}

/* --- how much there may be ---------------------------------------------------------------------
 */

#define BUDGET "trajectory budget"

gboolean pen_store_get_trajectory_budget(PenStore *store, guint64 *bytes, GError **error)
{
    gint64 value = 0;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    gboolean ok =
        pen_sql_int(store->sql, &value, error,
                    "SELECT CAST(value AS INTEGER) FROM settings WHERE name = '" BUDGET "'");
    *bytes = (guint64)MAX(value, 0);
    return ok;
}

gboolean pen_store_set_trajectory_budget(PenStore *store, guint64 bytes, GError **error)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, MIN(bytes, (guint64)G_MAXINT64));
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    return pen_sql_begin(&scope, store->sql, error) &&
           pen_sql_run(store->sql, error,
                       "INSERT OR REPLACE INTO settings (name, value) VALUES ('" BUDGET "', ?)",
                       PEN_SQL_TEXT(text)) &&
           pen_sql_commit(&scope, error);
}

/* --- thinning ----------------------------------------------------------------------------------
 */

#define THICK                                                                                      \
    "SELECT id FROM rounds r WHERE state <> 'running' AND deleted IS NULL "                        \
    "AND EXISTS (SELECT 1 FROM candidates WHERE round = r.id AND "                                 \
    "trajectory_file NOT LIKE '%" PEN_FILES_THIN "') "                                             \
    "AND id NOT IN (SELECT p.round FROM picks p JOIN run_picks u ON u.pick = p.id "                \
    "JOIN runs ON runs.id = u.run WHERE runs.state IN ('running', 'paused'))"

GArray *pen_store_list_thick_rounds(PenStore *store, GError **error)
{
    g_autoptr(GArray) rounds = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_sql_read_ids(store->sql, THICK " ORDER BY id", NULL, 0, rounds, error)
               ? g_steal_pointer(&rounds)
               : NULL;
}

gboolean pen_store_thin_round(PenStore *store, gint64 round, GPtrArray *thin, GError **error)
{
    PenSql *sql = store->sql;
    gint64 is_thick;
    g_autoptr(GPtrArray) old = g_ptr_array_new_with_free_func(g_free);
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, sql, error) ||
        !pen_sql_int(sql, &is_thick, error, "SELECT COUNT(*) FROM (" THICK ") WHERE id = ?",
                     PEN_SQL_INT(round)))
        return FALSE;
    if (!is_thick) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_BUSY,
                    _("Round %d is in use, so its trajectories stay as they are."), (int)round);
        return FALSE;
    }
    for (guint place = 0; place < thin->len; place++) {
        if (!thin->pdata[place])
            continue;
        g_autofree char *file =
            g_strdup_printf("rounds/%" G_GINT64_FORMAT "/%u" PEN_FILES_THIN, round, place);
        if (!pen_sql_read_texts(
                sql,
                "SELECT trajectory_file FROM candidates WHERE round = ? AND place = ? "
                "AND trajectory_file NOT LIKE '%" PEN_FILES_THIN "'",
                PEN_SQL_VALUES(PEN_SQL_INT(round), PEN_SQL_INT(place)), old, error) ||
            !pen_store_write(store, file, thin->pdata[place], error) ||
            !pen_sql_run(sql, error,
                         "UPDATE candidates SET trajectory_file = ? WHERE round = ? AND place = ?",
                         PEN_SQL_TEXT(file), PEN_SQL_INT(round), PEN_SQL_INT(place)))
            return FALSE;
    }
    if (!pen_sql_commit(&scope, error))
        return FALSE;
    for (guint i = 0; i < old->len; i++)
        pen_files_forget(store, old->pdata[i]);
    return TRUE;
}
