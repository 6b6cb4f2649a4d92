// SPDX-License-Identifier: GPL-3.0-or-later
/* Stable Diffusion's graphs lowered on devices that nobody here has: every dispatch fits its
 * limits, and the kernels are those that the device was made for. What does not fit is refused by
 * name. */
#include <glib/gstdio.h>
#include <string.h>

#include "compute/findings.h"
#include "compute/kernel.h"
#include "compute/lower-matmul.h"
#include "compute/plan-private.h"
#include "src/models/vae-coder.h"
#include "tests/tools/graphs.h"

#define MIB ((guint64)1 << 20)
#define GIB ((guint64)1 << 30)

/* What every description below starts from: a large graphics card. */
static PenDeviceInfo large(void)
{
    return (PenDeviceInfo){
        .name = (char *)"made-up",
        .driver = (char *)"none",
        .kind = PEN_DEVICE_DISCRETE,
        .float16 = TRUE,
        .float16_arithmetic = TRUE,
        .subgroup_size = 32,
        .subgroup_min = 32,
        .subgroup_max = 32,
        .max_subgroups = 64,
        .shuffles = TRUE,
        .addresses = TRUE,
        .registers = 256,
        .shared_memory = 48 << 10,
        .max_workgroup = 1024,
        .max_bindings = 16,
        .max_binding = 4 * GIB - 1,
        .max_allocation = 4 * GIB,
    };
}

static PenDevice *open_device(PenDeviceInfo info, const PenMatrixShape *matrix)
{
    if (matrix)
        pen_device_info_choose_matrix(&info, matrix, 1);
    pen_device_info_choose_kernels(&info);
    PenDevice *device = pen_device_new_abstract(&info);
    pen_device_set_budget(device, 64 * GIB);
    return device;
}

static PenPlan *lower(PenDevice *device, PenGraph *graph)
{
    g_autoptr(GError) error = NULL;
    PenPlan *plan = pen_plan_new(device, graph, &error);
    g_assert_no_error(error);
    return plan;
}

static guint count_kernels(const PenPlan *plan, const char *prefix)
{
    guint n = 0;
    for (guint i = 0; i < plan->dispatches->len; i++)
        n += g_str_has_prefix(g_array_index(plan->dispatches, PenDispatch, i).shader, prefix);
    return n;
}

static void assert_pieces(const PenPlan *plan)
{
    for (guint i = 0; i < plan->n_tensors; i++) {
        const PenInterval *t = &plan->intervals[i];
        if (t->size)
            g_assert_cmpuint(t->offset / plan->piece_bytes, ==,
                             (t->offset + t->size - 1) / plan->piece_bytes);
    }
}

/* The gradient's graph holds the UNet's forward one. */
static PenPlan *lower_model(PenDevice *device, const char *name, PenDtype dtype)
{
    const PenArchitecture *model = pen_architecture_find(name);
    g_autoptr(PenWeights) weights = pen_weights_new_random(NULL, dtype, 1);
    g_autoptr(GError) error = NULL;
    guint32 size = model->size / pen_vae_config_factor(&model->vae);
    g_autoptr(PenPlan) text = lower(device, graph_text(model, weights, 0));
    g_autoptr(PenVaeCoder) decoder =
        pen_vae_coder_new(device, &model->vae, weights, PEN_VAE_DECODER, size, size, &error);
    g_assert_no_error(error);
    PenPlan *unet = lower(device, graph_unet(model, weights, TRUE));
    assert_pieces(unet);
    return unet;
}

/* --- devices --------------------------------------------------------------------------------- */

static void check_device(PenDeviceInfo info, const PenMatrixShape *matrix, const char *attention)
{
    g_autoptr(PenDevice) device = open_device(info, matrix);
    PenDtype dtype = info.float16 ? PEN_DTYPE_F16 : PEN_DTYPE_F32;
    g_autoptr(PenPlan) one = lower_model(device, "sd15", dtype);
    if (attention)
        g_assert_cmpuint(count_kernels(one, attention), >, 0);
    if (matrix)
        g_assert_cmpuint(count_kernels(one, "matmul_matrix"), >, 0);
    g_autoptr(PenPlan) two = lower_model(device, "sd21", dtype);
}

static void test_subgroups(gconstpointer data)
{
    guint size = GPOINTER_TO_UINT(data);
    PenDeviceInfo info = large();
    info.subgroup_size = info.subgroup_min = info.subgroup_max = size;
    check_device(info, NULL, "attention_tiled");
    /* As Intel: the driver would choose any of them. */
    info.subgroup_min = MAX(size / 4, 4);
    check_device(info, NULL, "attention_tiled");
    /* A driver that takes no wishes: nothing may rely on neighbours. */
    info.subgroup_min = info.subgroup_max = info.max_subgroups = 0;
    check_device(info, NULL, "attention.");
    /* All that Vulkan promises. */
    info.subgroup_min = info.subgroup_max = size;
    info.max_subgroups = 32;
    info.shared_memory = 16 << 10;
    info.max_workgroup = 128;
    info.max_binding = 128 * MIB;
    info.max_allocation = GIB;
    check_device(info, NULL, NULL);
}

