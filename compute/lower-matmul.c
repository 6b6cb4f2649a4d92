// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/lower-matmul.h"
#include "compute/lower-runs.h"
#include "compute/parameter.h"

/* Push constants of shaders/matmul.glsl; the kernels for lanes have addresses behind them. */
typedef struct {
    guint32 m, n, c, panels, panel_rows;
    guint32 h, w, oh, ow;
    gint32 top, left;
    guint32 image_bias_stride, m_tiles;
} MatmulPush;

/* What matmul_lanes.comp has behind them. */
typedef struct {
    guint32 n_tiles, batches;
} LanesPush;

/* A kernel, and the rows and columns of y that one of its workgroups makes. */
typedef struct {
    char shader[32]; /* without the suffixes */
    guint32 rows, columns;
    guint32 invocations[2]; /* along columns and rows, where they are not fixed */
    guint32 subgroup_size;  /* that the kernel asks for; 0: any */
    guint32 subgroups[2];   /* along rows and columns, of those that multiply matrices */
} Tile;

/* Shapes of the kernels for vector lanes, as in shaders/variants.txt and their source. */
#define LANES_STEP 16 /* KS of matmul_lanes.comp */

/* With fewer workgroups than this a large GPU has nothing to do: smaller tiles make more. Where it
 * was measured (compute/tune.h) that counts. */
#define ENOUGH_GROUPS 64

/* As in matmul_shared.comp: the channels of a tile, whole matrices. */
#define MATRIX_CHANNELS(device) MAX(32u, (device)->matrix.k)

/* Workgroups that multiply matrices have about so many rows and columns of the smaller tile, and no
 * more invocations: enough to use again what they copied, and room for others beside them. */
#define MATRIX_ROWS 64u
#define MATRIX_COLUMNS 32u
#define MATRIX_INVOCATIONS 256u

/* Registers that such a workgroup's invocations take beside those of the matrices, about, as
 * compilers for GPUs have it (./dev vendors); a convolution's pixels take more. */
#define MATRIX_REGISTERS 80u
#define MATRIX_PIXEL_REGISTERS 20u

static Tile lanes_tile(guint32 n)
{
    if (n <= PEN_PANEL)
        return (Tile){ "matmul_lanes_8x1", 8, PEN_PANEL, { 0 }, 0, { 0 } };
    return (Tile){ "matmul_lanes_4x3", 4, 3 * PEN_PANEL, { 0 }, 0, { 0 } };
}

static Tile register_tile(gboolean input_gradient, guint64 m, guint32 n)
{
    guint32 tm = 4, columns = 8, rows = 8;
    if (n <= PEN_PANEL) { /* an adapter's rank, the model's few output channels: one panel is all */
        columns = 1;
        rows = 64;
    } else if (m >= 64) {
        tm = 8;
    }
    Tile tile = { .rows = rows * tm,
                  .columns = columns * PEN_PANEL,
                  .invocations = { columns, rows } };
    g_snprintf(tile.shader, sizeof tile.shader, "matmul%s_%u", input_gradient ? "_input" : "", tm);
    return tile;
}

static gboolean enough_groups(const PenDeviceInfo *device, PenDtype dtype, gboolean linear,
                              guint64 m, guint32 n, guint32 rows, guint32 columns)
{
    guint32 measured = device->large_tiles_from[device->kernels][dtype][linear];
    return pen_groups(m, rows) * pen_groups(n, columns) >= (measured ? measured : ENOUGH_GROUPS);
}

static void specialize(PenDispatch *d, const PenDeviceInfo *device, const Tile *tile,
                       const PenMatmul *mm, guint32 c, guint32 n)
{
    guint32 spec[PEN_MAX_SPEC];
    guint k = 0;
    if (device->kernels != PEN_KERNELS_LANES) {
        spec[k++] = tile->invocations[0];
        spec[k++] = tile->invocations[1];
    }
    spec[k++] = mm->kh;
    spec[k++] = mm->kw;
    spec[k++] = mm->stride;
    spec[k++] = mm->linear;
    if (device->kernels != PEN_KERNELS_LANES) {
        spec[k++] = c % 4 == 0;
        spec[k++] = n % 4 == 0;
    }
    spec[k++] = mm->bias != NULL;
    spec[k++] = mm->residual != NULL;
    spec[k++] = mm->image_bias != NULL;
    if (device->kernels == PEN_KERNELS_LANES) {
        spec[k++] = c >= LANES_STEP;
        spec[k++] = c % LANES_STEP != 0;
        spec[k++] = mm->input_gradient;
    }
    if (tile->subgroups[0]) {
        PenMatrixShape matrix = device->matrix;
        spec[k++] = matrix.m;
        spec[k++] = matrix.n;
        spec[k++] = matrix.k;
        spec[k++] = tile->subgroups[0];
        spec[k++] = tile->subgroups[1];
        pen_dispatch_divides(d, "channels of a tile", MATRIX_CHANNELS(device), matrix.k);
        pen_dispatch_divides(d, "invocations", tile->invocations[0], MATRIX_CHANNELS(device) / 4);
        pen_dispatch_divides(d, "columns of a tile", tile->columns, PEN_PANEL);
    }
    for (guint i = 0; i < k; i++)
        pen_dispatch_spec(d, spec[i]);
    d->subgroup_size = tile->subgroup_size;
}

