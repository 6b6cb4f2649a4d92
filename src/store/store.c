// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/store.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "src/store/private.h"
#include "src/store/trash.h"

/* Two processes that make the same new database may refuse each other the switch to WAL mode
 * without waiting (SQLite skips the busy handler there), so we wait ourselves. */
#define WAL_PAUSE_US 20000

char *pen_store_default_folder(void)
{
    const char *folder = g_getenv("PENCHANT_DATA");
    if (folder && *folder)
        return g_strdup(folder);
    return g_build_filename(g_get_user_data_dir(), "penchant", NULL);
}

static char *resolve_folder(const char *folder)
{
    g_autofree char *chosen = folder ? g_strdup(folder) : pen_store_default_folder();
    return g_canonicalize_filename(chosen, NULL);
}

/* Looks before anything is written: another's database, or a newer one's, must stay as it is.
 * Within a transaction: a new database that is filled meanwhile would look like another's. */
static gboolean read_version(PenStore *store, gint64 known, gint64 *version, GError **error)
{
    gint64 application, tables;

    if (!pen_sql_int(store->sql, version, error, "PRAGMA user_version") ||
        !pen_sql_int(store->sql, &application, error, "PRAGMA application_id") ||
        !pen_sql_int(store->sql, &tables, error, "SELECT COUNT(*) FROM sqlite_schema"))
        return FALSE;
    if (application != PEN_STORE_APPLICATION_ID && (application || *version || tables)) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                    _("%s/%s is another program's database. Choose another folder with the "
                      "environment variable PENCHANT_DATA."),
                    store->folder, PEN_STORE_FILE);
        return FALSE;
    }
    if (*version < 0 || *version > known) {
        g_set_error(
            error, PEN_STORE_ERROR, PEN_STORE_ERROR_TOO_NEW,
            _("%s was written by a newer Penchant (version %d of its format; this one knows "
              "up to %d). Install the newer Penchant, or choose another folder with the "
              "environment variable PENCHANT_DATA."),
            store->folder, (int)*version, (int)known);
        return FALSE;
    }
    return TRUE;
}

static void count_row(sqlite3_stmt *row G_GNUC_UNUSED, gpointer data)
{
    ++*(int *)data;
}

static gboolean check_foreign_keys(PenStore *store, GError **error)
{
    int violations = 0;
    if (!pen_sql_each(store->sql, "PRAGMA foreign_key_check", NULL, 0, count_row, &violations,
                      error))
        return FALSE;
    if (violations == 0)
        return TRUE;
    g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_CORRUPT,
                _("The database in %s has %d entries that refer to missing ones. Restore it from a "
                  "backup, or let “penchant store repair” move it aside."),
                store->folder, violations);
    return FALSE;
}

static gboolean migrate(PenStore *store, const char *const *migrations, GError **error)
{
    gint64 known = g_strv_length((char **)migrations);
    gint64 version;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;

    if (!pen_sql_begin(&scope, store->sql, error) || !read_version(store, known, &version, error))
        return FALSE;
    if (version == known)
        return TRUE;
    for (gint64 i = version; i < known; i++) {
        if (!pen_sql_script(store->sql, migrations[i], error)) {
            g_prefix_error(error, _("The store could not be brought to version %d of its format: "),
                           (int)i + 1);
            return FALSE;
        }
    }
    /* PRAGMA takes no parameters. */
    g_autofree char *stamp = g_strdup_printf("PRAGMA application_id = %d; PRAGMA user_version = %d",
                                             PEN_STORE_APPLICATION_ID, (int)known);
    return check_foreign_keys(store, error) && pen_sql_script(store->sql, stamp, error) &&
           pen_sql_commit(&scope, error);
}

static gboolean enter_wal_mode(PenStore *store, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + PEN_STORE_BUSY_MS * G_GINT64_CONSTANT(1000);

    for (;;) {
        g_autoptr(GError) local = NULL;
        if (pen_sql_run(store->sql, &local, "PRAGMA journal_mode = WAL"))
            return TRUE;
        if (!g_error_matches(local, PEN_STORE_ERROR, PEN_STORE_ERROR_BUSY) ||
            g_get_monotonic_time() > deadline) {
            g_propagate_error(error, g_steal_pointer(&local));
            return FALSE;
        }
        g_usleep(WAL_PAUSE_US);
    }
}

