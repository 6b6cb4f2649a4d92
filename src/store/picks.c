// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/picks.h"

#include <glib/gi18n-lib.h>

#include "src/store/artists.h"
#include "src/store/private.h"
#include "src/store/runs.h"

PenPick *pen_pick_copy(const PenPick *pick)
{
    if (!pick)
        return NULL;
    PenPick *copy = g_memdup2(pick, sizeof *pick);
    copy->artist = g_strdup(pick->artist);
    copy->ranks = g_memdup2(pick->ranks, (gsize)pick->n * sizeof *pick->ranks);
    return copy;
}

void pen_pick_free(PenPick *pick)
{
    if (!pick)
        return;
    g_free(pick->artist);
    g_free(pick->ranks);
    g_free(pick);
}

void pen_picks_keep_artists(GPtrArray *picks, const char *const *artists)
{
    for (guint i = picks->len; artists && i-- > 0;)
        if (!g_strv_contains(artists, ((const PenPick *)picks->pdata[i])->artist))
            g_ptr_array_remove_index(picks, i);
}

gboolean pen_pick_prefers(const PenPick *pick)
{
    int top = PEN_RANK_NONE;
    for (int i = 0; i < pick->n; i++) {
        if (pick->ranks[i] == PEN_RANK_NONE)
            continue;
        if (top != PEN_RANK_NONE && pick->ranks[i] != top)
            return TRUE;
        top = pick->ranks[i];
    }
    return FALSE;
}

typedef struct {
    gint64 id;
    gboolean complete;
} Rankable;

static void add_rankable(sqlite3_stmt *row, gpointer data)
{
    Rankable rankable = { sqlite3_column_int64(row, 0), sqlite3_column_int(row, 1) };
    g_array_append_val(data, rankable);
}

static gboolean check_ranks(const GArray *candidates, gint64 round, const int *ranks, int n,
                            GError **error)
{
    int top = G_MININT, bottom = G_MAXINT, n_complete = 0;
    gboolean top_complete = FALSE;

    if (candidates->len == 0) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND, _("There is no round %d."),
                    (int)round);
        return FALSE;
    }
    if ((int)candidates->len != n) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                    _("Round %d has %d candidates, but %d were ranked."), (int)round,
                    (int)candidates->len, n);
        return FALSE;
    }
    for (int i = 0; i < n; i++) {
        top = MAX(top, ranks[i]);
        bottom = MIN(bottom, ranks[i]);
    }
    for (int i = 0; i < n; i++) {
        if (!g_array_index(candidates, Rankable, i).complete || ranks[i] == PEN_RANK_NONE)
            continue;
        n_complete++;
        top_complete |= ranks[i] == top;
    }
    if (n_complete == 0) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                    _("Round %d has no finished candidate to pick."), (int)round);
        return FALSE;
    }
    if (top > bottom && !top_complete) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                    _("The best candidate was never finished. Pick one of round %d that was."),
                    (int)round);
        return FALSE;
    }
    return TRUE;
}

/* The round's candidates; none if it is not there. */
static GArray *list_rankable(PenSql *sql, gint64 round, GError **error)
{
    g_autoptr(GArray) candidates = g_array_new(FALSE, FALSE, sizeof(Rankable));
    return pen_sql_each(sql,
                        "SELECT c.id, c.state = 'complete' FROM candidates c "
                        "JOIN rounds r ON r.id = c.round WHERE c.round = ? AND r.deleted IS NULL "
                        "ORDER BY c.place",
                        PEN_SQL_VALUES(PEN_SQL_INT(round)), add_rankable, candidates, error)
               ? g_steal_pointer(&candidates)
               : NULL;
}

gint64 pen_pick_insert(PenSql *sql, gint64 round, const PenPick *pick, GError **error)
{
    g_autoptr(GArray) candidates = list_rankable(sql, round, error);
    if (!candidates || !check_ranks(candidates, round, pick->ranks, pick->n, error) ||
        !pen_sql_run(sql, error, "INSERT INTO picks (round, created, artist) VALUES (?, ?, ?)",
                     PEN_SQL_INT(round), PEN_SQL_INT(pick->created), PEN_SQL_TEXT(pick->artist)))
        return 0;
    gint64 id = pen_sql_last_id(sql);
    for (int i = 0; i < pick->n; i++) {
        const Rankable *candidate = &g_array_index(candidates, Rankable, i);
        if (candidate->complete && pick->ranks[i] != PEN_RANK_NONE &&
            !pen_sql_run(sql, error,
                         "INSERT INTO pick_ranks (pick, candidate, rank) VALUES (?, ?, ?)",
                         PEN_SQL_INT(id), PEN_SQL_INT(candidate->id), PEN_SQL_INT(pick->ranks[i])))
            return 0;
    }
    return id;
}

static gboolean log_pick(PenSql *sql, gint64 pick, GError **error)
{
    PenAction action = { .kind = PEN_ACTION_PICK, .pick = pick };
    return pen_action_log(sql, &action, error);
}

gint64 pen_store_add_pick(PenStore *store, gint64 round, const int *ranks, int n, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error))
        return 0;
    g_autofree char *artist = pen_artist_read(store->sql);
    PenPick pick = {
        .created = g_get_real_time(), .artist = artist, .n = n, .ranks = (int *)ranks
    };
    gint64 id = pen_pick_insert(store->sql, round, &pick, error);
    return id && log_pick(store->sql, id, error) && pen_sql_commit(&scope, error) ? id : 0;
}