/* Whether the device can run a kernel, whatever the shapes. */
static gboolean tile_fits(const PenDeviceInfo *device, const Tile *tile, PenDtype dtype)
{
    static const PenMatmul any = { .kh = 1, .kw = 1, .stride = 1, .batches = 1, .linear = TRUE };
    PenDispatch d = { .groups = { 1, 1, 1 } };
    g_snprintf(d.shader, sizeof d.shader, "%s.%s", tile->shader,
               dtype == PEN_DTYPE_F16 ? "f16" : "f32");
    specialize(&d, device, tile, &any, 4, 4);
    return pen_dispatch_fits(device, &d, NULL);
}

/* FALSE where the device is too small for shared memory to be of use. */
static gboolean shared_tile(const PenDeviceInfo *device, const PenMatmul *mm, guint64 m, guint32 n,
                            Tile *tile)
{
    gboolean large = enough_groups(device, mm->x->dtype, mm->linear, m, n, 128, 128);
    for (guint32 side = large ? 16 : 8; side >= 8; side /= 2) {
        *tile = (Tile){ .rows = 8 * side, .columns = 8 * side, .invocations = { side, side } };
        g_snprintf(tile->shader, sizeof tile->shader, "matmul_shared%s",
                   mm->input_gradient ? "_input" : "");
        if (tile_fits(device, tile, mm->x->dtype))
            return TRUE;
    }
    return FALSE;
}

/* Whether invocations have the registers for `times` matrices along rows and columns each. */
static gboolean has_registers(const PenDeviceInfo *device, gboolean linear, guint32 times)
{
    PenMatrixShape matrix = device->matrix;
    guint32 sums = times * times * matrix.m * matrix.n;                        /* float32 */
    guint32 factors = (times * matrix.m * matrix.k + matrix.k * matrix.n) / 2; /* float16 */
    return (sums + factors) / device->matrix_subgroup + MATRIX_REGISTERS +
               (linear ? 0 : MATRIX_PIXEL_REGISTERS) <=
           device->registers;
}

/* FALSE where no workgroup that multiplies the device's matrices fits. */
static gboolean matrix_tile(const PenDeviceInfo *device, gboolean input_gradient, gboolean linear,
                            guint64 m, guint32 n, Tile *tile)
{
    PenMatrixShape matrix = device->matrix;
    guint32 subgroups[2] = { MAX(MATRIX_ROWS / matrix.m, 1), MAX(MATRIX_COLUMNS / matrix.n, 1) };
    for (;;) {
        guint32 invocations = subgroups[0] * subgroups[1] * device->matrix_subgroup;
        for (guint32 times = 2; invocations <= MATRIX_INVOCATIONS && times > 0; times--) {
            *tile = (Tile){
                .rows = subgroups[0] * matrix.m * times,
                .columns = subgroups[1] * matrix.n * times,
                .invocations = { invocations, 1 },
                .subgroup_size = device->matrix_subgroup,
                .subgroups = { subgroups[0], subgroups[1] },
            };
            g_snprintf(tile->shader, sizeof tile->shader, "matmul_matrix%s_%u",
                       input_gradient ? "_input" : "", times);
            if ((times == 1 ||
                 (has_registers(device, linear, times) &&
                  enough_groups(device, PEN_DTYPE_F16, linear, m, n, tile->rows, tile->columns))) &&
                tile_fits(device, tile, PEN_DTYPE_F16))
                return TRUE;
        }
        if (subgroups[0] * subgroups[1] == 1)
            return FALSE;
        subgroups[subgroups[0] < subgroups[1]] /= 2; /* the larger one */
    }
}

