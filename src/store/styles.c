// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/styles.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/store/files.h"
#include "src/store/private.h"

static const PenField style_fields[] = {
    PEN_FIELD(PenStyle, id, ID),
    PEN_FIELD(PenStyle, uuid, TEXT),
    PEN_FIELD(PenStyle, name, TEXT),
    PEN_FIELD(PenStyle, created, TIME),
    PEN_FIELD(PenStyle, model_hash, TEXT),
    PEN_FIELD(PenStyle, model_name, TEXT),
    PEN_FIELD(PenStyle, model_path, OPTION),
    PEN_FIELD(PenStyle, rank, INT),
    PEN_FIELD(PenStyle, strength, REAL),
    PEN_FIELD(PenStyle, recipe, OPTION),
    PEN_FIELD(PenStyle, deleted, TIME),
    PEN_FIELD(PenStyle, current_version, ID),
    PEN_FIELD_COMPUTED(PenStyle, current_number, INT,
                       "(SELECT number FROM style_versions v WHERE v.id = current_version)"),
};
PEN_DEFINE_ROW(PenStyle, pen_style, "styles", N_("There is no style %s."), style_fields)

static const PenField version_fields[] = {
    PEN_FIELD(PenStyleVersion, id, ID),
    PEN_FIELD(PenStyleVersion, style, ID),
    PEN_FIELD(PenStyleVersion, number, INT),
    PEN_FIELD(PenStyleVersion, parent, ID),
    PEN_FIELD(PenStyleVersion, adapter_file, TEXT),
    PEN_FIELD(PenStyleVersion, created, TIME),
    PEN_FIELD(PenStyleVersion, run, ID),
};
PEN_DEFINE_ROW(PenStyleVersion, pen_style_version, "style_versions",
               N_("There is no version %s of a style."), version_fields)

/* Two names are the same if their keys are: composed alike and case folded. */
static char *name_key(const char *name)
{
    g_autofree char *composed = g_utf8_normalize(name, -1, G_NORMALIZE_ALL_COMPOSE);
    g_autofree char *folded = g_utf8_casefold(composed, -1);
    return g_utf8_normalize(folded, -1, G_NORMALIZE_ALL_COMPOSE);
}

/* The name without space around it, or NULL. */
static char *check_name(const char *name, GError **error)
{
    if (!name || !g_utf8_validate(name, -1, NULL)) {
        g_set_error_literal(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                            _("The style's name is not valid text."));
        return NULL;
    }
    g_autofree char *stripped = g_strstrip(g_strdup(name));
    if (!*stripped) {
        g_set_error_literal(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                            _("A style needs a name."));
        return NULL;
    }
    if (g_utf8_strlen(stripped, -1) > PEN_STYLE_NAME_MAX) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                    _("A style's name may have at most %d characters."), PEN_STYLE_NAME_MAX);
        return NULL;
    }
    for (const char *p = stripped; *p; p = g_utf8_next_char(p)) {
        if (g_unichar_iscntrl(g_utf8_get_char(p))) {
            g_set_error_literal(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                                _("A style's name must not contain line breaks or other control "
                                  "characters."));
            return NULL;
        }
    }
    return g_steal_pointer(&stripped);
}

/* `*taken`: whether a living style other than `except` bears the name. */
static gboolean is_name_taken(PenSql *sql, const char *name, gint64 except, gint64 *taken,
                              GError **error)
{
    g_autofree char *key = name_key(name);
    return pen_sql_int(sql, taken, error,
                       "SELECT COUNT(*) FROM styles "
                       "WHERE name_key = ? AND deleted IS NULL AND id <> ?",
                       PEN_SQL_TEXT(key), PEN_SQL_INT(except));
}

static gboolean require_free_name(PenSql *sql, const char *name, gint64 except, GError **error)
{
    gint64 taken;
    if (!is_name_taken(sql, name, except, &taken, error))
        return FALSE;
    if (!taken)
        return TRUE;
    g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NAME_TAKEN,
                _("There is already a style called “%s”. Choose another name."), name);
    return FALSE;
}

/* The name itself, or the first free one of "name 2", "name 3", … */
static char *vary_name(PenSql *sql, const char *name, gint64 except, GError **error)
{
    g_autofree char *candidate = g_strdup(name);
    for (int i = 2;; i++) {
        gint64 taken;
        if (!is_name_taken(sql, candidate, except, &taken, error))
            return NULL;
        if (!taken)
            return g_steal_pointer(&candidate);
        g_free(candidate);
        candidate = g_strdup_printf("%s %d", name, i);
    }
}

