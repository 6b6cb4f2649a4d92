// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/formats/scratch.h"

#include <glib/gstdio.h>
#include <string.h>

struct _Scratch {
    char *folder;
    GStringChunk *paths;
};

Scratch *scratch_new(void)
{
    g_autoptr(GError) error = NULL;
    Scratch *scratch = g_new0(Scratch, 1);
    scratch->folder = g_dir_make_tmp("penchant-test-XXXXXX", &error);
    g_assert_no_error(error);
    scratch->paths = g_string_chunk_new(256);
    return scratch;
}

void scratch_free(Scratch *scratch)
{
    const char *name;
    GDir *dir = g_dir_open(scratch->folder, 0, NULL);
    while (dir && (name = g_dir_read_name(dir)))
        g_remove(scratch_path(scratch, name));
    g_clear_pointer(&dir, g_dir_close);
    g_assert_cmpint(g_rmdir(scratch->folder), ==, 0);
    g_string_chunk_free(scratch->paths);
    g_free(scratch->folder);
    g_free(scratch);
}

const char *scratch_folder(const Scratch *scratch)
{
    return scratch->folder;
}

const char *scratch_path(Scratch *scratch, const char *name)
{
    g_autofree char *path = g_build_filename(scratch->folder, name, NULL);
    return g_string_chunk_insert_const(scratch->paths, path);
}

const char *scratch_write(Scratch *scratch, const char *name, const void *data, gsize size)
{
    g_autoptr(GError) error = NULL;
    const char *path = scratch_path(scratch, name);
    // Not flushed to the disk: thousands of these are written.
    g_file_set_contents_full(path, data, (gssize)size, G_FILE_SET_CONTENTS_NONE, 0600, &error);
    g_assert_no_error(error);
    return path;
}

const char *scratch_write_tensors(Scratch *scratch, const char *name, const char *header,
                                  gsize n_data)
{
    g_autoptr(GByteArray) file = g_byte_array_new();
    guint64 length = GUINT64_TO_LE(strlen(header));
    g_byte_array_append(file, (const guint8 *)&length, sizeof length);
    g_byte_array_append(file, (const guint8 *)header, (guint)strlen(header));
    for (gsize i = 0; i < n_data; i++) {
        guint8 byte = (guint8)i;
        g_byte_array_append(file, &byte, 1);
    }
    return scratch_write(scratch, name, file->data, file->len);
}

guint scratch_n_files(const Scratch *scratch)
{
    guint n = 0;
    GDir *dir = g_dir_open(scratch->folder, 0, NULL);
    while (g_dir_read_name(dir))
        n++;
    g_dir_close(dir);
    return n;
}

GBytes *read_test_data(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(PEN_TEST_DATA, name, NULL);
    char *data = NULL;
    gsize size = 0;
    g_file_get_contents(path, &data, &size, &error);
    g_assert_no_error(error);
    return g_bytes_new_take(data, size);
}
