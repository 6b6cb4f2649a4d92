// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/lower-matmul.h"
#include "compute/lower-runs.h"
#include "compute/parameter.h"

/* As in shaders/winograd.glsl. */
#define PLACES 36
#define TILE 4

/* Tiles are worked on in parts whose transforms take about so many bytes each: they stay in the
 * cache, and the arena hardly grows. */
#define PART_BYTES (8u << 20)

/* The most that a transformed weight may take; it has 4 values for each of the weight's. */
#define MOST_WEIGHT_BYTES (64u << 20)

/* What the transforms cost is paid back from so many tiles and channels on (measured on llvmpipe).
 */
#define LEAST_TILES 16
#define LEAST_CHANNELS 32

typedef struct {
    guint32 across, down, all; /* of an image, and of all images */
} Tiles;

static Tiles count_tiles(PenShape y)
{
    guint32 across = (guint32)pen_groups(y.w, TILE), down = (guint32)pen_groups(y.h, TILE);
    return (Tiles){ across, down, y.n * across * down };
}

static gboolean is_faster(const PenLowering *l, const PenMatmul *mm, const Tiles *tiles)
{
    guint32 c = mm->x->shape.c, n = mm->y->shape.c;
    guint64 pixels = pen_shape_rows(mm->y->shape), covered = (guint64)tiles->all * TILE * TILE;
    return l->device->kernels == PEN_KERNELS_LANES && mm->kh == 3 && mm->kw == 3 &&
           mm->stride == 1 && c % PEN_PANEL == 0 && n % PEN_PANEL == 0 && c >= LEAST_CHANNELS &&
           n >= LEAST_CHANNELS && tiles->across * tiles->down >= LEAST_TILES &&
           2 * covered <= 3 * pixels &&
           (guint64)PLACES * c * n * sizeof(float) <= MOST_WEIGHT_BYTES;
}

/* [36, panels, c, 8] */
static PenTensor *transform_weight(PenLowering *l, const PenMatmul *mm)
{
    struct {
        guint32 panels, c;
    } push = { mm->y->shape.c / PEN_PANEL, mm->x->shape.c };
    PenTensor *u =
        pen_lower_scratch(l, PEN_SHAPE(PLACES, push.panels, push.c, PEN_PANEL), PEN_DTYPE_F32);
    PenDispatch *d = pen_lower_dispatch(l, "winograd_weight_lanes", mm->weight->dtype, push.panels);
    pen_dispatch_spec(d, mm->input_gradient);
    pen_dispatch_bind(d, mm->weight, PEN_ACCESS_READ);
    pen_dispatch_bind(d, u, PEN_ACCESS_WRITE);
    pen_dispatch_push(d, &push, sizeof push);
    pen_dispatch_addresses(d, 1);
    g_snprintf(d->label, sizeof d->label, "winograd W %u->%u", push.c, mm->y->shape.c);
    d->flops = 8 * (double)pen_shape_elements(u->shape);
    d->bytes = 1.25 * pen_tensor_bytes(u);
    return u;
}

static void transform_input(PenLowering *l, const PenMatmul *mm, const Tiles *tiles, guint32 first,
                            PenTensor *v)
{
    PenShape x = mm->x->shape;
    gint32 top = (gint32)mm->padding.top, left = (gint32)mm->padding.left;
    struct {
        guint32 first, tiles, c, h, w, across, down;
        gint32 top, left;
    } push = {
        .first = first,
        .tiles = v->shape.w,
        .c = x.c,
        .h = x.h,
        .w = x.w,
        .across = tiles->across,
        .down = tiles->down,
        .top = mm->input_gradient ? 2 - top : top, /* the weight's taps are flipped */
        .left = mm->input_gradient ? 2 - left : left,
    };
    PenDispatch *d = pen_lower_dispatch(l, "winograd_input_lanes", mm->x->dtype, push.tiles);
    pen_dispatch_bind(d, mm->x, PEN_ACCESS_READ);
    pen_dispatch_bind(d, v, PEN_ACCESS_WRITE);
    pen_dispatch_push(d, &push, sizeof push);
    pen_dispatch_addresses(d, 1);
    g_snprintf(d->label, sizeof d->label, "winograd x %ux%ux%u", x.h, x.w, x.c);
    d->flops = 4 * (double)pen_shape_elements(v->shape);
    d->bytes = 1.5 * pen_tensor_bytes(v);
}

static void transform_output(PenLowering *l, const PenMatmul *mm, const Tiles *tiles, guint32 first,
                             PenTensor *products)
{
    PenShape y = mm->y->shape;
    struct {
        guint32 first, tiles, n, oh, ow, across, down, image_bias_stride;
    } push = {
        .first = first,
        .tiles = products->shape.w,
        .n = y.c,
        .oh = y.h,
        .ow = y.w,
        .across = tiles->across,
        .down = tiles->down,
        .image_bias_stride = mm->image_bias && mm->image_bias->shape.n > 1 ? y.c : 0,
    };
    PenDispatch *d = pen_lower_dispatch(
        l, mm->y->dtype != mm->x->dtype ? "winograd_output_lanes_out32" : "winograd_output_lanes",
        mm->x->dtype, push.tiles);
    pen_dispatch_spec(d, mm->bias != NULL);
    pen_dispatch_spec(d, mm->residual != NULL);
    pen_dispatch_spec(d, mm->image_bias != NULL);
    pen_dispatch_bind(d, products, PEN_ACCESS_READ);
    pen_dispatch_bind(d, mm->bias, PEN_ACCESS_READ);
    pen_dispatch_bind(d, mm->residual, PEN_ACCESS_READ);
    pen_dispatch_bind(d, mm->image_bias, PEN_ACCESS_READ);
    pen_dispatch_bind(d, mm->y, PEN_ACCESS_WRITE);
    pen_dispatch_push(d, &push, sizeof push);
    pen_dispatch_addresses(d, 1);
    g_snprintf(d->label, sizeof d->label, "winograd y %ux%ux%u", y.h, y.w, y.c);
    d->flops = 4 * (double)pen_shape_elements(products->shape);
    d->bytes = 1.5 * pen_tensor_bytes(products);
}

gboolean pen_lower_winograd(PenLowering *l, const PenMatmul *mm)
{
    guint32 c = mm->x->shape.c, n = mm->y->shape.c;
    Tiles tiles = count_tiles(mm->y->shape);
    if (!is_faster(l, mm, &tiles))
        return FALSE;
    guint32 part = PART_BYTES / (PLACES * MAX(c, n) * sizeof(float));
    PenTensor *u = transform_weight(l, mm);
    for (guint32 first = 0; first < tiles.all; first += part) {
        guint32 count = MIN(part, tiles.all - first);
        PenTensor *v = pen_lower_scratch(l, PEN_SHAPE(PLACES, 1, count, c), PEN_DTYPE_F32);
        PenTensor *products = pen_lower_scratch(l, PEN_SHAPE(PLACES, 1, count, n), PEN_DTYPE_F32);
        PenMatmul product = { .x = v,
                              .weight = u,
                              .y = products,
                              .linear = TRUE,
                              .kh = 1,
                              .kw = 1,
                              .stride = 1,
                              .batches = PLACES };
        transform_input(l, mm, &tiles, first, v);
        pen_lower_product(l, &product);
        transform_output(l, mm, &tiles, first, products);
    }
    return TRUE;
}
