// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/cli/crew.h"

#include <glib/gstdio.h>

#include "src/formats/archive.h"
#include "src/store/snapshot.h"

#define MAX_FILE ((gsize)1 << 32)

/* Gives everybody bytes whose number only rank 0 knows; the others pass NULL. */
static GBytes *broadcast_bytes(PenCrew *crew, GBytes *bytes)
{
    guint64 size = bytes ? g_bytes_get_size(bytes) : 0;
    crew->broadcast(crew, &size, sizeof size);
    if (crew->rank == 0) {
        crew->broadcast(crew, (gpointer)g_bytes_get_data(bytes, NULL), size);
        return g_bytes_ref(bytes);
    }
    gpointer data = g_malloc(MAX(size, 1));
    crew->broadcast(crew, data, size);
    return g_bytes_new_take(data, size);
}

/* --- the copy of the store ---------------------------------------------------------------------
 */

static GBytes *read_file(const char *path, GError **error)
{
    char *content;
    gsize size;
    return g_file_get_contents(path, &content, &size, error) ? g_bytes_new_take(content, size)
                                                             : NULL;
}

/* Database and files, as an archive. */
static gboolean write_copy(PenStore *store, gint64 style, const char *folder, const char *target,
                           GError **error)
{
    g_autofree char *database = g_build_filename(folder, PEN_STORE_FILE, NULL);
    g_auto(GStrv) files = pen_store_list_adapter_files(store, style, error);
    g_autoptr(PenArchiveWriter) archive = files ? pen_archive_writer_new(target, error) : NULL;
    if (!archive || !pen_store_write_snapshot(store, database, error))
        return FALSE;
    g_autoptr(GBytes) rows = read_file(database, error);
    if (!rows || !pen_archive_writer_add(archive, PEN_STORE_FILE, rows, error))
        return FALSE;
    for (char **file = files; *file; file++) {
        g_autoptr(GError) missing = NULL; /* who needs it says so */
        g_autoptr(GBytes) content = pen_store_read(store, *file, &missing);
        if (content && !pen_archive_writer_add(archive, *file, content, error))
            return FALSE;
    }
    return pen_archive_writer_commit(archive, error);
}

static gboolean read_copy(const char *source, const char *folder, GError **error)
{
    g_autoptr(PenArchiveReader) archive = pen_archive_reader_new(source, error);
    const char *name;
    while (archive) {
        if (!pen_archive_reader_next(archive, &name, error))
            return FALSE;
        if (!name)
            return TRUE;
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_autofree char *parent = g_path_get_dirname(path);
        g_autoptr(GBytes) content = pen_archive_reader_read(archive, MAX_FILE, error);
        if (!content)
            return FALSE;
        g_mkdir_with_parents(parent, 0700);
        if (!g_file_set_contents(path, g_bytes_get_data(content, NULL),
                                 (gssize)g_bytes_get_size(content), error))
            return FALSE;
    }
    return FALSE;
}

gboolean pen_crew_share_store(PenCrew *crew, PenStore *store, gint64 style, char **folder,
                              GError **error)
{
    *folder = NULL;
    g_autofree char *place = g_dir_make_tmp("penchant-crew-XXXXXX", error);
    g_autofree char *file = place ? g_build_filename(place, "copy.tar", NULL) : NULL;
    gboolean ok = place != NULL;
    if (ok && crew->rank == 0) {
        g_autoptr(GBytes) copy =
            write_copy(store, style, place, file, error) ? read_file(file, error) : NULL;
        g_autoptr(GBytes) shared = copy ? broadcast_bytes(crew, copy) : NULL;
        ok = shared != NULL;
    } else if (ok) {
        g_autoptr(GBytes) copy = broadcast_bytes(crew, NULL);
        ok = g_file_set_contents(file, g_bytes_get_data(copy, NULL), (gssize)g_bytes_get_size(copy),
                                 error) &&
             read_copy(file, place, error);
        g_unlink(file);
    }
    if (place && (crew->rank == 0 || !ok))
        pen_store_remove_folder(place);
    else
        *folder = g_steal_pointer(&place);
    return ok;
}