gboolean pen_lower_matrix_fits(const PenDeviceInfo *device)
{
    PenMatrixShape matrix = device->matrix;
    Tile tile;
    return matrix.m && matrix.n >= 4 && matrix.k >= 4 &&
           matrix_tile(device, FALSE, TRUE, 1, 1, &tile) &&
           matrix_tile(device, TRUE, TRUE, 1, 1, &tile);
}

static Tile choose_tile(const PenDeviceInfo *device, const PenMatmul *mm, guint64 m, guint32 n)
{
    Tile tile;
    if (device->kernels == PEN_KERNELS_LANES)
        return lanes_tile(n);
    if (device->kernels != PEN_KERNELS_TILES && n > PEN_PANEL &&
        ((device->kernels == PEN_KERNELS_MATRIX && mm->x->dtype == PEN_DTYPE_F16 &&
          matrix_tile(device, mm->input_gradient, mm->linear, m, n, &tile)) ||
         shared_tile(device, mm, m, n, &tile)))
        return tile;
    return register_tile(mm->input_gradient, m, n);
}

#define MANY_ROWS 65536 /* for all tiles, and not for G_MAXUINT32 of them */

gboolean pen_lower_tile_choice(const PenDeviceInfo *device, PenDtype dtype, gboolean linear,
                               guint32 *rows, guint32 *columns)
{
    PenTensor x = { .dtype = dtype };
    PenMatmul any = { .x = &x, .linear = linear };
    PenDeviceInfo with_large = *device, without = *device;
    with_large.large_tiles_from[device->kernels][dtype][linear] = 1;
    without.large_tiles_from[device->kernels][dtype][linear] = G_MAXUINT32;
    Tile large = choose_tile(&with_large, &any, MANY_ROWS, MANY_ROWS);
    Tile small = choose_tile(&without, &any, MANY_ROWS, MANY_ROWS);
    *rows = large.rows;
    *columns = large.columns;
    return large.rows * large.columns != small.rows * small.columns;
}

void pen_lower_product(PenLowering *l, const PenMatmul *mm)
{
    PenShape in = mm->x->shape, out = mm->y->shape;
    guint64 m = pen_shape_rows(out) / mm->batches;
    guint32 n = out.c, taps = mm->kh * mm->kw;
    gboolean lanes = l->device->kernels == PEN_KERNELS_LANES;
    gboolean across = mm->input_gradient && !lanes; /* the panels of W, else it was transposed */
    Tile tile = choose_tile(l->device, mm, m, n);
    guint64 m_tiles = pen_groups(m, tile.rows);
    guint64 n_tiles = pen_groups(n, tile.columns);

    char name[48];
    g_snprintf(name, sizeof name, "%s%s", tile.shader,
               mm->y->dtype != mm->x->dtype ? "_out32" : "");
    PenDispatch *d = pen_lower_dispatch(l, name, mm->x->dtype, m_tiles * n_tiles * mm->batches);
    specialize(d, l->device, &tile, mm, in.c, n);
    pen_dispatch_bind(d, mm->x, PEN_ACCESS_READ);
    pen_dispatch_bind(d, mm->weight, PEN_ACCESS_READ);
    pen_dispatch_bind(d, mm->bias, PEN_ACCESS_READ);
    pen_dispatch_bind(d, mm->residual, PEN_ACCESS_READ);
    pen_dispatch_bind(d, mm->image_bias, PEN_ACCESS_READ);
    pen_dispatch_bind(d, mm->y, PEN_ACCESS_WRITE);
    MatmulPush push = {
        .m = (guint32)m,
        .n = n,
        .c = in.c,
        .panels = (n + PEN_PANEL - 1) / PEN_PANEL,
        .panel_rows = taps * (across ? n : in.c),
        .h = in.h,
        .w = in.w,
        .oh = out.h,
        .ow = out.w,
        .top = (gint32)mm->padding.top,
        .left = (gint32)mm->padding.left,
        .image_bias_stride = mm->image_bias && mm->image_bias->shape.n > 1 ? n : 0,
        .m_tiles = (guint32)m_tiles,
    };
    pen_dispatch_push(d, &push, sizeof push);
    if (lanes) {
        LanesPush more = { (guint32)n_tiles, mm->batches };
        pen_dispatch_push(d, &more, sizeof more);
        pen_dispatch_addresses(d, 2);
    }

    if (mm->linear)
        g_snprintf(d->label, sizeof d->label, "linear%s %" G_GUINT64_FORMAT " %u->%u",
                   mm->input_gradient ? " dx" : "", m, in.c, n);
    else
        g_snprintf(d->label, sizeof d->label, "conv%ux%u%s%s %ux%u %u->%u", mm->kh, mm->kw,
                   mm->stride > 1 ? " /2" : "", mm->input_gradient ? " dx" : "", out.h, out.w, in.c,
                   n);
    d->flops = 2.0 * (double)m * mm->batches * n * in.c * taps;
    if (mm->input_gradient) /* only every stride-th pixel has a value at a tap */
        d->flops /= mm->stride * mm->stride;
    gsize size = pen_dtype_size(mm->x->dtype);
    d->bytes = (double)(pen_shape_elements(in) + pen_shape_elements(out) +
                        (guint64)n * in.c * taps * mm->batches) *
               (double)size;
    if (mm->residual)
        d->bytes += (double)pen_shape_elements(out) * (double)size;
}

