// SPDX-License-Identifier: GPL-3.0-or-later
/* The starter model on a device: pictures there and back, little memory, cancelling. */
#include <math.h>
#include <string.h>

#include "src/formats/png.h"
#include "src/models/runtime.h"
#include "src/sampling/noise.h"
#include "tests/models/golden.h"

enum { SIZE = 64, PIXELS = SIZE * SIZE * 3, LATENTS = 16 * 16 * 4 };

static PenDevice *device;

static PenModel *open_starter(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = pen_model_find(NULL, &error);
    g_assert_no_error(error);
    PenModel *model = pen_model_open(folder, &error);
    g_assert_no_error(error);
    return model;
}

static PenRuntime *open_runtime(PenDtype dtype)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenModel) model = open_starter();
    PenRuntime *runtime = pen_runtime_new(model, device, dtype, &error);
    g_assert_no_error(error);
    return runtime;
}

static void count_progress(double fraction, gpointer user_data)
{
    double *last = user_data;
    g_assert_cmpfloat(fraction, >=, *last);
    g_assert_cmpfloat(fraction, <=, 1 + 1e-9);
    *last = fraction;
}

/* A picture of the starter model's samples. */
static void read_sample(guint column, guint row, guint8 *rgb)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = pen_model_find(NULL, &error);
    g_autofree char *path = g_build_filename(folder, "samples.png", NULL);
    g_autoptr(PenPng) png = pen_png_read(path, &error);
    g_assert_no_error(error);
    for (guint y = 0; y < SIZE; y++)
        for (guint x = 0; x < SIZE; x++)
            memcpy(rgb + (y * SIZE + x) * 3,
                   png->rgba + ((row * SIZE + y) * png->width + column * SIZE + x) * 4, 3);
}

/* Pictures come back nearly the same through encoder and decoder. */
static void test_round_trip(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRuntime) runtime = open_runtime(PEN_DTYPE_F32);
    g_autofree guint8 *rgb = g_new(guint8, 2 * PIXELS);
    g_autofree guint8 *back = g_new(guint8, 2 * PIXELS);
    g_autofree float *latents = g_new(float, 2 * LATENTS);

    read_sample(4, 0, rgb);
    read_sample(9, 2, rgb + PIXELS);
    double last = 0;
    pen_runtime_rgb_to_latents(runtime, rgb, 2, SIZE, SIZE, latents, count_progress, &last, NULL,
                               &error);
    g_assert_no_error(error);
    g_assert_cmpfloat_with_epsilon(last, 1, 1e-9);
    last = 0;
    pen_runtime_latents_to_rgb(runtime, latents, 2, 16, 16, back, count_progress, &last, NULL,
                               &error);
    g_assert_no_error(error);
    g_assert_cmpfloat_with_epsilon(last, 1, 1e-9);
    double difference = 0;
    for (guint i = 0; i < 2 * PIXELS; i++)
        difference += fabs((double)rgb[i] - back[i]) / (2 * PIXELS);
    g_test_message("mean difference %.2f of 255", difference);
    g_assert_cmpfloat(difference, <, 12);

    g_assert_false(
        pen_runtime_rgb_to_latents(runtime, rgb, 1, 63, SIZE, latents, NULL, NULL, NULL, &error));
    g_assert_nonnull(strstr(error->message, "multiples of 4"));
}

static float *encode(PenRuntime *runtime, gboolean *truncated)
{
    static const char *const texts[] = {
        "a cat",
        "",
        "apple bird car boat house flower tree fish cat dog heart hat balloon smiley cake bug "
        "apple",
    };
    g_autoptr(GError) error = NULL;
    const PenModel *model = pen_runtime_model(runtime);
    gsize n = (gsize)model->tokens * model->unet.context_channels;
    float *context = g_new(float, 3 * n);
    PenConditioning *conditionings[3];
    pen_runtime_encode_texts(runtime, texts, 3, conditionings, truncated, NULL, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < 3; i++) {
        memcpy(context + i * n, conditionings[i]->hidden, n * sizeof *context);
        pen_conditioning_free(conditionings[i]);
    }
    return context;
}

