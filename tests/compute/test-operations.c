// SPDX-License-Identifier: GPL-3.0-or-later
/* Every operation on the Vulkan device: forward and backward, in both precisions, against the slow
 * evaluator, and the device's gradients against differences of the device's own results. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "compute/findings.h"
#include "compute/graph-private.h"
#include "compute/lower-matmul.h"
#include "compute/plan-private.h"
#include "compute/tune.h"
#include "tests/compute/fixture.h"

static PenDevice *device;
static gboolean few; /* runs the chosen few alone */

typedef struct {
    const FixtureCase *fixture_case;
    PenDtype dtype;
    gboolean gradient, checkpoints, late;
    gboolean eight_bits; /* weights */
} Trial;

/* A result of the device and what it should be. */
typedef struct {
    char *name;
    double *want;
    gsize n;
} Result;

static void clear_result(gpointer data)
{
    Result *result = data;

    g_free(result->name);
    g_free(result->want);
}

static void add_output(Fixture *f, GArray *results, PenTensor *tensor)
{
    gsize n = pen_shape_elements(tensor->shape);
    Result result = {
        .name = results->len ? g_strdup_printf("gradient%u", results->len - 1) : g_strdup("y"),
        .want = g_memdup2(pen_reference_value(f->reference, tensor), n * sizeof(double)),
        .n = n,
    };

    pen_graph_output(f->graph, result.name, tensor);
    g_array_append_val(results, result);
}

static GArray *add_outputs(Fixture *f, PenTensor *y)
{
    GArray *results = g_array_new(FALSE, FALSE, sizeof(Result));

    g_array_set_clear_func(results, clear_result);
    add_output(f, results, y);
    for (guint i = 0; i < f->grads->len; i++) {
        PenTensor *grad = f->grads->pdata[i];
        /* Of a sum the gradient is dy itself, perhaps of both operands. */
        if (grad->kind == PEN_TENSOR_COMPUTED && !grad->is_output)
            add_output(f, results, grad);
    }
    return results;
}

static PenPlan *make_plan(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    PenPlan *plan = pen_plan_new(device, g_steal_pointer(&f->graph), &error);

    g_assert_no_error(error);
    return plan;
}

