// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a plan promises: no two live temporaries overlap, the peak is known before allocation and is
// the allocator's, late inputs, cancelling, and clear errors.

#include <gio/gio.h>
#include <string.h>

#include "compute/arena.h"
#include "compute/plan-private.h"
#include "tests/compute/fixture.h"

static PenDevice *device;

/* --- the arena ------------------------------------------------------------------------------- */

static void assert_disjoint(const PenInterval *items, guint n, guint64 total, guint64 alignment)
{
    for (guint i = 0; i < n; i++) {
        g_assert_cmpuint(items[i].offset % alignment, ==, 0);
        g_assert_cmpuint(items[i].offset + items[i].size, <=, total);
        for (guint j = 0; j < i; j++) {
            gboolean together = items[i].first <= items[j].last && items[j].first <= items[i].last;
            gboolean overlap = items[i].offset < items[j].offset + items[j].size &&
                               items[j].offset < items[i].offset + items[i].size;
            g_assert_false(together && overlap);
        }
    }
}

static void test_arena_random(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    for (guint trial = 0; trial < 300; trial++) {
        PenInterval items[60];
        guint n = (guint)g_rand_int_range(random, 0, G_N_ELEMENTS(items) + 1);
        for (guint i = 0; i < n; i++) {
            guint first = (guint)g_rand_int_range(random, 0, 40);
            items[i] = (PenInterval){
                .first = first,
                .last = first + (guint)g_rand_int_range(random, 0, 12),
                .size = (guint64)g_rand_int_range(random, 1, 5000),
            };
        }
        /* In one piece, or in pieces no larger than need be. */
        guint64 piece = trial % 2 ? 5056 : 1 << 20;
        guint64 total = pen_arena_pack(items, n, 64, piece);
        assert_disjoint(items, n, total, 64);
        for (guint i = 0; i < n; i++)
            g_assert_cmpuint(items[i].offset / piece, ==,
                             (items[i].offset + items[i].size - 1) / piece);
        g_assert_cmpuint(total, >=, pen_arena_lower_bound(items, n, 64));
    }
}

/* A chain of equal links, each alive with the next alone, takes turns in two places. */
static void test_arena_chain(void)
{
    PenInterval items[50];
    for (guint i = 0; i < 50; i++)
        items[i] = (PenInterval){ .first = i, .last = i + 1, .size = 640 };
    guint64 total = pen_arena_pack(items, 50, 64, 1 << 20);
    g_assert_cmpuint(total, ==, 2 * 640);
    g_assert_cmpuint(total, ==, pen_arena_lower_bound(items, 50, 64));
}

/* --- plans ------------------------------------------------------------------------------------ */

/* The small UNet of the shared cases, with its gradients. */
static PenPlan *network(Fixture *f, gboolean checkpoints)
{
    f->checkpoints = checkpoints;
    PenTensor *y = fixture_case("unet")->build(f);
    pen_graph_output(f->graph, "y", y);
    fixture_gradient(f, y);
    for (guint i = 0; i < f->grads->len; i++) {
        g_autofree char *name = g_strdup_printf("g%u", i);
        pen_graph_output(f->graph, name, f->grads->pdata[i]);
    }
    GError *error = NULL;
    PenPlan *plan = pen_plan_new(device, g_steal_pointer(&f->graph), &error);
    g_assert_no_error(error);
    return plan;
}

