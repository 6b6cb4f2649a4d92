// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/models/model-elsewhere.h"

#include <glib/gstdio.h>
#include <string.h>

#define ENDING ".safetensors"

static const struct {
    const char *program, *folder;
} places[] = {
    { "ComfyUI", "ComfyUI/models/checkpoints" },
    { "ComfyUI", "Documents/ComfyUI/models/checkpoints" },
    { "Krita", ".local/share/krita/ai_diffusion/server/ComfyUI/models/checkpoints" },
    { "Krita", ".local/share/krita/ai_diffusion/server/models/checkpoints" },
    { "WebUI", "stable-diffusion-webui/models/Stable-diffusion" },
    { "Forge", "stable-diffusion-webui-forge/models/Stable-diffusion" },
};

static void model_free(gpointer data)
{
    PenModelElsewhere *model = data;
    g_free(model->path);
    g_free(model->name);
    g_free(model);
}

static void add(GPtrArray *models, const char *program, char *path, char *name)
{
    PenModelElsewhere *model = g_new(PenModelElsewhere, 1);
    GStatBuf about;
    gboolean file = g_stat(path, &about) == 0 && S_ISREG(about.st_mode);
    *model = (PenModelElsewhere){ path, name, program, file ? (guint64)about.st_size : 0 };
    g_ptr_array_add(models, model);
}

/* The names in a folder; none if it cannot be read. */
static GPtrArray *list_folder(const char *folder)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir)))
        g_ptr_array_add(names, g_strdup(name));
    return names;
}

/* Files, also in folders of the folder, by which people sort them. */
static void add_files(GPtrArray *models, const char *program, const char *folder, int depth)
{
    g_autoptr(GPtrArray) names = list_folder(folder);
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_str_has_suffix(name, ENDING))
            add(models, program, g_steal_pointer(&path),
                g_strndup(name, strlen(name) - strlen(ENDING)));
        else if (depth > 0 && g_file_test(path, G_FILE_TEST_IS_DIR))
            add_files(models, program, path, depth - 1);
    }
}

/* models--OWNER--NAME/snapshots/COMMIT, if that holds a pipeline with a UNet. */
static void add_hugging_face(GPtrArray *models, const char *cache)
{
    g_autoptr(GPtrArray) names = list_folder(cache);
    for (guint i = 0; i < names->len; i++) {
        const char *folder = names->pdata[i];
        if (!g_str_has_prefix(folder, "models--"))
            continue;
        g_autofree char *snapshots = g_build_filename(cache, folder, "snapshots", NULL);
        g_autoptr(GPtrArray) commits = list_folder(snapshots);
        for (guint j = 0; j < commits->len; j++) {
            g_autofree char *path = g_build_filename(snapshots, commits->pdata[j], NULL);
            g_autofree char *index = g_build_filename(path, "model_index.json", NULL);
            g_autofree char *unet = g_build_filename(path, "unet", NULL);
            g_auto(GStrv) parts = g_strsplit(folder + strlen("models--"), "--", -1);
            if (g_file_test(index, G_FILE_TEST_EXISTS) && g_file_test(unet, G_FILE_TEST_IS_DIR))
                add(models, "Hugging Face", g_steal_pointer(&path), g_strjoinv("/", parts));
        }
    }
}

static int compare(gconstpointer a, gconstpointer b)
{
    const PenModelElsewhere *left = *(gpointer *)a, *right = *(gpointer *)b;
    int order = strcmp(left->program, right->program);
    return order ? order : g_utf8_collate(left->name, right->name);
}

GPtrArray *pen_models_elsewhere(const char *home)
{
    GPtrArray *models = g_ptr_array_new_with_free_func(model_free);
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *folder = g_build_filename(home, places[i].folder, NULL);
        add_files(models, places[i].program, folder, 1);
    }
    const char *hf = g_getenv("HF_HOME");
    g_autofree char *cache = hf ? g_build_filename(hf, "hub", NULL)
                                : g_build_filename(home, ".cache/huggingface/hub", NULL);
    add_hugging_face(models, cache);
    g_ptr_array_sort(models, compare);
    return models;
}
