// SPDX-License-Identifier: GPL-3.0-or-later
//
// Broken files of every kind give errors, never a crash. Run under the sanitizers too.
#include "src/formats/adapter-file.h"
#include "src/formats/json.h"
#include "src/formats/picture-settings.h"
#include "src/formats/png.h"
#include "src/formats/tokenizer.h"
#include "tests/formats/scratch.h"

#include <string.h>

#define N_MUTATIONS 3000

// Reads every byte of a file that opens, so that a lie about places cannot stay unnoticed.
static gboolean read_tensors(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenSafetensors) file = pen_safetensors_open(path, &error);
    g_assert_true((file == NULL) == (error != NULL));
    if (!file)
        return FALSE;
    g_autoptr(GBytes) whole = pen_file_map(path, G_MAXINT64, NULL);
    gsize total = 0;
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(file, i);
        g_autofree char *copy = g_memdup2(tensor->data, tensor->size);
        g_autofree float *floats = g_new(float, tensor->n_elements);
        g_assert_true(g_utf8_validate(tensor->name, -1, NULL));
        g_assert_cmpuint(tensor->n_elements * pen_safetensor_type_size(tensor->type), ==,
                         tensor->size);
        pen_safetensor_to_f32(tensor, floats, NULL);
        total += tensor->size;
    }
    g_assert_cmpuint(total + 10, <=, g_bytes_get_size(whole));
    return TRUE;
}

static gboolean read_adapter(const char *path)
{
    static const char *const paths[] = { "a.to_q", "a.to_out.0", NULL };
    g_autoptr(GError) error = NULL;
    g_auto(PenAdapterReport) report = { 0 };
    g_autoptr(PenAdapterNames) names = pen_adapter_names_new(PEN_FAMILY_SD1);
    for (guint i = 0; paths[i]; i++)
        pen_adapter_names_add(names, paths[i], NULL);
    g_autoptr(PenAdapter) adapter = pen_adapter_read(path, names, &report, &error);
    g_assert_true((adapter == NULL) == (error != NULL));
    read_tensors(path);
    return adapter != NULL;
}

static gboolean read_png(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenPng) png = pen_png_read(path, &error);
    g_assert_true((png == NULL) == (error != NULL));
    const char *text = png ? pen_png_text(png, PEN_PICTURE_SETTINGS_KEY) : NULL;
    g_autoptr(PenPictureSettings) settings = text ? pen_picture_settings_from_text(text) : NULL;
    return png != NULL;
}

static gboolean read_settings(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenPictureSettings) settings = pen_picture_settings_read(path, &error);
    g_assert_true((settings == NULL) == (error != NULL));
    return settings != NULL;
}

static gboolean read_json(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenJson) json = pen_json_load(path, &error);
    g_assert_true((json == NULL) == (error != NULL));
    return json != NULL;
}

typedef gboolean (*Reader)(const char *path);

// Every change of some bytes must be survived.
static void mutate(Scratch *scratch, const char *name, const guint8 *data, gsize size,
                   Reader reader, guint seed)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    static const guint8 nasty[] = {
        0, 0xff, '"', '{', '[', ']', '}', '-', '9', 'e', ',', ':', '\\'
    };
    for (int i = 0; i < N_MUTATIONS; i++) {
        g_autofree guint8 *changed = g_memdup2(data, size);
        int n = g_rand_int_range(random, 1, 5);
        for (int k = 0; k < n; k++) {
            // Most of what a file can lie about is at its beginning.
            gsize reach = g_rand_boolean(random) ? MIN(size, 600) : size;
            gsize place = (gsize)g_rand_int_range(random, 0, (gint32)reach);
            changed[place] = g_rand_boolean(random)
                                 ? nasty[g_rand_int_range(random, 0, G_N_ELEMENTS(nasty))]
                                 : (guint8)g_rand_int_range(random, 0, 256);
        }
        reader(scratch_write(scratch, name, changed, size));
    }
}