static void test_limit(gconstpointer data)
{
    PenDeviceInfo info = large();
    switch (GPOINTER_TO_UINT(data)) {
    case 0:
        info.float16_arithmetic = FALSE;
        break;
    case 1:
        info.float16 = info.float16_arithmetic = FALSE;
        break;
    case 2:
        info.shared_memory = 16 << 10;
        break;
    case 3:
        info.max_workgroup = 128;
        break;
    case 4:
        info.max_binding = 128 * MIB;
        break;
    case 5:
        info.shuffles = FALSE;
        break;
    default:
        info.max_allocation = GIB;
    }
    check_device(info, NULL, NULL);
}

/* Shapes as drivers list them, with the sizes of their subgroups. */
static const struct {
    const char *name;
    PenMatrixShape shape;
    guint32 subgroup;
    guint32 registers; /* of an invocation */
    const char *attention;
} matrices[] = {
    { "radv", { 16, 16, 16 }, 32, 256, "attention_matrix" },
    { "radv-64", { 16, 16, 16 }, 64, 256, "attention_matrix" },
    { "nvk", { 16, 8, 16 }, 32, 256, "attention_matrix" },
    { "nvk-8", { 16, 8, 8 }, 32, 256, "attention_matrix" },
    { "dg2", { 8, 8, 16 }, 8, 128, "attention_tiled" },
    { "lnl", { 8, 16, 16 }, 16, 128, "attention_matrix" },
    { "apple", { 8, 8, 8 }, 32, 256, "attention_tiled" },
    { "adreno", { 32, 32, 16 }, 64, 256, NULL },
    { "mali", { 64, 64, 16 }, 64, 256, NULL },
    { "tiny", { 8, 8, 8 }, 4, 256, NULL },
    { "wide", { 16, 16, 16 }, 128, 256, NULL },
};

static void test_matrix(gconstpointer data)
{
    guint i = GPOINTER_TO_UINT(data);
    PenDeviceInfo info = large();
    info.subgroup_size = info.subgroup_min = info.subgroup_max = matrices[i].subgroup;
    info.registers = matrices[i].registers;
    check_device(info, &matrices[i].shape, matrices[i].attention);
    info.shared_memory = 32 << 10;
    check_device(info, &matrices[i].shape, NULL);
    info.max_workgroup = 128;
    check_device(info, &matrices[i].shape, NULL);
}

static void test_matrix_choice(void)
{
    static const PenMatrixShape shapes[] = {
        { 16, 8, 16 }, { 16, 16, 16 }, { 16, 8, 8 }, { 512, 512, 16 }
    };
    PenDeviceInfo info = large();
    pen_device_info_choose_matrix(&info, shapes, G_N_ELEMENTS(shapes));
    g_assert_cmpuint(info.matrix.n, ==, 16);
    pen_device_info_choose_matrix(&info, shapes + 3, 1); /* fits no workgroup */
    g_assert_cmpuint(info.matrix.m, ==, 0);
    g_assert_cmpuint(info.matrix_subgroup, ==, 0);
}

/* A plan larger than a buffer may be comes in pieces. */
static void test_pieces(void)
{
    PenDeviceInfo info = large();
    info.max_allocation = GIB;
    g_autoptr(PenDevice) device = open_device(info, NULL);
    g_autoptr(PenPlan) plan = lower_model(device, "sd21", PEN_DTYPE_F32);
    g_assert_cmpuint(plan->n_pieces, >, 1);
    g_assert_cmpuint(pen_plan_bytes(plan), <=, plan->n_pieces * plan->piece_bytes);
}

/* --- what does not fit ------------------------------------------------------------------------ */

static void assert_refused(PenDeviceInfo info, const PenDispatch *d, const char *limit)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(pen_dispatch_fits(&info, d, &error));
    g_assert_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(error->message, d->shader));
    g_assert_nonnull(strstr(error->message, limit));
}

/* matmul_shared with workgroups of 16x16. */
static PenDispatch shared_product(void)
{
    return (PenDispatch){
        .shader = "matmul_shared.f16",
        .spec = { 16, 16, 1, 1, 1, 1, 1, 1, 0, 0, 0 },
        .n_spec = 11,
        .groups = { 1, 1, 1 },
    };
}

