// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/snapshot.h"

#include "src/store/private.h"

gboolean pen_store_write_snapshot(PenStore *store, const char *path, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_sql_run(store->sql, error, "VACUUM INTO ?", PEN_SQL_TEXT(path));
}

static void add_text(sqlite3_stmt *row, gpointer data)
{
    g_strv_builder_add(data, (const char *)sqlite3_column_text(row, 0));
}

char **pen_store_list_adapter_files(PenStore *store, gint64 style, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_sql_each(store->sql, "SELECT adapter_file FROM style_versions WHERE style = ?",
                        PEN_SQL_VALUES(PEN_SQL_INT(style)), add_text, builder, error)
               ? g_strv_builder_end(builder)
               : NULL;
}
