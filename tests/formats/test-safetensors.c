// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/safetensors-writer.h"
#include "tests/formats/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SD1 PEN_TEST_DATA "/golden/sd1"

static PenSafetensors *open_good(const char *path)
{
    g_autoptr(GError) error = NULL;
    PenSafetensors *tensors = pen_safetensors_open_model(path, &error);
    g_assert_no_error(error);
    return tensors;
}

static void assert_shape(const PenSafetensor *tensor, const char *expected)
{
    g_autofree char *shape = pen_safetensor_shape(tensor);
    g_assert_cmpstr(shape, ==, expected);
}

static void test_golden(void)
{
    g_autoptr(PenSafetensors) file = open_good(SD1 "/unet-lora-grad.safetensors");
    const PenSafetensor *timestep = pen_safetensors_lookup(file, "timestep");
    gint64 steps[2];

    g_assert_cmpuint(pen_safetensors_n_tensors(file), ==, 262);
    g_assert_cmpint(timestep->type, ==, PEN_SAFETENSOR_I64);
    assert_shape(timestep, "[2]");
    g_assert_true(pen_safetensor_to_i64(timestep, steps, NULL));
    g_assert_true(steps[0] >= 0 && steps[0] < 1000);
    assert_shape(pen_safetensors_lookup(file, "context"), "[2, 77, 32]");
    g_assert_null(pen_safetensors_lookup(file, "nothing"));

    g_autoptr(GError) error = NULL;
    g_assert_null(pen_safetensors_require(file, "nothing", &error));
    g_assert_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND);

    const char *end = NULL;
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(file, i);
        g_assert_true(!end || tensor->data == end);
        end = (const char *)tensor->data + tensor->size;
        g_assert_true(pen_safetensors_lookup(file, tensor->name) == tensor);
    }
}

static void test_model_folder(void)
{
    static const char *const paths[] = {
        SD1 "/model/unet",
        SD1 "/model/unet/diffusion_pytorch_model",
        SD1 "/model/unet/diffusion_pytorch_model.safetensors",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(PenSafetensors) unet = open_good(paths[i]);
        g_assert_nonnull(pen_safetensors_lookup(unet, "conv_in.weight"));
    }
    g_autoptr(PenSafetensors) text = open_good(SD1 "/model/text_encoder");
    g_assert_cmpuint(pen_safetensors_n_tensors(text), >, 0);

    g_autoptr(GError) error = NULL;
    g_assert_null(pen_safetensors_open_model(SD1 "/model/scheduler", &error));
    g_assert_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_null(pen_safetensors_open_model(SD1 "/model/nothing", &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
    g_clear_error(&error);
    g_assert_null(pen_safetensors_open_model(SD1, &error)); // several files, none of a usual name
    g_assert_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND);
}

// A file that is cut or written anew while it is mapped: no crash, and who asks is told.
static void test_changed(void)
{
    for (int way = 0; way < 3; way++) {
        g_autoptr(Scratch) scratch = scratch_new();
        const char *path = scratch_path(scratch, "x.safetensors");
        const gsize dims[] = { 65536 };
        g_autofree float *values = g_new0(float, dims[0]);
        g_autoptr(GError) error = NULL;
        for (gsize i = 0; i < dims[0]; i++)
            values[i] = 1;
        g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
        pen_safetensors_writer_add(writer, "x", PEN_SAFETENSOR_F32, 1, dims, values);
        g_assert_true(pen_safetensors_writer_save(writer, path, NULL));

        g_autoptr(PenSafetensors) file = open_good(path);
        g_assert_true(pen_safetensors_check(file, &error));
        g_assert_true(pen_safetensors_is_current(file));
        if (way == 0) { // cut
            g_assert_cmpint(truncate(path, 10000), ==, 0);
        } else if (way == 1) { // other content of the same size
            int fd = open(path, O_WRONLY);
            g_assert_cmpint(pwrite(fd, "x", 1, 20000), ==, 1);
            close(fd);
        } else { // another file in its place: the one that is mapped stays whole
            g_autofree char *other = g_strconcat(path, ".new", NULL);
            g_assert_true(g_file_set_contents(other, "x", 1, NULL));
            g_assert_cmpint(g_rename(other, path), ==, 0);
        }
        g_assert_true(pen_safetensor_to_f32(pen_safetensors_lookup(file, "x"), values, NULL));
        g_assert_cmpfloat(values[0], ==, 1);
        g_assert_cmpfloat(values[dims[0] - 1], ==, way == 0 ? 0 : 1);
        g_assert_false(pen_safetensors_is_current(file));
        g_assert_cmpint(pen_safetensors_check(file, &error), ==, way == 2);
        if (way < 2)
            g_assert_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_CHANGED);
    }
}