static void test_text(void)
{
    g_autoptr(PenRuntime) runtime = open_runtime(PEN_DTYPE_F32);
    gboolean truncated[3] = { TRUE, TRUE, FALSE };
    g_autofree float *context = encode(runtime, truncated);
    const PenModel *model = pen_runtime_model(runtime);
    gsize n = (gsize)model->tokens * model->unet.context_channels;

    g_assert_false(truncated[0] || truncated[1]);
    g_assert_true(truncated[2]);
    for (gsize i = 0; i < 3 * n; i++)
        g_assert_true(isfinite(context[i]));
    g_assert_cmpfloat(golden_l2_error(context, context + n, n), >, 0.01);
}

/* With memory for less than twice the weights, nothing stays but what is in use, and the results
 * are the same. */
static void test_little_memory(void)
{
    g_autoptr(GError) error = NULL;
    const guint64 mebibyte = 1 << 20;
    guint64 before = pen_device_allocated(device);
    g_autoptr(PenRuntime) roomy = open_runtime(PEN_DTYPE_F32);
    g_autofree float *expected = encode(roomy, NULL);
    g_assert_cmpuint(pen_device_allocated(device), >, before + mebibyte);
    g_clear_pointer(&roomy, pen_runtime_free);
    g_assert_cmpuint(pen_device_allocated(device), ==, before);

    pen_device_set_budget(device, before + 30 * mebibyte);
    g_autoptr(PenRuntime) tight = open_runtime(PEN_DTYPE_F32);
    g_autofree float *context = encode(tight, NULL);
    g_assert_cmpuint(pen_device_allocated(device), ==, before);
    const PenModel *model = pen_runtime_model(tight);
    gsize n = 3 * (gsize)model->tokens * model->unet.context_channels;
    g_assert_cmpmem(expected, n * sizeof(float), context, n * sizeof(float));

    /* Less than the UNet alone: its weights go to 8 bits. */
    pen_device_set_budget(device, before + 10 * mebibyte);
    PenUNetOptions options = { .batch = 1, .height = 16, .width = 16 };
    g_autoptr(PenUNet) unet = pen_runtime_unet(tight, &options, &error);
    g_assert_no_error(error);
    g_assert_true(pen_runtime_eight_bits(tight));
    g_assert_cmpuint(pen_device_allocated(device), <, before + 6 * mebibyte);
    g_clear_pointer(&unet, pen_unet_free);
    g_clear_pointer(&tight, pen_runtime_free);

    /* Less than that, too. */
    tight = open_runtime(PEN_DTYPE_F32);
    pen_device_set_budget(device, before + 4 * mebibyte);
    unet = pen_runtime_unet(tight, &options, &error);
    g_assert_null(unet);
    g_assert_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_OUT_OF_MEMORY);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "unet of the model starter takes 4.9"));
    g_assert_cmpuint(pen_device_allocated(device), ==, before);

    /* The next try starts afresh. */
    g_clear_error(&error);
    pen_device_set_budget(device, 0);
    unet = pen_runtime_unet(tight, &options, &error);
    g_assert_no_error(error);
}

