// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/selftest/kernel-case.h"

#include "compute/half.h"
#include "compute/parameter.h"

#define GROUPS 32
#define REPEATS 5 /* of a measurement, at most */

// clang-format off
static const PenKernelCase cases[] = {
    /* Stable Diffusion 1.5 at 512x512 */
    { PEN_KERNEL_LINEAR, .rows = 1024, .in = 1024, .out = 1024, .bench = TRUE },
    { PEN_KERNEL_LINEAR, .rows = 4096, .in = 320, .out = 320, .bench = TRUE },
    { PEN_KERNEL_LINEAR, .rows = 4096, .in = 320, .out = 2560, .bench = TRUE },
    { PEN_KERNEL_LINEAR, .rows = 1024, .in = 2560, .out = 640, .bench = TRUE },
    { PEN_KERNEL_LINEAR, .rows = 64, .in = 1280, .out = 1280, .bench = TRUE },
    { PEN_KERNEL_LINEAR, .rows = 4096, .in = 320, .out = 4, .bench = TRUE },
    { PEN_KERNEL_LINEAR, .rows = 4096, .in = 4, .out = 320 },
    { PEN_KERNEL_LINEAR, .rows = 1, .in = 320, .out = 1280, .fused = TRUE },
    { PEN_KERNEL_LINEAR, .rows = 77, .in = 768, .out = 320 },
    { PEN_KERNEL_LINEAR, .rows = 1024, .in = 640, .out = 640, .fused = TRUE },
    { PEN_KERNEL_LINEAR, .rows = 1024, .in = 640, .out = 640, .eight_bit = TRUE },
    { PEN_KERNEL_LINEAR, TRUE, .rows = 4096, .in = 320, .out = 320, .bench = TRUE },
    { PEN_KERNEL_LINEAR, TRUE, .rows = 1024, .in = 640, .out = 640, .bench = TRUE },
    { PEN_KERNEL_LINEAR, TRUE, .rows = 1024, .in = 640, .out = 5120 },
    { PEN_KERNEL_LINEAR, TRUE, .rows = 4096, .in = 320, .out = 4 },
    { PEN_KERNEL_ADAPTER, TRUE, .rows = 4096, .in = 320, .out = 4, .bench = TRUE },
    { PEN_KERNEL_ADAPTER, TRUE, .rows = 4096, .in = 4, .out = 320 },
    { PEN_KERNEL_ADAPTER, TRUE, .rows = 77, .in = 768, .out = 4 },
    { PEN_KERNEL_CONV, .in = 320, .out = 320, .height = 64, .width = 64, .kernel = 3, .stride = 1, .bench = TRUE },
    { PEN_KERNEL_CONV, .in = 640, .out = 640, .height = 32, .width = 32, .kernel = 3, .stride = 1, .bench = TRUE },
    { PEN_KERNEL_CONV, .in = 1280, .out = 1280, .height = 8, .width = 8, .kernel = 3, .stride = 1, .bench = TRUE },
    { PEN_KERNEL_CONV, .in = 640, .out = 320, .height = 64, .width = 64, .kernel = 1, .stride = 1 },
    { PEN_KERNEL_CONV, .in = 320, .out = 320, .height = 64, .width = 64, .kernel = 3, .stride = 2, .bench = TRUE },
    { PEN_KERNEL_CONV, .in = 4, .out = 320, .height = 64, .width = 64, .kernel = 3, .stride = 1, .bench = TRUE },
    { PEN_KERNEL_CONV, .in = 320, .out = 4, .height = 64, .width = 64, .kernel = 3, .stride = 1 },
    { PEN_KERNEL_CONV, .in = 128, .out = 3, .height = 256, .width = 256, .kernel = 3, .stride = 1, .bench = TRUE },
    { PEN_KERNEL_CONV, .in = 320, .out = 320, .height = 16, .width = 16, .kernel = 3, .stride = 1, .fused = TRUE },
    { PEN_KERNEL_CONV, TRUE, .in = 320, .out = 320, .height = 64, .width = 64, .kernel = 3, .stride = 1, .bench = TRUE },
    { PEN_KERNEL_CONV, TRUE, .in = 640, .out = 640, .height = 32, .width = 32, .kernel = 3, .stride = 1, .bench = TRUE },
    { PEN_KERNEL_CONV, TRUE, .in = 320, .out = 320, .height = 64, .width = 64, .kernel = 3, .stride = 2 },
    { PEN_KERNEL_CONV, TRUE, .in = 320, .out = 4, .height = 64, .width = 64, .kernel = 3, .stride = 1 },
    { PEN_KERNEL_ATTENTION, .rows = 4096, .in = 320, .keys = 4096, .heads = 8, .bench = TRUE },
    { PEN_KERNEL_ATTENTION, .rows = 1024, .in = 640, .keys = 1024, .heads = 8, .bench = TRUE },
    { PEN_KERNEL_ATTENTION, .rows = 64, .in = 1280, .keys = 64, .heads = 8 },
    { PEN_KERNEL_ATTENTION, .rows = 4096, .in = 320, .keys = 77, .heads = 8, .bench = TRUE },
    { PEN_KERNEL_ATTENTION, .rows = 77, .in = 768, .keys = 77, .heads = 12, .causal = TRUE },
    { PEN_KERNEL_ATTENTION, .rows = 1024, .in = 512, .keys = 1024, .heads = 1 },
    { PEN_KERNEL_ATTENTION, TRUE, .rows = 1024, .in = 640, .keys = 1024, .heads = 8, .bench = TRUE },
    { PEN_KERNEL_ATTENTION, TRUE, .rows = 1024, .in = 160, .keys = 1024, .heads = 4 },
    { PEN_KERNEL_ATTENTION, TRUE, .rows = 64, .in = 1280, .keys = 64, .heads = 8 },
    { PEN_KERNEL_ATTENTION, TRUE, .rows = 4096, .in = 320, .keys = 77, .heads = 8, .bench = TRUE },
    { PEN_KERNEL_GROUP_NORM, .in = 320, .height = 64, .width = 64, .bench = TRUE },
    { PEN_KERNEL_GROUP_NORM, .in = 1280, .height = 8, .width = 8 },
    { PEN_KERNEL_GROUP_NORM, TRUE, .in = 320, .height = 64, .width = 64, .bench = TRUE },
    { PEN_KERNEL_GROUP_NORM, TRUE, .in = 1280, .height = 8, .width = 8 },
    { PEN_KERNEL_LAYER_NORM, .rows = 4096, .in = 320, .bench = TRUE },
    { PEN_KERNEL_LAYER_NORM, TRUE, .rows = 4096, .in = 320 },
    { PEN_KERNEL_GEGLU, .rows = 4096, .in = 2560, .bench = TRUE },
    { PEN_KERNEL_GEGLU, TRUE, .rows = 4096, .in = 2560 },
    { PEN_KERNEL_SILU, .rows = 4096, .in = 320, .bench = TRUE },
    { PEN_KERNEL_SILU, TRUE, .rows = 4096, .in = 320 },
    { PEN_KERNEL_ADD, .rows = 4096, .in = 320, .bench = TRUE },
    { PEN_KERNEL_ADD_VECTOR, .rows = 4096, .in = 320 },
    { PEN_KERNEL_ADD_VECTOR, TRUE, .rows = 4096, .in = 320 },
    { PEN_KERNEL_SCALE, .rows = 4096, .in = 320 },
    { PEN_KERNEL_CONCAT, .rows = 4096, .in = 320, .bench = TRUE },
    { PEN_KERNEL_SLICE, .rows = 4096, .in = 640, .out = 320 },
    { PEN_KERNEL_SLICE, TRUE, .rows = 4096, .in = 640, .out = 320 },
    { PEN_KERNEL_UPSAMPLE, .in = 640, .height = 32, .width = 32, .bench = TRUE },
    { PEN_KERNEL_UPSAMPLE, TRUE, .in = 640, .height = 32, .width = 32 },
    { PEN_KERNEL_STATISTICS, .in = 320, .height = 64, .width = 64 },

    /* SDXL at 1024x1024 */
    { PEN_KERNEL_LINEAR, .rows = 4096, .in = 640, .out = 5120 },
    { PEN_KERNEL_LINEAR, .rows = 1024, .in = 1280, .out = 1280 },
    { PEN_KERNEL_LINEAR, .rows = 77, .in = 2048, .out = 1280 },
    { PEN_KERNEL_LINEAR, TRUE, .rows = 1024, .in = 1280, .out = 1280 },
    { PEN_KERNEL_ADAPTER, TRUE, .rows = 1024, .in = 1280, .out = 4 },
    { PEN_KERNEL_CONV, .in = 320, .out = 320, .height = 128, .width = 128, .kernel = 3, .stride = 1 },
    { PEN_KERNEL_CONV, .in = 1280, .out = 1280, .height = 32, .width = 32, .kernel = 3, .stride = 1 },
    { PEN_KERNEL_CONV, TRUE, .in = 640, .out = 640, .height = 64, .width = 64, .kernel = 3, .stride = 1 },
    { PEN_KERNEL_ATTENTION, .rows = 4096, .in = 640, .keys = 4096, .heads = 10 },
    { PEN_KERNEL_ATTENTION, .rows = 1024, .in = 1280, .keys = 77, .heads = 20 },
    { PEN_KERNEL_ATTENTION, .rows = 77, .in = 1280, .keys = 77, .heads = 20, .causal = TRUE },
    { PEN_KERNEL_ATTENTION, TRUE, .rows = 1024, .in = 640, .keys = 1024, .heads = 10 },
    { PEN_KERNEL_ATTENTION, TRUE, .rows = 1024, .in = 1280, .keys = 77, .heads = 20 },
    { PEN_KERNEL_GROUP_NORM, .in = 320, .height = 128, .width = 128 },
    { PEN_KERNEL_LAYER_NORM, .rows = 1024, .in = 1280 },
    { PEN_KERNEL_LAYER_NORM, TRUE, .rows = 1024, .in = 1280 },
};
// clang-format on

