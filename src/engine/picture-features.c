// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/engine/picture-features.h"

#include <math.h>
#include <string.h>

#include "src/engine/denoiser.h"
#include "src/sampling/noise.h"

/* Shares of the trained timesteps. */
static const double noise_levels[] = { 0.05, 0.25 };

/* So many latents fill a GPU. */
#define BATCH_LATENTS 8192

/* Any seed would do, the same for ever. */
#define NOISE_SEED 5

static gsize n_of_latents(const PenModel *model)
{
    return 2 * (gsize)model->unet.out_channels;
}

gsize pen_features_count(const PenModel *model)
{
    return G_N_ELEMENTS(noise_levels) * pen_denoiser_n_statistics(model) + n_of_latents(model);
}

/* Each channel's mean, then each one's standard deviation. */
static void describe_latents(const float *latents, gsize pixels, guint32 channels, float *out)
{
    for (guint32 c = 0; c < channels; c++) {
        double mean = 0, variance = 0;
        for (gsize i = 0; i < pixels; i++)
            mean += latents[i * channels + c] / (double)pixels;
        for (gsize i = 0; i < pixels; i++)
            variance += pow(latents[i * channels + c] - mean, 2) / (double)pixels;
        out[c] = (float)mean;
        out[channels + c] = (float)sqrt(variance);
    }
}

typedef struct {
    PenRuntime *runtime;
    guint n, at_once;
    gsize elements; /* of a picture's latents */
    const float *const *latents;
    const float *const *conditions;
    const float *noise;
    PenDenoiser *denoiser;
    GCancellable *cancellable;
} Extraction;

/* The pictures first … first + at_once - 1; of the last batch some may be there twice. */
static gboolean look(Extraction *e, guint first, guint level, float *features, GError **error)
{
    const PenModel *model = pen_runtime_model(e->runtime);
    int t = (int)(noise_levels[level] * pen_schedule_get_num_train_timesteps(model->schedule));
    double abar = pen_schedule_get_alpha_cumprod(model->schedule, t);
    gsize n = pen_denoiser_n_statistics(model);
    g_autofree float *noisy = g_new(float, e->at_once * e->elements);
    g_autofree float *statistics = g_new(float, e->at_once *n);
    g_autofree PenModelOutput *outputs = g_new(PenModelOutput, e->at_once);
    for (guint i = 0; i < e->at_once; i++) {
        guint picture = MIN(first + i, e->n - 1);
        pen_add_noise(sqrt(abar), sqrt(1 - abar), e->elements, e->latents[picture], e->noise,
                      noisy + i * e->elements);
        if (e->conditions)
            pen_denoiser_set_condition(e->denoiser, i, e->conditions[picture]);
    }
    if (!pen_denoiser_run(e->denoiser, noisy, t, 0, 1, outputs, e->cancellable, error))
        return FALSE;
    pen_denoiser_statistics(e->denoiser, statistics);
    for (guint i = 0; i < e->at_once && first + i < e->n; i++)
        memcpy(features + (first + i) * pen_features_count(model) + level * n, statistics + i * n,
               n * sizeof *statistics);
    return TRUE;
}

gboolean pen_features_extract(PenRuntime *runtime, guint n, guint32 height, guint32 width,
                              const float *const *latents, const float *const *conditions,
                              float *features, GCancellable *cancellable, GError **error)
{
    const PenModel *model = pen_runtime_model(runtime);
    gsize pixels = (gsize)height * width, count = pen_features_count(model);
    const char *text = NULL;
    g_autoptr(PenConditioning) conditioning = NULL;
    if (!pen_runtime_encode_texts(runtime, &text, 1, &conditioning, NULL, cancellable, error))
        return FALSE;
    Extraction e = {
        .runtime = runtime,
        .n = n,
        .at_once = (guint)CLAMP(BATCH_LATENTS / pixels, 1, n),
        .elements = pixels * model->unet.out_channels,
        .latents = latents,
        .conditions = conditions,
        .cancellable = cancellable,
    };
    PenDenoiserOptions options = {
        .height = height,
        .width = width,
        .pictures = e.at_once,
        .statistics = TRUE,
        .shrinks = TRUE,
    };
    g_autoptr(PenDenoiser) denoiser = pen_denoiser_new(runtime, &options, error);
    if (!denoiser)
        return FALSE;
    e.denoiser = denoiser;
    pen_denoiser_set_conditioning(denoiser, conditioning, NULL);
    g_autofree float *noise = g_new(float, e.elements);
    pen_noise_fill(NOISE_SEED, PEN_STREAM_FEATURES, 0, e.elements, noise);
    e.noise = noise;
    for (guint i = 0; i < n; i += e.at_once)
        for (guint level = 0; level < G_N_ELEMENTS(noise_levels); level++)
            if (!look(&e, i, level, features, error))
                return FALSE;
    for (guint i = 0; i < n; i++)
        describe_latents(latents[i], pixels, model->unet.out_channels,
                         features + (i + 1) * count - n_of_latents(model));
    return TRUE;
}
