// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/actions.h"

#include <glib/gi18n-lib.h>

#include "src/store/private.h"

static const char *const kind_names[] = { "pick",    "rename",   "delete",     "restore",
                                          "version", "strength", "comparison", "recipe", NULL };
static const char *const state_names[] = { "done", "undone", "discarded", NULL };

static const PenField action_fields[] = {
    PEN_FIELD(PenAction, id, ID),
    PEN_FIELD_NAMED(PenAction, kind, kind_names),
    PEN_FIELD(PenAction, created, TIME),
    PEN_FIELD_NAMED(PenAction, state, state_names),
    PEN_FIELD(PenAction, pick, ID),
    PEN_FIELD(PenAction, style, ID),
    PEN_FIELD(PenAction, old_name, OPTION),
    PEN_FIELD(PenAction, new_name, OPTION),
    PEN_FIELD(PenAction, old_version, ID),
    PEN_FIELD(PenAction, new_version, ID),
    PEN_FIELD(PenAction, comparison, ID),
    PEN_FIELD(PenAction, old_strength, REAL),
    PEN_FIELD(PenAction, new_strength, REAL),
    PEN_FIELD(PenAction, old_recipe, OPTION),
    PEN_FIELD(PenAction, new_recipe, OPTION),
    PEN_FIELD_COMPUTED(PenAction, round, ID, "(SELECT round FROM picks p WHERE p.id = pick)"),
    PEN_FIELD_COMPUTED(PenAction, style_name, OPTION,
                       "(SELECT name FROM styles s WHERE s.id = style)"),
};
PEN_DEFINE_ROW(PenAction, pen_action, "actions", N_("There is no action %s."), action_fields)

gboolean pen_action_log(PenSql *sql, const PenAction *action, GError **error)
{
    PenAction entry = *action;
    entry.created = g_get_real_time();
    entry.state = PEN_ACTION_DONE;
    return pen_sql_run(sql, error,
                       "UPDATE actions SET state = 'discarded' WHERE state = 'undone'") &&
           pen_row_insert(sql, &pen_action_type, &entry, error);
}

/* What a pick and a comparison do is seen in the views valid_picks and valid_comparisons, which
 * look at the action's state alone. */
static gboolean apply(PenSql *sql, const PenAction *action, gboolean undo, GError **error)
{
    const char *name = undo ? action->old_name : action->new_name;

    switch (action->kind) {
    case PEN_ACTION_PICK:
    case PEN_ACTION_COMPARISON:
        return TRUE;
    case PEN_ACTION_RENAME:
        return pen_style_set_name(sql, action->style, name ? name : "", error);
    case PEN_ACTION_DELETE:
        return pen_style_set_deleted(sql, action->style, !undo, error);
    case PEN_ACTION_RESTORE:
        return pen_style_set_deleted(sql, action->style, undo, error);
    case PEN_ACTION_VERSION:
        return pen_style_set_version(sql, action->style,
                                     undo ? action->old_version : action->new_version, error);
    case PEN_ACTION_STRENGTH:
        return pen_style_write_strength(sql, action->style,
                                        undo ? action->old_strength : action->new_strength, error);
    case PEN_ACTION_RECIPE:
        return pen_style_write_recipe(sql, action->style,
                                      undo ? action->old_recipe : action->new_recipe, error);
    }
    g_return_val_if_reached(FALSE);
}

/* A pick of a round that was thrown away is not seen, and so is not undone either. */
#define SEEN                                                                                       \
    "(pick IS NULL OR pick IN (SELECT p.id FROM picks p JOIN rounds r ON r.id = p.round "          \
    "WHERE r.deleted IS NULL))"

/* Brings the action that `tail` selects into another state, and returns it as it is then. */
static PenAction *turn(PenStore *store, PenActionState state, const char *tail,
                       const PenSqlValue *values, gsize n_values, const char *nothing,
                       GError **error)
{
    PenSql *sql = store->sql;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, sql, error))
        return NULL;
    g_autoptr(GPtrArray) rows = pen_row_read(sql, &pen_action_type, tail, values, n_values, error);
    if (!rows)
        return NULL;
    if (rows->len == 0) {
        g_set_error_literal(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOTHING, nothing);
        return NULL;
    }

    const PenAction *action = rows->pdata[0];
    if (!apply(sql, action, state != PEN_ACTION_DONE, error) ||
        !pen_sql_run(sql, error, "UPDATE actions SET state = ? WHERE id = ?",
                     PEN_SQL_TEXT(pen_enum_name(state_names, (int)state)), PEN_SQL_INT(action->id)))
        return NULL;
    g_autoptr(PenAction) after = pen_row_get(sql, &pen_action_type, action->id, error);
    return after && pen_sql_commit(&scope, error) ? g_steal_pointer(&after) : NULL;
}

PenAction *pen_store_undo(PenStore *store, GError **error)
{
    return turn(store, PEN_ACTION_UNDONE, "WHERE state = 'done' AND " SEEN " ORDER BY id DESC LIMIT 1", NULL, 0,
                _("There is nothing to undo."), error);
}

PenAction *pen_store_redo(PenStore *store, GError **error)
{
    return turn(store, PEN_ACTION_DONE, "WHERE state = 'undone' AND " SEEN " ORDER BY id LIMIT 1", NULL, 0,
                _("There is nothing to redo."), error);
}

/* Which kinds belong to a scope. */
static const char *const scopes[] = { "kind = 'pick'", "kind NOT IN ('pick', 'comparison')",
                                      "kind = 'comparison'" };

PenAction *pen_store_undo_in(PenStore *store, PenActionScope scope, gint64 after, GError **error)
{
    g_autofree char *tail = g_strdup_printf(
        "WHERE state = 'done' AND " SEEN " AND %s AND id > ? ORDER BY id DESC LIMIT 1", scopes[scope]);
    return turn(store, PEN_ACTION_UNDONE, tail, PEN_SQL_VALUES(PEN_SQL_INT(after)),
                _("There is nothing to undo."), error);
}

PenAction *pen_store_redo_in(PenStore *store, PenActionScope scope, gint64 after, GError **error)
{
    g_autofree char *tail = g_strdup_printf(
        "WHERE state = 'undone' AND " SEEN " AND %s AND id > ? ORDER BY id LIMIT 1", scopes[scope]);
    return turn(store, PEN_ACTION_DONE, tail, PEN_SQL_VALUES(PEN_SQL_INT(after)),
                _("There is nothing to redo."), error);
}

gboolean pen_store_can_undo(PenStore *store, PenActionScope scope, gint64 after, gboolean redo)
{
    g_auto(PenSqlScope) lock = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&lock, store->sql);
    g_autofree char *text = g_strdup_printf(
        "SELECT COUNT(*) FROM actions WHERE state = ? AND " SEEN " AND %s AND id > ?", scopes[scope]);
    gint64 count = 0;
    return pen_sql_int(store->sql, &count, NULL, text, PEN_SQL_TEXT(redo ? "undone" : "done"),
                       PEN_SQL_INT(after)) &&
           count > 0;
}

GPtrArray *pen_store_list_actions(PenStore *store, int limit, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_row_list(store->sql, &pen_action_type, error, "ORDER BY id DESC LIMIT ?",
                        PEN_SQL_INT(limit));
}