const PenKernelCase *pen_kernel_cases(guint *n)
{
    *n = G_N_ELEMENTS(cases);
    return cases;
}

const char *pen_kernel_kind_name(PenKernelKind kind)
{
    static const char *const names[] = {
        "linear",     "adapter", "conv",  "attention", "group norm",
        "layer norm", "geglu",   "silu",  "add",       "add vector",
        "scale",      "concat",  "slice", "upsample",  "statistics",
    };
    return names[kind];
}

char *pen_kernel_case_name(const PenKernelCase *c)
{
    g_autoptr(GString) name = g_string_new(pen_kernel_kind_name(c->kind));
    if (c->kind == PEN_KERNEL_CONV)
        g_string_append_printf(name, "%ux%u%s", c->kernel, c->kernel, c->stride > 1 ? "/2" : "");
    if (c->gradient)
        g_string_append(name, " backward");
    if (c->kind == PEN_KERNEL_ATTENTION)
        g_string_append_printf(name, " %ux%u, %u heads of %u%s", c->rows, c->keys, c->heads,
                               c->in / c->heads, c->causal ? ", causal" : "");
    else if (c->out)
        g_string_append_printf(name, " %u->%u", c->in, c->out);
    else
        g_string_append_printf(name, " %u", c->in);
    if (c->height)
        g_string_append_printf(name, " %ux%u", c->height, c->width);
    else if (c->kind != PEN_KERNEL_ATTENTION)
        g_string_append_printf(name, " %u rows", c->rows);
    if (c->fused)
        g_string_append(name, ", fused");
    if (c->eight_bit)
        g_string_append(name, ", 8 bits");
    return g_string_free(g_steal_pointer(&name), FALSE);
}

