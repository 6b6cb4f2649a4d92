// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "compute/parameter.h"
#include "src/cli/bench.h"

/* Each kernel is measured so often, or fewer times where that takes longer; the median counts. */
#define REPEATS 5
#define REPEAT_SECONDS 1.0

typedef enum {
    MATMUL,    /* rows x in -> out */
    MATMUL_DX, /* its gradient with respect to the rows */
    ADAPTER,   /* its gradient with respect to a low-rank matrix */
    CONV,      /* kernel x kernel, in -> out on h x w */
    CONV_DX,
    ATTENTION, /* rows of queries, keys, in channels, heads */
    ATTENTION_GRAD,
    GROUP_NORM, /* 32 groups, with SiLU; in channels on h x w */
    GROUP_NORM_GRAD,
    LAYER_NORM, /* rows, in */
    GEGLU,
    SILU,
    ADD,
    CONCAT,
    UPSAMPLE,
} Kind;

/* Numbers that the kind does not name are 0. */
typedef struct {
    Kind kind;
    guint32 rows, in, out;
    guint32 height, width, kernel, stride;
    guint32 keys, heads;
} Case;

/* The shapes of Stable Diffusion 1.5 at 512x512. */
static const Case cases[] = {
    { MATMUL, .rows = 1024, .in = 1024, .out = 1024 },
    { MATMUL, .rows = 4096, .in = 320, .out = 320 },
    { MATMUL, .rows = 4096, .in = 320, .out = 2560 },
    { MATMUL, .rows = 1024, .in = 2560, .out = 640 },
    { MATMUL, .rows = 64, .in = 1280, .out = 1280 },
    { MATMUL, .rows = 4096, .in = 320, .out = 4 },
    { MATMUL_DX, .rows = 4096, .in = 320, .out = 320 },
    { MATMUL_DX, .rows = 1024, .in = 640, .out = 640 },
    { ADAPTER, .rows = 4096, .in = 320, .out = 4 },
    { CONV, .in = 320, .out = 320, .height = 64, .width = 64, .kernel = 3, .stride = 1 },
    { CONV, .in = 640, .out = 640, .height = 32, .width = 32, .kernel = 3, .stride = 1 },
    { CONV, .in = 1280, .out = 1280, .height = 8, .width = 8, .kernel = 3, .stride = 1 },
    { CONV, .in = 320, .out = 320, .height = 64, .width = 64, .kernel = 3, .stride = 2 },
    { CONV, .in = 4, .out = 320, .height = 64, .width = 64, .kernel = 3, .stride = 1 },
    { CONV, .in = 128, .out = 3, .height = 256, .width = 256, .kernel = 3, .stride = 1 },
    { CONV_DX, .in = 320, .out = 320, .height = 64, .width = 64, .kernel = 3, .stride = 1 },
    { CONV_DX, .in = 640, .out = 640, .height = 32, .width = 32, .kernel = 3, .stride = 1 },
    { ATTENTION, .rows = 4096, .in = 320, .keys = 4096, .heads = 8 },
    { ATTENTION, .rows = 1024, .in = 640, .keys = 1024, .heads = 8 },
    { ATTENTION, .rows = 4096, .in = 320, .keys = 77, .heads = 8 },
    { ATTENTION_GRAD, .rows = 1024, .in = 640, .keys = 1024, .heads = 8 },
    { ATTENTION_GRAD, .rows = 4096, .in = 320, .keys = 77, .heads = 8 },
    { GROUP_NORM, .in = 320, .height = 64, .width = 64 },
    { GROUP_NORM_GRAD, .in = 320, .height = 64, .width = 64 },
    { LAYER_NORM, .rows = 4096, .in = 320 },
    { GEGLU, .rows = 4096, .in = 2560 },
    { SILU, .rows = 4096, .in = 320 },
    { ADD, .rows = 4096, .in = 320 },
    { CONCAT, .rows = 4096, .in = 320 },
    { UPSAMPLE, .in = 640, .height = 32, .width = 32 },
};

/* The names are also what bench-torch.py knows. */
static const char *const kind_names[] = {
    "matmul",
    "matmul dx",
    "adapter gradient",
    "conv",
    "conv dx",
    "attention",
    "attention backward",
    "group norm",
    "group norm backward",
    "layer norm",
    "geglu",
    "silu",
    "add",
    "concat",
    "upsample",
};

