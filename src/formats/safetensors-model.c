// SPDX-License-Identifier: GPL-3.0-or-later
// Which file of a folder holds a model's weights.
#include <glib/gi18n-lib.h>

#include "src/formats/safetensors.h"

static PenSafetensors *open_either(const char *path, GError **error)
{
    return g_str_has_suffix(path, ".json") ? pen_safetensors_open_sharded(path, error)
                                           : pen_safetensors_open(path, error);
}

// What other programs keep weights in.
static gboolean is_foreign(const char *name)
{
    static const char *const endings[] = { ".bin", ".ckpt", ".pt",      ".pth",  ".bin.index.json",
                                           ".h5",  ".onnx", ".msgpack", ".gguf", ".xml" };
    for (gsize i = 0; i < G_N_ELEMENTS(endings); i++)
        if (g_str_has_suffix(name, endings[i]))
            return TRUE;
    return FALSE;
}

// The file in `folder` that holds the weights; NULL with an error if that is not clear.
static char *find_weights(const char *folder, GError **error)
{
    static const char *const usual[] = {
        "diffusion_pytorch_model.safetensors",
        "model.safetensors",
        "diffusion_pytorch_model.safetensors.index.json",
        "model.safetensors.index.json",
        "diffusion_pytorch_model.fp16.safetensors",
        "model.fp16.safetensors",
        "diffusion_pytorch_model.safetensors.index.fp16.json",
        "model.safetensors.index.fp16.json",
        "adapter_model.safetensors",
        "pytorch_lora_weights.safetensors",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(usual); i++) {
        g_autofree char *path = g_build_filename(folder, usual[i], NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&path);
    }

    g_autofree char *shown = g_filename_display_name(folder);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, error);
    g_autofree char *only = NULL, *index = NULL, *other = NULL;
    const char *name;
    guint n = 0;
    while (dir && (name = g_dir_read_name(dir))) {
        if (*name != '.' && g_str_has_suffix(name, ".safetensors") && n++ == 0)
            only = g_build_filename(folder, name, NULL);
        if (!index && g_str_has_suffix(name, ".safetensors.index.json"))
            index = g_build_filename(folder, name, NULL);
        if (!other && is_foreign(name))
            other = g_filename_display_name(name);
    }
    if (index || n == 1)
        return index ? g_steal_pointer(&index) : g_steal_pointer(&only);
    if (dir && n > 1)
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                    _("The folder “%s” holds several .safetensors files, none of a usual name; "
                      "name one of them."),
                    shown);
    else if (dir && other)
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED,
                    _("The folder “%s” holds its weights only as “%s”, which Penchant does not "
                      "open: look for the .safetensors file of the same weights, or convert it."),
                    shown, other);
    else if (dir)
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                    _("The folder “%s” holds no weights: a .safetensors file is missing."), shown);
    return NULL;
}

PenSafetensors *pen_safetensors_open_model(const char *path, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_autofree char *found = find_weights(path, error);
        return found ? open_either(found, error) : NULL;
    }
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        static const char *const endings[] = { ".safetensors", ".safetensors.index.json",
                                               ".index.json" };
        for (gsize i = 0; i < G_N_ELEMENTS(endings); i++) {
            g_autofree char *full = g_strconcat(path, endings[i], NULL);
            if (g_file_test(full, G_FILE_TEST_EXISTS))
                return open_either(full, error);
        }
    }
    return open_either(path, error);
}
