// SPDX-License-Identifier: GPL-3.0-or-later
/* Stable Diffusion's UNet at full size, 64x64 latents, with random weights, against a slice of what
 * diffusers makes of the same (tests/tools/full_size.py, which has the numbers' recipe too). */
#include <math.h>

#include "src/models/architecture.h"
#include "src/models/runtime.h"
#include "src/models/unet.h"
#include "src/models/weights.h"
#include "tests/models/golden.h"

#define SEED 1
#define SIDE 64
#define TOKENS 77
#define TIMESTEP 500
#define EVERY 13 /* of how many outputs one is recorded */

typedef struct {
    const char *arch;
    PenDtype dtype;
    gboolean eight_bits;
    double tolerance; /* of the relative L2 error */
} Case;

static PenDevice *device;

/* Evenly spread, of variance 1. */
static void write_noise(PenPlan *plan, const char *input)
{
    gsize n = pen_shape_elements(pen_plan_input_shape(plan, input));
    g_autofree float *values = g_new(float, n);
    guint32 state = g_str_hash(input);
    for (gsize i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        values[i] = sqrtf(3) * ((float)(state >> 8) / (1 << 23) - 1);
    }
    pen_plan_write(plan, input, values);
}

static PenPlan *plan_unet(const PenUNetConfig *config, PenWeights *weights)
{
    g_autoptr(GError) error = NULL;
    PenUNetOptions options = {.batch = 1, .height = SIDE, .width = SIDE, .tokens = TOKENS};
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
    g_autoptr(PenPlan) plan = plan_unet(config, weights);
    float embedding[1280];
    g_assert_cmpuint(config->channels[0], <=, G_N_ELEMENTS(embedding));
    pen_unet_timestep_embedding(config, &(double){TIMESTEP}, 1, embedding);
    pen_plan_write(plan, "timestep_embedding", embedding);
    write_noise(plan, "sample");
    write_noise(plan, "context");
    pen_plan_run(plan, NULL, NULL, NULL, &error);
    g_assert_no_error(error);

    g_autofree char *path = g_strdup_printf(PEN_TEST_DATA "/full-size/%s.safetensors", c->arch);
    g_autoptr(PenSafetensors) file = pen_safetensors_open(path, &error);
    g_assert_no_error(error);
    g_autoptr(Golden) expected = golden_new(file, "out");
    gsize n = (gsize)config->out_channels * SIDE * SIDE;
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
    static const Case cases[] = {
        {"sd15", PEN_DTYPE_F32, FALSE, 2e-4},
        {"sd15", PEN_DTYPE_F16, FALSE, 2e-2},
        {"sd15", PEN_DTYPE_F16, TRUE, 4e-2},
        {"sd21", PEN_DTYPE_F16, FALSE, 2e-2},
    };

    g_test_init(&argc, &argv, NULL);
    device = pen_device_open(NULL, &error);
    if (!device)
        g_error("these tests need a Vulkan device: %s", error->message);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path =
            g_strdup_printf("/full-size/%s/%s%s", cases[i].arch,
                            cases[i].dtype == PEN_DTYPE_F16 ? "f16" : "f32",
                            cases[i].eight_bits ? "/eight-bit" : "");
        g_test_add_data_func(path, &cases[i], test_unet);
    }
    int status = g_test_run();
    pen_device_unref(device);
    return status;
}
