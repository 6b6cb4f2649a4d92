// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Pictures that are larger than the model knows, in overlapping tiles of a size that it does know
 * (MultiDiffusion, Bar-Tal et al., arXiv:2302.08113): at each step of the sampler every tile is
 * evaluated by itself, and where tiles overlap the answers are averaged, each weighted by how far
 * the point lies inside its tile. The sampler then takes its step on the whole, with one noise for
 * the whole, so tiles cannot grow apart and there is no border to be seen. The VAE works the same
 * way. Memory is that of one tile, and some arrays of the whole on the host.
 *
 * Arrays are [height, width, channels] float32, channels last.
 */

#include "src/engine/denoiser.h"

G_BEGIN_DECLS

typedef struct {
    guint32 height, width;           /* of the whole */
    guint32 tile_height, tile_width; /* of each tile; not more than the whole */
    guint rows, columns;
    guint32 *tops, *lefts; /* [rows], [columns] */
    float *weights;        /* [tile_height, tile_width], all more than 0 */
    float *total;          /* [height, width]: the weights of all tiles there */
} PenTiles;

/* Tiles of `side` a side that overlap by half at least, evenly spread. */
PenTiles *pen_tiles_new(guint32 height, guint32 width, guint32 side);
/* The same tiles on a grid that is finer by `factor`: pixels for latents. */
PenTiles *pen_tiles_new_finer(const PenTiles *tiles, guint32 factor);
void pen_tiles_free(PenTiles *tiles);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenTiles, pen_tiles_free)

guint pen_tiles_count(const PenTiles *tiles);

/* Copies tile `k` out of the whole. */
void pen_tiles_cut(const PenTiles *tiles, guint k, guint channels, const float *whole, float *tile);
/* Adds tile `k` to a sum that starts as zeros, and divides the sum once all were added. */
void pen_tiles_add(const PenTiles *tiles, guint k, guint channels, const float *tile, float *sum);
void pen_tiles_divide(const PenTiles *tiles, guint channels, float *sum);

/* After `done` of `count` tiles. */
typedef void (*PenTilesProgress)(guint done, guint count, gpointer data);

/* What pen_denoiser_run() says of the whole: `denoiser` is for one picture of a tile's size.
 * `condition` is the whole's (NULL unless the model is one for inpainting). `cond` and `uncond`,
 * the latter NULL without guidance, get the answer, to which `output` points. `progress` may be
 * NULL. */
gboolean pen_tiles_denoise(const PenTiles *tiles, PenDenoiser *denoiser, const PenModel *model,
                           const float *condition, const float *latents, double timestep,
                           double scale, double guidance, float *cond, float *uncond,
                           PenModelOutput *output, PenTilesProgress progress, gpointer data,
                           GCancellable *cancellable, GError **error);

/* As pen_runtime_rgb_to_latents() and pen_runtime_latents_to_rgb(), for one picture; `tiles` are
 * those of the latents. */
gboolean pen_tiles_encode(const PenTiles *tiles, PenRuntime *runtime, const guint8 *rgb,
                          float *latents, GCancellable *cancellable, GError **error);
gboolean pen_tiles_decode(const PenTiles *tiles, PenRuntime *runtime, const float *latents,
                          guint8 *rgb, GCancellable *cancellable, GError **error);

G_END_DECLS
