// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/import.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "src/store/files.h"
#include "src/store/private.h"

#define INCOMING "incoming"

PenIncomingRound *pen_incoming_round_new(void)
{
    PenIncomingRound *incoming = g_new0(PenIncomingRound, 1);
    incoming->candidates = g_ptr_array_new_with_free_func((GDestroyNotify)pen_candidate_free);
    return incoming;
}

void pen_incoming_round_free(PenIncomingRound *incoming)
{
    if (!incoming)
        return;
    pen_round_free(incoming->round);
    g_free(incoming->content);
    g_free(incoming->folder);
    g_ptr_array_unref(incoming->candidates);
    g_free(incoming);
}

void pen_incoming_pick_free(PenIncomingPick *incoming)
{
    pen_pick_free(incoming->pick);
    g_free(incoming->content);
    g_free(incoming);
}

/* --- folders --------------------------------------------------------------------------------- */

void pen_store_remove_incoming(PenStore *store, const char *folder)
{
    g_autofree char *path = pen_store_path(store, folder);
    g_autofree char *session = g_path_get_dirname(path);
    g_autofree char *parent = g_path_get_dirname(session);
    pen_store_remove_folder(path);
    g_rmdir(session); /* unless somebody else is at it */
    g_rmdir(parent);
}

/* incoming/<session>/<uuid> */
char *pen_store_make_incoming(PenStore *store, GError **error)
{
    g_autofree char *parent = pen_store_path(store, INCOMING);
    {
        g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
        if (!pen_sql_begin(&scope, store->sql, error) || !pen_session_begin(store, error))
            return NULL;
    }
    g_autoptr(GDir) dir = g_dir_open(parent, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *left = g_build_filename(parent, name, NULL);
        if (!pen_session_is_alive(store, name))
            pen_store_remove_folder(left);
    }
    g_autofree char *name = g_uuid_string_random();
    g_autofree char *folder = g_strconcat(INCOMING "/", store->session, "/", name, NULL);
    g_autofree char *path = pen_store_path(store, folder);
    return pen_files_make_folder(path, error) ? g_steal_pointer(&folder) : NULL;
}

/* --- rounds ---------------------------------------------------------------------------------- */

typedef struct {
    PenStore *store;
    PenImported *imported;
    GPtrArray *moved; /* absolute paths that the rows name once they are committed */
} Import;

static void import_clear(Import *import)
{
    g_ptr_array_unref(import->moved);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Import, import_clear)

static gboolean move(Import *import, const char *from, const char *to, GError **error)
{
    g_autofree char *old = pen_store_path(import->store, from);
    char *path = pen_store_path(import->store, to);
    if (g_rename(old, path) != 0) {
        pen_sql_set_errno(error, errno, path);
        g_free(path);
        return FALSE;
    }
    g_ptr_array_add(import->moved, path);
    return TRUE;
}

static gboolean find_round(PenSql *sql, const char *content, gint64 *id, GError **error)
{
    return pen_sql_int(sql, id, error,
                       "SELECT id FROM rounds WHERE content = ? ORDER BY deleted IS NOT NULL, id "
                       "LIMIT 1",
                       PEN_SQL_TEXT(content));
}

static gboolean is_deleted(PenSql *sql, gint64 round, gboolean *deleted, GError **error)
{
    gint64 count;
    if (!pen_sql_int(sql, &count, error,
                     "SELECT COUNT(*) FROM rounds WHERE id = ? AND deleted IS NOT NULL",
                     PEN_SQL_INT(round)))
        return FALSE;
    *deleted = count > 0;
    return TRUE;
}

static char *file_name(gint64 round, int place, const char *ending)
{
    return g_strdup_printf("rounds/%" G_GINT64_FORMAT "/%d%s", round, place, ending);
}

