// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/history.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/store/private.h"

void pen_past_round_free(PenPastRound *past)
{
    if (!past)
        return;
    g_free(past->prompt);
    g_free(past->style_name);
    g_free(past->picture);
    g_free(past);
}

/* --- finding --------------------------------------------------------------------------------- */

typedef struct {
    char **words;  /* folded */
    GArray *found; /* gint64 */
    guint limit;
} Search;

static gboolean has_words(const Search *search, const char *prompt)
{
    g_autofree char *folded = g_utf8_casefold(prompt, -1);
    for (char **word = search->words; *word; word++) {
        if (!strstr(folded, *word))
            return FALSE;
    }
    return TRUE;
}

static void take_match(sqlite3_stmt *row, gpointer data)
{
    Search *search = data;
    gint64 id = sqlite3_column_int64(row, 0);
    const char *prompt = (const char *)sqlite3_column_text(row, 1);
    if (search->found->len < search->limit && has_words(search, prompt ? prompt : ""))
        g_array_append_val(search->found, id);
}

/* --- reading --------------------------------------------------------------------------------- */

static void take_round(sqlite3_stmt *row, gpointer data)
{
    PenPastRound *past = g_new0(PenPastRound, 1);
    past->round = sqlite3_column_int64(row, 0);
    past->created = sqlite3_column_int64(row, 1);
    past->prompt = g_utf8_make_valid((const char *)sqlite3_column_text(row, 2), -1);
    past->style_name = g_strdup((const char *)sqlite3_column_text(row, 3));
    past->style_number = sqlite3_column_int(row, 4);
    past->picture = g_strdup((const char *)sqlite3_column_text(row, 5));
    past->voted = sqlite3_column_int(row, 6);
    *(PenPastRound **)data = past;
}

static gboolean read_round(PenSql *sql, gint64 round, PenPastRound **past, GError **error)
{
    g_autofree char *artist = pen_artist_read(sql);
    return pen_sql_each(
        sql,
        "SELECT r.id, r.created, r.prompt, s.name, v.number, "
        "(SELECT c.picture_file FROM candidates c LEFT JOIN pick_ranks k ON k.candidate = c.id "
        " AND k.pick = p.id WHERE c.round = r.id AND c.picture_file IS NOT NULL "
        " ORDER BY k.rank DESC, c.place LIMIT 1), "
        "(SELECT MIN(rank) < MAX(rank) FROM pick_ranks WHERE pick = p.id) "
        "FROM rounds r LEFT JOIN style_versions v ON v.id = r.style_version "
        "LEFT JOIN styles s ON s.id = COALESCE(v.style, r.style) "
        "LEFT JOIN valid_picks p ON p.round = r.id AND p.artist = ? WHERE r.id = ? AND r.deleted "
        "IS NULL",
        PEN_SQL_VALUES(PEN_SQL_TEXT(artist), PEN_SQL_INT(round)), take_round, past, error);
}

GPtrArray *pen_store_list_history(PenStore *store, const PenHistoryFilter *filter, gint64 before,
                                  int limit, GError **error)
{
    g_autofree char *folded = g_utf8_casefold(filter->words ? filter->words : "", -1);
    g_auto(GStrv) words = g_strsplit_set(folded, " \t\n", -1);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(gint64));
    Search search = { words, found, (guint)MAX(limit, 0) };
    g_autoptr(GPtrArray) rounds =
        g_ptr_array_new_with_free_func((GDestroyNotify)pen_past_round_free);

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin_reading(&scope, store->sql, error) ||
        !pen_sql_each(store->sql,
                      "SELECT id, prompt FROM rounds WHERE id < ?1 AND deleted IS NULL AND (?2 = 0 "
                      "OR style = ?2 OR "
                      "style_version IN (SELECT id FROM style_versions WHERE style = ?2)) "
                      "ORDER BY id DESC LIMIT ?3",
                      PEN_SQL_VALUES(PEN_SQL_INT(before ? before : G_MAXINT64),
                                     PEN_SQL_INT(filter->style),
                                     /* With words more must be looked at than are found. */
                                     PEN_SQL_INT(*folded ? -1 : limit)),
                      take_match, &search, error))
        return NULL;
    for (guint i = 0; i < found->len; i++) {
        PenPastRound *past = NULL;
        if (!read_round(store->sql, g_array_index(found, gint64, i), &past, error))
            return NULL;
        if (past)
            g_ptr_array_add(rounds, past);
    }
    return g_steal_pointer(&rounds);
}

PenPastRound *pen_store_get_past_round(PenStore *store, gint64 round, GError **error)
{
    PenPastRound *past = NULL;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    if (read_round(store->sql, round, &past, error) && !past)
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND, _("There is no round %d."),
                    (int)round);
    return past;
}