double pen_kernel_case_flops(const PenKernelCase *c)
{
    double rows = c->height ? (double)c->height * c->width : c->rows;
    if (c->kind == PEN_KERNEL_ATTENTION)
        return (c->gradient ? 14.0 : 4.0) * rows * c->keys * c->in;
    double taps = c->kernel ? (double)c->kernel * c->kernel / c->stride / c->stride : 1;
    return 2 * rows * c->in * MAX(c->out, 1) * taps;
}

float *pen_kernel_noise(gsize n, guint32 seed)
{
    float *values = g_new(float, n);
    guint32 state = seed * 2654435761u + 1;
    for (gsize i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        values[i] = (float)(state >> 8) / (1 << 23) - 1;
    }
    return values;
}

/* --- graphs ---------------------------------------------------------------------------------- */

/* What a case is made of; parameters and inputs are numbered in their order, which is their seed.
 */
typedef struct {
    PenDevice *device;
    PenDtype dtype;
    PenGraph *graph;
    PenReference *reference; /* or NULL */
    GPtrArray *inputs;       /* names; input i has seed i + 1 */
    guint n_parameters;
    GError **error; /* the first one */
} Builder;

#define FIRST_PARAMETER_SEED 100

/* What the device will hold of them, for the reference: 8 bits are a matter of the parameter's own.
 */