static void test_plan_overlap(void)
{
    g_autoptr(Fixture) f = fixture_new(device, PEN_DTYPE_F32);
    g_autoptr(PenPlan) plan = network(f, FALSE);
    g_autofree PenInterval *used = g_new0(PenInterval, plan->n_tensors);
    guint n = 0;
    for (guint i = 0; i < plan->n_tensors; i++)
        if (plan->intervals[i].size)
            used[n++] = plan->intervals[i];
    g_assert_cmpuint(n, >, 50);
    assert_disjoint(used, n, pen_plan_bytes(plan), plan->device->binding_alignment);
    /* Lifetimes are what the dispatches touch. */
    for (guint i = 0; i < plan->dispatches->len; i++) {
        const PenDispatch *d = &g_array_index(plan->dispatches, PenDispatch, i);
        for (guint b = 0; b < d->n_bindings; b++) {
            const PenTensor *t = d->bindings[b].tensor;
            if (!t || t->kind == PEN_TENSOR_PARAMETER)
                continue;
            const PenInterval *interval = &plan->intervals[plan->root[t->id]->id];
            g_assert_cmpuint(interval->first, <=, 1 + i);
            g_assert_cmpuint(interval->last, >=, 1 + i);
        }
    }
    g_test_message("%u temporaries in %" G_GUINT64_FORMAT " bytes, lower bound %" G_GUINT64_FORMAT,
                   n, pen_plan_bytes(plan), pen_arena_lower_bound(used, n, 64));
}