static void test_refused(void)
{
    PenDispatch d = shared_product();
    PenDeviceInfo info = large();
    g_assert_true(pen_dispatch_fits(&info, &d, NULL));
    info.shared_memory = 16 << 10;
    assert_refused(info, &d, "maxComputeSharedMemorySize");
    info = large();
    info.max_workgroup = 128;
    assert_refused(info, &d, "maxComputeWorkGroupInvocations");
    info = large();
    info.float16 = FALSE;
    assert_refused(info, &d, "storageBuffer16BitAccess");
    info = large();
    d.groups[0] = 70000;
    assert_refused(info, &d, "maxComputeWorkGroupCount");
    d = shared_product();
    d.subgroup_size = 16;
    assert_refused(info, &d, "requiredSubgroupSize");
    d.subgroup_size = 32;
    info.max_subgroups = 4;
    assert_refused(info, &d, "maxComputeWorkgroupSubgroups");
    d = shared_product();
    pen_dispatch_divides(&d, "runs", 24, 16);
    assert_refused(large(), &d, "runs");
    d = shared_product();
    pen_dispatch_divides(&d, "runs", 0, 16);
    assert_refused(large(), &d, "runs");
    PenTensor tensor = { .shape = PEN_SHAPE(1, 1, 1024, 1024), .dtype = PEN_DTYPE_F32 };
    d = shared_product();
    pen_dispatch_bind(&d, &tensor, PEN_ACCESS_READ);
    info = large();
    info.max_binding = MIB;
    assert_refused(info, &d, "maxStorageBufferRange");
    PenDispatch tiled = { .shader = "attention_tiled.f32", .groups = { 1, 1, 1 } };
    info = large();
    info.shuffles = FALSE;
    assert_refused(info, &tiled, "VK_SUBGROUP_FEATURE_SHUFFLE_BIT");
    PenDispatch matrix = { .shader = "matmul_matrix_1.f16", .groups = { 1, 1, 1 } };
    assert_refused(large(), &matrix, "cooperativeMatrix");
}

/* Only what multiplies matrices, or runs on a processor, may compute in float16. */
static void test_float16_arithmetic(void)
{
    for (gsize i = 0; i < pen_n_shaders; i++) {
        PenKernelNeeds needs;
        g_assert_true(pen_kernel_read_needs(&pen_shaders[i], NULL, 0, &needs));
        g_assert_cmpuint(needs.other, ==, 0);
        if (needs.float16_arithmetic && !needs.matrix && !needs.addresses)
            g_error("%s computes in float16", pen_shaders[i].name);
    }
}

/* --- what a self-test found wrong ------------------------------------------------------------ */

#define BIT(kernels) (1u << PEN_KERNELS_##kernels)
#define WHOLE (BIT(TILES) | BIT(SHARED) | BIT(MATRIX))

static void test_wrong_kernels(void)
{
    static const struct {
        guint f32, f16;  /* wrong ones */
        gboolean usable;
        PenKernels kernels;
        gboolean float16;
    } cases[] = {
        { 0, 0, TRUE, PEN_KERNELS_MATRIX, TRUE },
        { 0, BIT(MATRIX), TRUE, PEN_KERNELS_SHARED, TRUE },
        { BIT(MATRIX) | BIT(SHARED), 0, TRUE, PEN_KERNELS_TILES, TRUE },
        { BIT(TILES), BIT(MATRIX), TRUE, PEN_KERNELS_SHARED, TRUE },
        /* Right in single precision alone: that is how the device is used. */
        { 0, WHOLE, TRUE, PEN_KERNELS_SHARED, FALSE },
        { BIT(SHARED), WHOLE, TRUE, PEN_KERNELS_TILES, FALSE },
        { WHOLE, 0, FALSE, 0, FALSE },
    };
    const PenMatrixShape matrix = { 16, 16, 16 };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        PenDeviceInfo info = large();
        info.wrong_kernels[PEN_DTYPE_F32] = cases[i].f32;
        info.wrong_kernels[PEN_DTYPE_F16] = cases[i].f16;
        pen_device_info_choose_matrix(&info, &matrix, 1);
        pen_device_info_choose_kernels(&info);
        g_assert_cmpint(info.unusable == NULL, ==, cases[i].usable);
        if (info.unusable)
            continue;
        g_assert_cmpint(info.kernels, ==, cases[i].kernels);
        g_assert_cmpint(info.float16, ==, cases[i].float16);
        g_assert_cmpint(info.possible_kernels & cases[i].f32, ==, 0);
    }
}

