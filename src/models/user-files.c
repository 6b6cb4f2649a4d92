// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/user-files.h"

#include <string.h>

#include "src/formats/safetensors.h"

#define FILE_ENDING ".safetensors"

static void list_folder(GPtrArray *files, const char *folder, gboolean deeper)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_str_has_suffix(name, FILE_ENDING) && g_file_test(path, G_FILE_TEST_IS_REGULAR))
            g_ptr_array_add(files, g_steal_pointer(&path));
        else if (deeper && g_file_test(path, G_FILE_TEST_IS_DIR))
            list_folder(files, path, FALSE);
    }
}

static int compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *pen_user_files_list(const char *folder)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    list_folder(files, folder, TRUE);
    g_ptr_array_sort(files, compare);
    return files;
}

char *pen_user_file_stem(const char *path)
{
    g_autofree char *base = g_path_get_basename(path);
    g_autofree char *name = g_filename_display_name(base);
    if (g_str_has_suffix(name, FILE_ENDING))
        name[strlen(name) - strlen(FILE_ENDING)] = '\0';
    return g_utf8_normalize(name, -1, G_NORMALIZE_DEFAULT_COMPOSE);
}

gboolean pen_user_file_names_equal(const char *a, const char *b)
{
    g_autofree char *x = g_utf8_casefold(a, -1), *y = g_utf8_casefold(b, -1);
    return g_str_equal(x, y);
}

/* Whether its trainer gave it that name, whatever the file is called now. */
static gboolean was_called(const char *path, const char *name)
{
    g_autoptr(PenSafetensors) file = pen_safetensors_open(path, NULL);
    const char *said = file ? pen_safetensors_metadata(file, "ss_output_name") : NULL;
    return said && pen_user_file_names_equal(said, name);
}

char *pen_user_file_find(const char *folder, const char *name)
{
    g_autofree char *wanted = pen_user_file_stem(name);
    g_autofree char *ending = g_strconcat(G_DIR_SEPARATOR_S, name, FILE_ENDING, NULL);
    g_autoptr(GPtrArray) files = pen_user_files_list(folder);
    const char *found = NULL;

    for (guint i = 0; i < files->len; i++) {
        const char *path = files->pdata[i];
        g_autofree char *stem = pen_user_file_stem(path);
        if (g_str_has_suffix(path, ending) || g_str_equal(stem, wanted))
            return g_strdup(path);
        if (!found && pen_user_file_names_equal(stem, wanted))
            found = path;
    }
    for (guint i = 0; !found && i < files->len; i++)
        if (was_called(files->pdata[i], wanted))
            found = files->pdata[i];
    return g_strdup(found);
}