// What is no safetensors file is called what it is.
static void test_kinds(void)
{
    static const struct {
        const char *content;
        gsize size;
        const char *said;
    } cases[] = {
        { "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n", 0, "Git LFS" },
        { "<!DOCTYPE html><html></html>", 0, "web page" },
        { "\xef\xbb\xbf \n<HTML lang=en>", 0, "web page" },
        { "\x80\x02}q\x01(X\x0a", 0, "pickle" },
        { "\x80\x04\x95", 0, "pickle" },
        { "PK\x03\x04\0\0\0\0archive/data.pkl", 24, "pickle" },
        { "PK\x03\x04\0\0\0\0model.safetensors", 25, "ZIP" },
        { "GGUF\3\0\0\0\0\0\0\0", 12, "GGUF" },
        { "\x89HDF\r\n\x1a\n\0\0\0\0", 12, "Keras" },
        { "7z\xbc\xaf\x27\x1c\0\0\0\0", 10, "packed archive" },
        { "\x89PNG\r\n\x1a\n\0\0", 10, "picture" },
        { "Entry not found", 0, "Entry not found" },
        { "{\"error\": \"Repository not found\"}", 0, "Repository not found" },
        { "", 0, "empty" },
        { "\x40\0\0\0\0\0\0\0{\"a", 11, "cut off" },
        { "\1\2\3\4\5\6\7\x08\x09\x0b", 10, "damaged" },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        gsize size = cases[i].size ? cases[i].size : strlen(cases[i].content);
        const char *path = scratch_write(scratch, "x.safetensors", cases[i].content, size);
        g_assert_null(pen_safetensors_open(path, &error));
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, cases[i].said));
    }
}

// Every type, at an odd address: the header's length is not a multiple of anything.
static void test_types(void)
{
    static const struct {
        const char *name;
        const char *bytes;
        gsize size;
        float value; // of the first element; NAN: no floats
        gboolean whole;
    } cases[] = {
        { "BOOL", "\1", 1, 0.0f / 0.0f, TRUE },
        { "U8", "\xff", 1, 255, TRUE },
        { "I8", "\xff", 1, -1, TRUE },
        { "F8_E5M2", "\1", 1, 0.0f / 0.0f, FALSE },
        { "F8_E4M3", "\1", 1, 0.0f / 0.0f, FALSE },
        { "I16", "\xfe\xff", 2, -2, TRUE },
        { "U16", "\xfe\xff", 2, 65534, TRUE },
        { "F16", "\x00\xc1", 2, -2.5f, FALSE },
        { "BF16", "\x20\xc0", 2, -2.5f, FALSE },
        { "I32", "\xfd\xff\xff\xff", 4, -3, TRUE },
        { "U32", "\x00\x00\x00\x80", 4, 0x1p31f, TRUE },
        { "F32", "\x00\x00\x20\xc0", 4, -2.5f, FALSE },
        { "F64", "\x00\x00\x00\x00\x00\x00\x04\xc0", 8, -2.5f, FALSE },
        { "I64", "\xfc\xff\xff\xff\xff\xff\xff\xff", 8, -4, TRUE },
        { "U64", "\x00\x00\x00\x00\x01\x00\x00\x00", 8, 0x1p32f, TRUE },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_autofree char *header =
            g_strdup_printf("{\"x\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,%d]}}%s",
                            cases[i].name, (int)cases[i].size, i % 2 ? " " : "  ");
        guint64 length = strlen(header);
        g_byte_array_append(bytes, (const guint8 *)&length, 8);
        g_byte_array_append(bytes, (const guint8 *)header, (guint)length);
        g_byte_array_append(bytes, (const guint8 *)cases[i].bytes, (guint)cases[i].size);
        const char *path = scratch_write(scratch, "x.safetensors", bytes->data, bytes->len);

        g_autoptr(PenSafetensors) file = open_good(path);
        const PenSafetensor *tensor = pen_safetensors_nth(file, 0);
        g_autoptr(GError) error = NULL;
        float value = 0;
        gint64 whole = 0;
        g_assert_cmpstr(pen_safetensor_type_name(tensor->type), ==, cases[i].name);
        g_assert_cmpuint(pen_safetensor_type_size(tensor->type), ==, cases[i].size);
        g_assert_cmpint(pen_safetensor_to_f32(tensor, &value, &error), ==,
                        cases[i].value == cases[i].value);
        g_assert_cmpint(error == NULL, ==, cases[i].value == cases[i].value);
        g_assert_true(error || value == cases[i].value);
        g_clear_error(&error);
        g_assert_cmpint(pen_safetensor_to_i64(tensor, &whole, &error), ==, cases[i].whole);
        g_assert_true(!cases[i].whole || cases[i].value != cases[i].value ||
                      whole == (gint64)cases[i].value);
    }
}

