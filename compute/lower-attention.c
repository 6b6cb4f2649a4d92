// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <math.h>

#include "compute/lower-runs.h"

#define LOG2_E 1.4426950408889634

/* A family of kernels, and what one of its invocations or workgroups does. */
typedef struct {
    const char *suffix;    /* of the shader's name */
    gboolean lanes;        /* shaders/attention_lanes.glsl, which fixes more of this */
    guint32 own_rows;      /* of a workgroup */
    guint32 workgroup;     /* invocations, where it is not fixed */
    guint32 tile;          /* rows of the other side in shared memory; or rows of a matrix */
    guint32 parts;         /* invocations that share an own row */
    gboolean tight;        /* registers hold sums and no own rows, and of one tensor */
    guint32 step;          /* other rows at a time; with matrices, else 0 */
    guint32 subgroup_size; /* that the kernel asks for; 0: any */
} Family;

/* What is computed. */
typedef struct {
    PenDtype dtype;
    guint32 dimension;
    guint32 rows;   /* own ones of an image */
    guint64 copies; /* images times heads: each has that many rows */
    gboolean causal, gradient;
} Attention;

/* Channels of an own row that an invocation keeps of each tensor: two of those forward, four
 * backward, so that they fit in registers everywhere. */
#define OWN_CHANNELS(gradient) ((gradient) ? 20u : 40u)

static void specialize(PenDispatch *d, const PenDeviceInfo *device, const Attention *a,
                       const Family *f)
{
    if (!f->lanes) {
        pen_dispatch_spec(d, f->workgroup);
        pen_dispatch_spec(d, a->dimension % 4 == 0);
    }
    pen_dispatch_spec(d, a->dimension);
    pen_dispatch_spec(d, a->causal);
    if (!f->lanes) {
        pen_dispatch_spec(d, f->tile);
        pen_dispatch_spec(d, f->parts);
        pen_dispatch_divides(d, "invocations", f->workgroup, f->parts);
    }
    if (f->step) {
        PenMatrixShape matrix = device->matrix;
        guint32 side = MAX(matrix.n, matrix.k);
        pen_dispatch_spec(d, matrix.n);
        pen_dispatch_spec(d, matrix.k);
        pen_dispatch_divides(d, "invocations of a subgroup", f->subgroup_size, matrix.m);
        pen_dispatch_divides(d, "rows of a tile", f->own_rows, f->step);
        pen_dispatch_divides(d, "runs of a row of scores", f->step / 4, f->parts);
        pen_dispatch_divides(d, "runs of a row of a matrix", matrix.n / 4, f->parts);
        pen_dispatch_divides(d, "runs of a row", (guint32)pen_groups(a->dimension, side) * side / 4,
                             f->parts);
    } else if (!f->lanes) {
        pen_dispatch_spec(d, !f->tight);
    }
    d->subgroup_size = f->subgroup_size;
}

static void name_shader(const Attention *a, const Family *f, char name[32])
{
    g_snprintf(name, 32, "attention%s%s", a->gradient ? "_grad" : "", f->suffix);
}

static gboolean family_fits(const PenDeviceInfo *device, const Attention *a, const Family *f)
{
    PenDispatch d = { .groups = { 1, 1, 1 } };
    char name[32];
    name_shader(a, f, name);
    g_snprintf(d.shader, sizeof d.shader, "%s.%s", name, a->dtype == PEN_DTYPE_F16 ? "f16" : "f32");
    specialize(&d, device, a, f);
    return pen_dispatch_fits(device, &d, NULL);
}

/* Whether an own row in so many parts leaves an invocation its registers in subgroups of `size` (0:
 * any), about, as compilers for GPUs have it (./dev vendors). In wider subgroups than the narrowest
 * an invocation has fewer. */
static gboolean parts_fit(const PenDeviceInfo *device, const Attention *a, guint32 parts,
                          guint32 size)
{
    guint32 registers = size ? device->registers * device->subgroup_min / size : device->registers;
    guint32 channels = (guint32)pen_groups(pen_groups(a->dimension, 4), parts) * 4;
    return 25 + channels * (a->gradient ? 17 : 5) / 2 <= registers;
}

