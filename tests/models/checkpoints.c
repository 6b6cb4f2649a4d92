// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/models/checkpoints.h"

#include <glib/gstdio.h>
#include <string.h>

static char *scratch; /* a folder of this run */

char *in_scratch(const char *name)
{
    return g_build_filename(scratch, name, NULL);
}

const char *ldm_file(const char *shape)
{
    return g_str_equal(shape, "sd1")   ? PEN_TEST_LDM "/sd1.safetensors"
           : g_str_equal(shape, "sd2") ? PEN_TEST_LDM "/sd2.safetensors"
                                       : PEN_TEST_LDM "/sdxl.safetensors";
}

PenModel *open_model(const char *text)
{
    g_autoptr(GError) error = NULL;
    PenModel *model = pen_model_open(text, &error);
    g_assert_no_error(error);
    return model;
}

void assert_fails(const char *text, const char *said)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenModel) model = pen_model_open(text, &error);
    g_assert_null(model);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, said));
    g_assert_null(strchr(error->message, '\n'));
}

void add_all(PenSafetensorsWriter *writer, const PenSafetensors *file, Change change, gpointer data)
{
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++) {
        PenSafetensor tensor = *pen_safetensors_nth(file, i);
        if (!change || change(&tensor, data))
            pen_safetensors_writer_add(writer, tensor.name, tensor.type, tensor.n_dims, tensor.dims,
                                       tensor.data);
    }
}

char *save(PenSafetensorsWriter *writer, const char *name)
{
    g_autoptr(GError) error = NULL;
    char *path = in_scratch(name);
    pen_safetensors_writer_save(writer, path, &error);
    g_assert_no_error(error);
    return path;
}

int run_in_scratch(void)
{
    scratch = g_dir_make_tmp("penchant-test-XXXXXX", NULL);
    g_setenv("PENCHANT_DATA", scratch, TRUE);
    int result = g_test_run();
    g_autoptr(GDir) dir = g_dir_open(scratch, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = in_scratch(name);
        g_unlink(path);
    }
    g_rmdir(scratch);
    g_free(scratch);
    return result;
}