/* In bands, because the whole would not fit, pictures and latents are the same: there are no seams. */
static void test_vae_bands(gconstpointer data)
{
    enum { H = 50, W = 40, N = H * W * 4, IMAGE = H * W * 16 * 3 };
    g_autoptr(GError) error = NULL;
    PenDtype dtype = GPOINTER_TO_INT(data);
    g_autofree float *latents = g_new(float, N);
    float *image[2], *mean[2];
    g_autoptr(PenRuntime) runtime = open_runtime(dtype);
    pen_noise_fill(1, PEN_STREAM_INITIAL, 0, N, latents);
    for (guint bands = 0; bands < 2; bands++) {
        image[bands] = g_new(float, IMAGE);
        mean[bands] = g_new(float, N);
        guint64 before = pen_device_allocated(device);
        pen_device_reset_peak(device);
        if (bands) /* weights, and a few MiB for the work */
            pen_device_set_budget(device, before + (8 << 20));
        pen_runtime_vae_decode(runtime, latents, 1, H, W, image[bands], NULL, NULL, NULL, &error);
        g_assert_no_error(error);
        double last = 0;
        pen_runtime_vae_encode(runtime, image[0], 1, 4 * H, 4 * W, mean[bands], NULL,
                               count_progress, &last, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpfloat_with_epsilon(last, 1, 1e-9);
        guint64 peak = pen_device_peak(device) - before;
        g_test_message("%s: %.1f MiB more", bands ? "bands" : "whole", (double)peak / (1 << 20));
        g_assert_true(bands == (peak <= 8 << 20));
        pen_device_set_budget(device, 0);
        pen_runtime_trim(runtime);
    }
    double most = 0;
    for (guint i = 0; i < IMAGE; i++)
        most = fmax(most, fabs((double)image[0][i] - image[1][i]));
    double latent_error = golden_l2_error(mean[0], mean[1], N);
    g_test_message("largest difference %.2g of 2, latents %.2g", most, latent_error);
    g_assert_cmpfloat(most, <, dtype == PEN_DTYPE_F32 ? 1e-4 : 2 * 2.0 / 255);
    g_assert_cmpfloat(latent_error, <, dtype == PEN_DTYPE_F32 ? 1e-5 : 5e-3);
    for (guint bands = 0; bands < 2; bands++) {
        g_free(image[bands]);
        g_free(mean[bands]);
    }
}

static void cancel(double fraction, gpointer cancellable)
{
    g_cancellable_cancel(cancellable);
}

static void test_cancel(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(PenRuntime) runtime = open_runtime(PEN_DTYPE_F32);
    PenUNetOptions options = { .batch = 1, .height = 16, .width = 16 };
    g_autoptr(PenUNet) unet = pen_runtime_unet(runtime, &options, &error);
    g_assert_no_error(error);

    g_assert_false(pen_runtime_load_unet(runtime, cancel, cancellable, cancellable, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_clear_error(&error);
    double last = 0;
    pen_runtime_load_unet(runtime, count_progress, &last, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat_with_epsilon(last, 1, 1e-9);
}

/* Graphs of one runtime share their weights. */
static void test_shared_weights(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRuntime) runtime = open_runtime(PEN_DTYPE_F32);
    PenUNetOptions small = { .batch = 1, .height = 8, .width = 8 };
    PenUNetOptions large = { .batch = 2, .height = 13, .width = 17 };

    g_autoptr(PenUNet) first = pen_runtime_unet(runtime, &small, &error);
    g_assert_no_error(error);
    guint64 allocated = pen_device_allocated(device);
    g_autoptr(PenUNet) second = pen_runtime_unet(runtime, &large, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(pen_device_allocated(device), ==, allocated);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    g_test_init(&argc, &argv, NULL);
    device = pen_device_open(NULL, &error);
    g_assert_no_error(error);
    g_test_add_func("/runtime/round-trip", test_round_trip);
    g_test_add_func("/runtime/text", test_text);
    g_test_add_func("/runtime/little-memory", test_little_memory);
    g_test_add_data_func("/runtime/vae-bands/f32", GINT_TO_POINTER(PEN_DTYPE_F32), test_vae_bands);
    g_test_add_data_func("/runtime/vae-bands/f16", GINT_TO_POINTER(PEN_DTYPE_F16), test_vae_bands);
    g_test_add_func("/runtime/cancel", test_cancel);
    g_test_add_func("/runtime/shared-weights", test_shared_weights);
    int result = g_test_run();
    pen_device_unref(device);
    return result;
}
