// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/picture-settings.h"
#include "src/formats/png.h"
#include "tests/formats/scratch.h"

#include <string.h>

enum { WIDTH = 13, HEIGHT = 5 };

static void test_round_trip(void)
{
    g_autoptr(Scratch) scratch = scratch_new();
    const char *path = scratch_path(scratch, "x.png");
    const PenPngText texts[] = { { "parameters", "plain, with\nlines" },
                                 { "Latin", "café" },
                                 { "UTF-8", "東京 🎨" },
                                 { "Empty", "" } };
    guint8 pixels[HEIGHT][WIDTH * 4 + 3];
    for (gsize i = 0; i < sizeof pixels; i++)
        ((guint8 *)pixels)[i] = (guint8)(i * 31);

    for (guint channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1) {
        g_autoptr(GError) error = NULL;
        g_assert_true(pen_png_write(path, pixels[0], WIDTH, HEIGHT, channels, sizeof pixels[0],
                                    texts, G_N_ELEMENTS(texts), &error));
        g_assert_no_error(error);
        g_autoptr(PenPng) png = pen_png_read(path, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(png->width, ==, WIDTH);
        g_assert_cmpuint(png->height, ==, HEIGHT);
        for (guint y = 0; y < HEIGHT; y++)
            for (guint x = 0; x < WIDTH; x++)
                for (guint c = 0; c < 4; c++)
                    g_assert_cmpuint(png->rgba[(y * WIDTH + x) * 4 + c], ==,
                                     c == 3 && channels < 4 ? 255
                                     : channels == 1        ? pixels[y][x]
                                                            : pixels[y][x * channels + c]);
        g_assert_cmpuint(png->texts->len, ==, G_N_ELEMENTS(texts));
        for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
            g_assert_cmpstr(pen_png_text(png, texts[i].key), ==, texts[i].text);
        g_assert_null(pen_png_text(png, "missing"));
    }
    g_assert_cmpuint(scratch_n_files(scratch), ==, 1);

    // What has a Latin-1 form is in the chunk that every program reads.
    g_autofree char *content = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(path, &content, &size, NULL));
    g_assert_nonnull(memmem(content, size, "tEXtparameters\0plain", 20));
    g_assert_nonnull(memmem(content, size, "tEXtLatin\0caf\xe9", 14));
    g_assert_nonnull(memmem(content, size, "iTXtUTF-8\0", 10));
}

// Pictures of other kinds, made with another program; each shows the same 4x2 pixels in its own
// way.
static void test_kinds(void)
{
    static const char *const names[] = { "gray",           "gray-1bit",  "palette",
                                         "palette-alpha",  "gray-alpha", "rgb16",
                                         "rgba-interlaced" };
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *name = g_strdup_printf("%s/formats/%s.png", PEN_TEST_DATA, names[i]);
        g_autoptr(GError) error = NULL;
        g_autoptr(PenPng) png = pen_png_read(name, &error);
        g_assert_no_error(error);
        g_assert_true(png->width == 4 && png->height == 2);
        gboolean alpha = strstr(names[i], "alpha") || strstr(names[i], "rgba");
        for (guint p = 0; p < 8; p++) {
            guint8 white = p % 3 == 0 ? 255 : 0;
            const guint8 expected[] = { white, white, white, alpha && p == 7 ? 0 : 255 };
            g_assert_cmpmem(png->rgba + 4 * p, 4, expected, 4);
        }
    }
}

static void test_errors(void)
{
    guint8 pixels[12] = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_false(pen_png_write("/proc/x.png", pixels, 2, 2, 3, 0, NULL, 0, &error));
    g_assert_true(error->domain == G_FILE_ERROR);
    g_clear_error(&error);
    g_autoptr(Scratch) scratch = scratch_new();
    const char *path = scratch_path(scratch, "x.png");
    g_assert_false(pen_png_write(path, pixels, 0, 2, 3, 0, NULL, 0, &error));
    g_assert_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID);
    g_assert_cmpuint(scratch_n_files(scratch), ==, 0);
    g_clear_error(&error);
    g_assert_null(pen_png_read(PEN_TEST_DATA "/golden/README.md", &error));
    g_assert_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID);
    g_assert_nonnull(strstr(error->message, "README.md"));
}

// Settings own their strings, but those of this test are never freed.
#define S(string) ((char *)(string))
// The members that few cases use.
#define NO_MORE 0, NULL, NULL, 0, FALSE, 0, NULL, NULL, NULL

static void test_settings_text(void)
{
    PenPictureSettings settings = {
        S("a cat, sitting"), S("dog"),     20,   S("DDIM"), 5,      -1, TRUE, 1, 64, 64,
        S("0123abcdef"),     S("starter"), NULL, -1,        NO_MORE
    };
    g_autofree char *text = pen_picture_settings_to_text(&settings);
    g_assert_cmpstr(text, ==,
                    "a cat, sitting\nNegative prompt: dog\nSteps: 20, Sampler: DDIM, CFG scale: 5,"
                    " Seed: 1, Size: 64x64, Model hash: 0123abcdef, Model: starter");
}

