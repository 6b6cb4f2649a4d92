// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/store/private.h"

static gboolean sync_folder(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems cannot sync a folder and say so with EINVAL. */
    gboolean ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    if (!ok)
        pen_sql_set_errno(error, errno, path);
    if (fd >= 0)
        close(fd);
    return ok;
}

gboolean pen_files_make_folder(const char *path, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return TRUE;
    g_autofree char *parent = g_path_get_dirname(path);
    if (!pen_files_make_folder(parent, error))
        return FALSE;
    if (g_mkdir(path, 0700) != 0) {
        /* Another process may have been faster. */
        if (errno == EEXIST && g_file_test(path, G_FILE_TEST_IS_DIR))
            return TRUE;
        pen_sql_set_errno(error, errno, path);
        return FALSE;
    }
    return sync_folder(parent, error);
}

gboolean pen_files_sync_rounds(PenStore *store, GError **error)
{
    g_autofree char *path = pen_store_path(store, "rounds");
    return sync_folder(path, error);
}

gboolean pen_files_check_locks(const char *folder, GError **error)
{
    /* A file of its own: closing the database's would drop the locks that another store here has.
     */
    g_autofree char *probe = g_build_filename(folder, "locks-XXXXXX", NULL);
    int fd = g_mkstemp(probe);
    if (fd < 0) /* what cannot be written says so itself */
        return TRUE;
    g_unlink(probe);
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
    int problem = fcntl(fd, F_SETLK, &range) == 0 ? 0 : errno;
    close(fd);
    if (problem != ENOLCK && problem != ENOSYS && problem != EOPNOTSUPP && problem != EINVAL)
        return TRUE;
    g_set_error(
        error, PEN_STORE_ERROR, PEN_STORE_ERROR_FAILED,
        _("The folder %s lies on a file system without locks (%s), as some network and FUSE "
          "file systems are: choose another one with the environment variable "
          "PENCHANT_DATA."),
        folder, g_strerror(problem));
    return FALSE;
}

static gboolean is_inside(const char *relative)
{
    if (!relative || !*relative || g_path_is_absolute(relative))
        return FALSE;
    g_auto(GStrv) parts = g_strsplit(relative, "/", -1);
    for (int i = 0; parts[i]; i++) {
        if (!*parts[i] || g_str_equal(parts[i], ".") || g_str_equal(parts[i], ".."))
            return FALSE;
    }
    return TRUE;
}

char *pen_store_path(PenStore *store, const char *relative)
{
    return g_build_filename(store->folder, relative, NULL);
}

static gboolean check_path(const char *relative, GError **error)
{
    if (is_inside(relative))
        return TRUE;
    g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                _("“%s” is not the name of a file in the store."), relative ? relative : "");
    return FALSE;
}

/* Leaves errno set on failure. */
static gboolean write_all(int fd, GBytes *content)
{
    gsize size;
    const char *data = g_bytes_get_data(content, &size);

    while (size > 0) {
        gssize written = write(fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return FALSE;
        data += written;
        size -= (gsize)written;
    }
    return TRUE;
}

gboolean pen_store_write(PenStore *store, const char *relative, GBytes *content, GError **error)
{
    if (!check_path(relative, error))
        return FALSE;

    g_autofree char *path = pen_store_path(store, relative);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *draft = g_strconcat(path, ".XXXXXX", NULL);
    if (!pen_files_make_folder(folder, error))
        return FALSE;
    int fd = g_mkstemp_full(draft, O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        pen_sql_set_errno(error, errno, path);
        return FALSE;
    }

    gboolean ok = write_all(fd, content) && fsync(fd) == 0;
    int errnum = errno;
    if (close(fd) != 0 && ok) {
        errnum = errno;
        ok = FALSE;
    }
    if (ok && g_rename(draft, path) != 0) {
        errnum = errno;
        ok = FALSE;
    }
    if (!ok) {
        g_unlink(draft);
        pen_sql_set_errno(error, errnum, path);
        return FALSE;
    }
    return sync_folder(folder, error);
}

GBytes *pen_store_read(PenStore *store, const char *relative, GError **error)
{
    if (!check_path(relative, error))
        return NULL;

    g_autofree char *path = pen_store_path(store, relative);
    g_autoptr(GError) local = NULL;
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, &local);
    if (!file) {
        g_set_error(error, PEN_STORE_ERROR,
                    g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT)
                        ? PEN_STORE_ERROR_NOT_FOUND
                        : PEN_STORE_ERROR_FAILED,
                    _("A file of the store cannot be read: %s"), local->message);
        return NULL;
    }
    return g_mapped_file_get_bytes(file);
}

