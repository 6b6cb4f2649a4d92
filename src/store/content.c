// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/files.h"
#include "src/store/import.h"
#include "src/store/private.h"

/* What is hashed, one a line: this, model, prompt, and of each finished candidate place and
 * picture. */
#define CONTENT_KIND "penchant round 1"

char *pen_content_work_out(const PenRound *round, char *const *pictures, guint n)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *start =
        g_strdup_printf(CONTENT_KIND "\n%s\n%s", round->model_hash, round->prompt);
    g_checksum_update(sum, (const guchar *)start, -1);
    for (guint i = 0; i < n; i++) {
        g_autofree char *line = g_strdup_printf("\n%u %s", i, pictures[i]);
        if (pictures[i])
            g_checksum_update(sum, (const guchar *)line, -1);
    }
    return g_strdup(g_checksum_get_string(sum));
}

static char *work_out(PenStore *store, gint64 round, GError **error)
{
    g_autoptr(PenRound) row = pen_store_get_round(store, round, error);
    g_autoptr(GPtrArray) candidates = row ? pen_store_list_candidates(store, round, error) : NULL;
    g_autoptr(GPtrArray) pictures = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; candidates && i < candidates->len; i++) {
        const PenCandidate *candidate = candidates->pdata[i];
        g_autoptr(GBytes) picture =
            candidate->picture_file ? pen_store_read(store, candidate->picture_file, error) : NULL;
        if (candidate->picture_file && !picture)
            return NULL;
        g_ptr_array_add(pictures,
                        picture ? g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, picture) : NULL);
    }
    return candidates ? pen_content_work_out(row, (char **)pictures->pdata, pictures->len) : NULL;
}

char *pen_store_get_content(PenStore *store, gint64 round, GError **error)
{
    char *known = NULL;
    {
        g_auto(PenSqlScope) look = PEN_SQL_SCOPE_INIT;
        pen_sql_lock(&look, store->sql);
        if (!pen_sql_read_text(store->sql, "SELECT content FROM rounds WHERE id = ?",
                               PEN_SQL_VALUES(PEN_SQL_INT(round)), &known, error))
            return NULL;
    }
    if (known)
        return known;
    g_autofree char *content = work_out(store, round, error);
    if (!content)
        return NULL;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    return pen_sql_begin(&scope, store->sql, error) &&
                   pen_sql_run(store->sql, error,
                               "UPDATE rounds SET content = ? WHERE id = ? AND state <> 'running'",
                               PEN_SQL_TEXT(content), PEN_SQL_INT(round)) &&
                   pen_sql_commit(&scope, error)
               ? g_steal_pointer(&content)
               : NULL;
}

gboolean pen_store_know_content(PenStore *store, guint64 seed, GError **error)
{
    g_autoptr(GArray) unknown = g_array_new(FALSE, FALSE, sizeof(gint64));
    {
        g_auto(PenSqlScope) look = PEN_SQL_SCOPE_INIT;
        pen_sql_lock(&look, store->sql);
        if (!pen_sql_read_ids(store->sql,
                              "SELECT id FROM rounds WHERE seed = ? AND content IS NULL AND "
                              "state <> 'running' AND EXISTS (SELECT 1 FROM candidates WHERE "
                              "round = rounds.id AND picture_file IS NOT NULL)",
                              PEN_SQL_VALUES(PEN_SQL_INT((gint64)seed)), unknown, error))
            return FALSE;
    }
    for (guint i = 0; i < unknown->len; i++) {
        g_autoptr(GError) missing = NULL; /* without its pictures nobody asks for it */
        g_autofree char *content =
            pen_store_get_content(store, g_array_index(unknown, gint64, i), &missing);
        if (!content && !g_error_matches(missing, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND)) {
            g_propagate_error(error, g_steal_pointer(&missing));
            return FALSE;
        }
    }
    return TRUE;
}