static void test_findings(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("penchant-findings-XXXXXX", &error);
    g_assert_no_error(error);
    g_autofree char *path = g_build_filename(folder, "below", "findings.ini", NULL);
    PenDeviceInfo info = { .findings = path };
    pen_findings_read(&info); /* there is none yet */
    g_assert_cmpuint(info.wrong_kernels[0] | info.wrong_kernels[1], ==, 0);
    info.wrong_kernels[PEN_DTYPE_F32] = BIT(LANES);
    info.wrong_kernels[PEN_DTYPE_F16] = BIT(LANES) | BIT(MATRIX);
    info.large_tiles_from[PEN_KERNELS_MATRIX][PEN_DTYPE_F16][1] = 16;
    pen_findings_write(&info, NULL, &error);
    g_assert_no_error(error);
    PenDeviceInfo again = { .findings = path };
    pen_findings_read(&again);
    g_assert_cmpuint(again.wrong_kernels[PEN_DTYPE_F32], ==, BIT(LANES));
    g_assert_cmpuint(again.wrong_kernels[PEN_DTYPE_F16], ==, BIT(LANES) | BIT(MATRIX));
    g_assert_true(memcmp(again.large_tiles_from, info.large_tiles_from,
                         sizeof info.large_tiles_from) == 0);
    /* What nobody wrote says nothing. */
    g_file_set_contents(path, "[findings\nwrong=matrix.f16;", -1, &error);
    g_assert_no_error(error);
    PenDeviceInfo damaged = { .findings = path };
    pen_findings_read(&damaged);
    g_assert_cmpuint(damaged.wrong_kernels[0] | damaged.wrong_kernels[1], ==, 0);
    g_autofree char *below = g_path_get_dirname(path);
    g_unlink(path);
    g_rmdir(below);
    g_rmdir(folder);
}

/* Whether a product that has 32 of the larger tiles is cut into those. */
static gboolean tile_is_large(PenDeviceInfo info, const PenMatrixShape *matrix, PenDtype dtype,
                         guint32 large_from)
{
    for (guint k = 0; k < PEN_N_KERNELS; k++)
        info.large_tiles_from[k][dtype][1] = large_from;
    g_autoptr(PenDevice) device = open_device(info, matrix);
    guint32 rows, columns;
    g_assert_true(pen_lower_tile_choice(pen_device_info(device), dtype, TRUE, &rows, &columns));
    PenGraph *graph = pen_graph_new(dtype);
    g_autoptr(PenParameter) weight =
        pen_parameter_new_abstract(PEN_SHAPE(1, 1, 4 * columns, 64), dtype, PEN_LAYOUT_PANEL);
    PenTensor *x = pen_graph_input(graph, "x", PEN_SHAPE(1, 1, 8 * rows, 64));
    pen_graph_output(graph, "y",
                     pen_graph_linear(graph, x, pen_graph_parameter(graph, weight), NULL));
    g_autoptr(PenPlan) plan = lower(device, graph);
    const PenDispatch *product = &g_array_index(plan->dispatches, PenDispatch, 0);
    guint32 groups = product->groups[0] * product->groups[1] * product->groups[2];
    g_assert_true(groups == 32 || groups == 2 * 32 || groups == 4 * 32);
    return groups == 32;
}

/* Between a larger and a smaller tile that decides which was measured, where it was. */
static void test_tiles(void)
{
    static const PenMatrixShape matrix = { 16, 16, 16 };
    g_assert_false(tile_is_large(large(), NULL, PEN_DTYPE_F32, 0));
    g_assert_true(tile_is_large(large(), NULL, PEN_DTYPE_F32, 32));
    g_assert_false(tile_is_large(large(), NULL, PEN_DTYPE_F32, 33));
    g_assert_false(tile_is_large(large(), &matrix, PEN_DTYPE_F16, 0));
    g_assert_true(tile_is_large(large(), &matrix, PEN_DTYPE_F16, 8));
}

int main(int argc, char **argv)
{
    static const guint sizes[] = { 4, 8, 16, 32, 64, 128 };
    static const char *const limits[] = { "no-16-bit-arithmetic", "no-16-bit-storage",
                                          "16-KiB-shared",        "128-invocations",
                                          "bindings-of-128-MiB",  "no-shuffles",
                                          "allocations-of-1-GiB" };
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lowering/refused", test_refused);
    g_test_add_func("/lowering/float16-arithmetic", test_float16_arithmetic);
    g_test_add_func("/lowering/matrix-choice", test_matrix_choice);
    g_test_add_func("/lowering/pieces", test_pieces);
    g_test_add_func("/lowering/wrong-kernels", test_wrong_kernels);
    g_test_add_func("/lowering/findings", test_findings);
    g_test_add_func("/lowering/tiles", test_tiles);
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *path = g_strdup_printf("/lowering/subgroups/%u", sizes[i]);
        g_test_add_data_func(path, GUINT_TO_POINTER(sizes[i]), test_subgroups);
    }
    for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
        g_autofree char *path = g_strdup_printf("/lowering/limit/%s", limits[i]);
        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_limit);
    }
    for (guint i = 0; i < G_N_ELEMENTS(matrices); i++) {
        g_autofree char *path = g_strdup_printf("/lowering/matrix/%s", matrices[i].name);
        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_matrix);
    }
    return g_test_run();
}
