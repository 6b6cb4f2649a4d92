// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/row.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "src/store/store.h"

#define MEMBER(type, row, field) (*(type *)((char *)(row) + (field)->offset))
#define CONST_MEMBER(type, row, field) (*(type const *)((const char *)(row) + (field)->offset))

static gboolean is_text(const PenField *field)
{
    return field->kind == PEN_FIELD_TEXT || field->kind == PEN_FIELD_OPTION;
}

gpointer pen_row_copy(const PenRowType *type, gconstpointer row)
{
    if (!row)
        return NULL;
    gpointer copy = g_memdup2(row, type->size);
    for (gsize i = 0; i < type->n_fields; i++) {
        const PenField *field = &type->fields[i];
        if (is_text(field))
            MEMBER(char *, copy, field) = g_strdup(MEMBER(char *, copy, field));
    }
    return copy;
}

void pen_row_free(const PenRowType *type, gpointer row)
{
    if (!row)
        return;
    for (gsize i = 0; i < type->n_fields; i++) {
        const PenField *field = &type->fields[i];
        if (is_text(field))
            g_free(MEMBER(char *, row, field));
    }
    g_free(row);
}

const char *pen_enum_name(const char *const *names, int value)
{
    for (int i = 0; names[i]; i++) {
        if (i == value)
            return names[i];
    }
    return NULL;
}

static PenSqlValue field_value(const PenField *field, gconstpointer row)
{
    switch (field->kind) {
    case PEN_FIELD_ID:
    case PEN_FIELD_TIME:
        return PEN_SQL_ID(CONST_MEMBER(gint64, row, field));
    case PEN_FIELD_UINT64:
        return PEN_SQL_INT((gint64)CONST_MEMBER(guint64, row, field));
    case PEN_FIELD_INT:
        return PEN_SQL_INT(CONST_MEMBER(int, row, field));
    case PEN_FIELD_REAL:
        return PEN_SQL_REAL(CONST_MEMBER(double, row, field));
    case PEN_FIELD_TEXT:
    case PEN_FIELD_OPTION:
        return PEN_SQL_TEXT(CONST_MEMBER(char *, row, field));
    case PEN_FIELD_ENUM:
        return PEN_SQL_TEXT(pen_enum_name(field->names, CONST_MEMBER(int, row, field)));
    }
    g_return_val_if_reached(PEN_SQL_ID(0));
}

static void read_field(const PenField *field, gpointer row, sqlite3_stmt *statement, int column)
{
    switch (field->kind) {
    case PEN_FIELD_ID:
    case PEN_FIELD_TIME:
    case PEN_FIELD_UINT64:
        MEMBER(gint64, row, field) = sqlite3_column_int64(statement, column);
        break;
    case PEN_FIELD_INT:
        MEMBER(int, row, field) = sqlite3_column_int(statement, column);
        break;
    case PEN_FIELD_REAL:
        /* SQLite keeps what is not a number as NULL. */
        MEMBER(double, row, field) = sqlite3_column_type(statement, column) == SQLITE_NULL
                                         ? (double)NAN
                                         : sqlite3_column_double(statement, column);
        break;
    case PEN_FIELD_TEXT:
    case PEN_FIELD_OPTION: {
        const char *text = (const char *)sqlite3_column_text(statement, column);
        if (text || field->kind == PEN_FIELD_TEXT)
            MEMBER(char *, row, field) = g_utf8_make_valid(text ? text : "", -1);
        break;
    }
    case PEN_FIELD_ENUM: {
        const char *name = (const char *)sqlite3_column_text(statement, column);
        for (int i = 0; field->names[i]; i++) {
            if (g_strcmp0(field->names[i], name) == 0)
                MEMBER(int, row, field) = i;
        }
        break;
    }
    }
}

gint64 pen_row_insert(PenSql *sql, const PenRowType *type, gconstpointer row, GError **error)
{
    g_autoptr(GString) text = g_string_new("INSERT INTO ");
    g_autoptr(GString) marks = g_string_new("?");
    g_autofree PenSqlValue *values = g_new(PenSqlValue, type->n_fields);
    gsize n = 0;

    g_string_append_printf(text, "%s (%s", type->table, type->fields[0].column);
    values[n++] = PEN_SQL_ID(0);
    for (gsize i = 1; i < type->n_fields; i++) {
        const PenField *field = &type->fields[i];
        if (field->computed)
            continue;
        g_string_append_printf(text, ", %s", field->column);
        g_string_append(marks, ", ?");
        values[n++] = field_value(field, row);
    }
    g_string_append_printf(text, ") VALUES (%s)", marks->str);
    if (!pen_sql_each(sql, text->str, values, n, NULL, NULL, error))
        return 0;
    return pen_sql_last_id(sql);
}

typedef struct {
    const PenRowType *type;
    GPtrArray *rows;
} Reading;

static void read_row(sqlite3_stmt *statement, gpointer data)
{
    Reading *reading = data;
    gpointer row = g_malloc0(reading->type->size);
    for (gsize i = 0; i < reading->type->n_fields; i++)
        read_field(&reading->type->fields[i], row, statement, (int)i);
    g_ptr_array_add(reading->rows, row);
}

GPtrArray *pen_row_read(PenSql *sql, const PenRowType *type, const char *tail,
                        const PenSqlValue *values, gsize n_values, GError **error)
{
    g_autoptr(GString) text = g_string_new("SELECT ");
    for (gsize i = 0; i < type->n_fields; i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "", type->fields[i].column);
    g_string_append_printf(text, " FROM %s %s", type->table, tail);

    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(type->free);
    Reading reading = { type, rows };
    if (!pen_sql_each(sql, text->str, values, n_values, read_row, &reading, error))
        return NULL;
    return g_steal_pointer(&rows);
}

void pen_row_set_not_found(const PenRowType *type, gint64 id, GError **error)
{
    g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, id);
    g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND, _(type->not_found), number);
}

gpointer pen_row_get(PenSql *sql, const PenRowType *type, gint64 id, GError **error)
{
    g_autoptr(GPtrArray) rows = pen_row_list(sql, type, error, "WHERE id = ?", PEN_SQL_INT(id));
    if (!rows)
        return NULL;
    if (rows->len == 0) {
        pen_row_set_not_found(type, id, error);
        return NULL;
    }
    return g_ptr_array_steal_index(rows, 0);
}

gboolean pen_row_changed(PenSql *sql, const PenRowType *type, gint64 id, GError **error)
{
    if (pen_sql_changes(sql) > 0)
        return TRUE;
    pen_row_set_not_found(type, id, error);
    return FALSE;
}