static char *describe(const Case *c)
{
    const char *kind = kind_names[c->kind];
    switch (c->kind) {
    case MATMUL:
    case MATMUL_DX:
    case ADAPTER:
        return g_strdup_printf("%s %ux%ux%u", kind, c->rows, c->out, c->in);
    case CONV:
    case CONV_DX:
        return g_strdup_printf("conv%ux%u%s%s %u->%u %ux%u", c->kernel, c->kernel,
                               c->stride > 1 ? "/2" : "", c->kind == CONV_DX ? " dx" : "", c->in,
                               c->out, c->height, c->width);
    case ATTENTION:
    case ATTENTION_GRAD:
        return g_strdup_printf("%s %ux%u, %u heads of %u", kind, c->rows, c->keys, c->heads,
                               c->in / c->heads);
    default:
        return c->height ? g_strdup_printf("%s %u %ux%u", kind, c->in, c->height, c->width)
                         : g_strdup_printf("%s %ux%u", kind, c->rows, c->in);
    }
}

/* --- graphs ------------------------------------------------------------------------------------
 */

/* Parameters are filled and given to the graph, which keeps them. */
static PenTensor *parameter(PenBench *bench, PenGraph *graph, PenShape shape, PenDtype dtype,
                            PenLayout layout, GError **error)
{
    g_autoptr(PenParameter) p = pen_parameter_new(bench->device, shape, dtype, layout, error);
    g_autofree float *values = pen_bench_noise(pen_shape_elements(shape));
    if (!p || !pen_parameter_write(p, values, error))
        return NULL;
    return pen_graph_parameter(graph, p);
}

static PenTensor *vector(PenBench *bench, PenGraph *graph, guint32 n, PenDtype dtype,
                         GError **error)
{
    return parameter(bench, graph, PEN_SHAPE(1, 1, 1, n), dtype, PEN_LAYOUT_PLAIN, error);
}

/* y of the case's operation, x's shape. `weight` is set for the kinds that have one. */
static PenTensor *build(PenBench *bench, const Case *c, PenGraph *graph, PenDtype dtype,
                        PenTensor *x, PenTensor **weight, GError **error)
{
    PenTensor *other;
    switch (c->kind) {
    case MATMUL:
    case MATMUL_DX:
    case ADAPTER:
        *weight =
            parameter(bench, graph, PEN_SHAPE(1, 1, c->out, c->in), dtype, PEN_LAYOUT_PANEL, error);
        return *weight ? pen_graph_linear(graph, x, *weight, NULL) : NULL;
    case CONV:
    case CONV_DX:
        *weight = parameter(bench, graph, PEN_SHAPE(c->out, c->kernel, c->kernel, c->in), dtype,
                            PEN_LAYOUT_PANEL, error);
        return *weight ? pen_graph_conv2d(graph, x, *weight, NULL, c->stride,
                                          (PenPadding){ 1, 1, 1, 1 })
                       : NULL;
    case ATTENTION:
    case ATTENTION_GRAD:
        other = pen_graph_input(graph, "keys", PEN_SHAPE(1, 1, c->keys, c->in));
        return pen_graph_attention(graph, x, other, other, c->heads, FALSE);
    case GROUP_NORM:
    case GROUP_NORM_GRAD:
    case LAYER_NORM: {
        PenTensor *gamma = vector(bench, graph, c->in, dtype, error);
        PenTensor *beta = gamma ? vector(bench, graph, c->in, dtype, error) : NULL;
        if (!beta)
            return NULL;
        return c->kind == LAYER_NORM
                   ? pen_graph_layer_norm(graph, x, gamma, beta, 1e-5f)
                   : pen_graph_group_norm(graph, x, gamma, beta, 32, 1e-5f, PEN_ACTIVATION_SILU);
    }
    case GEGLU:
        return pen_graph_geglu(graph, x);
    case SILU:
        return pen_graph_activation(graph, x, PEN_ACTIVATION_SILU);
    case ADD:
    case CONCAT:
        other = pen_graph_input(graph, "other", pen_tensor_shape(x));
        return c->kind == ADD ? pen_graph_add(graph, x, other) : pen_graph_concat(graph, x, other);
    case UPSAMPLE:
        return pen_graph_upsample(graph, x, 2 * c->height, 2 * c->width);
    }
    return NULL;
}

