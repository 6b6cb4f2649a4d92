// SPDX-License-Identifier: GPL-3.0-or-later
#include <glib/gstdio.h>

#include "src/models/model-elsewhere.h"

static void touch(const char *home, const char *file)
{
    g_autofree char *path = g_build_filename(home, file, NULL);
    g_autofree char *folder = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
}

static void test_places(void)
{
    g_autofree char *home = g_dir_make_tmp("penchant-XXXXXX", NULL);
    g_unsetenv("HF_HOME");
    g_autoptr(GPtrArray) none = pen_models_elsewhere(home);
    g_assert_cmpuint(none->len, ==, 0);

    touch(home, "ComfyUI/models/checkpoints/photo.safetensors");
    touch(home, "ComfyUI/models/checkpoints/put_checkpoints_here");
    touch(home, "ComfyUI/models/checkpoints/SD15/anime v2.safetensors");
    touch(home, "stable-diffusion-webui/models/Stable-diffusion/ink.safetensors");
    touch(home,
          ".local/share/krita/ai_diffusion/server/ComfyUI/models/checkpoints/dream.safetensors");
    touch(home, ".cache/huggingface/hub/models--runwayml--sd-v1-5/snapshots/abc/model_index.json");
    touch(home, ".cache/huggingface/hub/models--runwayml--sd-v1-5/snapshots/abc/unet/config.json");
    touch(home, ".cache/huggingface/hub/models--openai--clip/snapshots/def/config.json");
    static const char *const wanted[] = { "ComfyUI anime v2", "ComfyUI photo",
                                          "Hugging Face runwayml/sd-v1-5", "Krita dream",
                                          "WebUI ink" };
    g_autoptr(GPtrArray) models = pen_models_elsewhere(home);
    g_assert_cmpuint(models->len, ==, G_N_ELEMENTS(wanted));
    for (guint i = 0; i < models->len; i++) {
        const PenModelElsewhere *model = models->pdata[i];
        g_autofree char *text = g_strdup_printf("%s %s", model->program, model->name);
        g_assert_cmpstr(text, ==, wanted[i]);
        g_assert_true(g_file_test(model->path, G_FILE_TEST_EXISTS));
    }
    g_autofree char *remove = g_strdup_printf("rm -r '%s'", home);
    g_assert_true(g_spawn_command_line_sync(remove, NULL, NULL, NULL, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/models/elsewhere", test_places);
    return g_test_run();
}