static double *as_stored(const float *values, gsize n, PenDtype dtype, gboolean eight_bit)
{
    double *stored = g_new(double, n);
    for (gsize i = 0; i < n; i++)
        stored[i] = dtype == PEN_DTYPE_F16 && !eight_bit
                        ? pen_half_to_float(pen_half_from_float(values[i]))
                        : values[i];
    return stored;
}

static PenTensor *input(Builder *b, const char *name, PenShape shape)
{
    g_ptr_array_add(b->inputs, g_strdup(name));
    if (b->reference) {
        gsize n = pen_shape_elements(shape);
        g_autofree float *values = pen_kernel_noise(n, b->inputs->len);
        g_autofree double *stored = as_stored(values, n, b->dtype, FALSE);
        pen_reference_set_input(b->reference, name, stored, n);
    }
    return pen_graph_input(b->graph, name, shape);
}

static PenTensor *parameter(Builder *b, PenShape shape, PenLayout layout)
{
    gsize n = pen_shape_elements(shape);
    g_autofree float *values = pen_kernel_noise(n, FIRST_PARAMETER_SEED + b->n_parameters++);
    g_autoptr(PenParameter) p = pen_parameter_new(b->device, shape, b->dtype, layout, b->error);
    if (!p || !pen_parameter_write(p, values, b->error))
        return NULL;
    if (b->reference) {
        g_autofree double *stored =
            as_stored(values, n, b->dtype, layout == PEN_LAYOUT_EIGHT_BIT_PANEL);
        pen_reference_set_parameter(b->reference, p, stored, n);
    }
    return pen_graph_parameter(b->graph, p);
}

static PenTensor *vector(Builder *b, guint32 n)
{
    return parameter(b, PEN_SHAPE(1, 1, 1, n), PEN_LAYOUT_PLAIN);
}

/* What the gradient is wanted of. */
typedef struct {
    PenTensor *of[3];
    guint n;
} Targets;

