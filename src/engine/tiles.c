// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/engine/tiles.h"

#include <math.h>
#include <string.h>

/* --- geometry -------------------------------------------------------------------------------- */

/* Where tiles of `side` begin that cover `length`. */
static guint32 *spread(guint32 length, guint32 side, guint *n)
{
    guint32 step = side - side / 2;
    *n = length <= side ? 1 : (length - side + step - 1) / step + 1;
    guint32 *starts = g_new0(guint32, *n);
    for (guint i = 1; i < *n; i++)
        starts[i] = (guint32)(((guint64)i * (length - side) + (*n - 1) / 2) / (*n - 1));
    return starts;
}

/* Hann's window: tiles differ in tone, too, since each has its own statistics, and so it has to be
 * the whole overlap over which one becomes the other. */
static float window(guint32 i, guint32 length)
{
    double sine = sin(G_PI * (i + 0.5) / length);
    return (float)(sine * sine);
}

static void weigh(PenTiles *tiles)
{
    guint32 height = tiles->tile_height, width = tiles->tile_width;
    tiles->weights = g_new(float, (gsize)height *width);
    for (guint32 y = 0; y < height; y++)
        for (guint32 x = 0; x < width; x++)
            tiles->weights[(gsize)y * width + x] = window(y, height) * window(x, width);
    tiles->total = g_new0(float, (gsize)tiles->height * tiles->width);
    g_autofree float *ones = g_new(float, (gsize)height *width);
    for (gsize i = 0; i < (gsize)height * width; i++)
        ones[i] = 1;
    for (guint k = 0; k < pen_tiles_count(tiles); k++)
        pen_tiles_add(tiles, k, 1, ones, tiles->total);
}

PenTiles *pen_tiles_new(guint32 height, guint32 width, guint32 side)
{
    PenTiles *tiles = g_new0(PenTiles, 1);
    tiles->height = height;
    tiles->width = width;
    tiles->tile_height = MIN(side, height);
    tiles->tile_width = MIN(side, width);
    tiles->tops = spread(height, tiles->tile_height, &tiles->rows);
    tiles->lefts = spread(width, tiles->tile_width, &tiles->columns);
    weigh(tiles);
    return tiles;
}

PenTiles *pen_tiles_new_finer(const PenTiles *tiles, guint32 factor)
{
    PenTiles *finer = g_new0(PenTiles, 1);
    finer->height = tiles->height * factor;
    finer->width = tiles->width * factor;
    finer->tile_height = tiles->tile_height * factor;
    finer->tile_width = tiles->tile_width * factor;
    finer->rows = tiles->rows;
    finer->columns = tiles->columns;
    finer->tops = g_memdup2(tiles->tops, tiles->rows * sizeof *tiles->tops);
    finer->lefts = g_memdup2(tiles->lefts, tiles->columns * sizeof *tiles->lefts);
    for (guint i = 0; i < finer->rows; i++)
        finer->tops[i] *= factor;
    for (guint i = 0; i < finer->columns; i++)
        finer->lefts[i] *= factor;
    weigh(finer);
    return finer;
}

void pen_tiles_free(PenTiles *tiles)
{
    if (!tiles)
        return;
    g_free(tiles->tops);
    g_free(tiles->lefts);
    g_free(tiles->weights);
    g_free(tiles->total);
    g_free(tiles);
}

guint pen_tiles_count(const PenTiles *tiles)
{
    return tiles->rows * tiles->columns;
}

/* The first float of row `y` of tile `k` in the whole. */
static gsize row_start(const PenTiles *tiles, guint k, guint32 y, guint channels)
{
    gsize row = tiles->tops[k / tiles->columns] + y, column = tiles->lefts[k % tiles->columns];
    return (row * tiles->width + column) * channels;
}

void pen_tiles_cut(const PenTiles *tiles, guint k, guint channels, const float *whole, float *tile)
{
    gsize row = (gsize)tiles->tile_width * channels;
    for (guint32 y = 0; y < tiles->tile_height; y++)
        memcpy(tile + y * row, whole + row_start(tiles, k, y, channels), row * sizeof *tile);
}

void pen_tiles_add(const PenTiles *tiles, guint k, guint channels, const float *tile, float *sum)
{
    gsize row = (gsize)tiles->tile_width * channels;
    for (guint32 y = 0; y < tiles->tile_height; y++) {
        float *to = sum + row_start(tiles, k, y, channels);
        for (gsize i = 0; i < row; i++)
            to[i] +=
                tile[y * row + i] * tiles->weights[(gsize)y * tiles->tile_width + i / channels];
    }
}

void pen_tiles_divide(const PenTiles *tiles, guint channels, float *sum)
{
    gsize n = (gsize)tiles->height * tiles->width;
    for (gsize i = 0; i < n; i++)
        for (guint c = 0; c < channels; c++)
            sum[i * channels + c] /= tiles->total[i];
}