/* FALSE where the device cannot do it. */
static gboolean tiled_family(const PenDeviceInfo *device, const Attention *a, Family *f)
{
    guint32 own_channels = OWN_CHANNELS(a->gradient);
    guint32 size = pen_lower_subgroup(device, 1);
    *f = (Family){
        .suffix = "_tiled",
        .tile = a->dimension > 160  ? 4
                : a->dimension > 64 ? 16
                                    : 32,
        .parts = 1,
    };
    while (f->parts < device->subgroup_max &&
           (a->dimension > f->parts * own_channels ||
            (!parts_fit(device, a, f->parts, pen_lower_subgroup(device, f->parts)) &&
             pen_lower_subgroup(device, 2 * f->parts) == size)))
        f->parts *= 2;
    if (f->parts == 1 && a->dimension > own_channels) /* long rows in one invocation's registers */
        return FALSE;
    size = pen_lower_subgroup(device, f->parts);
    f->tight = !parts_fit(device, a, f->parts, size);
    if (f->tight && device->subgroup_min && device->subgroup_min < size) {
        size = device->subgroup_min;
        f->parts = MIN(f->parts, size);
        f->tight = !parts_fit(device, a, f->parts, size);
    }
    /* Few sizes, because each one is a pipeline to compile. */
    f->workgroup = MIN(MIN(256, device->max_workgroup), (a->rows > 32 ? 64 : 32) * f->parts);
    if (f->parts > 1) {
        f->subgroup_size = size;
        f->workgroup = MAX(f->workgroup, f->subgroup_size);
    }
    f->own_rows = f->workgroup / f->parts;
    return family_fits(device, a, f);
}

/* As in shaders/attention_matrix.glsl and, forward and backward, shaders/variants.txt. */
#define MATRIX_KEEP 80u /* channels of an own row that stay in registers */
#define MATRIX_STEP(gradient) ((gradient) ? 1u : 2u)
#define MATRIX_DIMENSION 160u /* channels of an own row's sum that do */
#define MATRIX_ROWS 64u       /* of a workgroup, about */
/* With fewer workgroups than this a large GPU has nothing to do: smaller ones make more. */
#define ENOUGH_GROUPS 64

/* Registers that invocations take beside those of the matrices, about, as compilers for GPUs have
 * it
 * (./dev vendors). */
#define MATRIX_REGISTERS 80u

/* Whether invocations have the registers for their own rows (float16), the sums and the scores. */
static gboolean has_registers(const PenDeviceInfo *device, const Attention *a, guint32 step)
{
    guint32 own = a->gradient ? 2 : 1;
    guint32 rows = a->dimension > MATRIX_KEEP ? 0 : own * a->dimension / 2;
    guint32 sums = own * a->dimension;
    return (rows + sums + step) * device->matrix.m / device->matrix_subgroup + MATRIX_REGISTERS <=
           device->registers;
}

/* FALSE where cooperative matrices do not fit. */
static gboolean matrix_family(const PenDeviceInfo *device, const Attention *a, Family *f)
{
    PenMatrixShape matrix = device->matrix;
    if (device->kernels != PEN_KERNELS_MATRIX || a->dtype != PEN_DTYPE_F16 || a->causal ||
        a->dimension > MATRIX_DIMENSION || device->matrix_subgroup < matrix.m ||
        !has_registers(device, a, MATRIX_STEP(a->gradient) * MAX(matrix.n, matrix.k)))
        return FALSE;
    guint32 parts = device->matrix_subgroup / matrix.m;
    gboolean fits = FALSE;
    for (guint32 subgroups = MAX(MATRIX_ROWS / matrix.m, 1); subgroups > 0; subgroups /= 2) {
        Family trial = {
            .suffix = "_matrix",
            .own_rows = subgroups * matrix.m,
            .workgroup = subgroups * device->matrix_subgroup,
            .tile = matrix.m,
            .parts = parts,
            .step = MATRIX_STEP(a->gradient) * MAX(matrix.n, matrix.k),
            .subgroup_size = device->matrix_subgroup,
            .tight = a->dimension > MATRIX_KEEP,
        };
        if (!family_fits(device, a, &trial))
            continue;
        *f = trial;
        fits = TRUE;
        if (a->copies * pen_groups(a->rows, trial.own_rows) >= ENOUGH_GROUPS)
            break;
    }
    return fits;
}

