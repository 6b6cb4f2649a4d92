// SPDX-License-Identifier: GPL-3.0-or-later
/* An adapter that says a word: it draws as if the word had been added to what the text encoder made
 * of the prompt, and the gradient of the word follows from the adapter's. */
#include <math.h>
#include <string.h>

#include "src/engine/denoiser.h"
#include "src/engine/word.h"
#include "src/sampling/noise.h"

enum { SIDE = 8, TIMESTEP = 600 };

typedef struct {
    PenDevice *device;
    PenRuntime *runtime;
    PenUNetAdapter *adapter;
    PenWord *word;
    float *v, *values;
} Fixture;

static void set_up(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = pen_model_find(NULL, &error);
    g_autoptr(PenModel) model = pen_model_open(folder, &error);
    g_assert_no_error(error);
    f->device = pen_device_open(NULL, &error);
    g_assert_no_error(error);
    f->runtime = pen_runtime_new(model, f->device, PEN_DTYPE_F32, &error);
    f->adapter = pen_unet_adapter_new(&model->unet, 3, &error);
    g_assert_no_error(error);
    f->word = pen_word_new(f->runtime, f->adapter, NULL, &error);
    g_assert_no_error(error);
    f->v = g_new(float, f->word->width);
    f->values = g_new(float, f->adapter->n_values);
    pen_noise_fill(3, PEN_STREAM_INITIAL, 0, f->word->width, f->v);
    for (guint i = 0; i < f->word->width; i++)
        f->v[i] *= 0.3f;
    g_assert_true(pen_word_write(f->word, f->v, 1, f->values, &error));
    g_assert_no_error(error);
}

static void tear_down(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    pen_word_free(f->word);
    pen_unet_adapter_free(f->adapter);
    pen_runtime_free(f->runtime);
    pen_device_unref(f->device);
    g_free(f->v);
    g_free(f->values);
}

static void encode(Fixture *f, const char *text, PenConditioning **conditioning)
{
    g_autoptr(GError) error = NULL;
    pen_runtime_encode_texts(f->runtime, &text, 1, conditioning, NULL, NULL, &error);
    g_assert_no_error(error);
}

/* What the UNet says to a noise, into out[SIDE SIDE channels]. */
static void ask(Fixture *f, const PenConditioning *conditioning, double scale, float *out)
{
    g_autoptr(GError) error = NULL;
    PenDenoiserOptions options = {
        .height = SIDE,
        .width = SIDE,
        .pictures = 1,
        .tokens = conditioning->tokens,
        .adapter = f->adapter,
    };
    g_autoptr(PenDenoiser) denoiser = pen_denoiser_new(f->runtime, &options, &error);
    g_assert_no_error(error);
    g_assert_true(pen_unet_adapter_upload(f->adapter, f->values, &error));
    gsize n = SIDE * SIDE * pen_runtime_model(f->runtime)->unet.out_channels;
    g_autofree float *latents = g_new(float, n);
    pen_noise_fill(1, PEN_STREAM_INITIAL, 0, n, latents);
    pen_denoiser_set_conditioning(denoiser, conditioning, conditioning);
    PenModelOutput output;
    pen_denoiser_run(denoiser, latents, TIMESTEP, scale, 1, &output, NULL, &error);
    g_assert_no_error(error);
    memcpy(out, output.cond, n * sizeof *out);
}

static double distance(const float *a, const float *b, gsize n)
{
    double sum = 0;
    for (gsize i = 0; i < n; i++)
        sum += pow((double)a[i] - b[i], 2);
    return sqrt(sum / (double)n);
}

/* Of prompts that the reader was not fitted to. */
static void test_speaks(Fixture *f, gconstpointer data)
{
    PenConditioning *prompt;
    encode(f, data, &prompt);
    gsize n = SIDE * SIDE * pen_runtime_model(f->runtime)->unet.out_channels;
    g_autofree float *bare = g_new(float, n), *by_adapter = g_new(float, n),
                     *by_word = g_new(float, n);
    ask(f, prompt, 0, bare);
    ask(f, prompt, 1, by_adapter);
    for (gsize t = 0; t < prompt->tokens; t++)
        for (gsize i = 0; i < f->word->width; i++)
            prompt->hidden[t * f->word->width + i] += f->v[i];
    ask(f, prompt, 0, by_word);
    g_assert_cmpfloat(distance(bare, by_word, n), >, 0.02);
    g_assert_cmpfloat(distance(by_adapter, by_word, n), <, 0.05 * distance(bare, by_word, n));
    pen_conditioning_free(prompt);
}

/* The values are linear in v, but for the reader: <gradient, values(v) - values(0)> = <gradient of
 * v, v>. */
static void test_gradient(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    gsize n = f->adapter->n_values, width = f->word->width;
    g_autofree float *gradient = g_new(float, n), *of_v = g_new(float, width),
                     *without = g_new(float, n);
    g_autofree float *nothing = g_new0(float, width);
    pen_noise_fill(2, PEN_STREAM_INITIAL, 0, n, gradient);
    g_assert_true(pen_word_gradient(f->word, gradient, of_v, &error));
    g_assert_true(pen_word_write(f->word, nothing, 1, without, &error));
    double expected = 0, found = 0, size = 0;
    for (gsize i = 0; i < n; i++)
        expected += (double)gradient[i] * (f->values[i] - without[i]);
    for (gsize i = 0; i < width; i++) {
        found += (double)of_v[i] * f->v[i];
        size += fabs((double)of_v[i] * f->v[i]);
    }
    g_assert_cmpfloat(fabs(found - expected), <, 1e-5 * size);

    /* Twice as strong is twice as far. */
    g_autofree float *twice = g_new(float, n);
    g_assert_true(pen_word_write(f->word, f->v, 2, twice, &error));
    for (guint m = 0; m < f->adapter->n_modules; m++) {
        gsize b = f->adapter->modules[m].b;
        g_assert_cmpfloat(fabsf(twice[b] - 2 * f->values[b]), <=, 1e-6f);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/word/speaks-with-a-prompt", Fixture, "neon fish", set_up, test_speaks, tear_down);
    g_test_add("/word/speaks-without-one", Fixture, "", set_up, test_speaks, tear_down);
    g_test_add("/word/gradient", Fixture, NULL, set_up, test_gradient, tear_down);
    return g_test_run();
}