static gboolean write_name(PenSql *sql, gint64 style, const char *name, GError **error)
{
    g_autofree char *key = name_key(name);
    return pen_sql_run(sql, error, "UPDATE styles SET name = ?, name_key = ? WHERE id = ?",
                       PEN_SQL_TEXT(name), PEN_SQL_TEXT(key), PEN_SQL_INT(style)) &&
           pen_row_changed(sql, &pen_style_type, style, error);
}

gboolean pen_style_set_name(PenSql *sql, gint64 style, const char *name, GError **error)
{
    g_autofree char *free_name = vary_name(sql, name, style, error);
    return free_name && write_name(sql, style, free_name, error);
}

gboolean pen_style_set_deleted(PenSql *sql, gint64 style, gboolean deleted, GError **error)
{
    if (!deleted) {
        g_autoptr(PenStyle) row = pen_row_get(sql, &pen_style_type, style, error);
        if (!row || !pen_style_set_name(sql, style, row->name, error))
            return FALSE;
    }
    return pen_sql_run(sql, error, "UPDATE styles SET deleted = ? WHERE id = ?",
                       PEN_SQL_ID(deleted ? g_get_real_time() : 0), PEN_SQL_INT(style)) &&
           pen_row_changed(sql, &pen_style_type, style, error);
}

gboolean pen_style_set_version(PenSql *sql, gint64 style, gint64 version, GError **error)
{
    return pen_sql_run(sql, error, "UPDATE styles SET current_version = ? WHERE id = ?",
                       PEN_SQL_ID(version), PEN_SQL_INT(style)) &&
           pen_row_changed(sql, &pen_style_type, style, error);
}

static gboolean log_version(PenSql *sql, const PenStyle *style, gint64 version, GError **error)
{
    PenAction action = { .kind = PEN_ACTION_VERSION,
                         .style = style->id,
                         .old_version = style->current_version,
                         .new_version = version };
    return pen_action_log(sql, &action, error);
}

/* What is deleted is not changed before it is restored. */
PenStyle *pen_style_get_living(PenSql *sql, gint64 style, GError **error)
{
    g_autoptr(PenStyle) row = pen_row_get(sql, &pen_style_type, style, error);
    if (!row)
        return NULL;
    if (row->deleted) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND,
                    _("The style “%s” has been deleted. Restore it first."), row->name);
        return NULL;
    }
    return g_steal_pointer(&row);
}

/* A style without a version. */
static gint64 insert_style(PenSql *sql, const char *name, const PenStyle *like, GError **error)
{
    g_autofree char *uuid = g_uuid_string_random();
    g_autofree char *key = name_key(name);
    if (!pen_sql_run(sql, error,
                     "INSERT INTO styles (uuid, name, name_key, created, model_hash, model_name, "
                     "model_path, rank, strength, recipe) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     PEN_SQL_TEXT(uuid), PEN_SQL_TEXT(name), PEN_SQL_TEXT(key),
                     PEN_SQL_INT(g_get_real_time()), PEN_SQL_TEXT(like->model_hash),
                     PEN_SQL_TEXT(like->model_name), PEN_SQL_TEXT(like->model_path),
                     PEN_SQL_INT(like->rank), PEN_SQL_REAL(like->strength),
                     PEN_SQL_TEXT(like->recipe)))
        return 0;
    return pen_sql_last_id(sql);
}

static gboolean check_strength(double strength, GError **error)
{
    if (!isfinite(strength))
        g_set_error_literal(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                            _("The style's strength must be a number."));
    return isfinite(strength);
}

gint64 pen_store_add_style(PenStore *store, const PenStyle *like, GError **error)
{
    g_autofree char *checked = check_name(like->name, error);
    if (!checked || !check_strength(like->strength, error))
        return 0;

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error) ||
        !require_free_name(store->sql, checked, 0, error))
        return 0;
    gint64 style = insert_style(store->sql, checked, like, error);
    return style && pen_sql_commit(&scope, error) ? style : 0;
}

gint64 pen_store_create_style(PenStore *store, const char *name, const char *model_hash,
                              const char *model_name, const char *model_path, int rank,
                              GError **error)
{
    PenStyle like = { .name = (char *)name,
                      .model_hash = (char *)model_hash,
                      .model_name = (char *)model_name,
                      .model_path = (char *)model_path,
                      .rank = rank,
                      .strength = 1 };
    return pen_store_add_style(store, &like, error);
}

PenStyle *pen_store_get_style(PenStore *store, gint64 style, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_row_get(store->sql, &pen_style_type, style, error);
}

PenStyle *pen_store_find_style(PenStore *store, const char *name, GError **error)
{
    g_autofree char *checked = check_name(name, error);
    if (!checked)
        return NULL;

    g_autofree char *key = name_key(checked);
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    g_autoptr(GPtrArray) rows =
        pen_row_list(store->sql, &pen_style_type, error, "WHERE name_key = ? AND deleted IS NULL",
                     PEN_SQL_TEXT(key));
    if (!rows)
        return NULL;
    if (rows->len == 0) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND,
                    _("There is no style called “%s”."), checked);
        return NULL;
    }
    return g_ptr_array_steal_index(rows, 0);
}