static PenPlan *make_plan(PenBench *bench, const Case *c, PenDtype dtype, GError **error)
{
    g_autoptr(PenGraph) graph = pen_graph_new(dtype);
    PenTensor *x = pen_graph_input(graph, "x",
                                   c->height ? PEN_SHAPE(1, c->height, c->width, c->in)
                                             : PEN_SHAPE(1, 1, c->rows, c->in));
    PenTensor *weight = NULL;
    PenTensor *y = build(bench, c, graph, dtype, x, &weight, error);
    if (!y) {
        if (error && !*error)
            pen_graph_check(graph, error);
        return NULL;
    }
    if (c->kind == MATMUL_DX || c->kind == CONV_DX || c->kind == ADAPTER ||
        c->kind == ATTENTION_GRAD || c->kind == GROUP_NORM_GRAD) {
        PenTensor *grad_y = pen_graph_input(graph, "grad_y", pen_tensor_shape(y));
        if (!pen_graph_gradient(graph, y, grad_y, c->kind == ADAPTER ? &weight : &x, 1, &y)) {
            pen_graph_check(graph, error);
            return NULL;
        }
    }
    pen_graph_output(graph, "y", y);
    return pen_plan_new(bench->device, g_steal_pointer(&graph), error);
}

/* --- measuring ---------------------------------------------------------------------------------
 */

typedef struct {
    double seconds, flops, bytes;
} Measured;

static gboolean measure(PenPlan *plan, Measured *measured, GError **error)
{
    double seconds[REPEATS], total = 0;
    guint n = 0;
    while (n < REPEATS && total < REPEAT_SECONDS) {
        g_autoptr(GPtrArray) rows = pen_plan_profile(plan, error);
        if (!rows)
            return FALSE;
        *measured = (Measured){ 0 };
        for (guint r = 0; r < rows->len; r++) {
            const PenPlanProfileRow *row = rows->pdata[r];
            measured->seconds += row->seconds;
            measured->flops += row->flops;
            measured->bytes += row->bytes;
        }
        seconds[n++] = measured->seconds;
        total += measured->seconds;
    }
    measured->seconds = pen_bench_median(seconds, n);
    return TRUE;
}

static gboolean measure_case(PenBench *bench, const Case *c, PenDtype dtype, Measured *measured,
                             GError **error)
{
    g_autoptr(PenPlan) plan = make_plan(bench, c, dtype, error);
    if (!plan)
        return FALSE;
    static const char *const inputs[] = { "x", "keys", "other", "grad_y" };
    gboolean has[] = {
        TRUE,
        c->kind == ATTENTION || c->kind == ATTENTION_GRAD,
        c->kind == ADD || c->kind == CONCAT,
        c->kind == MATMUL_DX || c->kind == CONV_DX || c->kind == ADAPTER ||
            c->kind == ATTENTION_GRAD || c->kind == GROUP_NORM_GRAD,
    };
    for (guint i = 0; i < G_N_ELEMENTS(inputs); i++) {
        if (!has[i])
            continue;
        g_autofree float *values =
            pen_bench_noise(pen_shape_elements(pen_plan_input_shape(plan, inputs[i])));
        pen_plan_write(plan, inputs[i], values);
    }
    return measure(plan, measured, error);
}

/* --- PyTorch -----------------------------------------------------------------------------------
 */

#define TORCH_SCRIPT "/penchant/bench-torch.py"

