// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/sql.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/store/artists.h"
#include "src/store/store.h"

struct _PenSql {
    GMutex mutex;
    sqlite3 *db;
    char *path;
    GHashTable *statements; /* SQL text -> sqlite3_stmt */
};

G_DEFINE_QUARK(pen - store - error - quark, pen_store_error)

void pen_sql_set_errno(GError **error, int errnum, const char *path)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        g_set_error(
            error, PEN_STORE_ERROR, PEN_STORE_ERROR_FULL,
            _("The disk is full: %s could not be written. Make room and try again; what was "
              "saved before is safe."),
            path);
        break;
    case EROFS:
    case EACCES:
    case EPERM:
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_READ_ONLY,
                    _("%s cannot be written. Give yourself permission to write there, or choose "
                      "another folder with the environment variable PENCHANT_DATA."),
                    path);
        break;
    default:
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_FAILED, _("%s: %s"), path,
                    g_strerror(errnum));
    }
}

/* `last_errno` is errno after the call that failed: a failing COMMIT does not keep it. */
static void set_error(PenSql *sql, int last_errno, GError **error)
{
    int code = sqlite3_errcode(sql->db);
    int errnum = sqlite3_system_errno(sql->db);

    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_CORRUPT,
                    _("The database %s is damaged (%s). Restore it from a backup, or let "
                      "“penchant store repair” move it aside and bring back the rounds from "
                      "their pictures; no picture and no style's file is lost."),
                    sql->path, sqlite3_errmsg(sql->db));
        break;
    case SQLITE_FULL:
        pen_sql_set_errno(error, ENOSPC, sql->path);
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        pen_sql_set_errno(error, EACCES, sql->path);
        break;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        /* SQLite tries once more to open for reading only, and keeps that errno. */
        if ((code & 0xff) == SQLITE_CANTOPEN && (errnum == 0 || errnum == ENOENT))
            errnum = EACCES;
        if (errnum == 0)
            errnum = last_errno ? last_errno : EIO;
        pen_sql_set_errno(error, errnum, sql->path);
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_BUSY,
                    _("Another program has been writing to %s for too long. Close it, or try again "
                      "later."),
                    sql->path);
        break;
    case SQLITE_CONSTRAINT:
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                    _("The store refused an entry that does not fit the others (%s)."),
                    sqlite3_errmsg(sql->db));
        break;
    default:
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_FAILED, _("%s: %s"), sql->path,
                    sqlite3_errmsg(sql->db));
    }
}

static void finalize(gpointer statement)
{
    sqlite3_finalize(statement);
}

/* SQLite cannot open what is longer, and says only that it cannot. Its log's name is longer by 8.
 */
static gboolean check_length(const char *path, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    const sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    gsize length = strlen(absolute), most = (gsize)MAX(vfs->mxPathname, 8) - 8;
    if (length <= most)
        return TRUE;
    g_set_error(
        error, PEN_STORE_ERROR, PEN_STORE_ERROR_FAILED,
        _("The path %s is too long for a database: it has %zu bytes, at most %zu are possible. "
          "Choose another folder with the environment variable PENCHANT_DATA."),
        absolute, length, most);
    return FALSE;
}

const char *pen_sql_login(void)
{
    const char *name = g_get_user_name();
    return pen_artist_check_name(name, NULL) ? name : "artist";
}

static void run_login(sqlite3_context *context, int n G_GNUC_UNUSED,
                      sqlite3_value **values G_GNUC_UNUSED)
{
    sqlite3_result_text(context, pen_sql_login(), -1, SQLITE_TRANSIENT);
}

PenSql *pen_sql_open(const char *path, GError **error)
{
    if (!check_length(path, error))
        return NULL;

    g_autoptr(PenSql) sql = g_new0(PenSql, 1);
    g_mutex_init(&sql->mutex);
    sql->path = g_strdup(path);
    sql->statements = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, finalize);

    errno = 0;
    /* NOMUTEX: our own mutex already guards the connection. */
    int rc = sqlite3_open_v2(
        path, &sql->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) {
        set_error(sql, errno, error);
        return NULL;
    }
    sqlite3_extended_result_codes(sql->db, 1);
    sqlite3_create_function(sql->db, "pen_login", 0, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL,
                            run_login, NULL, NULL);
    sqlite3_busy_timeout(sql->db, PEN_STORE_BUSY_MS);
    if (sqlite3_db_readonly(sql->db, "main") == 1) {
        pen_sql_set_errno(error, EACCES, path);
        return NULL;
    }
    return g_steal_pointer(&sql);
}

void pen_sql_close(PenSql *sql)
{
    g_hash_table_unref(sql->statements);
    sqlite3_close(sql->db);
    g_free(sql->path);
    g_mutex_clear(&sql->mutex);
    g_free(sql);
}

void pen_sql_lock(PenSqlScope *scope, PenSql *sql)
{
    g_mutex_lock(&sql->mutex);
    scope->sql = sql;
}

gboolean pen_sql_begin(PenSqlScope *scope, PenSql *sql, GError **error)
{
    pen_sql_lock(scope, sql);
    scope->transaction = pen_sql_run(sql, error, "BEGIN IMMEDIATE");
    return scope->transaction;
}