GPtrArray *pen_store_list_styles(PenStore *store, gboolean deleted, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_row_list(store->sql, &pen_style_type, error,
                        deleted ? "WHERE deleted IS NOT NULL ORDER BY deleted DESC, id DESC"
                                : "WHERE deleted IS NULL ORDER BY name_key");
}

gboolean pen_store_rename_style(PenStore *store, gint64 style, const char *name, GError **error)
{
    PenSql *sql = store->sql;
    g_autofree char *checked = check_name(name, error);
    if (!checked)
        return FALSE;

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, sql, error))
        return FALSE;
    g_autoptr(PenStyle) row = pen_style_get_living(sql, style, error);
    if (!row)
        return FALSE;
    if (g_str_equal(row->name, checked))
        return TRUE;
    PenAction action = {
        .kind = PEN_ACTION_RENAME, .style = style, .old_name = row->name, .new_name = checked
    };
    return require_free_name(sql, checked, style, error) &&
           write_name(sql, style, checked, error) && pen_action_log(sql, &action, error) &&
           pen_sql_commit(&scope, error);
}

gint64 pen_store_duplicate_style(PenStore *store, gint64 style, const char *name, GError **error)
{
    PenSql *sql = store->sql;
    g_autofree char *checked = name ? check_name(name, error) : NULL;
    if (name && !checked)
        return 0;

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, sql, error))
        return 0;
    g_autoptr(PenStyle) original = pen_style_get_living(sql, style, error);
    if (!original)
        return 0;
    if (!checked)
        checked = vary_name(sql, original->name, 0, error);
    else if (!require_free_name(sql, checked, 0, error))
        return 0;
    if (!checked)
        return 0;

    gint64 copy = insert_style(sql, checked, original, error);
    if (!copy)
        return 0;
    if (original->current_version) {
        /* Both share the adapter's file, which nobody changes. */
        g_autoptr(PenStyleVersion) version =
            pen_row_get(sql, &pen_style_version_type, original->current_version, error);
        if (!version)
            return 0;
        version->style = copy;
        version->number = 1;
        version->parent = original->current_version;
        version->run = 0;
        version->created = g_get_real_time();
        gint64 first = pen_row_insert(sql, &pen_style_version_type, version, error);
        if (!first || !pen_style_set_version(sql, copy, first, error))
            return 0;
    }
    return pen_sql_commit(&scope, error) ? copy : 0;
}

static gboolean delete_or_restore(PenStore *store, gint64 style, gboolean deleted, GError **error)
{
    PenSql *sql = store->sql;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, sql, error))
        return FALSE;
    g_autoptr(PenStyle) row = pen_row_get(sql, &pen_style_type, style, error);
    if (!row)
        return FALSE;
    if ((row->deleted != 0) == deleted)
        return TRUE;
    PenAction action = { .kind = deleted ? PEN_ACTION_DELETE : PEN_ACTION_RESTORE, .style = style };
    return pen_style_set_deleted(sql, style, deleted, error) &&
           pen_action_log(sql, &action, error) && pen_sql_commit(&scope, error);
}

gboolean pen_store_delete_style(PenStore *store, gint64 style, GError **error)
{
    return delete_or_restore(store, style, TRUE, error);
}

gboolean pen_store_restore_style(PenStore *store, gint64 style, GError **error)
{
    return delete_or_restore(store, style, FALSE, error);
}

gboolean pen_style_write_strength(PenSql *sql, gint64 style, double strength, GError **error)
{
    return pen_sql_run(sql, error, "UPDATE styles SET strength = ? WHERE id = ?",
                       PEN_SQL_REAL(strength), PEN_SQL_INT(style)) &&
           pen_row_changed(sql, &pen_style_type, style, error);
}

/* One action for a strength that is turned step by step. */
static gboolean log_strength(PenSql *sql, const PenStyle *style, double strength, GError **error)
{
    if (!pen_sql_run(sql, error,
                     "UPDATE actions SET new_strength = ? WHERE id = (SELECT MAX(id) FROM actions) "
                     "AND kind = 'strength' AND style = ? AND state = 'done'",
                     PEN_SQL_REAL(strength), PEN_SQL_INT(style->id)))
        return FALSE;
    if (pen_sql_changes(sql) > 0)
        return TRUE;
    PenAction action = { .kind = PEN_ACTION_STRENGTH,
                         .style = style->id,
                         .old_strength = style->strength,
                         .new_strength = strength };
    return pen_action_log(sql, &action, error);
}