/* Seconds by the index of a case (null: not possible), or NULL where there is no PyTorch. */
static JsonNode *measure_torch(void)
{
    g_autoptr(GBytes) script =
        g_resources_lookup_data(TORCH_SCRIPT, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    g_autofree char *python = g_find_program_in_path("python3");
    if (!script || !python)
        return NULL;
    g_autofree char *text = g_strndup(g_bytes_get_data(script, NULL), g_bytes_get_size(script));
    g_autoptr(GSubprocess) child =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                             G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                         NULL, python, "-c", text, NULL);
    g_autoptr(JsonBuilder) builder = json_builder_new();
    json_builder_begin_array(builder);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Case *c = &cases[i];
        json_builder_begin_object(builder);
        json_builder_set_member_name(builder, "kind");
        json_builder_add_string_value(builder, kind_names[c->kind]);
        const struct {
            const char *name;
            guint32 value;
        } numbers[] = {
            { "rows", c->rows },     { "in", c->in },       { "out", c->out },
            { "height", c->height }, { "width", c->width }, { "stride", c->stride },
            { "keys", c->keys },     { "heads", c->heads }, { "kernel", c->kernel },
        };
        for (guint n = 0; n < G_N_ELEMENTS(numbers); n++) {
            json_builder_set_member_name(builder, numbers[n].name);
            json_builder_add_int_value(builder, numbers[n].value);
        }
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
    g_autoptr(JsonNode) request = json_builder_get_root(builder);
    g_autofree char *in = json_to_string(request, FALSE), *out = NULL;
    if (!child || !g_subprocess_communicate_utf8(child, in, NULL, &out, NULL, NULL) ||
        !g_subprocess_get_successful(child))
        return NULL;
    JsonNode *answer = json_from_string(out, NULL);
    if (answer && JSON_NODE_HOLDS_ARRAY(answer) &&
        json_array_get_length(json_node_get_array(answer)) == G_N_ELEMENTS(cases))
        return answer;
    g_clear_pointer(&answer, json_node_unref);
    return NULL;
}

/* --- the table ---------------------------------------------------------------------------------
 */

/* Arithmetic is what counts for kernels that do much of it, memory for the others. */
static char *rate(const Case *c, const Measured *m, double seconds)
{
    return c->kind <= ATTENTION_GRAD
               ? g_strdup_printf(_("%8.1f GFLOPS"), m->flops / seconds * 1e-9)
               : g_strdup_printf(_("%8.1f GB/s  "), m->bytes / seconds * 1e-9);
}

static void report(PenBench *bench, const Case *c, PenDtype dtype, const Measured *m, double torch)
{
    g_autofree char *name = describe(c);
    const char *precision = dtype == PEN_DTYPE_F16 ? "f16" : "f32";
    g_autofree char *ours = rate(c, m, m->seconds);
    g_autofree char *theirs = torch > 0 ? rate(c, m, torch) : NULL;
    g_autofree char *full = g_strdup_printf("%s %s", name, precision);
    pen_cli_print(bench->cli, "%-44s %s %10.3f ms%s%s", full, ours, m->seconds * 1e3,
                  theirs ? _("   PyTorch on the processor ") : "", theirs ? theirs : "");
    JsonObject *object = pen_cli_object("kernel");
    json_object_set_string_member(object, "name", name);
    json_object_set_string_member(object, "precision", precision);
    pen_cli_set_number(object, "seconds", m->seconds);
    pen_cli_set_number(object, "gflops", m->flops / m->seconds * 1e-9);
    pen_cli_set_number(object, "gbytes_per_second", m->bytes / m->seconds * 1e-9);
    if (torch > 0) {
        pen_cli_set_number(object, "torch_seconds", torch);
        pen_cli_set_number(object, "torch_gflops", m->flops / torch * 1e-9);
    }
    pen_cli_emit(bench->cli, object);
}

gboolean pen_bench_kernels(PenBench *bench, gboolean f32, gboolean f16, GError **error)
{
    g_autoptr(JsonNode) torch = f32 ? measure_torch() : NULL;
    const PenDtype dtypes[] = { PEN_DTYPE_F32, PEN_DTYPE_F16 };
    const gboolean wanted[] = { f32, f16 };
    for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++)
        for (guint i = 0; wanted[d] && i < G_N_ELEMENTS(cases); i++) {
            Measured measured;
            if (!measure_case(bench, &cases[i], dtypes[d], &measured, error))
                return FALSE;
            JsonNode *seconds = torch && dtypes[d] == PEN_DTYPE_F32
                                    ? json_array_get_element(json_node_get_array(torch), i)
                                    : NULL;
            report(bench, &cases[i], dtypes[d], &measured,
                   seconds && JSON_NODE_HOLDS_VALUE(seconds) ? json_node_get_double(seconds) : 0);
        }
    return TRUE;
}