/* Push constants of weight_gradient.comp. */
typedef struct {
    guint32 m, ni, nj, chunk, tiles_i, tiles_j;
} WeightGradientPush;

#define WEIGHT_GRADIENT_LANES 8
#define WEIGHT_GRADIENT_LANES_COLUMNS 24 /* of weight_gradient_lanes.comp */
#define WEIGHT_GRADIENT_CHUNK 256

static void emit_weight_gradient(PenLowering *l)
{
    PenTensor *dy = l->node->in[0], *x = l->node->in[1], *g = l->node->out[0];
    gboolean transpose = dy->shape.c > x->shape.c;
    PenTensor *p = transpose ? x : dy, *q = transpose ? dy : x;
    gboolean lanes = l->device->kernels == PEN_KERNELS_LANES && q->shape.c >= 8;
    WeightGradientPush push = {
        .m = (guint32)pen_shape_rows(x->shape),
        .ni = p->shape.c,
        .nj = q->shape.c,
        .chunk = WEIGHT_GRADIENT_CHUNK,
        .tiles_i = (guint32)pen_groups(p->shape.c, 4),
        .tiles_j = (guint32)pen_groups(q->shape.c, lanes ? WEIGHT_GRADIENT_LANES_COLUMNS
                                                         : 4 * WEIGHT_GRADIENT_LANES),
    };
    guint32 chunks = (guint32)pen_groups(push.m, push.chunk);
    PenTensor *partial = g;
    if (chunks > 1)
        partial = pen_lower_scratch(l, PEN_SHAPE(1, 1, chunks, push.ni * push.nj), PEN_DTYPE_F32);
    PenDispatch *d = pen_lower_dispatch(l, lanes ? "weight_gradient_lanes" : "weight_gradient",
                                        x->dtype, (guint64)chunks * push.tiles_i * push.tiles_j);
    if (!lanes)
        pen_dispatch_spec(d, WEIGHT_GRADIENT_LANES);
    pen_dispatch_spec(d, transpose);
    pen_dispatch_bind(d, p, PEN_ACCESS_READ);
    pen_dispatch_bind(d, q, PEN_ACCESS_READ);
    pen_dispatch_bind(d, partial, PEN_ACCESS_WRITE);
    pen_dispatch_push(d, &push, sizeof push);
    if (lanes)
        pen_dispatch_addresses(d, 2);
    g_snprintf(d->label, sizeof d->label, "linear dW %u %ux%u", push.m, push.ni, push.nj);
    d->flops = 2.0 * push.m * push.ni * push.nj;
    d->bytes = (double)(pen_shape_elements(p->shape) + pen_shape_elements(q->shape)) *
               (double)pen_dtype_size(x->dtype);
    if (chunks == 1)
        return;

    guint32 sum[2] = { push.ni * push.nj, chunks };
    d = pen_lower_dispatch(l, "sum_chunks", PEN_DTYPE_F32, pen_groups(sum[0], 64));
    pen_dispatch_bind(d, partial, PEN_ACCESS_READ);
    pen_dispatch_bind(d, g, PEN_ACCESS_WRITE);
    pen_dispatch_push(d, sum, sizeof sum);
    g_snprintf(d->label, sizeof d->label, "sum of chunks");
    d->flops = (double)sum[0] * chunks;
    d->bytes = 4.0 * sum[0] * (chunks + 1);
}