void pen_store_remove_folder(const char *path)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK)) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        for (const char *name; dir && (name = g_dir_read_name(dir));) {
            g_autofree char *child = g_build_filename(path, name, NULL);
            pen_store_remove_folder(child);
        }
    }
    g_remove(path);
}

void pen_files_forget(PenStore *store, const char *relative)
{
    if (!is_inside(relative))
        return;
    g_autofree char *path = pen_store_path(store, relative);
    g_unlink(path);
}

gint64 pen_files_folder_id(const char *name)
{
    guint64 id;
    return g_ascii_string_to_unsigned(name, 10, 1, G_MAXINT64, &id, NULL) ? (gint64)id : 0;
}

static gint64 highest_folder(PenStore *store, const char *table)
{
    g_autofree char *path = pen_store_path(store, table);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    gint64 highest = 0;
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        highest = MAX(highest, pen_files_folder_id(name));
    return highest;
}

gboolean pen_files_pass_folders(PenStore *store, const char *table, GError **error)
{
    PenSql *sql = store->sql;
    gint64 last;
    if (!pen_sql_int(sql, &last, error, "SELECT seq FROM sqlite_sequence WHERE name = ?",
                     PEN_SQL_TEXT(table)))
        return FALSE;
    g_autofree char *next = g_strdup_printf("%s/%" G_GINT64_FORMAT, table, last + 1);
    g_autofree char *path = pen_store_path(store, next);
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    gint64 highest = highest_folder(store, table);
    return pen_sql_run(sql, error, "UPDATE sqlite_sequence SET seq = ? WHERE name = ?",
                       PEN_SQL_INT(highest), PEN_SQL_TEXT(table)) &&
           (pen_sql_changes(sql) > 0 ||
            pen_sql_run(sql, error, "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)",
                        PEN_SQL_TEXT(table), PEN_SQL_INT(highest)));
}

typedef struct {
    PenStore *store;
    GHashTable *named; /* relative paths of files, and of the folders that a row owns */
    gint64 newest;     /* files written after this second stay */
    PenGarbage deleted;
} Collection;

static void add_name(sqlite3_stmt *row, gpointer data)
{
    g_hash_table_add(data, g_strdup((const char *)sqlite3_column_text(row, 0)));
}

/* A file that cannot be looked at or deleted is left for another time. */
static void collect_folder(Collection *collection, const char *relative)
{
    g_autofree char *path = pen_store_path(collection->store, relative);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_strconcat(relative, "/", name, NULL);
        g_autofree char *child_path = pen_store_path(collection->store, child);
        GStatBuf info;

        if (g_lstat(child_path, &info) != 0)
            continue;
        gboolean top = !strchr(relative, '/');
        if (S_ISDIR(info.st_mode)) {
            if (top && !g_hash_table_contains(collection->named, child))
                continue; /* being made, or of a round that was lost: pen_store_restore_round() */
            collect_folder(collection, child);
            if (info.st_mtime <= collection->newest)
                g_rmdir(child_path);
        } else if (S_ISREG(info.st_mode) && info.st_mtime <= collection->newest &&
                   !g_hash_table_contains(collection->named, child) && g_unlink(child_path) == 0) {
            collection->deleted.files++;
            collection->deleted.bytes += (guint64)info.st_size;
        }
    }
}

gboolean pen_store_collect_garbage(PenStore *store, gint64 min_age_seconds, PenGarbage *deleted,
                                   GError **error)
{
    static const char *const folders[] = { "rounds", "styles", "runs" };
    g_autoptr(GHashTable) named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Collection collection = { .store = store,
                              .named = named,
                              .newest = g_get_real_time() / G_USEC_PER_SEC - min_age_seconds };

    /* Holding the write lock, so that no row comes to name a file while it is being deleted. */
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error) ||
        !pen_sql_each(store->sql,
                      PEN_FILES_NAMED
                      " UNION SELECT 'rounds/' || id FROM rounds WHERE state <> 'running' "
                      "UNION SELECT 'runs/' || id FROM runs WHERE state <> 'running' "
                      "UNION SELECT 'styles/' || uuid FROM styles",
                      NULL, 0, add_name, named, error))
        return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(folders); i++)
        collect_folder(&collection, folders[i]);
    if (deleted)
        *deleted = collection.deleted;
    return TRUE;
}