// So must every beginning of a file, which is refused.
static void torture(Scratch *scratch, const char *name, GBytes *good, Reader reader, guint seed)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(good, &size);
    g_assert_true(reader(scratch_write(scratch, name, data, size)));

    gsize step = MAX(size / 1500, 1);
    for (gsize length = 0; length < size; length += length < 1000 ? 1 : step)
        g_assert_false(reader(scratch_write(scratch, name, data, length)));
    mutate(scratch, name, data, size, reader, seed);
}

static GBytes *read_back(const char *path)
{
    g_autoptr(GBytes) mapped = pen_file_map(path, G_MAXINT64, NULL);
    gsize size;
    const void *data = g_bytes_get_data(mapped, &size);
    return g_bytes_new(data, size);
}

#define HEADER                                                                                     \
    "{\"__metadata__\":{\"format\":\"pt\"},"                                                       \
    "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"                           \
    "\"b\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[24,26]},"                             \
    "\"c\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[26,26]},"                            \
    "\"d\":{\"dtype\":\"BF16\",\"shape\":[1,1,1,1,1,1,1,3],\"data_offsets\":[26,32]}}"

static void test_safetensors(void)
{
    g_autoptr(Scratch) scratch = scratch_new();
    g_autoptr(GBytes) good = read_back(scratch_write_tensors(scratch, "x", HEADER, 32));
    torture(scratch, "x", good, read_tensors, 1);
}

