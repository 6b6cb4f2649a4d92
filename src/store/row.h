// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "src/store/sql.h"

G_BEGIN_DECLS

/*
 * Internal: tables as structs. A PenRowType says once which column goes to which member; reading,
 * inserting, copying and freeing follow from it. For inserting and for finding by id, the first
 * field must be the row's id, a gint64.
 */
typedef enum {
    PEN_FIELD_ID,     /* gint64; 0 is NULL */
    PEN_FIELD_TIME,   /* gint64; 0 is NULL */
    PEN_FIELD_UINT64, /* guint64, stored as the signed integer with the same bits */
    PEN_FIELD_INT,    /* int, gboolean, or a guint that an int can hold */
    PEN_FIELD_REAL,   /* double */
    PEN_FIELD_TEXT,   /* char *; never NULL when read, and valid UTF-8, whatever the file holds */
    PEN_FIELD_OPTION, /* char *; may be NULL */
    PEN_FIELD_ENUM,   /* an enum, stored as one of `names`; the first if the file holds another */
} PenFieldKind;

typedef struct {
    const char *column; /* or an SQL expression, when it is computed */
    PenFieldKind kind;
    gsize offset;
    const char *const *names; /* of an enum's values, NULL at the end */
    gboolean computed;        /* read only */
} PenField;

typedef struct {
    const char *table;
    const char *not_found; /* message with %s for the id, marked with N_() */
    gsize size;
    const PenField *fields;
    gsize n_fields;
    GDestroyNotify free;
} PenRowType;

#define PEN_FIELD(struct, member, what)                                                            \
    {                                                                                              \
#member, PEN_FIELD_##what, G_STRUCT_OFFSET(struct, member), NULL, FALSE                    \
    }
/* A member of a member, whose column has another name. */
#define PEN_FIELD_AS(struct, member, what, column)                                                 \
    {                                                                                              \
        column, PEN_FIELD_##what, G_STRUCT_OFFSET(struct, member), NULL, FALSE                     \
    }
#define PEN_FIELD_NAMED(struct, member, names)                                                     \
    {                                                                                              \
#member, PEN_FIELD_ENUM, G_STRUCT_OFFSET(struct, member), names, FALSE                     \
    }
#define PEN_FIELD_COMPUTED(struct, member, what, expression)                                       \
    {                                                                                              \
        expression, PEN_FIELD_##what, G_STRUCT_OFFSET(struct, member), NULL, TRUE                  \
    }

/* Defines PREFIX_copy(), PREFIX_free() and `static const PenRowType PREFIX_type` of `fields`. */
#define PEN_DEFINE_ROW(Type, prefix, table_name, message, field_array)                             \
    static const PenRowType prefix##_type = { table_name,                                          \
                                              message,                                             \
                                              sizeof(Type),                                        \
                                              field_array,                                         \
                                              G_N_ELEMENTS(field_array),                           \
                                              (GDestroyNotify)prefix##_free };                     \
    Type *prefix##_copy(const Type *row)                                                           \
    {                                                                                              \
        return pen_row_copy(&prefix##_type, row);                                                  \
    }                                                                                              \
    void prefix##_free(Type *row)                                                                  \
    {                                                                                              \
        pen_row_free(&prefix##_type, row);                                                         \
    }

gpointer pen_row_copy(const PenRowType *type, gconstpointer row);
void pen_row_free(const PenRowType *type, gpointer row);

/* Inserts `row`, leaving its id to the database; returns the id, or 0. */
gint64 pen_row_insert(PenSql *sql, const PenRowType *type, gconstpointer row, GError **error);

/* Rows of the table; `tail` continues "SELECT … FROM table ". NULL with an error. */
GPtrArray *pen_row_read(PenSql *sql, const PenRowType *type, const char *tail,
                        const PenSqlValue *values, gsize n_values, GError **error);
#define pen_row_list(sql, type, error, tail, ...)                                                  \
    pen_row_read((sql), (type), (tail), PEN_SQL_VALUES(__VA_ARGS__), (error))

/* The row with that id, or NULL with NOT_FOUND. */
gpointer pen_row_get(PenSql *sql, const PenRowType *type, gint64 id, GError **error);

/* NOT_FOUND unless the last UPDATE changed a row: the one with that id. */
gboolean pen_row_changed(PenSql *sql, const PenRowType *type, gint64 id, GError **error);

/* Sets the type's NOT_FOUND error. */
void pen_row_set_not_found(const PenRowType *type, gint64 id, GError **error);

/* The names of an enum's values: index -> name, NULL outside. */
const char *pen_enum_name(const char *const *names, int value);

G_END_DECLS