static gboolean insert_candidate(PenSql *sql, gint64 round, const PenCandidate *from,
                                 GError **error)
{
    PenCandidate row = *from;
    g_autofree char *picture = from->picture_file ? file_name(round, from->place, ".png") : NULL;
    g_autofree char *trajectory =
        from->trajectory_file ? file_name(round, from->place, ".safetensors") : NULL;
    g_autofree char *features =
        from->features_file ? file_name(round, from->place, "-features.safetensors") : NULL;
    row.round = round;
    row.picture_file = picture;
    row.trajectory_file = trajectory;
    row.features_file = features;
    return pen_candidate_insert(sql, &row, error) != 0;
}

static gboolean insert_round(Import *import, const PenIncomingRound *incoming, gint64 *id,
                             GError **error)
{
    PenSql *sql = import->store->sql;
    PenRound row = *incoming->round;
    row.start_file = row.mask_file = NULL;
    row.origin = 0;
    *id = pen_files_pass_folders(import->store, "rounds", error)
              ? pen_round_insert(sql, &row, error)
              : 0;
    if (!*id)
        return FALSE;
    g_autofree char *folder = g_strdup_printf("rounds/%" G_GINT64_FORMAT, *id);
    g_autofree char *start =
        row.start != PEN_START_TEXT ? g_strconcat(folder, "/start.png", NULL) : NULL;
    g_autofree char *mask =
        row.start == PEN_START_SELECTION ? g_strconcat(folder, "/mask.png", NULL) : NULL;
    if (!pen_sql_run(sql, error,
                     "UPDATE rounds SET start_file = ?, mask_file = ?, content = ? WHERE id = ?",
                     PEN_SQL_TEXT(start), PEN_SQL_TEXT(mask), PEN_SQL_TEXT(incoming->content),
                     PEN_SQL_INT(*id)))
        return FALSE;
    for (guint i = 0; i < incoming->candidates->len; i++)
        if (!insert_candidate(sql, *id, incoming->candidates->pdata[i], error))
            return FALSE;
    return move(import, incoming->folder, folder, error);
}

/* Files that candidates of a round that is here lack: of a light pack that came first. */
static gboolean complete_round(Import *import, const PenIncomingRound *incoming, gint64 id,
                               GError **error)
{
    static const struct {
        const char *column, *ending;
        gsize offset;
    } kinds[] = {
        { "trajectory_file", ".safetensors", G_STRUCT_OFFSET(PenCandidate, trajectory_file) },
        { "features_file", "-features.safetensors", G_STRUCT_OFFSET(PenCandidate, features_file) },
    };
    guint before = import->moved->len;
    for (guint i = 0; i < incoming->candidates->len; i++)
        for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++) {
            const PenCandidate *candidate = incoming->candidates->pdata[i];
            gint64 lacking;
            g_autofree char *look =
                g_strdup_printf("SELECT COUNT(*) FROM candidates WHERE round = ? AND place = ? AND "
                                "state = 'complete' AND %s IS NULL",
                                kinds[k].column);
            g_autofree char *set = g_strdup_printf(
                "UPDATE candidates SET %s = ? WHERE round = ? AND place = ?", kinds[k].column);
            if (!G_STRUCT_MEMBER(char *, candidate, kinds[k].offset))
                continue;
            g_autofree char *from =
                g_strdup_printf("%s/%d%s", incoming->folder, candidate->place, kinds[k].ending);
            g_autofree char *to = file_name(id, candidate->place, kinds[k].ending);
            if (!pen_sql_int(import->store->sql, &lacking, error, look, PEN_SQL_INT(id),
                             PEN_SQL_INT(candidate->place)) ||
                (lacking && (!pen_sql_run(import->store->sql, error, set, PEN_SQL_TEXT(to),
                                          PEN_SQL_INT(id), PEN_SQL_INT(candidate->place)) ||
                             !move(import, from, to, error))))
                return FALSE;
        }
    import->imported->completed += import->moved->len > before;
    return TRUE;
}