/* A pick that ranks nobody. */
gboolean pen_store_withdraw_pick(PenStore *store, gint64 round, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error))
        return FALSE;
    g_autofree char *artist = pen_artist_read(store->sql);
    return pen_sql_run(store->sql, error,
                       "INSERT INTO picks (round, created, artist) VALUES (?, ?, ?)",
                       PEN_SQL_INT(round), PEN_SQL_INT(g_get_real_time()), PEN_SQL_TEXT(artist)) &&
           log_pick(store->sql, pen_sql_last_id(store->sql), error) &&
           pen_sql_commit(&scope, error);
}

/* Rows of PICK_RANKS: one for each candidate of each pick, in order. */
static void add_rank(sqlite3_stmt *row, gpointer data)
{
    GPtrArray *picks = data;
    gint64 id = sqlite3_column_int64(row, 0);
    PenPick *pick = picks->len ? picks->pdata[picks->len - 1] : NULL;

    if (!pick || pick->id != id) {
        pick = g_new0(PenPick, 1);
        pick->id = id;
        pick->round = sqlite3_column_int64(row, 1);
        pick->created = sqlite3_column_int64(row, 2);
        pick->artist = g_utf8_make_valid((const char *)sqlite3_column_text(row, 4), -1);
        g_ptr_array_add(picks, pick);
    }
    pick->ranks = g_renew(int, pick->ranks, pick->n + 1);
    pick->ranks[pick->n++] =
        sqlite3_column_type(row, 3) == SQLITE_NULL ? PEN_RANK_NONE : sqlite3_column_int(row, 3);
}

/* Continued by WHERE; ends with PICK_ORDER. */
#define PICK_RANKS(picks)                                                                          \
    "SELECT p.id, p.round, p.created, r.rank, p.artist FROM " picks " p "                          \
    "JOIN candidates c ON c.round = p.round "                                                      \
    "LEFT JOIN pick_ranks r ON r.pick = p.id AND r.candidate = c.id "
#define PICK_ORDER " ORDER BY p.id, c.place"

static GPtrArray *list_picks(PenStore *store, const char *text, const PenSqlValue *values,
                             gsize n_values, GError **error)
{
    g_autoptr(GPtrArray) picks = g_ptr_array_new_with_free_func((GDestroyNotify)pen_pick_free);
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    if (!pen_sql_each(store->sql, text, values, n_values, add_rank, picks, error))
        return NULL;
    return g_steal_pointer(&picks);
}

GPtrArray *pen_store_list_round_picks(PenStore *store, gint64 round, GError **error)
{
    return list_picks(store,
                      PICK_RANKS("valid_picks") "WHERE p.round = ? AND EXISTS (SELECT 1 FROM "
                                                "pick_ranks WHERE pick = p.id)" PICK_ORDER,
                      PEN_SQL_VALUES(PEN_SQL_INT(round)), error);
}

PenPick *pen_store_get_pick(PenStore *store, gint64 round, GError **error)
{
    g_autofree char *artist = pen_store_get_artist(store);
    const char *own[] = { artist, NULL };
    g_autoptr(GPtrArray) picks = pen_store_list_round_picks(store, round, error);
    if (!picks)
        return NULL;
    pen_picks_keep_artists(picks, own);
    if (picks->len == 0) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND,
                    _("Round %d has no pick yet."), (int)round);
        return NULL;
    }
    return g_ptr_array_steal_index(picks, 0);
}

GPtrArray *pen_store_list_picks(PenStore *store, gint64 style, gboolean only_new, GError **error)
{
    GPtrArray *picks = list_picks(
        store,
        "WITH RECURSIVE ancestry (version) AS ("
        "  SELECT current_version FROM styles WHERE id = ?1"
        "  UNION SELECT v.parent FROM style_versions v JOIN ancestry a ON v.id = "
        "a.version) " PICK_RANKS(
            "valid_picks") "WHERE p.round IN (SELECT id FROM rounds WHERE style = ?1) "
                           "AND (SELECT MIN(rank) < MAX(rank) FROM pick_ranks WHERE pick = p.id) "
                           "AND NOT (?2 AND EXISTS ("
                           "  SELECT 1 FROM run_picks u JOIN style_versions v ON v.run = u.run "
                           "  WHERE u.pick = p.id AND v.id IN (SELECT version FROM "
                           "ancestry)))" PICK_ORDER,
        PEN_SQL_VALUES(PEN_SQL_INT(style), PEN_SQL_INT(only_new != FALSE)), error);
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    if (picks)
        pen_picks_keep_artists(picks, (const char *const *)store->artists);
    return picks;
}

char *pen_store_find_style_picture(PenStore *store, gint64 style)
{
    char *picture;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    pen_sql_read_text(store->sql,
                      "SELECT c.picture_file FROM valid_picks p JOIN rounds r ON r.id = p.round "
                      "JOIN pick_ranks k ON k.pick = p.id JOIN candidates c ON c.id = k.candidate "
                      "WHERE r.style = ? AND k.rank > 0 ORDER BY p.id DESC, k.rank DESC LIMIT 1",
                      PEN_SQL_VALUES(PEN_SQL_INT(style)), &picture, NULL);
    return picture;
}

GPtrArray *pen_store_list_adoptable_picks(PenStore *store, const char *model_hash, GError **error)
{
    return list_picks(store,
                      PICK_RANKS("valid_picks") "WHERE p.round IN (SELECT id FROM rounds "
                                                "WHERE " PEN_ROUNDS_ADOPTABLE ")" PICK_ORDER,
                      PEN_SQL_VALUES(PEN_SQL_TEXT(model_hash)), error);
}

GPtrArray *pen_store_list_run_picks(PenStore *store, gint64 run, GError **error)
{
    return list_picks(
        store,
        PICK_RANKS("picks") "WHERE p.id IN (SELECT pick FROM run_picks WHERE run = ?)" PICK_ORDER,
        PEN_SQL_VALUES(PEN_SQL_INT(run)), error);
}
