// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/comparisons.h"

#include <glib/gi18n-lib.h>

#include "src/store/private.h"

static const char *const choice_names[] = { "with", "without", "neither", NULL };

static const PenField comparison_fields[] = {
    PEN_FIELD(PenComparison, id, ID),
    PEN_FIELD(PenComparison, style_version, ID),
    PEN_FIELD(PenComparison, seed, UINT64),
    PEN_FIELD(PenComparison, prompt, TEXT),
    PEN_FIELD_NAMED(PenComparison, choice, choice_names),
    PEN_FIELD(PenComparison, created, TIME),
};
PEN_DEFINE_ROW(PenComparison, pen_comparison, "comparisons", N_("There is no comparison %s."),
               comparison_fields)

gint64 pen_store_add_comparison(PenStore *store, const PenComparison *comparison, GError **error)
{
    PenComparison entry = *comparison;
    entry.created = g_get_real_time();

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error))
        return 0;
    gint64 id = pen_row_insert(store->sql, &pen_comparison_type, &entry, error);
    PenAction action = { .kind = PEN_ACTION_COMPARISON, .comparison = id };
    return id && pen_action_log(store->sql, &action, error) && pen_sql_commit(&scope, error) ? id
                                                                                             : 0;
}

GPtrArray *pen_store_list_comparisons(PenStore *store, gint64 style_version, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_row_list(store->sql, &pen_comparison_type, error,
                        "WHERE style_version = ? AND id IN (SELECT id FROM valid_comparisons) "
                        "ORDER BY id DESC",
                        PEN_SQL_INT(style_version));
}

gboolean pen_store_get_tally(PenStore *store, gint64 style_version, PenTally *tally, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    for (int i = 0; i < (int)G_N_ELEMENTS(tally->count); i++) {
        gint64 count;
        if (!pen_sql_int(
                store->sql, &count, error,
                "SELECT COUNT(*) FROM valid_comparisons WHERE style_version = ? AND choice = ?",
                PEN_SQL_INT(style_version), PEN_SQL_TEXT(choice_names[i])))
            return FALSE;
        tally->count[i] = (int)count;
    }
    return TRUE;
}