gboolean pen_store_set_style_model_path(PenStore *store, gint64 style, const char *model_path,
                                        GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_sql_run(store->sql, error, "UPDATE styles SET model_path = ? WHERE id = ?",
                       PEN_SQL_TEXT(model_path), PEN_SQL_INT(style)) &&
           pen_row_changed(store->sql, &pen_style_type, style, error);
}

gboolean pen_store_set_style_strength(PenStore *store, gint64 style, double strength,
                                      GError **error)
{
    if (!check_strength(strength, error))
        return FALSE;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error))
        return FALSE;
    g_autoptr(PenStyle) row = pen_row_get(store->sql, &pen_style_type, style, error);
    return row && log_strength(store->sql, row, strength, error) &&
           pen_style_write_strength(store->sql, style, strength, error) &&
           pen_sql_commit(&scope, error);
}

gboolean pen_style_write_recipe(PenSql *sql, gint64 style, const char *recipe, GError **error)
{
    return pen_sql_run(sql, error, "UPDATE styles SET recipe = ? WHERE id = ?",
                       PEN_SQL_TEXT(recipe), PEN_SQL_INT(style)) &&
           pen_row_changed(sql, &pen_style_type, style, error);
}

gboolean pen_store_set_style_recipe(PenStore *store, gint64 style, const char *recipe,
                                    GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error))
        return FALSE;
    g_autoptr(PenStyle) row = pen_style_get_living(store->sql, style, error);
    if (!row)
        return FALSE;
    if (g_strcmp0(row->recipe, recipe) == 0)
        return TRUE;
    PenAction action = { .kind = PEN_ACTION_RECIPE,
                         .style = style,
                         .old_recipe = row->recipe,
                         .new_recipe = (char *)recipe };
    return pen_style_write_recipe(store->sql, style, recipe, error) &&
           pen_action_log(store->sql, &action, error) && pen_sql_commit(&scope, error);
}

GPtrArray *pen_store_list_style_versions(PenStore *store, gint64 style, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_row_list(store->sql, &pen_style_version_type, error,
                        "WHERE style = ? ORDER BY number", PEN_SQL_INT(style));
}

PenStyleVersion *pen_store_get_style_version(PenStore *store, gint64 version, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_row_get(store->sql, &pen_style_version_type, version, error);
}

gint64 pen_style_add_version(PenStore *store, gint64 style, gint64 parent, gint64 run,
                             GBytes *adapter, GError **error)
{
    PenSql *sql = store->sql;
    gint64 number;
    g_autoptr(PenStyle) row = pen_row_get(sql, &pen_style_type, style, error);
    if (!row ||
        !pen_sql_int(sql, &number, error,
                     "SELECT COALESCE(MAX(number), 0) + 1 FROM style_versions WHERE style = ?",
                     PEN_SQL_INT(style)))
        return 0;

    g_autofree char *file = g_strdup_printf("styles/%s/v%d.safetensors", row->uuid, (int)number);
    PenStyleVersion version = { .style = style,
                                .number = (int)number,
                                .parent = parent,
                                .adapter_file = file,
                                .created = g_get_real_time(),
                                .run = run };
    /* Under the write lock, so that no other process takes the same number and file. */
    if (!pen_store_write(store, file, adapter, error))
        return 0;
    gint64 id = pen_row_insert(sql, &pen_style_version_type, &version, error);
    return id && log_version(sql, row, id, error) && pen_style_set_version(sql, style, id, error)
               ? id
               : 0;
}

gint64 pen_store_add_style_version(PenStore *store, gint64 style, GBytes *adapter, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error))
        return 0;
    g_autoptr(PenStyle) row = pen_style_get_living(store->sql, style, error);
    if (!row)
        return 0;
    gint64 version = pen_style_add_version(store, style, row->current_version, 0, adapter, error);
    return version && pen_sql_commit(&scope, error) ? version : 0;
}

gboolean pen_store_set_style_version(PenStore *store, gint64 style, gint64 version, GError **error)
{
    PenSql *sql = store->sql;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, sql, error))
        return FALSE;
    g_autoptr(PenStyle) row = pen_style_get_living(sql, style, error);
    if (!row)
        return FALSE;
    if (version) {
        g_autoptr(PenStyleVersion) chosen =
            pen_row_get(sql, &pen_style_version_type, version, error);
        if (!chosen)
            return FALSE;
        if (chosen->style != style) {
            g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                        _("That version does not belong to the style “%s”."), row->name);
            return FALSE;
        }
    }
    if (row->current_version == version)
        return TRUE;
    return log_version(sql, row, version, error) &&
           pen_style_set_version(sql, style, version, error) && pen_sql_commit(&scope, error);
}
