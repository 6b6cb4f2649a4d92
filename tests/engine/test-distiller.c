// SPDX-License-Identifier: GPL-3.0-or-later
/* The adapter learns to say a word with a prompt and not without: its gradient, and where it leads. */
#include <math.h>
#include <string.h>

#include "src/engine/distiller.h"
#include "src/engine/forward.h"
#include "src/engine/word.h"
#include "src/learning/adamw.h"
#include "src/sampling/noise.h"

enum { SIDE = 8, STEPS = 10, UPDATES = 40, SEED = 5 };

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
    f->picture = pen_forward_trajectory(model, latents, SIDE, SIDE, NULL, STEPS, 3, SEED, &error);
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
    g_assert_true(pen_word_write(f->word, f->v, PEN_DISTILLER_STRENGTH, f->values, &error));
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

/* The loss for the texts at a step; its gradient goes into f->gradient. */
static double loss(Fixture *f, guint k, PenDistillerTexts texts)
{
    g_autoptr(GError) error = NULL;
    double sum = 0;
    memset(f->gradient, 0, f->adapter->n_values * sizeof *f->gradient);
    g_assert_true(pen_unet_adapter_upload(f->adapter, f->values, &error));
    pen_distiller_add_gradient(f->distiller, f->picture, k, &texts, f->gradient, &sum, NULL, &error);
    g_assert_no_error(error);
    return sum;
}

/* Along the gradient the loss changes by its length's square. */
static void test_gradient(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    enum { K = 4 };
    PenDistillerTexts texts = { f->prompt, f->nothing };
    gsize n = f->adapter->n_values;
    loss(f, K, texts);
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
        side[s] = loss(f, K, texts);
    }
    g_test_message("expected %g, found %g", 2 * step * square, side[1] - side[0]);
    g_assert_cmpfloat(fabs(side[1] - side[0] - 2 * step * square), <, 0.05 * 2 * step * square);
}

static void mean_loss(Fixture *f, double *of_prompt, double *of_random)
{
    *of_prompt = *of_random = 0;
    for (guint k = 0; k < STEPS; k += 3) {
        *of_prompt += loss(f, k, (PenDistillerTexts){ f->prompt, f->nothing }) / 4;
        *of_random += loss(f, k, pen_distiller_random_texts(f->distiller, 63)) / 4;
    }
}

/* What says the word to all texts comes to say it to prompts alone, and to those that it did not learn from. */
static void test_learns(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(PenAdamw) adamw = pen_adamw_new(f->adapter->n_values);
    double before[2], after[2];
    mean_loss(f, &before[0], &before[1]);
    for (guint i = 0; i < UPDATES; i++) {
        PenAdamwConfig config = { .learning_rate = 4e-3 * (UPDATES - i) / UPDATES, .beta1 = 0.9, .beta2 = 0.999,
                                  .epsilon = 1e-8 };
        loss(f, i * 7 % STEPS, pen_distiller_random_texts(f->distiller, i));
        pen_clip_grad_norm(f->gradient, f->adapter->n_values, 1);
        pen_adamw_step(adamw, &config, f->values, f->gradient);
    }
    mean_loss(f, &after[0], &after[1]);
    for (guint t = 0; t < 2; t++) {
        g_test_message("%g of the push, after %u updates %g", before[t], UPDATES, after[t]);
        g_assert_cmpfloat(after[t], <, 0.5 * before[t]);
    }
}

static void test_texts(Fixture *f, gconstpointer data G_GNUC_UNUSED)
{
    PenDistillerTexts one = pen_distiller_random_texts(f->distiller, 0),
                      other = pen_distiller_random_texts(f->distiller, 1);
    gsize n = (gsize)one.prompt->tokens * one.prompt->channels;
    g_assert_cmpuint(one.prompt->tokens, ==, f->nothing->tokens);
    g_assert_cmpmem(one.nothing->hidden, n * sizeof(float), f->nothing->hidden, n * sizeof(float));
    g_assert_true(memcmp(one.prompt->hidden, other.prompt->hidden, n * sizeof(float)) != 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/distiller/texts", Fixture, NULL, set_up, test_texts, tear_down);
    g_test_add("/distiller/gradient", Fixture, NULL, set_up, test_gradient, tear_down);
    g_test_add("/distiller/learns", Fixture, NULL, set_up, test_learns, tear_down);
    return g_test_run();
}