static void test_plan_peak(void)
{
    g_autoptr(Fixture) f = fixture_new(device, PEN_DTYPE_F32);
    guint64 before = pen_device_allocated(device);
    g_autoptr(PenPlan) plan = network(f, FALSE);
    guint64 parameters = pen_plan_parameter_bytes(plan);
    /* Making the plan took nothing but the parameters the fixture made. */
    g_assert_cmpuint(pen_device_allocated(device), >=, before + parameters);
    guint64 idle = pen_device_allocated(device);
    pen_device_reset_peak(device);
    GError *error = NULL;
    g_assert_true(pen_plan_allocate(plan, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(pen_device_peak(device) - idle, ==, pen_plan_bytes(plan));
    pen_plan_release(plan);
    g_assert_cmpuint(pen_device_allocated(device), ==, idle);
}

static void test_plan_checkpoint_smaller(void)
{
    g_autoptr(Fixture) a = fixture_new(device, PEN_DTYPE_F32);
    g_autoptr(Fixture) b = fixture_new(device, PEN_DTYPE_F32);
    g_autoptr(PenPlan) kept = network(a, FALSE);
    g_autoptr(PenPlan) recomputed = network(b, TRUE);
    g_test_message("kept %" G_GUINT64_FORMAT ", recomputed %" G_GUINT64_FORMAT " bytes",
                   pen_plan_bytes(kept), pen_plan_bytes(recomputed));
    g_assert_cmpuint(pen_plan_dispatches(recomputed), >, pen_plan_dispatches(kept));
}

static PenGraph *silu_graph(guint32 n)
{
    PenGraph *graph = pen_graph_new(PEN_DTYPE_F32);
    PenTensor *x = pen_graph_input(graph, "x", PEN_SHAPE(1, 1, n, 4));
    for (guint i = 0; i < 8; i++)
        x = pen_graph_activation(graph, x, PEN_ACTIVATION_SILU);
    pen_graph_output(graph, "y", x);
    return graph;
}

static void test_plan_out_of_memory(void)
{
    GError *error = NULL;
    g_autoptr(PenPlan) plan = pen_plan_new(device, silu_graph(1 << 20), &error);
    g_assert_no_error(error);
    g_assert_cmpuint(pen_plan_bytes(plan), ==, 2 * (16 << 20));
    pen_device_set_budget(device, pen_device_allocated(device) + (20 << 20));
    g_assert_false(pen_plan_allocate(plan, &error));
    g_assert_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_OUT_OF_MEMORY);
    g_assert_nonnull(strstr(error->message, "32.0"));
    g_assert_nonnull(strstr(error->message, "20.0"));
    g_clear_error(&error);
    /* With the memory there it works. */
    pen_device_set_budget(device, 0);
    g_assert_true(pen_plan_allocate(plan, &error));
    g_assert_no_error(error);
}

static void test_plan_cancel(void)
{
    GError *error = NULL;
    g_autoptr(PenPlan) plan = pen_plan_new(device, silu_graph(64), &error);
    g_assert_no_error(error);
    float x[64 * 4] = { 1 }, y[64 * 4];
    pen_plan_write(plan, "x", x);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_cancellable_cancel(cancellable);
    g_assert_false(pen_plan_run(plan, NULL, NULL, cancellable, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_clear_error(&error);
    /* A cancelled plan runs again. */
    g_assert_true(pen_plan_run(plan, NULL, NULL, NULL, &error));
    g_assert_no_error(error);
    pen_plan_read(plan, "y", y);
    g_assert_cmpfloat(y[0], >, 0);
    g_assert_cmpfloat(y[1], ==, 0);
}

static void on_progress(double fraction, gpointer user_data)
{
    double *last = user_data;
    g_assert_cmpfloat(fraction, >, *last);
    *last = fraction;
}

static void test_plan_progress(void)
{
    GError *error = NULL;
    g_autoptr(PenPlan) plan = pen_plan_new(device, silu_graph(64), &error);
    float x[64 * 4] = { 0 };
    pen_plan_write(plan, "x", x);
    double last = 0;
    g_assert_true(pen_plan_run(plan, on_progress, &last, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpfloat_with_epsilon(last, 1, 1e-9);
}

static void count_progress(double fraction, gpointer user_data)
{
    g_assert_cmpfloat(fraction, <=, 1);
    ++*(guint *)user_data;
}

/* On a device that would take long for every dispatch, all are cut, and the result is the same. */
static void test_plan_parts(void)
{
    GError *error = NULL;
    g_autoptr(Fixture) f = fixture_new(device, PEN_DTYPE_F32);
    g_autoptr(PenPlan) plan = network(f, FALSE);
    for (guint i = 0; i < f->inputs->len; i++)
        fixture_write(f, plan, f->inputs->pdata[i]);
    gsize n = pen_shape_elements(((PenTensor *)f->grads->pdata[0])->shape);
    g_autofree float *whole = g_new(float, n), *parts = g_new(float, n);
    guint few = 0, many = 0;
    double rate = device->cost_rate;
    g_assert_true(pen_plan_run(plan, count_progress, &few, NULL, &error));
    g_assert_no_error(error);
    pen_plan_read(plan, "g0", whole);

    device->cost_rate = 1e6;
    g_assert_true(pen_plan_run(plan, count_progress, &many, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpfloat(plan->recorded_rate, ==, 1e6);
    g_assert_cmpuint(plan->n_commands, >, pen_plan_dispatches(plan));
    pen_plan_read(plan, "g0", parts);
    g_assert_cmpmem(whole, n * sizeof *whole, parts, n * sizeof *parts);
    device->cost_rate = rate;
}

/* A device that gives no large buffers: the arena comes in pieces, and the result is the same. */
static void test_plan_pieces(void)
{
    GError *error = NULL;
    guint64 most = device->info->max_allocation;
    g_autofree float *results[2] = { NULL, NULL };
    gsize n = 0;
    for (guint i = 0; i < 2; i++) {
        g_autoptr(Fixture) f = fixture_new(device, PEN_DTYPE_F32);
        device->info->max_allocation = i ? 16 << 10 : most;
        g_autoptr(PenPlan) plan = network(f, FALSE);
        g_assert_true(i ? plan->n_pieces > 1 : plan->n_pieces == 1);
        for (guint k = 0; k < f->inputs->len; k++)
            fixture_write(f, plan, f->inputs->pdata[k]);
        g_assert_true(pen_plan_run(plan, NULL, NULL, NULL, &error));
        g_assert_no_error(error);
        n = pen_shape_elements(((PenTensor *)f->grads->pdata[0])->shape);
        results[i] = g_new(float, n);
        pen_plan_read(plan, "g0", results[i]);
    }
    device->info->max_allocation = most;
    g_assert_cmpmem(results[0], n * sizeof(float), results[1], n * sizeof(float));
}

/* A plan that could not be recorded anew is not run half recorded: it starts over. */
static void test_plan_record_fails(void)
{
    GError *error = NULL;
    double rate = device->cost_rate;
    g_autoptr(PenPlan) plan = pen_plan_new(device, silu_graph(1 << 12), &error);
    g_autofree float *x = g_new0(float, 4 << 12);
    pen_plan_write(plan, "x", x);
    g_assert_true(pen_plan_run(plan, NULL, NULL, NULL, &error));
    PenDispatch *d = &g_array_index(plan->dispatches, PenDispatch, 3);
    char name[sizeof d->shader];
    memcpy(name, d->shader, sizeof name);
    g_strlcpy(d->shader, "none.f32", sizeof d->shader);
    device->cost_rate = plan->recorded_rate / 4;
    g_assert_false(pen_plan_run(plan, NULL, NULL, NULL, &error));
    g_assert_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED);
    g_clear_error(&error);
    g_assert_false(plan->allocated);
    memcpy(d->shader, name, sizeof name);
    g_assert_true(pen_plan_run(plan, NULL, NULL, NULL, &error));
    g_assert_no_error(error);
    device->cost_rate = rate;
}

/* What submissions took decides how much is in the next ones. */
static void test_plan_chunks(void)
{
    GError *error = NULL;
    double rate = device->cost_rate;
    g_autoptr(PenPlan) plan = pen_plan_new(device, silu_graph(1 << 12), &error);
    g_autofree float *x = g_new0(float, 4 << 12);
    pen_plan_write(plan, "x", x);
    g_assert_true(pen_plan_run(plan, NULL, NULL, NULL, &error));
    g_assert_no_error(error);
    for (guint seconds = 0; seconds < 2; seconds++) {
        for (guint i = 0; i < plan->n_commands; i++)
            plan->seconds[i] = seconds ? 1 : 1e-6;
        device->cost_rate = plan->recorded_rate; /* or it is recorded anew */
        guint submissions = 0;
        g_assert_true(pen_plan_run(plan, count_progress, &submissions, NULL, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(submissions, ==, seconds ? plan->n_commands : 1);
    }
    g_assert_cmpfloat(pen_plan_longest_submission(plan), >, 0);
    device->cost_rate = rate;
}

static void test_plan_missing_input(void)
{
    GError *error = NULL;
    g_autoptr(PenPlan) plan = pen_plan_new(device, silu_graph(4), &error);
    g_assert_false(pen_plan_run(plan, NULL, NULL, NULL, &error));
    g_assert_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_GRAPH);
    g_clear_error(&error);
}

static void test_plan_profile(void)
{
    GError *error = NULL;
    g_autoptr(PenPlan) plan = pen_plan_new(device, silu_graph(4), &error);
    float x[16] = { 0 };
    pen_plan_write(plan, "x", x);
    g_autoptr(GPtrArray) rows = pen_plan_profile(plan, &error);
    g_assert_no_error(error);
    guint count = 0;
    for (guint i = 0; i < rows->len; i++)
        count += ((PenPlanProfileRow *)rows->pdata[i])->count;
    g_assert_cmpuint(count, ==, pen_plan_dispatches(plan));
}

static void test_no_device(void)
{
    GError *error = NULL;
    g_assert_null(pen_device_open("no such device", &error));
    g_assert_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_NO_DEVICE);
    g_assert_nonnull(strstr(error->message, "no such device"));
    g_clear_error(&error);
}

static void test_choose(void)
{
    PenDeviceInfo infos[] = {
        { .index = 0, .name = (char *)"soft", .kind = PEN_DEVICE_SOFTWARE },
        { .index = 1, .name = (char *)"Broken 9000", .kind = PEN_DEVICE_DISCRETE, .unusable = "x" },
        { .index = 2, .name = (char *)"Inner", .kind = PEN_DEVICE_INTEGRATED },
    };
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    GError *error = NULL;
    g_assert_cmpint(pen_device_choose(list, NULL, NULL, &error), ==, -1);
    g_assert_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_NO_DEVICE);
    g_clear_error(&error);
    for (guint i = 0; i < G_N_ELEMENTS(infos); i++)
        g_ptr_array_add(list, &infos[i]);
    g_autofree char *why = NULL;
    g_assert_cmpint(pen_device_choose(list, NULL, &why, &error), ==, 2);
    g_assert_no_error(error);
    g_assert_nonnull(why);
    g_assert_cmpint(pen_device_choose(list, "SOFT", NULL, &error), ==, 0);
    g_assert_cmpint(pen_device_choose(list, "2", NULL, &error), ==, 2);
    g_assert_cmpint(pen_device_choose(list, "broken", NULL, &error), ==, -1);
    g_assert_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED);
    g_clear_error(&error);
}

/* A number that is no index is a part of a name; what means several devices is no choice. */
static void test_choose_by_name(void)
{
    static const struct {
        const char *wanted;
        int chosen;
    } cases[] = {
        { "4090", -1 },
        { "NVIDIA RTX 4090", -1 },
        { "rtx 4090 #2", 1 },
        { "#1", 0 },
        { "7900", 2 },
        { "1", 1 },
        { "GTX 1080", 4 },
        { "GTX 1080 Ti", 3 },
        { "256", 5 },
        { "9999", -1 },
        { "Half", 7 },
    };
    PenDeviceInfo infos[] = {
        {.name = (char *)"NVIDIA RTX 4090"},
        {.name = (char *)"NVIDIA RTX 4090"},
        {.name = (char *)"RX 7900 XTX"},
        {.name = (char *)"GTX 1080 Ti"},
        {.name = (char *)"GTX 1080"},
        {.name = (char *)"llvmpipe (LLVM 19.1.7, 256 bits)"},
        {.name = (char *)"Half of a card", .unusable = "x"},
        {.name = (char *)"Half a card"},
    };
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    for (guint i = 0; i < G_N_ELEMENTS(infos); i++) {
        infos[i].index = i;
        g_ptr_array_add(list, &infos[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        int chosen = pen_device_choose(list, cases[i].wanted, NULL, &error);
        g_assert_cmpint(chosen, ==, cases[i].chosen);
        g_assert_true((chosen < 0) == (error != NULL));
        if (i == 0)
            g_assert_nonnull(strstr(error->message, "0 NVIDIA RTX 4090 #1, 1 NVIDIA RTX 4090 #2"));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    device = pen_device_open(NULL, &error);
    g_assert_no_error(error);
    g_test_add_func("/arena/random", test_arena_random);
    g_test_add_func("/arena/chain", test_arena_chain);
    g_test_add_func("/plan/overlap", test_plan_overlap);
    g_test_add_func("/plan/peak", test_plan_peak);
    g_test_add_func("/plan/checkpoint-smaller", test_plan_checkpoint_smaller);
    g_test_add_func("/plan/out-of-memory", test_plan_out_of_memory);
    g_test_add_func("/plan/cancel", test_plan_cancel);
    g_test_add_func("/plan/progress", test_plan_progress);
    g_test_add_func("/plan/parts", test_plan_parts);
    g_test_add_func("/plan/pieces", test_plan_pieces);
    g_test_add_func("/plan/record-fails", test_plan_record_fails);
    g_test_add_func("/plan/chunks", test_plan_chunks);
    g_test_add_func("/plan/missing-input", test_plan_missing_input);
    g_test_add_func("/plan/profile", test_plan_profile);
    g_test_add_func("/device/none", test_no_device);
    g_test_add_func("/device/choose", test_choose);
    g_test_add_func("/device/choose-by-name", test_choose_by_name);
    int failures = g_test_run();
    pen_device_unref(device);
    return failures;
}