gboolean pen_sql_begin_reading(PenSqlScope *scope, PenSql *sql, GError **error)
{
    pen_sql_lock(scope, sql);
    scope->transaction = pen_sql_run(sql, error, "BEGIN DEFERRED");
    return scope->transaction;
}

gboolean pen_sql_commit(PenSqlScope *scope, GError **error)
{
    if (!pen_sql_run(scope->sql, error, "COMMIT"))
        return FALSE;
    scope->transaction = FALSE;
    return TRUE;
}

void pen_sql_scope_clear(PenSqlScope *scope)
{
    if (!scope->sql)
        return;
    /* SQLite has already rolled back by itself after some errors, such as a full disk. */
    if (scope->transaction && !sqlite3_get_autocommit(scope->sql->db))
        pen_sql_run(scope->sql, NULL, "ROLLBACK");
    g_mutex_unlock(&scope->sql->mutex);
    scope->sql = NULL;
}

static sqlite3_stmt *find_statement(PenSql *sql, const char *text, GError **error)
{
    sqlite3_stmt *statement = g_hash_table_lookup(sql->statements, text);
    if (statement)
        return statement;
    errno = 0;
    if (sqlite3_prepare_v3(sql->db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK) {
        set_error(sql, errno, error);
        return NULL;
    }
    g_hash_table_insert(sql->statements, g_strdup(text), statement);
    return statement;
}

static int bind(sqlite3_stmt *statement, int position, const PenSqlValue *value)
{
    switch (value->kind) {
    case PEN_SQL_KIND_ID:
        return value->integer ? sqlite3_bind_int64(statement, position, value->integer)
                              : sqlite3_bind_null(statement, position);
    case PEN_SQL_KIND_INT:
        return sqlite3_bind_int64(statement, position, value->integer);
    case PEN_SQL_KIND_REAL:
        return sqlite3_bind_double(statement, position, value->real);
    case PEN_SQL_KIND_TEXT:
        return sqlite3_bind_text(statement, position, value->text, -1, SQLITE_STATIC);
    }
    g_return_val_if_reached(SQLITE_MISUSE);
}

gboolean pen_sql_each(PenSql *sql, const char *text, const PenSqlValue *values, gsize n_values,
                      PenSqlRowFunc func, gpointer data, GError **error)
{
    sqlite3_stmt *statement = find_statement(sql, text, error);
    if (!statement)
        return FALSE;
    g_assert((gsize)sqlite3_bind_parameter_count(statement) == n_values);
    g_assert(!sqlite3_stmt_busy(statement));

    int rc = SQLITE_OK;
    errno = 0;
    for (gsize i = 0; i < n_values && rc == SQLITE_OK; i++)
        rc = bind(statement, (int)i + 1, &values[i]);
    if (rc == SQLITE_OK) {
        while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
            if (func)
                func(statement, data);
        }
    }
    gboolean done = rc == SQLITE_DONE;
    if (!done)
        set_error(sql, errno, error);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return done;
}

static void read_int(sqlite3_stmt *row, gpointer data)
{
    *(gint64 *)data = sqlite3_column_int64(row, 0);
}

gboolean pen_sql_read_int(PenSql *sql, const char *text, const PenSqlValue *values, gsize n_values,
                          gint64 *out, GError **error)
{
    *out = 0;
    return pen_sql_each(sql, text, values, n_values, read_int, out, error);
}

static char *column_text(sqlite3_stmt *row)
{
    return g_strdup((const char *)sqlite3_column_text(row, 0));
}

static void read_text(sqlite3_stmt *row, gpointer data)
{
    char **text = data;
    if (!*text)
        *text = column_text(row);
}

gboolean pen_sql_read_text(PenSql *sql, const char *text, const PenSqlValue *values, gsize n_values,
                           char **out, GError **error)
{
    *out = NULL;
    return pen_sql_each(sql, text, values, n_values, read_text, out, error);
}

static void append_text(sqlite3_stmt *row, gpointer data)
{
    g_ptr_array_add(data, column_text(row));
}

gboolean pen_sql_read_texts(PenSql *sql, const char *text, const PenSqlValue *values,
                            gsize n_values, GPtrArray *out, GError **error)
{
    return pen_sql_each(sql, text, values, n_values, append_text, out, error);
}

static void append_id(sqlite3_stmt *row, gpointer data)
{
    gint64 id = sqlite3_column_int64(row, 0);
    g_array_append_val((GArray *)data, id);
}

gboolean pen_sql_read_ids(PenSql *sql, const char *text, const PenSqlValue *values, gsize n_values,
                          GArray *out, GError **error)
{
    return pen_sql_each(sql, text, values, n_values, append_id, out, error);
}

gboolean pen_sql_script(PenSql *sql, const char *text, GError **error)
{
    errno = 0;
    if (sqlite3_exec(sql->db, text, NULL, NULL, NULL) == SQLITE_OK)
        return TRUE;
    set_error(sql, errno, error);
    return FALSE;
}

gint64 pen_sql_last_id(PenSql *sql)
{
    return sqlite3_last_insert_rowid(sql->db);
}

int pen_sql_changes(PenSql *sql)
{
    return sqlite3_changes(sql->db);
}
