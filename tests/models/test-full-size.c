// SPDX-License-Identifier: GPL-3.0-or-later
/* Stable Diffusion's UNets at full size, with random weights, against a slice of what diffusers makes
 * of the same (tests/tools/full_size.py, which has the numbers' recipe too).
 *
 * With the argument "long" the larger sizes, which take minutes. */
#include <math.h>

#include "src/models/architecture.h"
#include "src/models/runtime.h"
#include "src/models/unet.h"
#include "src/models/weights.h"
#include "tests/models/golden.h"

#define SEED 1
#define TOKENS 77
#define TIMESTEP 500
#define EVERY 13 /* of how many outputs one is recorded */

typedef struct {
    const char *arch;
    PenDtype dtype;
    gboolean eight_bits;
    double tolerance; /* of the relative L2 error */
    guint32 height, width; /* of the latents */
} Case;

static PenDevice *device;

/* Evenly spread, of variance 1. */
static void fill_noise(const char *name, gsize n, float *values)
{
    guint32 state = g_str_hash(name);
    for (gsize i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        values[i] = sqrtf(3) * ((float)(state >> 8) / (1 << 23) - 1);
    }
}

static void write_noise(PenPlan *plan, const char *input)
{
    gsize n = pen_shape_elements(pen_plan_input_shape(plan, input));
    g_autofree float *values = g_new(float, n);
    fill_noise(input, n, values);
    pen_plan_write(plan, input, values);
}

/* A pooled text of noise, and the picture's size. */
static void write_added(PenPlan *plan, const Case *c, const PenUNetConfig *config)
{
    guint32 pooled = pen_unet_config_pooled_channels(config);
    g_autoptr(PenConditioning) conditioning = pen_conditioning_new(0, 0, pooled);
    g_autofree float *added = g_new(float, config->added_channels);
    fill_noise("pooled", pooled, conditioning->pooled);
    conditioning->sizes[0] = conditioning->sizes[4] = 8.0f * (float)c->height;
    conditioning->sizes[1] = conditioning->sizes[5] = 8.0f * (float)c->width;
    pen_unet_added(config, conditioning, added);
    pen_plan_write(plan, "added", added);
}

static PenPlan *plan_unet(const Case *c, const PenUNetConfig *config, PenWeights *weights)
{
    g_autoptr(GError) error = NULL;
    PenUNetOptions options = {
        .batch = 1, .height = c->height, .width = c->width, .tokens = TOKENS};
    g_autoptr(PenUNet) unet = pen_unet_new(config, weights, &options, &error);
    g_assert_no_error(error);
    pen_weights_load(weights, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    PenPlan *plan = pen_plan_new(device, pen_unet_steal_graph(unet), &error);
    g_assert_no_error(error);
    return plan;
}

static void test_unet(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    const PenUNetConfig *config = &pen_architecture_find(c->arch)->unet;
    if (c->dtype == PEN_DTYPE_F16 && !pen_device_info(device)->float16) {
        g_test_skip("the device has no float16");
        return;
    }
    g_autoptr(PenWeights) weights = pen_weights_new_random(device, c->dtype, SEED);
    if (c->eight_bits)
        pen_weights_set_eight_bits(weights);
    g_autoptr(PenPlan) plan = plan_unet(c, config, weights);
    float embedding[1280];
    g_assert_cmpuint(config->channels[0], <=, G_N_ELEMENTS(embedding));
    pen_unet_timestep_embedding(config, &(double){TIMESTEP}, 1, embedding);
    pen_plan_write(plan, "timestep_embedding", embedding);
    write_noise(plan, "sample");
    write_noise(plan, "context");
    if (config->added_channels)
        write_added(plan, c, config);
    pen_plan_run(plan, NULL, NULL, NULL, &error);
    g_assert_no_error(error);

    g_autofree char *path = g_strdup_printf(PEN_TEST_DATA "/full-size/%s.safetensors", c->arch);
    g_autoptr(PenSafetensors) file = pen_safetensors_open(path, &error);
    g_assert_no_error(error);
    g_autofree char *name = g_strdup_printf("out.%ux%u", c->height, c->width);
    g_autoptr(Golden) expected = golden_new(file, name);
    gsize n = (gsize)config->out_channels * c->height * c->width;
    g_assert_cmpuint(expected->n, ==, (n + EVERY - 1) / EVERY);
    g_autofree float *out = g_new(float, n);
    pen_plan_read(plan, "out", out);
    for (gsize i = 0; i < expected->n; i++)
        out[i] = out[i * EVERY];
    golden_assert_l2("out", out, expected->values, expected->n, c->tolerance);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    static const Case usual[] = {
        {"sd15", PEN_DTYPE_F32, FALSE, 2e-4, 64, 64},
        {"sd15", PEN_DTYPE_F16, FALSE, 2e-2, 64, 64},
        {"sd15", PEN_DTYPE_F16, TRUE, 4e-2, 64, 64},
        {"sd21", PEN_DTYPE_F16, FALSE, 2e-2, 64, 64},
    };
    static const Case large[] = {
        {"sdxl", PEN_DTYPE_F32, FALSE, 2e-4, 64, 64},
        {"sdxl", PEN_DTYPE_F16, FALSE, 2e-2, 64, 64},
        {"sdxl", PEN_DTYPE_F16, TRUE, 6e-2, 64, 64}, /* 0.0435 when recorded */
        {"sdxl", PEN_DTYPE_F32, FALSE, 2e-4, 96, 128},
        {"sdxl", PEN_DTYPE_F16, FALSE, 2e-2, 96, 128},
        {"sdxl", PEN_DTYPE_F32, FALSE, 2e-4, 128, 128},
        {"sdxl", PEN_DTYPE_F16, FALSE, 2e-2, 128, 128},
    };

    g_test_init(&argc, &argv, NULL);
    gboolean is_long = argc > 1 && g_str_equal(argv[1], "long");
    const Case *cases = is_long ? large : usual;
    guint n = is_long ? G_N_ELEMENTS(large) : G_N_ELEMENTS(usual);
    device = pen_device_open(NULL, &error);
    if (!device)
        g_error("these tests need a Vulkan device: %s", error->message);
    for (guint i = 0; i < n; i++) {
        g_autofree char *path =
            g_strdup_printf("/full-size/%s/%ux%u/%s%s", cases[i].arch, cases[i].height,
                            cases[i].width, cases[i].dtype == PEN_DTYPE_F16 ? "f16" : "f32",
                            cases[i].eight_bits ? "/eight-bit" : "");
        g_test_add_data_func(path, &cases[i], test_unet);
    }
    int status = g_test_run();
    pen_device_unref(device);
    return status;
}