static gsize tile_pixels(const PenTiles *tiles)
{
    return (gsize)tiles->tile_height * tiles->tile_width;
}

static gsize whole_pixels(const PenTiles *tiles)
{
    return (gsize)tiles->height * tiles->width;
}

/* --- the UNet -------------------------------------------------------------------------------- */

gboolean pen_tiles_denoise(const PenTiles *tiles, PenDenoiser *denoiser, const PenModel *model,
                           const float *condition, const float *latents, double timestep,
                           double scale, double guidance, float *cond, float *uncond,
                           PenModelOutput *output, PenTilesProgress progress, gpointer data,
                           GCancellable *cancellable, GError **error)
{
    guint channels = model->unet.out_channels, count = pen_tiles_count(tiles);
    g_autofree float *tile = g_new(float, tile_pixels(tiles) * channels);
    g_autofree float *part = g_new(float, tile_pixels(tiles) * MAX(model->condition_channels, 1));
    gsize whole = whole_pixels(tiles) * channels;
    memset(cond, 0, whole * sizeof *cond);
    if (uncond)
        memset(uncond, 0, whole * sizeof *uncond);
    for (guint k = 0; k < count; k++) {
        PenModelOutput answer;
        pen_tiles_cut(tiles, k, channels, latents, tile);
        if (model->condition_channels) {
            pen_tiles_cut(tiles, k, model->condition_channels, condition, part);
            pen_denoiser_set_condition(denoiser, 0, part);
        }
        if (!pen_denoiser_run(denoiser, tile, timestep, scale, guidance, &answer, cancellable,
                              error))
            return FALSE;
        pen_tiles_add(tiles, k, channels, answer.cond, cond);
        if (uncond)
            pen_tiles_add(tiles, k, channels, answer.uncond, uncond);
        if (progress)
            progress(k + 1, count, data);
    }
    pen_tiles_divide(tiles, channels, cond);
    if (uncond)
        pen_tiles_divide(tiles, channels, uncond);
    *output = (PenModelOutput){ .cond = cond, .uncond = uncond, .guidance = guidance };
    return TRUE;
}

/* --- the VAE --------------------------------------------------------------------------------- */

gboolean pen_tiles_encode(const PenTiles *tiles, PenRuntime *runtime, const guint8 *rgb,
                          float *latents, GCancellable *cancellable, GError **error)
{
    const PenModel *model = pen_runtime_model(runtime);
    guint channels = model->vae.latent_channels;
    g_autoptr(PenTiles) pixels = pen_tiles_new_finer(tiles, model->factor);
    g_autofree guint8 *from = g_new(guint8, tile_pixels(pixels) * 3);
    g_autofree float *tile = g_new(float, tile_pixels(tiles) * channels);
    gsize row = (gsize)pixels->tile_width * 3;
    memset(latents, 0, whole_pixels(tiles) * channels * sizeof *latents);
    for (guint k = 0; k < pen_tiles_count(tiles); k++) {
        for (guint32 y = 0; y < pixels->tile_height; y++)
            memcpy(from + y * row, rgb + row_start(pixels, k, y, 3), row);
        if (!pen_runtime_rgb_to_latents(runtime, from, 1, pixels->tile_height, pixels->tile_width,
                                        tile, NULL, NULL, cancellable, error))
            return FALSE;
        pen_tiles_add(tiles, k, channels, tile, latents);
    }
    pen_tiles_divide(tiles, channels, latents);
    return TRUE;
}

gboolean pen_tiles_decode(const PenTiles *tiles, PenRuntime *runtime, const float *latents,
                          guint8 *rgb, GCancellable *cancellable, GError **error)
{
    const PenModel *model = pen_runtime_model(runtime);
    guint channels = model->vae.latent_channels;
    g_autoptr(PenTiles) pixels = pen_tiles_new_finer(tiles, model->factor);
    gsize n = tile_pixels(pixels) * 3, whole = whole_pixels(pixels) * 3;
    g_autofree float *tile = g_new(float, tile_pixels(tiles) * channels);
    g_autofree guint8 *decoded = g_new(guint8, n);
    g_autofree float *values = g_new(float, n);
    g_autofree float *sum = g_new0(float, whole);
    for (guint k = 0; k < pen_tiles_count(tiles); k++) {
        pen_tiles_cut(tiles, k, channels, latents, tile);
        if (!pen_runtime_latents_to_rgb(runtime, tile, 1, tiles->tile_height, tiles->tile_width,
                                        decoded, NULL, NULL, cancellable, error))
            return FALSE;
        for (gsize i = 0; i < n; i++)
            values[i] = decoded[i];
        pen_tiles_add(pixels, k, 3, values, sum);
    }
    pen_tiles_divide(pixels, 3, sum);
    for (gsize i = 0; i < whole; i++)
        rgb[i] = (guint8)lroundf(CLAMP(sum[i], 0, 255));
    return TRUE;
}