static void test_round_trip(void)
{
    g_autoptr(Scratch) scratch = scratch_new();
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    const char *path = scratch_path(scratch, "x.safetensors");
    const float floats[] = { 0, 1, -0.5f, 65504, 1e-7f, 3 };
    const guint8 bytes[] = { 1, 2, 3 };
    const gint64 step = -7;
    const gsize matrix[] = { 2, 3 }, three[] = { 3 }, none[] = { 0, 5 };
    g_autoptr(GError) error = NULL;

    pen_safetensors_writer_set_metadata(writer, "format", "np");
    pen_safetensors_writer_set_metadata(writer, "text", "„é“\n\t\"\\\x01 🎨");
    pen_safetensors_writer_set_metadata(writer, "format", "pt");
    pen_safetensors_writer_add(writer, "bytes", PEN_SAFETENSOR_U8, 1, three, bytes);
    pen_safetensors_writer_add(writer, "f32", PEN_SAFETENSOR_F32, 2, matrix, floats);
    pen_safetensors_writer_add_floats(writer, "f16", PEN_SAFETENSOR_F16, 2, matrix, floats);
    pen_safetensors_writer_add_floats(writer, "bf16", PEN_SAFETENSOR_BF16, 2, matrix, floats);
    pen_safetensors_writer_add(writer, "scalar", PEN_SAFETENSOR_I64, 0, NULL, &step);
    pen_safetensors_writer_add(writer, "empty \"\\", PEN_SAFETENSOR_F32, 2, none, NULL);
    g_assert_true(pen_safetensors_writer_save(writer, path, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(scratch_n_files(scratch), ==, 1);

    g_autoptr(PenSafetensors) file = open_good(path);
    g_assert_cmpuint(pen_safetensors_n_tensors(file), ==, 6);
    g_assert_cmpstr(pen_safetensors_metadata(file, "format"), ==, "pt");
    g_assert_cmpstr(pen_safetensors_metadata(file, "text"), ==, "„é“\n\t\"\\\x01 🎨");
    g_assert_null(pen_safetensors_metadata(file, "missing"));
    for (guint i = 0; i < 6; i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(file, i);
        g_assert_cmpuint((gsize)tensor->data % pen_safetensor_type_size(tensor->type), ==, 0);
    }
    const PenSafetensor *read = pen_safetensors_lookup(file, "bytes");
    g_assert_cmpmem(read->data, read->size, bytes, sizeof bytes);
    read = pen_safetensors_lookup(file, "f32");
    assert_shape(read, "[2, 3]");
    g_assert_cmpmem(read->data, read->size, floats, sizeof floats);
    float widened[6];
    g_assert_true(pen_safetensor_to_f32(pen_safetensors_lookup(file, "f16"), widened, NULL));
    g_assert_true(widened[3] == 65504 && widened[2] == -0.5f);
    g_assert_true(pen_safetensor_to_f32(pen_safetensors_lookup(file, "bf16"), widened, NULL));
    g_assert_true(widened[3] == 65536 && widened[5] == 3);
    read = pen_safetensors_lookup(file, "scalar");
    g_assert_cmpuint(read->n_dims, ==, 0);
    gint64 whole;
    g_assert_true(pen_safetensor_to_i64(read, &whole, NULL) && whole == -7);
    g_assert_cmpuint(pen_safetensors_lookup(file, "empty \"\\")->size, ==, 0);

    g_autoptr(PenSafetensors) again = pen_safetensors_ref(file);
    g_assert_true(again == file);

    pen_safetensors_writer_add(writer, "f32", PEN_SAFETENSOR_F32, 2, matrix, floats);
    g_assert_false(pen_safetensors_writer_save(writer, path, &error));
    g_assert_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID);
}

// Whatever refuses the new file, the old one stays and nothing is left beside it.
static void test_atomic(void)
{
    g_autoptr(Scratch) scratch = scratch_new();
    const char *path = scratch_write(scratch, "x.safetensors", "the old file", 12);
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    const gsize dims[] = { 1 << 20 };
    g_autofree char *zeros = g_malloc0(1 << 20);
    pen_safetensors_writer_add(writer, "x", PEN_SAFETENSOR_U8, 1, dims, zeros);

    // A disk that is full after 64 KiB, as far as this process can tell.
    struct rlimit old, limit;
    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &old), ==, 0);
    limit = old;
    limit.rlim_cur = 1 << 16;
    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    g_autoptr(GError) error = NULL;
    gboolean saved = pen_safetensors_writer_save(writer, path, &error);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &old), ==, 0);
    g_assert_false(saved);
    g_assert_true(error->domain == G_FILE_ERROR);
    g_assert_nonnull(strstr(error->message, path));
    g_clear_error(&error);
    g_autofree char *content = NULL;
    g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
    g_assert_cmpstr(content, ==, "the old file");
    g_assert_cmpuint(scratch_n_files(scratch), ==, 1);

    static const char *const bad[] = { "/proc/x.safetensors", "/nonexistent/x.safetensors",
                                       "/dev/full", "/" };
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_false(pen_safetensors_writer_save(writer, bad[i], &error));
        g_assert_true(error->domain == G_FILE_ERROR);
        g_assert_nonnull(strstr(error->message, bad[i]));
        g_clear_error(&error);
    }
    g_assert_false(g_file_test("/dev/full", G_FILE_TEST_IS_REGULAR));

    g_assert_true(pen_safetensors_writer_save(writer, path, &error));
    g_autoptr(PenSafetensors) file = open_good(path);
    g_assert_cmpuint(pen_safetensors_n_tensors(file), ==, 1);
}