static gboolean configure(PenStore *store, const char *const *migrations, GError **error)
{
    gint64 version;

    {
        g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
        /* Foreign keys stay off during migrations, which may rebuild tables. */
        if (!pen_sql_begin_reading(&scope, store->sql, error) ||
            !read_version(store, g_strv_length((char **)migrations), &version, error) ||
            !pen_sql_commit(&scope, error) || !enter_wal_mode(store, error) ||
            !pen_sql_script(store->sql,
                            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;"
                            "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON",
                            error))
            return FALSE;
    }
    if (!migrate(store, migrations, error))
        return FALSE;

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_sql_run(store->sql, error, "PRAGMA foreign_keys = ON");
}

PenStore *pen_store_open_with_migrations(const char *folder, const char *const *migrations,
                                         GError **error)
{
    g_autoptr(PenStore) store = g_new0(PenStore, 1);
    store->session_fd = -1;
    store->folder = resolve_folder(folder);
    if (!pen_files_make_folder(store->folder, error) ||
        !pen_files_check_locks(store->folder, error))
        return NULL;

    g_autofree char *path = g_build_filename(store->folder, PEN_STORE_FILE, NULL);
    store->sql = pen_sql_open(path, error);
    if (!store->sql || !configure(store, migrations, error))
        return NULL;
    return g_steal_pointer(&store);
}

PenStore *pen_store_open(const char *folder, GError **error)
{
    g_autoptr(PenStore) store = pen_store_open_with_migrations(folder, pen_store_migrations, error);
    if (!store)
        return NULL;

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error) || !pen_session_recover(store, error) ||
        !pen_sql_commit(&scope, error))
        return NULL;
    pen_sql_scope_clear(&scope);
    if (!pen_store_empty_trash(store, PEN_STORE_TRASH_DAYS * 24 * 60 * 60, error))
        return NULL;
    return g_steal_pointer(&store);
}

int pen_store_format(void)
{
    return (int)g_strv_length((char **)pen_store_migrations);
}

void pen_store_close(PenStore *store)
{
    if (!store)
        return;
    pen_session_end(store);
    g_clear_pointer(&store->sql, pen_sql_close);
    g_strfreev(store->artists);
    g_free(store->folder);
    g_free(store);
}

const char *pen_store_get_folder(PenStore *store)
{
    return store->folder;
}

gboolean pen_store_check(PenStore *store, GError **error)
{
    g_autofree char *finding = NULL;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;

    pen_sql_lock(&scope, store->sql);
    if (!pen_sql_read_text(store->sql, "PRAGMA integrity_check", NULL, 0, &finding, error))
        return FALSE;
    if (g_strcmp0(finding, "ok") != 0) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_CORRUPT,
                    _("The database in %s is damaged (%s). Restore it from a backup, or let "
                      "“penchant store repair” move it aside."),
                    store->folder, finding ? finding : "");
        return FALSE;
    }
    return check_foreign_keys(store, error);
}

gboolean pen_store_move_aside(const char *folder, char **moved_to, GError **error)
{
    /* The log goes first: left beside a new database, it would be replayed into that. */
    static const char *const endings[] = { "-wal", "-shm", "" };
    g_autofree char *from = resolve_folder(folder);
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *date = g_date_time_format(now, "damaged-%Y%m%d-%H%M%S-%f");
    g_autofree char *to = g_build_filename(from, date, NULL);

    if (!pen_files_make_folder(to, error))
        return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(endings); i++) {
        g_autofree char *name = g_strconcat(PEN_STORE_FILE, endings[i], NULL);
        g_autofree char *old_path = g_build_filename(from, name, NULL);
        g_autofree char *new_path = g_build_filename(to, name, NULL);
        if (g_rename(old_path, new_path) != 0 && errno != ENOENT) {
            pen_sql_set_errno(error, errno, old_path);
            return FALSE;
        }
    }
    if (moved_to)
        *moved_to = g_steal_pointer(&to);
    return TRUE;
}
