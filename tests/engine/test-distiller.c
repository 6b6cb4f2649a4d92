// SPDX-License-Identifier: GPL-3.0-or-later
/* The adapter learns to draw a word as guidance would: its gradient, and where it leads. */
#include <math.h>
#include <string.h>

#include "src/engine/distiller.h"
#include "src/engine/forward.h"
#include "src/engine/word.h"
#include "src/learning/adamw.h"
#include "src/sampling/noise.h"

enum { SIDE = 8, STEPS = 10, UPDATES = 40, SEED = 5 };
#define GUIDANCE 3.0

typedef struct {
    PenDevice *device;
    PenRuntime *runtime;
    PenUNetAdapter *adapter;
    PenWord *word;
    PenDistiller *distiller;
    PenTrajectory *picture;
    PenConditioning *prompt, *nothing;
    float *v, *values, *gradient;
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
    g_assert_true(pen_unet_adapter_allocate(f->adapter, f->device, PEN_DTYPE_F32, &error));
    f->word = pen_word_new(f->runtime, f->adapter, NULL, &error);
    g_assert_no_error(error);
    gsize n = (gsize)SIDE * SIDE * model->unet.out_channels;
    g_autofree float *latents = g_new(float, n);
    pen_noise_fill(1, PEN_STREAM_INITIAL, 0, n, latents);
    f->picture = pen_forward_trajectory(model, latents, SIDE, SIDE, NULL, STEPS, GUIDANCE, SEED, &error);
    g_assert_no_error(error);
    const char *texts[] = { "neon fish", "" };
    PenConditioning *encoded[2];
    pen_runtime_encode_texts(f->runtime, texts, 2, encoded, NULL, NULL, &error);
    g_assert_no_error(error);
    f->prompt = encoded[0];
    f->nothing = encoded[1];
    f->v = g_new(float, f->word->width);
    pen_noise_fill(3, PEN_STREAM_INITIAL, 0, f->word->width, f->v);
    for (guint i = 0; i < f->word->width; i++)
        f->v[i] *= 0.3f;
    f->values = g_new0(float, f->adapter->n_values);
    f->gradient = g_new0(float, f->adapter->n_values);
    f->distiller = pen_distiller_new(f->runtime, f->adapter, f->v, SEED, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(pen_word_write(f->word, f->v, 1, f->values, &error));
    pen_distiller_start(f->distiller, SEED, f->values);
}

static void tear_down(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    pen_distiller_free(f->distiller);
    pen_conditioning_free(f->prompt);
    pen_conditioning_free(f->nothing);
    pen_trajectory_free(f->picture);
    pen_word_free(f->word);
    pen_unet_adapter_free(f->adapter);
    pen_runtime_free(f->runtime);
    pen_device_unref(f->device);
    g_free(f->v);
    g_free(f->values);
    g_free(f->gradient);
}

/* The loss for a text at a step; its gradient goes into f->gradient. */
static double loss(Fixture *f, guint k, const PenConditioning *text)
{
    g_autoptr(GError) error = NULL;
    double sum = 0;
    memset(f->gradient, 0, f->adapter->n_values * sizeof *f->gradient);
    g_assert_true(pen_unet_adapter_upload(f->adapter, f->values, &error));
    pen_distiller_add_gradient(f->distiller, f->picture, k, text, GUIDANCE, f->gradient, &sum, NULL, &error);
    g_assert_no_error(error);
    return sum;
}

/* Along the gradient the loss changes by its length's square. */
static void test_gradient(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    enum { K = 4 };
    gsize n = f->adapter->n_values;
    loss(f, K, f->prompt);
    g_autofree float *gradient = g_memdup2(f->gradient, n * sizeof *gradient);
    g_autofree float *values = g_memdup2(f->values, n * sizeof *values);
    double square = 0;
    for (gsize i = 0; i < n; i++)
        square += (double)gradient[i] * gradient[i];
    g_assert_cmpfloat(square, >, 0);
    double step = 2e-3 / square, side[2];
    for (guint s = 0; s < 2; s++) {
        for (gsize i = 0; i < n; i++)
            f->values[i] = values[i] + (float)((s ? step : -step) * gradient[i]);
        side[s] = loss(f, K, f->prompt);
    }
    g_test_message("expected %g, found %g", 2 * step * square, side[1] - side[0]);
    g_assert_cmpfloat(fabs(side[1] - side[0] - 2 * step * square), <, 0.05 * 2 * step * square);
}

static double mean_loss(Fixture *f, const PenConditioning *text)
{
    double sum = 0;
    for (guint k = 0; k < STEPS; k += 3)
        sum += loss(f, k, text) / 4;
    return sum;
}

/* What says the word comes to say it as loud as guidance would, to texts that it did not learn from, too. */
static void test_learns(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(PenAdamw) adamw = pen_adamw_new(f->adapter->n_values);
    const PenConditioning *texts[] = { f->prompt, f->nothing, pen_distiller_text(f->distiller, 63) };
    double before[G_N_ELEMENTS(texts)];
    for (guint t = 0; t < G_N_ELEMENTS(texts); t++)
        before[t] = mean_loss(f, texts[t]);
    for (guint i = 0; i < UPDATES; i++) {
        PenAdamwConfig config = { .learning_rate = 4e-3 * (UPDATES - i) / UPDATES, .beta1 = 0.9, .beta2 = 0.999,
                                  .epsilon = 1e-8 };
        loss(f, i * 7 % STEPS, pen_distiller_text(f->distiller, i));
        pen_clip_grad_norm(f->gradient, f->adapter->n_values, 1);
        pen_adamw_step(adamw, &config, f->values, f->gradient);
    }
    for (guint t = 0; t < G_N_ELEMENTS(texts); t++) {
        double after = mean_loss(f, texts[t]);
        g_test_message("%g of the shift, after %u updates %g", before[t], UPDATES, after);
        g_assert_cmpfloat(after, <, 0.75 * before[t]);
    }
    gsize b = f->adapter->modules[0].b;
    float said = f->values[b];
    pen_distiller_finish(f->distiller, f->values);
    g_assert_cmpfloat_with_epsilon(f->values[b], PEN_DISTILLER_STRENGTH * said, 1e-6);
}

static void test_texts(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    const PenConditioning *one = pen_distiller_text(f->distiller, 0), *other = pen_distiller_text(f->distiller, 1);
    gsize n = (gsize)one->tokens * one->channels;
    g_assert_cmpuint(one->tokens, ==, f->nothing->tokens);
    /* They begin as every text does. */
    g_assert_cmpmem(one->hidden, one->channels * sizeof(float), f->nothing->hidden, one->channels * sizeof(float));
    g_assert_true(memcmp(one->hidden, other->hidden, n * sizeof(float)) != 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/distiller/texts", Fixture, NULL, set_up, test_texts, tear_down);
    g_test_add("/distiller/gradient", Fixture, NULL, set_up, test_gradient, tear_down);
    g_test_add("/distiller/learns", Fixture, NULL, set_up, test_learns, tear_down);
    return g_test_run();
}