#define UNPACK_ELEMENTS 16 /* of an invocation of unpack.comp */

/* The weight as kernels read it: one in 8 bits is unpacked first. */
static PenTensor *unpacked_weight(PenLowering *l, PenTensor *weight)
{
    if (pen_parameter_layout(weight->parameter) != PEN_LAYOUT_EIGHT_BIT_PANEL)
        return weight;
    guint32 elements = (guint32)pen_parameter_stored_elements(weight->parameter);
    guint32 push[2] = { elements, /* where the scales are, in words */
                        (guint32)pen_groups(elements, PEN_EIGHT_BIT_BLOCK) * PEN_EIGHT_BIT_BLOCK /
                            4 };
    PenTensor *whole =
        pen_lower_scratch(l, PEN_SHAPE(1, 1, elements / PEN_PANEL, PEN_PANEL), weight->dtype);
    PenDispatch *d =
        pen_lower_runs(l, "unpack", weight->dtype, pen_groups(elements, UNPACK_ELEMENTS), TRUE);
    pen_dispatch_bind(d, weight, PEN_ACCESS_READ);
    pen_dispatch_bind(d, whole, PEN_ACCESS_WRITE);
    pen_dispatch_push(d, push, sizeof push);
    g_snprintf(d->label, sizeof d->label, "unpack %u", elements);
    d->flops = elements;
    d->bytes = (double)pen_parameter_bytes(weight->parameter) + pen_tensor_bytes(whole);
    return whole;
}

/* The weight of an input gradient as the kernels for lanes read it (shaders/transpose_lanes.comp).
 */
static PenTensor *transposed_weight(PenLowering *l, const PenMatmul *mm)
{
    struct {
        guint32 outs, ins, taps;
    } push = { mm->x->shape.c, mm->y->shape.c, mm->kh * mm->kw };
    guint32 panels = (guint32)pen_groups(push.ins, PEN_PANEL);
    PenTensor *transposed =
        pen_lower_scratch(l, PEN_SHAPE(panels, push.taps, push.outs, PEN_PANEL), mm->weight->dtype);
    PenDispatch *d =
        pen_lower_dispatch(l, "transpose_lanes", mm->weight->dtype, (guint64)panels * push.taps);
    pen_dispatch_bind(d, mm->weight, PEN_ACCESS_READ);
    pen_dispatch_bind(d, transposed, PEN_ACCESS_WRITE);
    pen_dispatch_push(d, &push, sizeof push);
    pen_dispatch_addresses(d, 1);
    g_snprintf(d->label, sizeof d->label, "transpose %u %ux%u", push.taps, push.outs, push.ins);
    d->flops = (double)pen_shape_elements(transposed->shape);
    d->bytes = 2 * pen_tensor_bytes(transposed);
    return transposed;
}

void pen_lower_matmul(PenLowering *l)
{
    const PenNode *node = l->node;
    if (node->op == PEN_OP_LINEAR_WEIGHT) {
        emit_weight_gradient(l);
        return;
    }
    PenMatmul mm = {
        .x = node->in[0],
        .weight = node->in[1],
        .bias = node->n_in > 2 ? node->in[2] : NULL,
        .residual = node->n_in > 3 ? node->in[3] : NULL,
        .image_bias = node->n_in > 4 ? node->in[4] : NULL,
        .y = node->out[0],
        .input_gradient = node->op == PEN_OP_LINEAR_INPUT || node->op == PEN_OP_CONV2D_INPUT,
        .linear = node->op == PEN_OP_LINEAR || node->op == PEN_OP_LINEAR_INPUT,
        .kh = 1,
        .kw = 1,
        .stride = 1,
        .batches = 1,
    };
    if (!mm.linear) {
        mm.kh = mm.weight->shape.h;
        mm.kw = mm.weight->shape.w;
        mm.stride = node->attr.stride;
        mm.padding = node->attr.padding;
        /* A 1x1 convolution is a linear layer over pixels. */
        PenPadding p = mm.padding;
        mm.linear = mm.kh * mm.kw == 1 && mm.stride == 1 && !(p.top | p.left | p.bottom | p.right);
    }
    mm.weight = unpacked_weight(l, mm.weight);
    if (mm.input_gradient && l->device->kernels == PEN_KERNELS_LANES)
        mm.weight = transposed_weight(l, &mm);
    if (!pen_lower_winograd(l, &mm))
        pen_lower_product(l, &mm);
}
