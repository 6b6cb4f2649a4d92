// SPDX-License-Identifier: GPL-3.0-or-later
/* What does not fit the device is said when the model is made ready, before a round. */
#include <string.h>

#include "src/studio/studio.h"

typedef struct {
    GMainLoop *loop;
    GString *warnings;
    gboolean ready;
} Seen;

static void on_event(const PenStudioEvent *event, gpointer data)
{
    Seen *seen = data;
    if (event->kind == PEN_STUDIO_WARNING || event->kind == PEN_STUDIO_NOTICE)
        g_string_append_printf(seen->warnings, "%s\n", event->text);
}

static void on_ready(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    Seen *seen = data;
    seen->ready = pen_studio_prepare_finish(NULL, result, &error);
    if (error)
        g_test_message("%s", error->message);
    g_main_loop_quit(seen->loop);
}

static void copy(const char *folder, const char *to, const char *name, gboolean link)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *from = g_build_filename(PEN_TEST_DATA "/golden/sd1/model", folder, name, NULL);
    g_autofree char *path = g_build_filename(to, folder, name, NULL);
    g_autoptr(GFile) source = g_file_new_for_path(from);
    g_autoptr(GFile) target = g_file_new_for_path(path);
    if (link)
        g_file_make_symbolic_link(target, from, NULL, &error);
    else
        g_file_copy(source, target, 0, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
}

/* A small model that says it was trained on large pictures, in `to`. */
static void make_model(const char *to)
{
    static const char *const parts[] = { "vae", "text_encoder", "tokenizer", "scheduler" };
    g_autoptr(GError) error = NULL;
    g_autofree char *unet = g_build_filename(to, "unet", NULL);
    g_autofree char *path = g_build_filename(unet, "config.json", NULL);
    g_mkdir_with_parents(unet, 0700);
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
        copy("", to, parts[i], TRUE);
    copy("unet", to, "diffusion_pytorch_model.safetensors", TRUE);
    copy("unet", to, "config.json", FALSE);
    g_autofree char *text = NULL;
    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(GRegex) regex = g_regex_new("\"sample_size\": *\\d+", 0, 0, NULL);
    g_autofree char *larger = g_regex_replace(regex, text, -1, 0, "\"sample_size\": 128", 0, NULL);
    g_file_set_contents(path, larger, -1, &error);
    g_assert_no_error(error);
}

/* What is said with so many MiB; NULL: it fails. */
static char *prepare(const char *model, const char *budget)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("penchant-XXXXXX", &error);
    Seen seen = { g_main_loop_new(NULL, FALSE), g_string_new(NULL), FALSE };
    if (budget)
        g_setenv("PENCHANT_MEMORY_BUDGET", budget, TRUE);
    g_autoptr(PenStudio) studio = pen_studio_new(folder, NULL, "f32", &error);
    g_assert_no_error(error);
    pen_studio_prepare_async(studio, model, 0, on_event, &seen, NULL, on_ready, &seen);
    g_main_loop_run(seen.loop);
    g_main_loop_unref(seen.loop);
    g_test_message("%s MiB: %s, %s", budget ? budget : "all", seen.ready ? "ready" : "not ready",
                   seen.warnings->str);
    char *said = g_string_free(seen.warnings, FALSE);
    if (!seen.ready)
        g_clear_pointer(&said, g_free);
    return said;
}

static void test_fits(void)
{
    g_autofree char *model = g_dir_make_tmp("penchant-model-XXXXXX", NULL);
    make_model(model);
    g_autofree char *all = prepare(model, NULL);
    g_assert_nonnull(all);
    g_assert_null(strstr(all, "does not fit"));
    /* The weights fit, and those of the text encoder, but not the picture. */
    g_autofree char *little = prepare(model, "20");
    g_assert_nonnull(little);
    g_assert_nonnull(strstr(little, "1024 × 1024 pixels does not fit"));
    g_assert_nonnull(strstr(little, "8 bits"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/foresee/fits", test_fits);
    return g_test_run();
}