static Family choose_family(const PenDeviceInfo *device, const Attention *a)
{
    /* The kernels for lanes, unrolled over a row, take seconds to compile where rows are long. */
    if (device->kernels == PEN_KERNELS_LANES && a->dimension % 8 == 0 &&
        a->dimension <= (a->gradient ? 96 : 160))
        return (Family){ .suffix = "_lanes", .lanes = TRUE, .own_rows = 4 };
    Family f;
    if (matrix_family(device, a, &f) ||
        (device->kernels >= PEN_KERNELS_SHARED && tiled_family(device, a, &f)))
        return f;
    guint32 workgroup = device->kind == PEN_DEVICE_SOFTWARE ? 8 : a->rows > 32 ? 64 : 32;
    return (Family){ .suffix = "", .workgroup = workgroup, .own_rows = 2 * workgroup, .parts = 1 };
}

/* Push constants of all families; the kernels for lanes have addresses behind them. */
typedef struct {
    guint32 images, heads, own_rows, other_rows, blocks;
    float scale;
} AttentionPush;

static guint32 tokens(const PenTensor *t)
{
    return t->shape.h * t->shape.w;
}

static Attention describe(const PenNode *node, const PenTensor *own)
{
    return (Attention){
        .dtype = own->dtype,
        .dimension = own->shape.c / node->attr.heads,
        .rows = tokens(own),
        .copies = (guint64)own->shape.n * node->attr.heads,
        .causal = node->attr.causal,
        .gradient = node->op == PEN_OP_ATTENTION_GRAD,
    };
}

/* A dispatch in which each invocation owns rows of `own` and walks along the rows of `other`. */
static PenDispatch *lower_rows(PenLowering *l, const PenTensor *own, const PenTensor *other,
                               guint n_addresses)
{
    const PenAttributes *attr = &l->node->attr;
    guint32 dimension = own->shape.c / attr->heads;
    Attention attention = describe(l->node, own);
    Family family = choose_family(l->device, &attention);
    AttentionPush push = {
        .images = own->shape.n,
        .heads = attr->heads,
        .own_rows = tokens(own),
        .other_rows = tokens(other),
        .blocks = (guint32)pen_groups(tokens(own), family.own_rows),
        .scale = (float)(LOG2_E / sqrt(dimension)),
    };
    char name[32];
    name_shader(&attention, &family, name);
    PenDispatch *d =
        pen_lower_dispatch(l, name, own->dtype, (guint64)push.images * push.heads * push.blocks);
    specialize(d, l->device, &attention, &family);
    pen_dispatch_push(d, &push, sizeof push);
    if (family.lanes)
        pen_dispatch_addresses(d, n_addresses);
    return d;
}

/* `products` counts the multiply-adds for each pair of query and key and channel. */
static void finish(PenDispatch *d, const PenNode *node, const char *what, guint products)
{
    const PenTensor *q = node->in[0], *k = node->in[1];
    guint32 heads = node->attr.heads;
    double pairs = (double)q->shape.n * tokens(q) * tokens(k) * (node->attr.causal ? 0.5 : 1);

    g_snprintf(d->label, sizeof d->label, "%s %ux%u %ux%u", what, tokens(q), tokens(k), heads,
               q->shape.c / heads);
    d->flops = 2.0 * products * pairs * q->shape.c;
    for (guint i = 0; i < d->n_bindings; i++)
        d->bytes += pen_tensor_bytes(d->bindings[i].tensor);
}