static void run(PenPlan *plan)
{
    g_autoptr(GError) error = NULL;

    pen_plan_run(plan, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
}

static double *read_output(PenPlan *plan, const char *name, gsize n)
{
    g_autofree float *floats = g_new(float, n);
    double *values = g_new(double, n);

    /* What the plan does not write is seen. */
    for (gsize i = 0; i < n; i++)
        floats[i] = NAN;
    pen_plan_read(plan, name, floats);
    for (gsize i = 0; i < n; i++)
        values[i] = floats[i];
    return values;
}

/* Share of the largest magnitude that a result may be off by. Long chains round more often, and a
 * steep softmax has scores of some hundreds, whose rounding is a share of its probabilities. */
static double tolerance(const Trial *trial)
{
    gboolean chain = g_str_has_prefix(trial->fixture_case->name, "unet");
    gboolean steep = g_str_equal(trial->fixture_case->name, "attention_steep");

    if (trial->eight_bits)
        return 2e-2;
    if (trial->dtype == PEN_DTYPE_F16)
        return chain ? 4e-2 : 2e-3;
    return chain || steep ? 5e-4 : 2e-5;
}

static void check_result(PenPlan *plan, const Result *result, const Trial *trial)
{
    g_autofree double *have = read_output(plan, result->name, result->n);
    double largest = 0, worst = 0;
    gsize at = 0;

    for (gsize i = 0; i < result->n; i++) {
        double off = fabs(have[i] - result->want[i]);
        largest = MAX(largest, fabs(result->want[i]));
        if (!(off <= worst)) {
            worst = isnan(off) ? INFINITY : off;
            at = i;
        }
    }
    g_test_message("%s: off by %.2g of %.3g", result->name, worst, largest);
    /* A weight in 8 bits is off by up to a 254th of the largest of its block, and so is their sum. */
    if (worst <= tolerance(trial) * largest + (trial->eight_bits ? 1.0 / 254 : 1e-6))
        return;
    g_test_fail();
    g_test_message("%s: element %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " is %.7g, not %.7g",
                   result->name, at, result->n, have[at], result->want[at]);
}

static void test_values(gconstpointer data)
{
    const Trial *trial = data;

    if (trial->dtype == PEN_DTYPE_F16 && !pen_device_info(device)->float16) {
        g_test_skip("the device has no half precision");
        return;
    }
    g_autoptr(Fixture) f = fixture_new(device, trial->dtype);
    f->checkpoints = trial->checkpoints;
    f->late = trial->late;
    if (trial->eight_bits)
        f->matrices = PEN_LAYOUT_EIGHT_BIT_PANEL;
    PenTensor *y = trial->fixture_case->build(f);
    if (trial->gradient)
        fixture_gradient(f, y);
    g_autoptr(GArray) results = add_outputs(f, y);
    g_autoptr(PenPlan) plan = make_plan(f);

    for (guint i = 0; i < f->inputs->len; i++)
        if (!trial->late || !g_str_equal(f->inputs->pdata[i], "dy"))
            fixture_write(f, plan, f->inputs->pdata[i]);
    run(plan);
    check_result(plan, &g_array_index(results, Result, 0), trial);
    g_assert_cmpint(pen_plan_has_late_inputs(plan), ==, trial->late);
    if (trial->late) {
        g_autoptr(GError) error = NULL;
        fixture_write(f, plan, "dy");
        pen_plan_finish(plan, NULL, NULL, NULL, &error);
        g_assert_no_error(error);
    }
    for (guint i = 1; i < results->len; i++)
        check_result(plan, &g_array_index(results, Result, i), trial);
}

/* --- differences --------------------------------------------------------------------------- */

/* A target: how to change it, and where its gradient is read. */
typedef struct {
    PenParameter *parameter; /* or NULL: the input */
    char *name;
    char *gradient; /* NULL: dy itself */
    gsize n;
} Variable;

static void clear_variable(gpointer data)
{
    Variable *v = data;

    g_free(v->name);
    g_free(v->gradient);
}

static GArray *find_variables(Fixture *f)
{
    GArray *variables = g_array_new(FALSE, FALSE, sizeof(Variable));

    g_array_set_clear_func(variables, clear_variable);
    for (guint i = 0; i < f->targets->len; i++) {
        PenTensor *target = f->targets->pdata[i], *grad = f->grads->pdata[i];
        Variable v = {
            .parameter = target->parameter,
            .name = g_strdup(target->name),
            .gradient = grad->is_output ? g_strdup(grad->name) : NULL,
            .n = pen_shape_elements(target->shape),
        };
        g_array_append_val(variables, v);
    }
    return variables;
}

static void set_variable(PenPlan *plan, const Variable *v, const float *values)
{
    g_autoptr(GError) error = NULL;

    if (v->parameter)
        pen_parameter_write(v->parameter, values, &error);
    else
        pen_plan_write(plan, v->name, values);
    g_assert_no_error(error);
}

/* <dy, y> of a run. */
static double measure(PenPlan *plan, const double *dy, gsize n)
{
    run(plan);
    g_autofree double *y = read_output(plan, "y", n);
    double sum = 0;
    for (gsize i = 0; i < n; i++)
        sum += dy[i] * y[i];
    return sum;
}

/* Moves the variable a little, along its gradient (which changes the result most) and at random
 * (which shows what is wrong across it). */
static void check_variable(PenPlan *plan, Fixture *f, const Variable *v, gsize n_y, double step)
{
    const double *dy = pen_reference_input(f->reference, "dy");
    const double *start = v->parameter ? pen_reference_parameter(f->reference, v->parameter)
                                       : pen_reference_input(f->reference, v->name);
    run(plan);
    g_autofree double *grad =
        v->gradient ? read_output(plan, v->gradient, v->n) : g_memdup2(dy, v->n * sizeof *dy);
    g_autofree float *up = g_new(float, v->n), *down = g_new(float, v->n);
    double square = 1e-30, predicted = 0;

    for (gsize i = 0; i < v->n; i++)
        square += grad[i] * grad[i] / (double)v->n;
    for (gsize i = 0; i < v->n; i++) {
        double along = grad[i] / sqrt(square) + (g_rand_boolean(f->random) ? 1 : -1);
        up[i] = (float)(start[i] + step * along);
        down[i] = (float)(start[i] - step * along);
        predicted += grad[i] * ((double)up[i] - (double)down[i]);
    }
    set_variable(plan, v, up);
    double high = measure(plan, dy, n_y);
    set_variable(plan, v, down);
    double low = measure(plan, dy, n_y);
    for (gsize i = 0; i < v->n; i++)
        up[i] = (float)start[i];
    set_variable(plan, v, up);

    const char *what = v->name ? v->name : "weight";
    g_test_message("%s: %.6g, differences say %.6g", what, predicted, high - low);
    if (!(fabs(high - low - predicted) <= 1e-2 * fabs(predicted) + 1e-5 * (fabs(high) + 1)))
        g_test_fail();
}

static void test_differences(gconstpointer data)
{
    const Trial *trial = data;
    g_autoptr(Fixture) f = fixture_new(device, PEN_DTYPE_F32);
    PenTensor *y = trial->fixture_case->build(f);
    gsize n_y = pen_shape_elements(y->shape);

    fixture_gradient(f, y);
    g_autoptr(GArray) results = add_outputs(f, y);
    g_autoptr(GArray) variables = find_variables(f);
    g_autoptr(PenPlan) plan = make_plan(f);
    for (guint i = 0; i < f->inputs->len; i++)
        fixture_write(f, plan, f->inputs->pdata[i]);
    double step = g_str_equal(trial->fixture_case->name, "attention_steep") ? 5e-4 : 4e-3;
    for (guint i = 0; i < variables->len; i++)
        check_variable(plan, f, &g_array_index(variables, Variable, i), n_y, step);
}

/* The chosen few: of each kernel the shapes that fit it worst. */
static gboolean is_among_few(const FixtureCase *c)
{
    static const char *const names[] = {"linear_ragged", "linear_adapter", "conv_ragged", "group_norm_odd",
                                        "layer_norm_odd", "attention_odd", "cross_few", NULL};

    return g_strv_contains(names, c->name);
}

static void add_trial(const char *path, Trial trial, void (*test)(gconstpointer))
{
    if (few && !is_among_few(trial.fixture_case))
        return;
    g_autofree char *full = g_strdup_printf("%s/%s", path, trial.fixture_case->name);

    g_test_add_data_func_full(full, g_memdup2(&trial, sizeof trial), test, g_free);
}

static gboolean has_matrices(const FixtureCase *c)
{
    return g_str_has_prefix(c->name, "linear") || g_str_has_prefix(c->name, "conv");
}

/* Whether the kernels that PENCHANT_KERNELS names are for this. */
static gboolean is_heavy(const FixtureCase *c)
{
    static const char *const others[] = {"attention", "cross", "unet"};

    for (guint i = 0; i < G_N_ELEMENTS(others); i++)
        if (g_str_has_prefix(c->name, others[i]))
            return TRUE;
    return has_matrices(c);
}

/* Tiles are measured where there is a choice, and what was measured is kept. */
static void test_tune(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("penchant-tune-XXXXXX", &error);
    g_assert_no_error(error);
    PenDeviceInfo *info = device->info, before = *info;
    info->findings = g_build_filename(folder, "findings.ini", NULL);
    memset(info->large_tiles_from, 0, sizeof info->large_tiles_from);
    pen_device_tune(device, &error);
    g_assert_no_error(error);
    PenDeviceInfo kept = {.findings = info->findings};
    pen_findings_read(&kept);
    g_assert_true(memcmp(kept.large_tiles_from, info->large_tiles_from,
                         sizeof info->large_tiles_from) == 0);
    for (PenDtype dtype = PEN_DTYPE_F32; dtype <= PEN_DTYPE_F16; dtype++)
        for (guint linear = 0; linear < 2; linear++) {
            guint32 rows, columns, from = info->large_tiles_from[info->kernels][dtype][linear];
            g_test_message("%s %s: from %u on", dtype == PEN_DTYPE_F16 ? "f16" : "f32",
                           linear ? "linear" : "conv", from);
            g_assert_true((from != 0) ==
                          pen_lower_tile_choice(info, dtype, linear != 0, &rows, &columns));
        }
    g_unlink(info->findings);
    g_rmdir(folder);
    g_free(info->findings);
    *info = before;
}

/* A family of kernels that the device would not choose itself: what it computes, and no more. */
static void add_family(void)
{
    for (guint i = 0; i < fixture_n_cases; i++) {
        Trial trial = {.fixture_case = &fixture_cases[i], .gradient = TRUE};
        if (!is_heavy(trial.fixture_case))
            continue;
        add_trial("/f32/gradient", trial, test_values);
        trial.dtype = PEN_DTYPE_F16;
        add_trial("/f16/gradient", trial, test_values);
    }
}

/* What has no gradient. */
static PenTensor *statistics_odd(Fixture *f)
{
    return pen_graph_channel_statistics(f->graph, fixture_input(f, 2, 5, 7, 13), 1e-5f);
}

static PenTensor *statistics_large(Fixture *f)
{
    PenTensor *x = fixture_values(f, PEN_SHAPE(3, 33, 32, 20), 4, 2);
    return pen_graph_channel_statistics(f->graph, x, 1e-5f);
}

static PenTensor *statistics_pixel(Fixture *f)
{
    return pen_graph_channel_statistics(f->graph, fixture_input(f, 1, 1, 1, 4), 1e-2f);
}

static const FixtureCase forward_cases[] = {
    {"statistics_odd", statistics_odd},
    {"statistics_large", statistics_large},
    {"statistics_pixel", statistics_pixel},
};

static void add_all(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(forward_cases); i++) {
        Trial trial = {.fixture_case = &forward_cases[i]};
        add_trial("/f32/forward", trial, test_values);
        trial.dtype = PEN_DTYPE_F16;
        add_trial("/f16/forward", trial, test_values);
    }

    for (guint i = 0; i < fixture_n_cases; i++) {
        Trial trial = {.fixture_case = &fixture_cases[i]};
        add_trial("/f32/forward", trial, test_values);
        trial.gradient = TRUE;
        add_trial("/f32/gradient", trial, test_values);
        add_trial("/f32/differences", trial, test_differences);
        trial.dtype = PEN_DTYPE_F16;
        add_trial("/f16/gradient", trial, test_values);
        if (has_matrices(trial.fixture_case)) {
            trial.eight_bits = TRUE;
            add_trial("/eight-bit/gradient", trial, test_values);
            trial.eight_bits = FALSE;
        }
        trial.gradient = FALSE;
        add_trial("/f16/forward", trial, test_values);
    }
    Trial more = {.fixture_case = fixture_case("unet"), .gradient = TRUE, .checkpoints = TRUE};
    add_trial("/f32/checkpoint", more, test_values);
    more.late = TRUE;
    add_trial("/f32/late", more, test_values);
    more.fixture_case = fixture_case("linear_adapter");
    add_trial("/f32/late", more, test_values);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    gboolean tune = FALSE;

    g_test_init(&argc, &argv, NULL);
    device = pen_device_open(NULL, &error);
    if (!device)
        g_error("these tests need a Vulkan device: %s", error->message);
    for (int i = 1; i < argc; i++) {
        /* As on a device on which every dispatch would take long. */
        if (g_str_equal(argv[i], "in-parts"))
            device->cost_rate = 1e6;
        few = few || g_str_equal(argv[i], "few");
        tune = tune || g_str_equal(argv[i], "tune");
    }
    if (tune)
        g_test_add_func("/tune", test_tune);
    else if (g_getenv("PENCHANT_KERNELS"))
        add_family();
    else
        add_all();
    int status = g_test_run();
    pen_device_unref(device);
    return status;
}
