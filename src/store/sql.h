// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>
#include <sqlite3.h>

G_BEGIN_DECLS

/*
 * Internal: the one way in which this library talks to SQLite. A PenSql is a connection with its
 * mutex and a cache of prepared statements. Every statement goes through pen_sql_each(), which
 * prepares, binds, steps, resets and turns SQLite's result into a GError of PEN_STORE_ERROR.
 *
 * All functions but pen_sql_open() and pen_sql_close() need the lock: hold a PenSqlScope.
 *
 *     g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
 *     if (!pen_sql_begin(&scope, sql, error))
 *         return FALSE;
 *     if (!pen_sql_run(sql, error, "UPDATE t SET name = ? WHERE id = ?",
 *                      PEN_SQL_TEXT(name), PEN_SQL_ID(id)))
 *         return FALSE;                                  // leaving the scope rolls back
 *     return pen_sql_commit(&scope, error);
 */
typedef struct _PenSql PenSql;

typedef enum { PEN_SQL_KIND_ID, PEN_SQL_KIND_INT, PEN_SQL_KIND_REAL, PEN_SQL_KIND_TEXT } PenSqlKind;

typedef struct {
    PenSqlKind kind;
    union {
        gint64 integer;
        double real;
        const char *text;
    };
} PenSqlValue;

/* Values to bind. An id of 0 and a text of NULL become SQL's NULL. */
#define PEN_SQL_ID(x) ((PenSqlValue){ .kind = PEN_SQL_KIND_ID, .integer = (x) })
#define PEN_SQL_INT(x) ((PenSqlValue){ .kind = PEN_SQL_KIND_INT, .integer = (x) })
#define PEN_SQL_REAL(x) ((PenSqlValue){ .kind = PEN_SQL_KIND_REAL, .real = (x) })
#define PEN_SQL_TEXT(x) ((PenSqlValue){ .kind = PEN_SQL_KIND_TEXT, .text = (x) })

/* The name of the login, which SQL knows as the function pen_login(). */
const char *pen_sql_login(void);

/* Opens `path` for reading and writing, and makes it if it is missing. */
PenSql *pen_sql_open(const char *path, GError **error);
void pen_sql_close(PenSql *sql);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenSql, pen_sql_close)

/* The lock, and a transaction if begun. Leaving the scope rolls back what was not committed. */
typedef struct {
    PenSql *sql;
    gboolean transaction;
} PenSqlScope;

#define PEN_SQL_SCOPE_INIT { NULL, FALSE }

void pen_sql_lock(PenSqlScope *scope, PenSql *sql);
/* Locks and takes the database's write lock at once, so that what is read stays true. */
gboolean pen_sql_begin(PenSqlScope *scope, PenSql *sql, GError **error);
/* Locks and reads from here on one state of the database, whatever others write meanwhile. */
gboolean pen_sql_begin_reading(PenSqlScope *scope, PenSql *sql, GError **error);
/* Ends the transaction durably. The lock is kept until the scope is left. */
gboolean pen_sql_commit(PenSqlScope *scope, GError **error);
void pen_sql_scope_clear(PenSqlScope *scope);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PenSqlScope, pen_sql_scope_clear)

/* Called for each row; reads it with sqlite3_column_*(). */
typedef void (*PenSqlRowFunc)(sqlite3_stmt *row, gpointer data);

gboolean pen_sql_each(PenSql *sql, const char *text, const PenSqlValue *values, gsize n_values,
                      PenSqlRowFunc func, gpointer data, GError **error);

/* Argument list -> (array, count). The first element only keeps the list from being empty. */
#define PEN_SQL_VALUES(...)                                                                        \
    ((const PenSqlValue[]){ PEN_SQL_ID(0), ##__VA_ARGS__ } + 1),                                   \
        (sizeof((const PenSqlValue[]){ PEN_SQL_ID(0), ##__VA_ARGS__ }) / sizeof(PenSqlValue) - 1)

/* Runs a statement whose rows, if any, do not matter. */
#define pen_sql_run(sql, error, text, ...)                                                         \
    pen_sql_each((sql), (text), PEN_SQL_VALUES(__VA_ARGS__), NULL, NULL, (error))

/* Reads one integer: the first column of the last row, 0 for NULL or no row. */
gboolean pen_sql_read_int(PenSql *sql, const char *text, const PenSqlValue *values, gsize n_values,
                          gint64 *out, GError **error);
#define pen_sql_int(sql, out, error, text, ...)                                                    \
    pen_sql_read_int((sql), (text), PEN_SQL_VALUES(__VA_ARGS__), (out), (error))

/* Reads one text: the first column of the first row, NULL for NULL or no row. g_free(). */
gboolean pen_sql_read_text(PenSql *sql, const char *text, const PenSqlValue *values, gsize n_values,
                           char **out, GError **error);

/* Appends the first column of all rows: to an array of char * that frees them, or of gint64. */
gboolean pen_sql_read_texts(PenSql *sql, const char *text, const PenSqlValue *values, gsize n_values,
                            GPtrArray *out, GError **error);
gboolean pen_sql_read_ids(PenSql *sql, const char *text, const PenSqlValue *values, gsize n_values,
                          GArray *out, GError **error);

/* Runs a script of several statements without parameters: schema and migrations. */
gboolean pen_sql_script(PenSql *sql, const char *text, GError **error);

gint64 pen_sql_last_id(PenSql *sql);
/* Rows that the last INSERT, UPDATE or DELETE changed. */
int pen_sql_changes(PenSql *sql);

/* Sets an error of PEN_STORE_ERROR for a failed system call on `path`. */
void pen_sql_set_errno(GError **error, int errnum, const char *path);

G_END_DECLS