static PenTensor *product(Builder *b, const PenKernelCase *c, PenTensor *x, Targets *targets)
{
    PenLayout layout = c->eight_bit ? PEN_LAYOUT_EIGHT_BIT_PANEL : PEN_LAYOUT_PANEL;
    gboolean conv = c->kind == PEN_KERNEL_CONV;
    PenShape shape =
        conv ? PEN_SHAPE(c->out, c->kernel, c->kernel, c->in) : PEN_SHAPE(1, 1, c->out, c->in);
    PenTensor *weight = parameter(b, shape, layout);
    PenTensor *bias = c->fused && weight ? vector(b, c->out) : NULL;
    if (!weight || (c->fused && !bias))
        return NULL;
    guint32 pad = c->kernel / 2;
    PenTensor *y = conv ? pen_graph_conv2d(b->graph, x, weight, bias, c->stride,
                                           (PenPadding){ pad, pad, pad, pad })
                        : pen_graph_linear(b->graph, x, weight, bias);
    if (c->fused) {
        y = pen_graph_add(b->graph, y, input(b, "vector", PEN_SHAPE(1, 1, 1, c->out)));
        y = pen_graph_add(b->graph, y, input(b, "residual", pen_tensor_shape(y)));
    }
    if (c->kind == PEN_KERNEL_ADAPTER)
        targets->of[0] = weight;
    return y;
}

static PenTensor *attention(Builder *b, const PenKernelCase *c, PenTensor *q, Targets *targets)
{
    PenShape shape = PEN_SHAPE(1, 1, c->keys, c->in);
    PenTensor *k = input(b, "keys", shape), *v = input(b, "values", shape);
    *targets = (Targets){ { q, k, v }, 3 };
    return pen_graph_attention(b->graph, q, k, v, c->heads, c->causal);
}

static PenTensor *norm(Builder *b, const PenKernelCase *c, PenTensor *x)
{
    PenTensor *gamma = vector(b, c->in), *beta = gamma ? vector(b, c->in) : NULL;
    if (!beta)
        return NULL;
    return c->kind == PEN_KERNEL_LAYER_NORM
               ? pen_graph_layer_norm(b->graph, x, gamma, beta, 1e-5f)
               : pen_graph_group_norm(b->graph, x, gamma, beta, GROUPS, 1e-5f, PEN_ACTIVATION_SILU);
}

/* y of the case's operation. */
static PenTensor *operation(Builder *b, const PenKernelCase *c, Targets *targets)
{
    PenGraph *g = b->graph;
    PenTensor *x = input(b, "x",
                         c->height ? PEN_SHAPE(1, c->height, c->width, c->in)
                                   : PEN_SHAPE(1, 1, c->rows, c->in));
    *targets = (Targets){ { x }, 1 };
    switch (c->kind) {
    case PEN_KERNEL_LINEAR:
    case PEN_KERNEL_ADAPTER:
    case PEN_KERNEL_CONV:
        return product(b, c, x, targets);
    case PEN_KERNEL_ATTENTION:
        return attention(b, c, x, targets);
    case PEN_KERNEL_GROUP_NORM:
    case PEN_KERNEL_LAYER_NORM:
        return norm(b, c, x);
    case PEN_KERNEL_GEGLU:
        return pen_graph_geglu(g, x);
    case PEN_KERNEL_SILU:
        return pen_graph_activation(g, x, PEN_ACTIVATION_SILU);
    case PEN_KERNEL_ADD:
        return pen_graph_add(g, x, input(b, "other", pen_tensor_shape(x)));
    case PEN_KERNEL_ADD_VECTOR:
        targets->of[0] = input(b, "other", PEN_SHAPE(1, 1, 1, c->in));
        return pen_graph_add(g, x, targets->of[0]);
    case PEN_KERNEL_SCALE:
        return pen_graph_scale(g, x, input(b, "other", PEN_SHAPE(1, 1, 1, 1)));
    case PEN_KERNEL_CONCAT:
        return pen_graph_concat(g, x, input(b, "other", pen_tensor_shape(x)));
    case PEN_KERNEL_SLICE:
        return pen_graph_slice(g, x, 0, c->out);
    case PEN_KERNEL_UPSAMPLE:
        return pen_graph_upsample(g, x, 2 * c->height, 2 * c->width);
    case PEN_KERNEL_STATISTICS:
        return pen_graph_channel_statistics(g, x, 1e-5f);
    }
    return NULL;
}

