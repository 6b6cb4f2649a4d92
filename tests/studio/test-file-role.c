// SPDX-License-Identifier: GPL-3.0-or-later
/* What a file is, by its content: every file here is called "thing". */
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gstdio.h>
#include <string.h>

#include "src/formats/picture-settings.h"
#include "src/formats/png.h"
#include "src/formats/safetensors-writer.h"
#include "src/models/model.h"
#include "src/studio/file-role.h"
#include "src/studio/studio.h"

static char *folder, *thing;

static void assert_role(PenFileRole role)
{
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(pen_file_role(thing, &error), ==, role);
    g_assert_no_error(error);
}

static void assert_nothing(const char *said)
{
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(pen_file_role(thing, &error), ==, PEN_FILE_NOTHING);
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, said));
    g_assert_nonnull(strstr(error->message, "“thing”"));
}

/* Tensors of that shape; a key of the metadata, or NULL. */
static void write_weights(const char *const *names, gsize rows, gsize columns, const char *key)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    g_autofree float *zeros = g_new0(float, rows *columns);
    const gsize dims[] = { rows, columns };
    for (; *names; names++)
        pen_safetensors_writer_add(writer, *names, PEN_SAFETENSOR_F32, 2, dims, zeros);
    if (key)
        pen_safetensors_writer_set_metadata(writer, key, "x");
    pen_safetensors_writer_save(writer, thing, &error);
    g_assert_no_error(error);
}

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_weights(void)
{
    write_weights(NAMES("model.diffusion_model.input_blocks.0.0.weight",
                        "first_stage_model.decoder.conv_in.weight"),
                  8, 4, NULL);
    assert_role(PEN_FILE_MODEL);
    const char *layers[] = { "lora_unet_mid_block_attentions_0_proj_in.lora_down.weight",
                             "diffusion_model.middle_block.1.proj_in.lora_A.weight",
                             "unet.mid_block.attentions.0.processor.to_q_lora.down.weight",
                             "lora_unet_mid_block_attentions_0_proj_in.hada_w1_a" };
    for (gsize i = 0; i < G_N_ELEMENTS(layers); i++) {
        write_weights(NAMES(layers[i]), 4, 320, NULL);
        assert_role(PEN_FILE_ADAPTER);
        write_weights(NAMES(layers[i]), 4, 320, PEN_STYLE_FILE_KEY);
        assert_role(PEN_FILE_STYLE);
    }
    write_weights(NAMES("decoder.conv_in.weight", "encoder.conv_in.weight"), 8, 4, NULL);
    assert_role(PEN_FILE_VAE);
    write_weights(NAMES("first_stage_model.decoder.conv_in.weight"), 8, 4, NULL);
    assert_role(PEN_FILE_VAE);
    write_weights(NAMES("emb_params"), 3, 768, NULL);
    assert_role(PEN_FILE_EMBEDDING);
    write_weights(NAMES("clip_l", "clip_g"), 3, 768, NULL);
    assert_role(PEN_FILE_EMBEDDING);
    write_weights(NAMES("blocks.0.weight", "blocks.1.weight"), 1024, 4, NULL);
    assert_nothing("nothing that Penchant can use");
}

static void test_pictures(void)
{
    static const guint8 pixels[4 * 4 * 3];
    g_autoptr(GError) error = NULL;
    PenPngText text = { (char *)PEN_PICTURE_SETTINGS_KEY, (char *)"a bird\nSteps: 20, Seed: 3" };
    PenPngText other = { (char *)"Comment", (char *)"a bird" };
    g_assert_true(pen_png_write(thing, pixels, 4, 4, 3, 0, &text, 1, &error));
    assert_role(PEN_FILE_SETTINGS);
    g_assert_true(pen_png_write(thing, pixels, 4, 4, 3, 0, &other, 1, &error));
    assert_role(PEN_FILE_PICTURE);
    g_autoptr(GdkPixbuf) pixbuf = gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, 4, 4);
    g_assert_true(gdk_pixbuf_save(pixbuf, thing, "jpeg", &error, NULL));
    assert_role(PEN_FILE_PICTURE);

    /* The same JPEG, which says how it was made (tests/cli/test-pictures.py has all ways). */
    static const char exif[] = "\xff\xe1\0\x49"
                               "Exif\0\0"
                               "II*\0\x08\0\0\0\x01\0\x86\x92\x07\0\x27\0\0\0\x1a\0\0\0\0\0\0\0"
                               "a bird\nSteps: 20, Seed: 3, x: y        ";
    g_autofree char *jpeg = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(thing, &jpeg, &size, &error));
    g_autoptr(GString) said = g_string_new_len(jpeg, (gssize)size);
    g_string_insert_len(said, 2, exif, 2 + 0x49);
    g_assert_true(g_file_set_contents(thing, said->str, (gssize)said->len, &error));
    assert_role(PEN_FILE_SETTINGS);
}

static void test_others(void)
{
    g_assert_true(
        g_file_set_contents(thing, "version https://git-lfs.github.com/spec/v1\n", -1, NULL));
    assert_nothing("Git LFS");
    g_assert_true(g_file_set_contents(thing, "\x80\x02xyz", -1, NULL));
    assert_nothing("pickle");
    g_assert_true(g_file_set_contents(thing, "gimp xcf v011\0\x01\x02", 16, NULL));
    assert_nothing("nothing that Penchant can use");
    g_assert_true(g_file_set_contents(thing, "", 0, NULL));
    assert_nothing("empty");
    g_unlink(thing);
    assert_nothing("cannot be read");
}

static void test_folders(void)
{
    g_autofree char *unet = g_build_filename(thing, "unet", NULL);
    g_unlink(thing);
    g_assert_cmpint(g_mkdir(thing, 0700), ==, 0);
    assert_nothing("holds no model");
    g_assert_cmpint(g_mkdir(unet, 0700), ==, 0);
    assert_role(PEN_FILE_MODEL);
    g_rmdir(unet);

    /* One weights file among others is what the folder is. */
    g_autofree char *folder_path = g_steal_pointer(&thing);
    g_autofree char *file = g_build_filename(folder_path, "a.safetensors", NULL);
    thing = g_strdup(file);
    write_weights(NAMES("model.diffusion_model.input_blocks.0.0.weight"), 8, 4, NULL);
    for (int i = 0; i < 10; i++) {
        g_autofree char *other = g_strdup_printf("%s/%d.txt", folder_path, i);
        g_assert_true(g_file_set_contents(other, "x", -1, NULL));
    }
    g_free(thing);
    thing = g_steal_pointer(&folder_path);
    assert_role(PEN_FILE_MODEL);
    for (int i = 0; i < 10; i++) {
        g_autofree char *other = g_strdup_printf("%s/%d.txt", thing, i);
        g_unlink(other);
    }
    g_unlink(file);
    g_rmdir(thing);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("penchant-role-XXXXXX", NULL);
    thing = g_build_filename(folder, "thing", NULL);
    g_test_add_func("/file-role/weights", test_weights);
    g_test_add_func("/file-role/pictures", test_pictures);
    g_test_add_func("/file-role/others", test_others);
    g_test_add_func("/file-role/folders", test_folders);
    int status = g_test_run();
    g_unlink(thing);
    g_rmdir(folder);
    g_free(thing);
    g_free(folder);
    return status;
}