static void assert_equal(const PenPictureSettings *a, const PenPictureSettings *b)
{
    g_assert_cmpstr(a->prompt, ==, b->prompt);
    g_assert_cmpstr(a->negative, ==, b->negative);
    g_assert_cmpint(a->steps, ==, b->steps);
    g_assert_cmpstr(a->sampler, ==, b->sampler);
    g_assert_cmpfloat(a->guidance, ==, b->guidance);
    g_assert_cmpfloat(a->guidance_rescale, ==, b->guidance_rescale);
    g_assert_cmpstr(a->timesteps, ==, b->timesteps);
    g_assert_cmpfloat(a->eta, ==, b->eta);
    g_assert_cmpint(a->has_seed, ==, b->has_seed);
    g_assert_cmpuint(a->seed, ==, b->seed);
    g_assert_cmpuint(a->width, ==, b->width);
    g_assert_cmpuint(a->height, ==, b->height);
    g_assert_cmpstr(a->model_hash, ==, b->model_hash);
    g_assert_cmpstr(a->model, ==, b->model);
    g_assert_cmpstr(a->style, ==, b->style);
    g_assert_cmpint(a->candidate, ==, b->candidate);
    g_assert_cmpfloat(a->style_strength, ==, b->style_strength);
    g_assert_cmpstr(a->adapters, ==, b->adapters);
    g_assert_cmpstr(a->vae, ==, b->vae);
    g_assert_cmpint(a->clip_skip, ==, b->clip_skip);
    g_assert_cmpint(a->words, ==, b->words);
    g_assert_cmpstr(a->others, ==, b->others);
}

static void test_settings_round_trip(void)
{
    PenPictureSettings cases[] = {
        { S("a cat"),
          S("dog"),
          20,
          S("DDIM"),
          5,
          1,
          TRUE,
          G_MAXUINT64,
          64,
          48,
          S("0123"),
          S("m"),
          S("my style"),
          3,
          0.5,
          S("ink:0.8, deep one:1"),
          S("kl-f8"),
          2,
          TRUE,
          0.7,
          S("999 749 499 249"),
          NULL,
          NULL },
        { S("two\nlines: yes, two"), NULL, 20, S("DDIM"), 7.5, 0, TRUE, 0, 512, 512, NULL, NULL,
          NULL, 0, NO_MORE },
        { NULL, S("only negative"), 1, NULL, 0, -1, FALSE, 0, 0, 0, NULL, NULL, NULL, -1, NO_MORE },
        { S("猫 🎨"), S("\"犬\""), 50, S("DDIM"), 1.25, 0.5, TRUE, 7, 8, 8, NULL,
          S("a, \"b\": \\c\nd"), S(":"), -1, NO_MORE },
        { S("only a prompt"), NULL, 0, NULL, 0, -1, FALSE, 0, 0, 0, NULL, NULL, NULL, -1, NO_MORE },
        { NULL, NULL, 0, NULL, 0, -1, FALSE, 0, 0, 0, NULL, NULL, NULL, -1, NO_MORE },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = pen_picture_settings_to_text(&cases[i]);
        g_autoptr(PenPictureSettings) read = pen_picture_settings_from_text(text);
        g_test_message("%s", text);
        assert_equal(read, &cases[i]);
    }
}

static void test_settings_of_others(void)
{
    g_autoptr(PenPictureSettings) read = pen_picture_settings_from_text(
        "a cat\nsecond line\nNegative prompt: dog,\nfrog\nSteps: 30, Sampler: DPM++ 2M Karras,"
        " CFG scale: 7, Seed: 1234567890, Size: 512x768, Model hash: 6ce0161689, Model: v1-5,"
        " Lora hashes: \"x: 1, y: 2\", Version: v1.6.0, Schedule type: Beta, Eta DDIM: 0.5\n");
    g_assert_cmpstr(read->prompt, ==, "a cat\nsecond line");
    g_assert_cmpstr(read->negative, ==, "dog,\nfrog");
    g_assert_cmpstr(read->sampler, ==, "DPM++ 2M Karras");
    g_assert_cmpstr(read->model, ==, "v1-5");
    g_assert_true(read->steps == 30 && read->guidance == 7 && read->seed == 1234567890);
    g_assert_true(read->width == 512 && read->height == 768 && read->eta == 0.5);
    g_assert_cmpstr(read->schedule, ==, "Beta");

    // Other programs' JSON is no prompt; a choice in curly brackets is one.
    g_autoptr(PenPictureSettings) json = pen_picture_settings_from_text(" {\"prompt\": \"a cat\"}\n");
    g_assert_false(pen_picture_settings_say_something(json));
    g_autoptr(PenPictureSettings) choice = pen_picture_settings_from_text("{red|blue} cat");
    g_assert_true(pen_picture_settings_say_something(choice));

    static const char *const odd[] = { "",
                                       "\n",
                                       ":",
                                       ",,,",
                                       "Steps: ",
                                       "a: b",
                                       "Size: x, Seed: -1, Steps: nan, Eta: inf",
                                       "Steps: 1e99, CFG scale: -5, Size: 0x0, x: \"\\",
                                       "\"",
                                       "a:\"b" };
    for (gsize i = 0; i < G_N_ELEMENTS(odd); i++) {
        g_autoptr(PenPictureSettings) settings = pen_picture_settings_from_text(odd[i]);
        g_assert_true(settings->steps == 0 && settings->width == 0 && !settings->has_seed);
        g_assert_true(settings->guidance == 0 && settings->eta == -1);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/png/round-trip", test_round_trip);
    g_test_add_func("/png/kinds", test_kinds);
    g_test_add_func("/png/errors", test_errors);
    g_test_add_func("/png/settings-text", test_settings_text);
    g_test_add_func("/png/settings-round-trip", test_settings_round_trip);
    g_test_add_func("/png/settings-of-others", test_settings_of_others);
    return g_test_run();
}
