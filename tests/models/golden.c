// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/models/golden.h"

#include <math.h>
#include <string.h>

#include "src/models/layout.h"

char *golden_path(const char *shape, const char *path)
{
    return g_build_filename(PEN_TEST_DATA, "golden", shape, path, NULL);
}

PenWeights *golden_weights(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenSafetensors) file = pen_safetensors_open_model(path, &error);
    g_assert_no_error(error);
    return pen_weights_new(NULL, file, PEN_DTYPE_F32);
}

PenSafetensors *golden_open(const char *shape, const char *file)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = golden_path(shape, file);
    PenSafetensors *tensors = pen_safetensors_open(path, &error);
    g_assert_no_error(error);
    return tensors;
}

Golden *golden_new(PenSafetensors *file, const char *name)
{
    g_autoptr(GError) error = NULL;
    const PenSafetensor *tensor = pen_safetensors_require(file, name, &error);
    g_assert_no_error(error);

    Golden *golden = g_new0(Golden, 1);
    g_assert_cmpuint(tensor->n_dims, <=, 4);
    memcpy(golden->dims, tensor->dims, tensor->n_dims * sizeof(gsize));
    golden->n = tensor->n_elements;
    golden->values = g_new(float, golden->n);
    gboolean converted = pen_safetensor_to_f32(tensor, golden->values, &error);
    g_assert_no_error(error);
    g_assert_true(converted);
    if (tensor->n_dims == 4) {
        float *values = g_new(float, golden->n);
        const gsize *d = golden->dims;
        pen_nchw_to_nhwc(golden->values, values, d[0], d[1], d[2], d[3]);
        g_free(golden->values);
        golden->values = values;
    }
    return golden;
}

void golden_free(Golden *golden)
{
    g_free(golden->values);
    g_free(golden);
}

float *golden_added(PenSafetensors *file, const PenUNetConfig *config, gsize n)
{
    guint32 channels = pen_unet_config_pooled_channels(config);
    g_autoptr(Golden) pooled = golden_new(file, "pooled");
    g_autoptr(Golden) sizes = golden_new(file, "time_ids");
    float *added = g_new(float, n *config->added_channels);

    for (gsize i = 0; i < n; i++) {
        g_autoptr(PenConditioning) conditioning = pen_conditioning_new(0, 0, channels);
        memcpy(conditioning->pooled, pooled->values + (pooled->dims[0] == 1 ? 0 : i * channels),
               channels * sizeof *added);
        memcpy(conditioning->sizes,
               sizes->values + (sizes->dims[0] == 1 ? 0 : i * PEN_CONDITIONING_SIZES),
               sizeof conditioning->sizes);
        pen_unet_added(config, conditioning, added + i * config->added_channels);
    }
    return added;
}

gint32 *golden_ids(PenSafetensors *file, const char *name)
{
    g_autoptr(GError) error = NULL;
    const PenSafetensor *tensor = pen_safetensors_require(file, name, &error);
    g_assert_no_error(error);

    g_autofree gint64 *wide = g_new(gint64, tensor->n_elements);
    gint32 *ids = g_new(gint32, tensor->n_elements);
    g_assert_true(pen_safetensor_to_i64(tensor, wide, &error));
    for (gsize i = 0; i < tensor->n_elements; i++)
        ids[i] = (gint32)wide[i];
    return ids;
}

static void read_matrix(PenSafetensors *file, const char *prefix, const char *path,
                        const char *matrix, gsize n, float *out)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *name = g_strdup_printf("%sunet.%s.%s.weight", prefix, path, matrix);
    const PenSafetensor *tensor = pen_safetensors_require(file, name, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(tensor->n_elements, ==, n);
    g_assert_true(pen_safetensor_to_f32(tensor, out, &error));
}

float *golden_adapter(PenSafetensors *file, const char *prefix, const PenUNetAdapter *adapter)
{
    float *values = g_new(float, adapter->n_values);

    for (guint i = 0; i < adapter->n_modules; i++) {
        const PenUNetAdapterModule *m = &adapter->modules[i];
        read_matrix(file, prefix, m->path, "lora_A", (gsize)m->in * adapter->rank, values + m->a);
        read_matrix(file, prefix, m->path, "lora_B", (gsize)m->out * adapter->rank, values + m->b);
    }
    return values;
}

double golden_max_error(const float *values, const float *reference, gsize n)
{
    double largest = 0, difference = 0;

    for (gsize i = 0; i < n; i++) {
        if (!isfinite(values[i]))
            return INFINITY;
        largest = fmax(largest, fabs(reference[i]));
        difference = fmax(difference, fabs((double)values[i] - reference[i]));
    }
    return difference / largest;
}

double golden_l2_error(const float *values, const float *reference, gsize n)
{
    double square = 0, difference = 0;

    for (gsize i = 0; i < n; i++) {
        double d = (double)values[i] - reference[i];
        square += (double)reference[i] * reference[i];
        difference += d * d;
    }
    return sqrt(difference / square);
}

static void assert_within(const char *what, const char *measure, double error, double tolerance)
{
    g_test_message("%s: %s error %.2g (at most %.2g)", what, measure, error, tolerance);
    if (!(error <= tolerance))
        g_test_fail_printf("%s: %s error %g is more than %g", what, measure, error, tolerance);
}

void golden_assert_max(const char *what, const float *values, const float *reference, gsize n,
                       double tolerance)
{
    assert_within(what, "largest", golden_max_error(values, reference, n), tolerance);
}

void golden_assert_l2(const char *what, const float *values, const float *reference, gsize n,
                      double tolerance)
{
    assert_within(what, "L2", golden_l2_error(values, reference, n), tolerance);
}

void golden_assert_adapter(const PenUNetAdapter *adapter, const float *values,
                           const float *reference, double tolerance)
{
    double worst = 0;

    for (guint i = 0; i < 2 * adapter->n_modules; i++) {
        const PenUNetAdapterModule *m = &adapter->modules[i / 2];
        gsize start = i % 2 ? m->b : m->a;
        gsize n = (gsize)adapter->rank * (i % 2 ? m->out : m->in);
        double error = golden_l2_error(values + start, reference + start, n);
        if (!(error <= tolerance))
            g_test_fail_printf("%s.%s: L2 error %g is more than %g", m->path, i % 2 ? "B" : "A",
                               error, tolerance);
        worst = fmax(worst, error);
    }
    g_test_message("worst adapter matrix: L2 error %.2g (at most %.2g)", worst, tolerance);
}