static void lower_attention(PenLowering *l)
{
    const PenNode *node = l->node;
    PenTensor *lse = node->out[1];

    PenDispatch *d = lower_rows(l, node->in[0], node->in[1], 3);
    pen_dispatch_spec(d, lse != NULL);
    for (guint i = 0; i < 3; i++)
        pen_dispatch_bind(d, node->in[i], PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->out[0], PEN_ACCESS_WRITE);
    pen_dispatch_bind(d, lse, PEN_ACCESS_WRITE);
    finish(d, node, "attention", 2);
}

/* Whether dk and dv are two dispatches: sums of both, of long rows, take more registers than there
 * are. */
static gboolean sums_apart(const PenLowering *l)
{
    Attention attention = describe(l->node, l->node->in[1]);

    return choose_family(l->device, &attention).tight;
}

static void lower_delta(PenLowering *l, PenTensor *delta)
{
    const PenNode *node = l->node;
    PenTensor *o = node->in[3];
    guint32 heads = node->attr.heads, dimension = o->shape.c / heads;
    guint32 push[] = { o->shape.n, tokens(o), heads, dimension };

    PenDispatch *d = pen_lower_runs(l, "attention_delta", o->dtype,
                                    pen_shape_elements(delta->shape), dimension % 4 == 0);
    pen_dispatch_bind(d, o, PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->in[5], PEN_ACCESS_READ);
    pen_dispatch_bind(d, delta, PEN_ACCESS_WRITE);
    pen_dispatch_push(d, push, sizeof push);
    g_snprintf(d->label, sizeof d->label, "attention delta %u %ux%u", tokens(o), heads, dimension);
    d->flops = 2.0 * (double)pen_shape_elements(o->shape);
    d->bytes = 2 * pen_tensor_bytes(o);
}

/* Gradients of one side: dq, or dk and dv, those that are not NULL. */
static void lower_side(PenLowering *l, PenTensor *delta, gboolean keys, PenTensor *first,
                       PenTensor *second)
{
    const PenNode *node = l->node;
    PenTensor *q = node->in[0], *k = node->in[1], *v = node->in[2], *grad_o = node->in[5];
    if (!first && !second)
        return;

    PenDispatch *d = lower_rows(l, keys ? k : q, keys ? q : k, 4);
    pen_dispatch_spec(d, keys);
    pen_dispatch_spec(d, first != NULL);
    pen_dispatch_spec(d, second != NULL);
    pen_dispatch_bind(d, keys ? k : q, PEN_ACCESS_READ);
    pen_dispatch_bind(d, keys ? v : grad_o, PEN_ACCESS_READ);
    pen_dispatch_bind(d, keys ? q : k, PEN_ACCESS_READ);
    pen_dispatch_bind(d, keys ? grad_o : v, PEN_ACCESS_READ);
    pen_dispatch_bind(d, node->in[4], PEN_ACCESS_READ);
    pen_dispatch_bind(d, delta, PEN_ACCESS_READ);
    pen_dispatch_bind(d, first, PEN_ACCESS_WRITE);
    pen_dispatch_bind(d, second, PEN_ACCESS_WRITE);
    finish(d, node,
           !keys     ? "attention dq"
           : !second ? "attention dk"
           : !first  ? "attention dv"
                     : "attention dk dv",
           2 + (first != NULL) + (second != NULL));
}

void pen_lower_attention(PenLowering *l)
{
    const PenNode *node = l->node;
    if (node->op == PEN_OP_ATTENTION) {
        lower_attention(l);
        return;
    }

    PenTensor *delta = pen_lower_scratch(l, node->in[4]->shape, PEN_DTYPE_F32);
    lower_delta(l, delta);
    PenTensor *dk = node->out[1], *dv = node->out[2];
    lower_side(l, delta, FALSE, node->out[0], NULL);
    if (sums_apart(l)) {
        lower_side(l, delta, TRUE, dk, NULL);
        lower_side(l, delta, TRUE, NULL, dv);
    } else {
        lower_side(l, delta, TRUE, dk, dv);
    }
}
