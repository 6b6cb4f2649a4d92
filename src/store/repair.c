// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/repair.h"

#include <glib/gi18n-lib.h>
#include <stdlib.h>

#include "src/store/files.h"
#include "src/store/private.h"

static gboolean is_there(PenStore *store, const char *relative)
{
    g_autofree char *path = pen_store_path(store, relative);
    return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

typedef struct {
    PenStore *store;
    GStrvBuilder *missing;
} Search;

static void check_file(sqlite3_stmt *row, gpointer data)
{
    const Search *search = data;
    const char *name = (const char *)sqlite3_column_text(row, 0);
    if (!is_there(search->store, name))
        g_strv_builder_add(search->missing, name);
}

char **pen_store_list_missing_files(PenStore *store, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    Search search = { store, builder };
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    if (!pen_sql_each(store->sql, PEN_FILES_NAMED " ORDER BY 1", NULL, 0, check_file, &search,
                      error))
        return NULL;
    return g_strv_builder_end(builder);
}

static int ascending(gconstpointer a, gconstpointer b)
{
    gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
    return x < y ? -1 : x > y;
}

GArray *pen_store_list_lost_rounds(PenStore *store, GError **error)
{
    g_autoptr(GArray) lost = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_autofree char *folder = pen_store_path(store, "rounds");
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        gint64 id = pen_files_folder_id(name), known;
        if (!id)
            continue;
        if (!pen_sql_int(store->sql, &known, error, "SELECT COUNT(*) FROM rounds WHERE id = ?",
                         PEN_SQL_INT(id)))
            return NULL;
        if (!known)
            g_array_append_val(lost, id);
    }
    g_array_sort(lost, ascending);
    return g_steal_pointer(&lost);
}

guint pen_store_count_lost_adapters(PenStore *store, GError **error)
{
    guint lost = 0;
    g_autofree char *folder = pen_store_path(store, "styles");
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    for (const char *style; dir && (style = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, style, NULL);
        g_autoptr(GDir) files = g_dir_open(path, 0, NULL);
        for (const char *name; files && (name = g_dir_read_name(files));) {
            g_autofree char *relative = g_strdup_printf("styles/%s/%s", style, name);
            gint64 known;
            if (!pen_sql_int(store->sql, &known, error,
                             "SELECT COUNT(*) FROM style_versions WHERE adapter_file = ?",
                             PEN_SQL_TEXT(relative)))
                return 0;
            lost += !known;
        }
    }
    return lost;
}

/* The place of "3.png", else -1. */
static int place_of(const char *name)
{
    char *end;
    long place = g_ascii_isdigit(*name) ? strtol(name, &end, 10) : -1;
    return place >= 0 && place < G_MAXINT && g_str_equal(end, ".png") ? (int)place : -1;
}

guint pen_store_count_lost_candidates(PenStore *store, gint64 round)
{
    g_autofree char *relative = g_strdup_printf("rounds/%" G_GINT64_FORMAT, round);
    g_autofree char *folder = pen_store_path(store, relative);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    int last = -1;
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        last = MAX(last, place_of(name));
    return (guint)(last + 1);
}

/* A file of the round's folder if it is there, else NULL. */
static char *own_file(PenStore *store, gint64 round, const char *name)
{
    char *relative = g_strdup_printf("rounds/%" G_GINT64_FORMAT "/%s", round, name);
    if (!is_there(store, relative))
        g_clear_pointer(&relative, g_free);
    return relative;
}

static gboolean restore_candidate(PenStore *store, gint64 round, int place, guint64 seed,
                                  gboolean *complete, GError **error)
{
    g_autofree char *picture = g_strdup_printf("%d.png", place);
    g_autofree char *steps = g_strdup_printf("%d.safetensors", place);
    g_autofree char *thin = g_strdup_printf("%d" PEN_FILES_THIN, place);
    g_autofree char *picture_file = own_file(store, round, picture);
    g_autofree char *steps_file = picture_file ? own_file(store, round, steps) : NULL;
    if (picture_file && !steps_file)
        steps_file = own_file(store, round, thin);
    *complete = picture_file != NULL;
    return pen_sql_run(store->sql, error,
                       "INSERT INTO candidates (round, place, seed, picture_file, trajectory_file, "
                       "state) VALUES (?, ?, ?, ?, ?, ?)",
                       PEN_SQL_INT(round), PEN_SQL_INT(place), PEN_SQL_INT((gint64)seed),
                       PEN_SQL_TEXT(picture_file), PEN_SQL_TEXT(steps_file),
                       PEN_SQL_TEXT(picture_file ? "complete" : "failed"));
}

gboolean pen_store_restore_round(PenStore *store, const PenRound *round, const guint64 *seeds,
                                 guint n_candidates, GError **error)
{
    g_autofree char *start = own_file(store, round->id, "start.png");
    g_autofree char *mask = start ? own_file(store, round->id, "mask.png") : NULL;
    PenRound row = *round;
    row.start = mask ? PEN_START_SELECTION : start ? PEN_START_PICTURE : PEN_START_TEXT;
    row.start_file = start;
    row.mask_file = mask;
    row.state = PEN_ROUND_COMPLETE;

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error) || !pen_round_insert_as(store->sql, &row, error))
        return FALSE;
    gboolean all = TRUE;
    for (guint i = 0; i < n_candidates; i++) {
        gboolean complete;
        if (!restore_candidate(store, round->id, (int)i, seeds[i], &complete, error))
            return FALSE;
        all = all && complete;
    }
    return (all || pen_sql_run(store->sql, error, "UPDATE rounds SET state = 'failed' WHERE id = ?",
                               PEN_SQL_INT(round->id))) &&
           pen_sql_commit(&scope, error);
}