static void test_lies(void)
{
    static const struct {
        const char *header;
        gsize n_data;
        gboolean good;
    } cases[] = {
        { "{}", 0, TRUE },
        { "{}   ", 0, TRUE },
        { " {}", 0, FALSE },
        { "{}", 1, FALSE },
        { "[]", 0, FALSE },
        { "{\"__metadata__\":{}}", 0, TRUE },
        { "{\"__metadata__\":[]}", 0, FALSE },
        { "{\"__metadata__\":{\"a\":1}}", 0, FALSE },
        { "{\"__metadata__\":{\"a\":null}}", 0, FALSE },
        { "{\"__metadata__\":{\"a\":{\"b\":{\"c\":1}}}}", 0, FALSE },
#define ONE(rest) "{\"a\":{" rest "}}"
#define U8(shape, offsets) ONE("\"dtype\":\"U8\",\"shape\":" shape ",\"data_offsets\":" offsets)
        { U8("[4]", "[0,4]"), 4, TRUE },
        { U8("[4]", "[0,4]"), 3, FALSE },
        { U8("[4]", "[0,4]"), 5, FALSE },
        { U8("[4]", "[1,5]"), 5, FALSE },
        { U8("[4]", "[4,0]"), 4, FALSE },
        { U8("[4]", "[0,3]"), 4, FALSE },
        { U8("[3]", "[0,4]"), 4, FALSE },
        { U8("[4]", "[-4,0]"), 4, FALSE },
        { U8("[4]", "[0,4.0]"), 4, FALSE },
        { U8("[4]", "[0]"), 4, FALSE },
        { U8("[4]", "[0,4,8]"), 4, FALSE },
        { U8("[4]", "4"), 4, FALSE },
        { U8("[4]", "[0,\"4\"]"), 4, FALSE },
        { U8("[4.0]", "[0,4]"), 4, FALSE },
        { U8("[NaN]", "[0,4]"), 4, FALSE },
        { U8("[-4]", "[0,4]"), 4, FALSE },
        { U8("[-2,-2]", "[0,4]"), 4, FALSE },
        { U8("[true]", "[0,1]"), 1, FALSE },
        { U8("4", "[0,4]"), 4, FALSE },
        { U8("[[4]]", "[0,4]"), 4, FALSE },
        { U8("[1,1,1,1,1,1,1,4]", "[0,4]"), 4, TRUE },
        { U8("[1,1,1,1,1,1,1,1,4]", "[0,4]"), 4, FALSE },
        { U8("[4294967296,4294967296]", "[0,0]"), 0, FALSE },
        { U8("[4294967296,4294967296,0]", "[0,0]"), 0, FALSE },
        { U8("[9223372036854775807,2]", "[0,0]"), 0, FALSE },
        { U8("[18446744073709551615]", "[0,0]"), 0, FALSE },
        { U8("[18446744073709551617]", "[0,1]"), 1, FALSE },
        { U8("[1]", "[18446744073709551615,0]"), 1, FALSE },
        { U8("[1]", "[18446744073709551616,18446744073709551617]"), 1, FALSE },
        { U8("[1]", "[9223372036854775807,9223372036854775807]"), 1, FALSE },
        { U8("[340282366920938463463374607431768211457]", "[0,1]"), 1, FALSE },
        { U8("[1e0]", "[0,1]"), 1, FALSE },
        { U8("[0]", "[0,0]"), 0, TRUE },
        { U8("[0,1099511627776]", "[0,0]"), 0, TRUE },
        { U8("[0]", "[1,1]"), 0, FALSE },
        { U8("[]", "[0,1]"), 1, TRUE },
        { ONE("\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,1]"), 1, FALSE },
        { ONE("\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,1]"), 1, FALSE },
        { ONE("\"shape\":[1],\"data_offsets\":[0,1]"), 1, FALSE },
        { ONE("\"dtype\":\"U8\",\"data_offsets\":[0,1]"), 1, FALSE },
        { ONE("\"dtype\":\"U8\",\"shape\":[1]"), 1, FALSE },
        { ONE("\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]"), 1, FALSE },
        { "{\"a\":1}", 0, FALSE },
        { "{\"a\":null}", 0, FALSE },
#define TWO(first, second)                                                                         \
    "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" first "},"                          \
    "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" second "}}"
        { TWO("[0,2]", "[2,4]"), 4, TRUE },
        { TWO("[2,4]", "[0,2]"), 4, TRUE },
        { TWO("[0,2]", "[0,2]"), 2, FALSE },
        { TWO("[0,2]", "[1,3]"), 3, FALSE },
        { TWO("[0,2]", "[3,5]"), 5, FALSE },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
          "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
          2, FALSE },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
          "\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
          2, FALSE },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].header);
        const char *path = scratch_write_tensors(scratch, "x", cases[i].header, cases[i].n_data);
        g_assert_cmpint(read_tensors(path), ==, cases[i].good);
    }

    // Headers of lying lengths, and one of nothing but brackets.
    static const guint64 lengths[] = { 0,         1,           3,          99999999,
                                       100000001, G_MAXUINT64, G_MAXINT64, G_MAXUINT64 - 7 };
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        struct {
            guint64 length;
            char header[2];
        } file = { lengths[i], "{}" };
        g_assert_false(read_tensors(scratch_write(scratch, "x", &file, 10)));
    }
    g_autofree char *deep = g_strnfill(1000000, '[');
    g_autofree char *nested = g_strconcat("{\"a\":", deep, NULL);
    g_assert_false(read_tensors(scratch_write_tensors(scratch, "x", nested, 0)));
    g_assert_false(read_tensors("/dev/zero"));
    g_assert_false(read_tensors(scratch_folder(scratch)));
}

static void test_adapter(void)
{
    g_autoptr(Scratch) scratch = scratch_new();
    const char *path = scratch_path(scratch, "x");
    g_autoptr(PenAdapter) adapter = pen_adapter_new();
    pen_adapter_add(adapter, "a.to_q", 2, 3, 4);
    pen_adapter_add(adapter, "a.to_out.0", 1, 2, 2);
    g_assert_true(
        pen_adapter_write(adapter, path, PEN_ADAPTER_KOHYA, PEN_SAFETENSOR_F32, NULL, NULL));
    g_autoptr(GBytes) good = read_back(path);
    torture(scratch, "x", good, read_adapter, 2);
}

static void test_png(void)
{
    g_autoptr(Scratch) scratch = scratch_new();
    const char *path = scratch_path(scratch, "x");
    guint8 pixels[9 * 7 * 4];
    const PenPngText texts[] = { { "parameters", "a cat\nSteps: 20, Seed: 1, Size: 9x7" },
                                 { "parameters", "🎨\nNegative prompt: x\nSteps: 2, Seed: \"3" } };
    for (gsize i = 0; i < sizeof pixels; i++)
        pixels[i] = (guint8)(i * 37);
    g_assert_true(pen_png_write(path, pixels, 9, 7, 4, 0, texts, 2, NULL));
    g_autoptr(GBytes) good = read_back(path);
    torture(scratch, "x", good, read_png, 3);
}