/* A product that is an output and nothing else comes in float32; within a model it does not. A look
 * at a few of its numbers keeps it as it is there. */
static void keep_precision(Builder *b, const PenKernelCase *c, PenKernelWork *work)
{
    PenTensor *y = work->outputs[0];
    if (b->dtype != PEN_DTYPE_F16 || (c->kind != PEN_KERNEL_LINEAR && c->kind != PEN_KERNEL_CONV))
        return;
    work->outputs[work->n_outputs++] =
        pen_graph_slice(b->graph, y, 0, MIN(pen_tensor_shape(y).c, 4));
}

static gboolean build(Builder *b, const PenKernelCase *c, PenKernelWork *work)
{
    Targets targets;
    PenTensor *y = operation(b, c, &targets);
    if (!y)
        return FALSE;
    work->outputs[0] = y;
    work->n_outputs = 1;
    if (c->gradient) {
        PenTensor *grad_y = input(b, "grad_y", pen_tensor_shape(y));
        work->n_outputs = targets.n;
        if (!pen_graph_gradient(b->graph, y, grad_y, targets.of, targets.n, work->outputs))
            return FALSE;
    }
    keep_precision(b, c, work);
    for (guint i = 0; i < work->n_outputs; i++) {
        g_autofree char *name = g_strdup_printf("%u", i);
        pen_graph_output(b->graph, name, work->outputs[i]);
    }
    return TRUE;
}

PenKernelWork *pen_kernel_work_new(const PenKernelCase *kernel_case, PenDevice *device,
                                   PenDtype dtype, gboolean reference, GError **error)
{
    g_autoptr(PenKernelWork) work = g_new0(PenKernelWork, 1);
    g_autoptr(GPtrArray) inputs = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(PenGraph) graph = pen_graph_new(dtype);
    g_autoptr(GError) inner = NULL;
    work->reference = reference ? pen_reference_new() : NULL;
    Builder b = {
        .device = device,
        .dtype = dtype,
        .graph = graph,
        .reference = work->reference,
        .inputs = inputs,
        .error = &inner,
    };
    if (!build(&b, kernel_case, work)) {
        if (!inner)
            pen_graph_check(graph, &inner);
        g_propagate_error(error, g_steal_pointer(&inner));
        return NULL;
    }
    work->plan = pen_plan_new(device, g_steal_pointer(&graph), error);
    if (!work->plan)
        return NULL;
    for (guint i = 0; i < inputs->len; i++) {
        const char *name = inputs->pdata[i];
        PenShape shape = pen_plan_input_shape(work->plan, name);
        g_autofree float *values = pen_kernel_noise(pen_shape_elements(shape), i + 1);
        pen_plan_write(work->plan, name, values);
    }
    return g_steal_pointer(&work);
}

void pen_kernel_work_free(PenKernelWork *work)
{
    if (!work)
        return;
    pen_plan_free(work->plan);
    pen_reference_free(work->reference);
    g_free(work);
}

gboolean pen_kernel_work_measure(PenKernelWork *work, double limit, PenKernelFigures *figures,
                                 GError **error)
{
    double total = 0;
    for (guint i = 0; i < REPEATS && total < limit; i++) {
        g_autoptr(GPtrArray) rows = pen_plan_profile(work->plan, error);
        if (!rows)
            return FALSE;
        PenKernelFigures sum = { 0 };
        for (guint r = 0; r < rows->len; r++) {
            const PenPlanProfileRow *row = rows->pdata[r];
            sum.seconds += row->seconds;
            sum.flops += row->flops;
            sum.bytes += row->bytes;
        }
        const PenPlanProfileRow *slowest = rows->pdata[0];
        g_strlcpy(sum.kernel, slowest->kernel, sizeof sum.kernel);
        if (i == 0 || sum.seconds < figures->seconds)
            *figures = sum;
        total += sum.seconds;
    }
    return TRUE;
}
