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

static gboolean has_folder(const char *path, const char *name)
{
    g_autofree char *inner = g_build_filename(path, name, NULL);
    return g_file_test(inner, G_FILE_TEST_IS_DIR);
}

/* The snapshot in a folder of the Hugging Face cache (models--OWNER--NAME) that its branch main is
 * at, else any that is a model; NULL if it is no such folder. */
static char *find_snapshot(const char *path)
{
    g_autofree char *snapshots = g_build_filename(path, "snapshots", NULL);
    g_autofree char *reference = g_build_filename(path, "refs", "main", NULL);
    g_autofree char *commit = NULL;
    g_autoptr(GDir) dir = g_dir_open(snapshots, 0, NULL);

    if (dir && g_file_get_contents(reference, &commit, NULL, NULL)) {
        g_autofree char *named = g_build_filename(snapshots, g_strstrip(commit), NULL);
        if (has_folder(named, "unet"))
            return g_steal_pointer(&named);
    }
    for (const char *entry; dir && (entry = g_dir_read_name(dir));) {
        g_autofree char *snapshot = g_build_filename(snapshots, entry, NULL);
        if (has_folder(snapshot, "unet"))
            return g_steal_pointer(&snapshot);
    }
    return NULL;
}

/* The model that a folder is: itself, or the snapshot in it; NULL if it is none. */
static char *model_folder(const char *path)
{
    return has_folder(path, "unet") ? g_strdup(path) : find_snapshot(path);
}

/* FOLDER/NAME if that is a model's folder, else FOLDER/NAME.safetensors if there is such a file. */
static char *model_in(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *file = g_strconcat(path, FILE_ENDING, NULL);
    char *found = model_folder(path);

    if (found)
        return found;
    if (g_file_test(file, G_FILE_TEST_IS_REGULAR))
        return g_steal_pointer(&file);
    return g_str_has_suffix(name, FILE_ENDING) && g_file_test(path, G_FILE_TEST_IS_REGULAR)
               ? g_steal_pointer(&path)
               : NULL;
}

/* What a path that a person gave stands for where it is no model itself: the one model in it. */
static char *model_below(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    g_autofree char *only = NULL;
    guint n = 0;

    for (const char *entry; dir && (entry = g_dir_read_name(dir));) {
        char *found = model_in(path, entry);
        if (found) {
            g_free(only);
            only = found;
            n++;
        }
        if (n > 1)
            break;
    }
    return n == 1 ? g_steal_pointer(&only) : NULL;
}

/* Not what other programs keep beside models: adapters and single parts. */
static gboolean may_hold_models(const char *folder)
{
    static const char *const others[] = { "lora",
                                          "loras",
                                          "lycoris",
                                          "vae",
                                          "embeddings",
                                          "controlnet",
                                          "clip",
                                          "unet",
                                          "esrgan",
                                          "hypernetworks",
                                          "upscale_models",
                                          "text_encoders",
                                          "diffusion_models",
                                          NULL };
    g_autofree char *small = g_ascii_strdown(folder, -1);
    return !g_strv_contains(others, small);
}

/* The models in FOLDER/BELOW (BELOW "": in FOLDER), and in the folders there that are none. */
static void add_names(GTree *names, const char *folder, const char *below)
{
    g_autofree char *place = g_build_filename(folder, below, NULL);
    g_autoptr(GDir) dir = g_dir_open(place, 0, NULL);

    for (const char *entry; dir && (entry = g_dir_read_name(dir));) {
        g_autofree char *path = model_in(place, entry);
        g_autofree char *name = *below ? g_build_filename(below, entry, NULL) : g_strdup(entry);
        gsize length = strlen(name);
        if (path && g_str_has_suffix(name, FILE_ENDING))
            length -= strlen(FILE_ENDING);
        if (path)
            g_tree_replace(names, g_strndup(name, length), NULL);
        else if (!*below && has_folder(place, entry) && may_hold_models(entry))
            add_names(names, folder, entry);
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

    add_names(names, user, "");
    add_names(names, shipped, "");
    g_tree_foreach(names, collect, builder);
    return g_strv_builder_end(builder);
}

/* A file that is chosen in place of the folder it describes. */
static char *file_or_folder(const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    return g_str_equal(name, "model_index.json") ? g_path_get_dirname(path) : g_strdup(path);
}

static gboolean is_address(const char *wanted, GError **error)
{
    if (!strstr(wanted, "://"))
        return FALSE;
    g_set_error(
        error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
        _("“%s” is an address, and Penchant downloads nothing: download the model, and name "
          "its folder or .safetensors file."),
        wanted);
    return TRUE;
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
    gboolean exists = g_file_test(wanted, G_FILE_TEST_EXISTS);
    g_autofree char *here = g_canonicalize_filename(wanted, NULL);
    char *found =
        g_file_test(wanted, G_FILE_TEST_IS_REGULAR) ? file_or_folder(here) : model_folder(here);
    if (!found && !g_path_is_absolute(wanted))
        found = model_in(user, wanted);
    if (!found && !g_path_is_absolute(wanted))
        found = model_in(shipped, wanted);
    if (!found)
        found = model_below(here);
    /* What is there and no model says itself what it is. */
    if (!found && (exists || g_path_is_absolute(wanted) || *wanted == '.'))
        found = g_steal_pointer(&here);
    if (!found && !is_address(wanted, error)) {
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