// A text in a JPEG's EXIF: where it ends, not all of it, is the reader's to believe.
static void test_exif(void)
{
    static const guint8 jpeg[] = "\xff\xd8\xff\xe1\0\x68"
                                 "Exif\0\0"
                                 "MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0"
                                 "\0\x01\x92\x86\0\x07\0\0\0\x34\0\0\0\x2c\0\0\0\0"
                                 "ASCII\0\0\0a bird\nSteps: 20, Seed: 3, Size: 64x64, x: y"
                                 "\xff\xd9";
    g_autoptr(Scratch) scratch = scratch_new();
    g_assert_true(read_settings(scratch_write(scratch, "x", jpeg, sizeof jpeg - 1)));
    for (gsize length = 0; length < sizeof jpeg - 1; length++)
        read_settings(scratch_write(scratch, "x", jpeg, length));
    mutate(scratch, "x", jpeg, sizeof jpeg - 1, read_settings, 5);
}

static void test_json(void)
{
    g_autoptr(Scratch) scratch = scratch_new();
    g_autoptr(GBytes) file = read_test_data("golden/sd1/model/unet/config.json");
    gsize size = g_bytes_get_size(file);
    const char *text = g_bytes_get_data(file, NULL);
    while (text[size - 1] != '}') // without the line break it is as good
        size--;
    g_autoptr(GBytes) config = g_bytes_new_from_bytes(file, 0, size);
    torture(scratch, "x", config, read_json, 4);
}

static void test_tokenizer(void)
{
    static const char *const names[] = { "vocab.json", "merges.txt", "tokenizer_config.json" };
    g_autoptr(GRand) random = g_rand_new_with_seed(5);

    for (gsize broken = 0; broken < G_N_ELEMENTS(names); broken++) {
        g_autoptr(Scratch) scratch = scratch_new();
        g_autoptr(GBytes) good = NULL;
        for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
            g_autofree char *name = g_strconcat("golden/sd1/model/tokenizer/", names[i], NULL);
            g_autoptr(GBytes) bytes = read_test_data(name);
            scratch_write(scratch, names[i], g_bytes_get_data(bytes, NULL),
                          g_bytes_get_size(bytes));
            if (i == broken)
                good = g_bytes_ref(bytes);
        }
        gsize size;
        const guint8 *data = g_bytes_get_data(good, &size);
        for (int i = 0; i < 400; i++) {
            g_autofree guint8 *changed = g_memdup2(data, size);
            gsize length = i % 4 ? size : (gsize)g_rand_int_range(random, 0, (gint32)size);
            for (int k = 0; k < 3 && i % 4; k++)
                changed[g_rand_int_range(random, 0, (gint32)size)] =
                    (guint8)g_rand_int_range(random, 0, 256);
            scratch_write(scratch, names[broken], changed, length);

            g_autoptr(GError) error = NULL;
            g_autoptr(PenTokenizer) tokenizer = pen_tokenizer_new(scratch_folder(scratch), &error);
            g_assert_true((tokenizer == NULL) == (error != NULL));
            if (!tokenizer)
                continue;
            g_autoptr(GArray) ids =
                pen_tokenizer_encode(tokenizer, "watercolor of the moon, \xff 東京's 12", 0, NULL);
            for (guint k = 0; k < ids->len; k++) {
                gint32 id = g_array_index(ids, gint32, k);
                g_assert_true(id >= 0 && id < pen_tokenizer_n_tokens(tokenizer));
            }
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hostile/safetensors", test_safetensors);
    g_test_add_func("/hostile/lies", test_lies);
    g_test_add_func("/hostile/adapter", test_adapter);
    g_test_add_func("/hostile/png", test_png);
    g_test_add_func("/hostile/exif", test_exif);
    g_test_add_func("/hostile/json", test_json);
    g_test_add_func("/hostile/tokenizer", test_tokenizer);
    return g_test_run();
}
