// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/snapshot.h"

#include "src/store/private.h"

gboolean pen_store_write_snapshot(PenStore *store, const char *path, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_sql_run(store->sql, error, "VACUUM INTO ?", PEN_SQL_TEXT(path));
}

char **pen_store_list_adapter_files(PenStore *store, gint64 style, GError **error)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_null_terminated(1, g_free, TRUE);
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_sql_read_texts(store->sql, "SELECT adapter_file FROM style_versions WHERE style = ?",
                              PEN_SQL_VALUES(PEN_SQL_INT(style)), files, error)
               ? (char **)g_ptr_array_steal(files, NULL)
               : NULL;
}
