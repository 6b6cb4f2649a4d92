// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/engine/previewer.h"

#include <math.h>

#include "src/sampling/noise.h"

/* The picture that the map is fitted on: SIDE x SIDE latents, constant over blocks so that the
 * decoder's reach to the neighbours matters little. */
#define SIDE 16
#define BLOCK 4
#define SEED 1

struct _PenPreviewer {
    guint channels;
    double *map; /* [channels + 1, 3]; the last row is the constant */
};

/* Solves a x = b for symmetric positive definite a[n, n] and three right-hand sides b[n, 3], in
 * place (Cholesky). */
static void solve(double *a, double *b, guint n)
{
    for (guint i = 0; i < n; i++)
        for (guint j = 0; j <= i; j++) {
            double sum = a[i * n + j];
            for (guint k = 0; k < j; k++)
                sum -= a[i * n + k] * a[j * n + k];
            a[i * n + j] = i == j ? sqrt(fmax(sum, 1e-12)) : sum / a[j * n + j];
        }
    for (guint c = 0; c < 3; c++) {
        for (guint i = 0; i < n; i++) {
            for (guint k = 0; k < i; k++)
                b[i * 3 + c] -= a[i * n + k] * b[k * 3 + c];
            b[i * 3 + c] /= a[i * n + i];
        }
        for (guint i = n; i-- > 0;) {
            for (guint k = i + 1; k < n; k++)
                b[i * 3 + c] -= a[k * n + i] * b[k * 3 + c];
            b[i * 3 + c] /= a[i * n + i];
        }
    }
}

/* The mean colour of the pixels of one latent position. */
static void mean_colour(const guint8 *rgb, guint factor, guint row, guint column, double mean[3])
{
    guint stride = SIDE * factor;
    for (guint c = 0; c < 3; c++) {
        double sum = 0;
        for (guint y = 0; y < factor; y++)
            for (guint x = 0; x < factor; x++)
                sum += rgb[((gsize)(row * factor + y) * stride + column * factor + x) * 3 + c];
        mean[c] = sum / (factor * factor);
    }
}

PenPreviewer *pen_previewer_new(PenRuntime *runtime, GCancellable *cancellable, GError **error)
{
    const PenModel *model = pen_runtime_model(runtime);
    guint channels = model->vae.latent_channels, factor = model->factor, n = channels + 1;
    g_autofree float *blocks = g_new(float, SIDE * SIDE * channels);
    g_autofree float *latents = g_new(float, SIDE * SIDE * channels);
    g_autofree guint8 *rgb = g_new(guint8, (gsize)SIDE * SIDE * factor * factor * 3);
    pen_noise_fill(SEED, PEN_STREAM_INITIAL, 0, SIDE * SIDE * channels, blocks);
    for (guint y = 0; y < SIDE; y++)
        for (guint x = 0; x < SIDE; x++)
            for (guint c = 0; c < channels; c++)
                latents[(y * SIDE + x) * channels + c] =
                    blocks[(y / BLOCK * BLOCK * SIDE + x / BLOCK * BLOCK) * channels + c];
    if (!pen_runtime_latents_to_rgb(runtime, latents, 1, SIDE, SIDE, rgb, NULL, NULL, cancellable,
                                    error))
        return NULL;

    g_autofree double *normal = g_new0(double, n * n), *row = g_new(double, n);
    double *map = g_new0(double, n * 3);
    for (guint i = 0; i < SIDE * SIDE; i++) {
        double colour[3];
        mean_colour(rgb, factor, i / SIDE, i % SIDE, colour);
        for (guint c = 0; c < channels; c++)
            row[c] = latents[i * channels + c];
        row[channels] = 1;
        for (guint a = 0; a < n; a++) {
            for (guint b = 0; b < n; b++)
                normal[a * n + b] += row[a] * row[b];
            for (guint c = 0; c < 3; c++)
                map[a * 3 + c] += row[a] * colour[c];
        }
    }
    solve(normal, map, n);
    PenPreviewer *previewer = g_new0(PenPreviewer, 1);
    previewer->channels = channels;
    previewer->map = map;
    return previewer;
}

void pen_previewer_free(PenPreviewer *previewer)
{
    if (!previewer)
        return;
    g_free(previewer->map);
    g_free(previewer);
}

void pen_previewer_run(const PenPreviewer *previewer, const float *latents, gsize n_pixels,
                       guint8 *rgb)
{
    guint channels = previewer->channels;
    for (gsize i = 0; i < n_pixels; i++)
        for (guint c = 0; c < 3; c++) {
            double sum = previewer->map[channels * 3 + c];
            for (guint k = 0; k < channels; k++)
                sum += previewer->map[k * 3 + c] * latents[i * channels + k];
            rgb[i * 3 + c] = (guint8)lrint(CLAMP(sum, 0, 255));
        }
}
