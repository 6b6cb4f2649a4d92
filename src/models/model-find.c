// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/models/model.h"

char *pen_model_user_folder(void)
{
    const char *data = g_getenv("PENCHANT_DATA");

    return data && *data ? g_build_filename(data, "models", NULL)
                         : g_build_filename(g_get_user_data_dir(), "penchant", "models", NULL);
}

static char *shipped_folder(void)
{
    const char *environment = g_getenv("PENCHANT_MODELS");

    if (environment && *environment)
        return g_strdup(environment);
    g_autofree char *installed = g_build_filename(PEN_DATADIR, "models", NULL);
    if (g_file_test(installed, G_FILE_TEST_IS_DIR))
        return g_steal_pointer(&installed);
    return g_strdup(PEN_SOURCE_MODELS);
}

#define FILE_ENDING ".safetensors"

/* FOLDER/NAME if that is a model's folder, else FOLDER/NAME.safetensors if there is such a file. */
static char *model_in(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *unet = g_build_filename(path, "unet", NULL);
    g_autofree char *file = g_strconcat(path, FILE_ENDING, NULL);

    if (g_file_test(unet, G_FILE_TEST_IS_DIR))
        return g_steal_pointer(&path);
    if (g_file_test(file, G_FILE_TEST_IS_REGULAR))
        return g_steal_pointer(&file);
    return g_str_has_suffix(name, FILE_ENDING) && g_file_test(path, G_FILE_TEST_IS_REGULAR)
               ? g_steal_pointer(&path)
               : NULL;
}

static void add_names(GTree *names, const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);

    for (const char *entry; dir && (entry = g_dir_read_name(dir));) {
        g_autofree char *path = model_in(folder, entry);
        gsize length = strlen(entry);
        if (path && g_str_has_suffix(entry, FILE_ENDING))
            length -= strlen(FILE_ENDING);
        if (path)
            g_tree_replace(names, g_strndup(entry, length), NULL);
    }
}

static gboolean collect(gpointer name, gpointer value, gpointer builder)
{
    g_strv_builder_add(builder, name);
    return FALSE;
}

static int compare(gconstpointer a, gconstpointer b, gpointer user_data)
{
    return strcmp(a, b);
}

char **pen_model_names(void)
{
    g_autofree char *user = pen_model_user_folder();
    g_autofree char *shipped = shipped_folder();
    g_autoptr(GTree) names = g_tree_new_full(compare, NULL, g_free, NULL);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    add_names(names, user);
    add_names(names, shipped);
    g_tree_foreach(names, collect, builder);
    return g_strv_builder_end(builder);
}

/* The path of a model that is named; NULL: the starter. */
static char *find_path(const char *wanted, GError **error)
{
    g_autofree char *user = pen_model_user_folder();
    g_autofree char *shipped = shipped_folder();

    if (!wanted) {
        char *starter = model_in(shipped, PEN_STARTER_MODEL);
        if (!starter)
            g_set_error(
                error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
                _("The starter model is missing from %s; reinstall Penchant or name a model."),
                shipped);
        return starter;
    }
    if (strchr(wanted, G_DIR_SEPARATOR) || g_file_test(wanted, G_FILE_TEST_EXISTS))
        return g_canonicalize_filename(wanted, NULL);
    char *found = model_in(user, wanted);
    if (!found)
        found = model_in(shipped, wanted);
    if (!found) {
        g_auto(GStrv) names = pen_model_names();
        g_autofree char *list = g_strjoinv(", ", names);
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
                    _("There is no model “%s”: give a model's folder or .safetensors file, or the "
                      "name of one in %s (known: %s)."),
                    wanted, user, list);
    }
    return found;
}

char *pen_model_find(const char *wanted, GError **error)
{
    g_autoptr(PenModelSpec) spec = pen_model_spec_parse(wanted, error);
    char *path = spec ? find_path(spec->model, error) : NULL;

    if (!path)
        return NULL;
    g_free(spec->model);
    spec->model = path;
    if (spec->vae && !*spec->vae)
        g_clear_pointer(&spec->vae, g_free);
    pen_model_spec_make_absolute(spec);
    return pen_model_spec_to_text(spec);
}
