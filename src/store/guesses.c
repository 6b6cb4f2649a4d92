// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/guesses.h"

#include <math.h>

#include "src/store/files.h"
#include "src/store/private.h"
#include "src/store/rounds.h"

static void read_place(sqlite3_stmt *row, gpointer data)
{
    gint64 *round_and_place = data;
    round_and_place[0] = sqlite3_column_int64(row, 0);
    round_and_place[1] = sqlite3_column_int64(row, 1);
}

gboolean pen_store_set_features(PenStore *store, gint64 candidate, GBytes *features, GError **error)
{
    PenSql *sql = store->sql;
    gint64 where[2] = { 0 };

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, sql, error) ||
        !pen_sql_each(sql, "SELECT round, place FROM candidates WHERE id = ?",
                      PEN_SQL_VALUES(PEN_SQL_INT(candidate)), read_place, where, error))
        return FALSE;
    g_autofree char *file =
        g_strdup_printf("rounds/%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT "-features.safetensors",
                        where[0], where[1]);
    return pen_sql_run(sql, error, "UPDATE candidates SET features_file = ? WHERE id = ?",
                       PEN_SQL_TEXT(file), PEN_SQL_INT(candidate)) &&
           pen_candidate_changed(sql, candidate, error) &&
           pen_store_write(store, file, features, error) && pen_sql_commit(&scope, error);
}

gboolean pen_store_set_scores(PenStore *store, gint64 round, const double *scores, int n,
                              GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error))
        return FALSE;
    for (int place = 0; place < n; place++)
        if (!pen_sql_run(store->sql, error,
                         "UPDATE candidates SET score = ? WHERE round = ? AND place = ?",
                         PEN_SQL_REAL(scores[place]), PEN_SQL_INT(round), PEN_SQL_INT(place)))
            return FALSE;
    return pen_sql_commit(&scope, error);
}

int pen_candidates_get_guess(GPtrArray *candidates)
{
    double most = NAN;
    int guess = -1;
    for (guint i = 0; i < candidates->len; i++) {
        const PenCandidate *candidate = candidates->pdata[i];
        if (isnan(candidate->score) || candidate->score <= most)
            continue;
        most = candidate->score;
        guess = candidate->place;
    }
    return guess;
}

static void add_guess(sqlite3_stmt *row, gpointer data)
{
    PenGuessRecord *record = data;
    record->picks++;
    record->right += sqlite3_column_int(row, 0);
    record->chance += sqlite3_column_double(row, 1);
}

gboolean pen_store_get_guess_record(PenStore *store, gint64 style, PenGuessRecord *record,
                                    GError **error)
{
    *record = (PenGuessRecord){ 0 };
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    g_autofree char *artist = pen_artist_read(store->sql);
    /* Of each pick: whether the guess has the highest rank, and the share of candidates that do. */
    return pen_sql_each(
        store->sql,
        "WITH ranked AS ("
        "  SELECT p.id AS pick, r.rank, c.score, c.place,"
        "    MAX(r.rank) OVER (PARTITION BY p.id) AS best,"
        "    MIN(r.rank) OVER (PARTITION BY p.id) AS worst,"
        "    COUNT(c.score) OVER (PARTITION BY p.id) AS scores,"
        "    ROW_NUMBER() OVER (PARTITION BY p.id ORDER BY c.score DESC, c.place) AS row"
        "  FROM valid_picks p JOIN rounds o ON o.id = p.round JOIN pick_ranks r ON r.pick = p.id"
        "    JOIN candidates c ON c.id = r.candidate"
        "  WHERE o.style IS ?1 AND p.artist = ?2) "
        "SELECT MAX(row = 1 AND rank = best), AVG(rank = best) FROM ranked "
        "WHERE scores > 0 AND worst < best GROUP BY pick",
        PEN_SQL_VALUES(PEN_SQL_ID(style), PEN_SQL_TEXT(artist)), add_guess, record, error);
}