#define TENSOR(name, begin, end)                                                                   \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[" begin "," end "]}"

static void test_shards(void)
{
    static const struct {
        const char *index;
        gboolean good;
    } cases[] = {
        { "{\"metadata\":{},\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\","
          "\"c\":\"2.safetensors\"}}",
          TRUE },
        { "{\"weight_map\":{\"a\":\"1.safetensors\"}}", TRUE },
        { "{}", FALSE },
        { "[]", FALSE },
        { "{\"weight_map\":[]}", FALSE },
        { "{\"weight_map\":{\"a\":1}}", FALSE },
        { "{\"weight_map\":{\"a\":\"../1.safetensors\"}}", FALSE },
        { "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", FALSE },
        { "{\"weight_map\":{\"a\":\"sub/1.safetensors\"}}", FALSE },
        { "{\"weight_map\":{\"a\":\"1.bin\"}}", FALSE },
        { "{\"weight_map\":{\"a\":\".safetensors\"}}", FALSE },
        { "{\"weight_map\":{\"a\":\"4.safetensors\"}}", FALSE },
        { "{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"1.safetensors\","
          "\"c\":\"2.safetensors\"}}",
          FALSE },
        { "{\"weight_map\":{\"a\":\"2.safetensors\",\"b\":\"1.safetensors\"}}", FALSE },
        { "{\"weight_map\":{\"d\":\"1.safetensors\"}}", FALSE },
        // The third file holds a second "a".
        { "{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"3.safetensors\"}}", FALSE },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    scratch_write_tensors(scratch, "1.safetensors", "{" TENSOR("a", "0", "2") "}", 2);
    scratch_write_tensors(scratch, "2.safetensors",
                          "{" TENSOR("c", "2", "4") "," TENSOR("b", "0", "2") "}", 4);
    scratch_write_tensors(scratch, "3.safetensors",
                          "{" TENSOR("a", "0", "2") "," TENSOR("b", "2", "4") "}", 4);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *path = scratch_write(scratch, "model.safetensors.index.json", cases[i].index,
                                         strlen(cases[i].index));
        g_autoptr(GError) error = NULL;
        g_autoptr(PenSafetensors) model =
            pen_safetensors_open_model(i % 2 ? scratch_folder(scratch) : path, &error);
        g_assert_cmpint(model != NULL, ==, cases[i].good);
        g_assert_cmpint(error == NULL, ==, cases[i].good);
        if (i == 0) {
            g_assert_cmpuint(pen_safetensors_n_tensors(model), ==, 3);
            g_assert_cmpstr(pen_safetensors_nth(model, 1)->name, ==, "b");
            g_assert_cmpmem(pen_safetensors_lookup(model, "c")->data, 2, "\2\3", 2);
        }
    }
    const char *stem = scratch_path(scratch, "model");
    scratch_write(scratch, "model.safetensors.index.json", cases[0].index, strlen(cases[0].index));
    g_autoptr(PenSafetensors) model = open_good(stem);
    g_assert_cmpuint(pen_safetensors_n_tensors(model), ==, 3);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/safetensors/golden", test_golden);
    g_test_add_func("/safetensors/model-folder", test_model_folder);
    g_test_add_func("/safetensors/changed", test_changed);
    g_test_add_func("/safetensors/kinds", test_kinds);
    g_test_add_func("/safetensors/types", test_types);
    g_test_add_func("/safetensors/round-trip", test_round_trip);
    g_test_add_func("/safetensors/atomic", test_atomic);
    g_test_add_func("/safetensors/shards", test_shards);
    return g_test_run();
}
