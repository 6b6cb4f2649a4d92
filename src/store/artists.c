// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/artists.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/store/private.h"

/* --- the store's own ------------------------------------------------------------------------- */

gboolean pen_artist_check_name(const char *name, GError **error)
{
    gboolean ok = g_utf8_validate(name, -1, NULL) && *name && !g_ascii_isspace(*name) &&
                  !g_ascii_isspace(name[strlen(name) - 1]) &&
                  g_utf8_strlen(name, -1) <= PEN_ARTIST_NAME_MAX;
    for (const char *p = name; ok && *p; p = g_utf8_next_char(p))
        ok = *p != ',' && !g_unichar_iscntrl(g_utf8_get_char(p));
    if (!ok)
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                    _("An artist's name has 1 to %d characters, and no comma among them."),
                    PEN_ARTIST_NAME_MAX);
    return ok;
}

char *pen_artist_read(PenSql *sql)
{
    const char *said = g_getenv("PENCHANT_ARTIST");
    if (said && pen_artist_check_name(said, NULL))
        return g_strdup(said);
    char *name;
    pen_sql_read_text(sql, "SELECT value FROM settings WHERE name = 'artist'", NULL, 0, &name,
                      NULL);
    return name ? name : g_strdup(pen_sql_login());
}

char *pen_store_get_artist(PenStore *store)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_artist_read(store->sql);
}

gboolean pen_store_set_artist(PenStore *store, const char *name, GError **error)
{
    if (!pen_artist_check_name(name, error))
        return FALSE;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    return pen_sql_begin(&scope, store->sql, error) &&
           pen_sql_run(store->sql, error,
                       "INSERT INTO settings (name, value) VALUES ('artist', ?1) "
                       "ON CONFLICT (name) DO UPDATE SET value = ?1",
                       PEN_SQL_TEXT(name)) &&
           pen_sql_commit(&scope, error);
}

/* --- all of them ----------------------------------------------------------------------------- */

void pen_artist_free(PenArtist *artist)
{
    if (!artist)
        return;
    g_free(artist->name);
    g_free(artist);
}

static void add_artist(sqlite3_stmt *row, gpointer data)
{
    PenArtist *artist = g_new(PenArtist, 1);
    artist->name = g_utf8_make_valid((const char *)sqlite3_column_text(row, 0), -1);
    artist->picks = sqlite3_column_int(row, 1);
    g_ptr_array_add(data, artist);
}

GPtrArray *pen_store_list_artists(PenStore *store, gint64 style, GError **error)
{
    g_autoptr(GPtrArray) artists = g_ptr_array_new_with_free_func((GDestroyNotify)pen_artist_free);
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    if (!pen_sql_each(
            store->sql,
            "SELECT p.artist, COUNT(*) FROM valid_picks p JOIN rounds r ON r.id = p.round "
            "WHERE r.style = ? AND "
            "(SELECT MIN(rank) < MAX(rank) FROM pick_ranks WHERE pick = p.id) "
            "GROUP BY p.artist ORDER BY p.artist",
            PEN_SQL_VALUES(PEN_SQL_INT(style)), add_artist, artists, error))
        return NULL;
    return g_steal_pointer(&artists);
}

void pen_store_choose_artists(PenStore *store, const char *const *names)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    g_strfreev(store->artists);
    store->artists = g_strdupv((char **)names);
}

static void take_agreement(sqlite3_stmt *row, gpointer data)
{
    PenAgreement *agreement = data;
    agreement->pairs = sqlite3_column_int(row, 0);
    agreement->alike = sqlite3_column_int(row, 1);
}

gboolean pen_store_get_agreement(PenStore *store, gint64 style, const char *one, const char *other,
                                 PenAgreement *agreement, GError **error)
{
    *agreement = (PenAgreement){ 0 };
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_sql_each(store->sql,
                        "SELECT COUNT(*), SUM((a1.rank > a2.rank) = (b1.rank > b2.rank)) "
                        "FROM valid_picks a JOIN rounds r ON r.id = a.round JOIN valid_picks b ON "
                        "b.round = a.round "
                        "JOIN pick_ranks a1 ON a1.pick = a.id "
                        "JOIN pick_ranks a2 ON a2.pick = a.id AND a2.candidate > a1.candidate "
                        "JOIN pick_ranks b1 ON b1.pick = b.id AND b1.candidate = a1.candidate "
                        "JOIN pick_ranks b2 ON b2.pick = b.id AND b2.candidate = a2.candidate "
                        "WHERE r.style = ? AND a.artist = ? AND b.artist = ? "
                        "AND a1.rank <> a2.rank AND b1.rank <> b2.rank",
                        PEN_SQL_VALUES(PEN_SQL_INT(style), PEN_SQL_TEXT(one), PEN_SQL_TEXT(other)),
                        take_agreement, agreement, error);
}