static gboolean import_round(Import *import, const PenIncomingRound *incoming, GError **error)
{
    gint64 id;
    gboolean deleted = FALSE;
    if (!find_round(import->store->sql, incoming->content, &id, error) ||
        (id && !is_deleted(import->store->sql, id, &deleted, error)))
        return FALSE;
    if (deleted) {
        import->imported->deleted++;
        return TRUE;
    }
    gboolean is_new = !id;
    if (!(is_new ? insert_round(import, incoming, &id, error)
                 : complete_round(import, incoming, id, error)))
        return FALSE;
    import->imported->rounds += is_new;
    import->imported->known += !is_new;
    if (!import->imported->first)
        import->imported->first = id;
    return TRUE;
}

/* --- picks ----------------------------------------------------------------------------------- */

/* Whether the artist's last pick of the round that is here, undone or not, is this one or a later
 * one. Of two that were made at once, the one with the higher ranks, by place, is the later. */
static gboolean is_superseded(PenSql *sql, gint64 round, const PenPick *pick, gboolean *superseded,
                              GError **error)
{
    g_autoptr(GString) ranks = g_string_new(NULL);
    for (int i = 0; i < pick->n; i++)
        if (pick->ranks[i] != PEN_RANK_NONE)
            g_string_append_printf(ranks, "%s%d:%d", ranks->len ? " " : "", i, pick->ranks[i]);
    gint64 later;
    if (!pen_sql_int(sql, &later, error,
                     "SELECT COUNT(*) FROM picks p WHERE round = ?1 AND artist = ?2 AND "
                     "(created > ?3 OR (created = ?3 AND IFNULL((SELECT GROUP_CONCAT(x, ' ') FROM "
                     "(SELECT c.place || ':' || k.rank AS x FROM pick_ranks k JOIN candidates c "
                     "ON c.id = k.candidate WHERE k.pick = p.id ORDER BY c.place)), '') >= ?4))",
                     PEN_SQL_INT(round), PEN_SQL_TEXT(pick->artist), PEN_SQL_INT(pick->created),
                     PEN_SQL_TEXT(ranks->str)))
        return FALSE;
    *superseded = later > 0;
    return TRUE;
}

static gboolean import_pick(Import *import, const PenIncomingPick *incoming, GError **error)
{
    PenSql *sql = import->store->sql;
    gint64 id;
    gboolean deleted = FALSE, superseded;
    if (!find_round(sql, incoming->content, &id, error))
        return FALSE;
    if (!id) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND,
                    _("It has picks of “%s” for a round that is not here: merge the pack that they "
                      "were picked from first."),
                    incoming->pick->artist);
        return FALSE;
    }
    if (!is_deleted(sql, id, &deleted, error) ||
        (!deleted && !is_superseded(sql, id, incoming->pick, &superseded, error)))
        return FALSE;
    if (deleted || superseded)
        return TRUE;
    import->imported->picks++;
    return pen_pick_insert(sql, id, incoming->pick, error) != 0;
}

/* --- both ------------------------------------------------------------------------------------ */

static gboolean import_all(Import *import, const GPtrArray *rounds, const GPtrArray *picks,
                           GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, import->store->sql, error))
        return FALSE;
    for (guint i = 0; i < rounds->len; i++)
        if (!import_round(import, rounds->pdata[i], error))
            return FALSE;
    for (guint i = 0; i < picks->len; i++)
        if (!import_pick(import, picks->pdata[i], error))
            return FALSE;
    return pen_files_sync_rounds(import->store, error) && pen_sql_commit(&scope, error);
}

gboolean pen_store_import(PenStore *store, const GPtrArray *rounds, const GPtrArray *picks,
                          PenImported *imported, GError **error)
{
    g_auto(Import) import = { store, imported, g_ptr_array_new_with_free_func(g_free) };
    *imported = (PenImported){ 0 };
    g_autofree char *folder = pen_store_path(store, "rounds");
    if (!pen_files_make_folder(folder, error))
        return FALSE;
    if (import_all(&import, rounds, picks, error))
        return TRUE;
    for (guint i = 0; i < import.moved->len; i++)
        pen_store_remove_folder(import.moved->pdata[i]);
    return FALSE;
}
