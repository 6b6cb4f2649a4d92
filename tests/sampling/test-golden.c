// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/safetensors.h"
#include "src/sampling/method.h"

#include <math.h>

// What the trajectories of tests/data/golden say about the schedule and the sampler without a UNet:
// candidates share their latents in the first step, so mu = x' - sd noise must be the same for all.

#define MAX_STEPS 64

static float *read_floats(const PenSafetensors *file, const char *name,
                          const PenSafetensor **tensor)
{
    g_autoptr(GError) error = NULL;
    *tensor = pen_safetensors_require(file, name, &error);
    g_assert_no_error(error);
    float *values = g_new(float, (*tensor)->n_elements);
    pen_safetensor_to_f32(*tensor, values, &error);
    g_assert_no_error(error);
    return values;
}

static void test_trajectories(gconstpointer folder)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path =
        g_build_filename(PEN_TEST_DATA, "golden", folder, "d3po.safetensors", NULL);
    g_autoptr(PenSafetensors) file = pen_safetensors_open(path, &error);
    g_assert_no_error(error);

    const PenSafetensor *tensor = pen_safetensors_require(file, "timesteps", &error);
    g_assert_no_error(error);
    int steps = (int)tensor->n_elements;
    gint64 expected[MAX_STEPS];
    g_assert_cmpint(steps, <=, MAX_STEPS);
    g_assert_true(pen_safetensor_to_i64(tensor, expected, &error));

    // The scheduler_config.json of both folders, apart from prediction_type.
    PenScheduleConfig config = PEN_SCHEDULE_CONFIG_INIT;
    config.beta_start = 0.00085;
    config.beta_end = 0.012;
    config.beta_schedule = PEN_BETA_SCALED_LINEAR;
    config.set_alpha_to_one = FALSE;
    config.steps_offset = 1;
    g_autoptr(PenSchedule) schedule = pen_schedule_new(&config, &error);
    g_assert_no_error(error);
    g_autofree float *eta = read_floats(file, "eta", &tensor);
    PenSampling sampling = { .method = pen_methods()[0], .steps = (guint)steps, .eta = eta[0] };
    pen_sampling_set_spread(&sampling, PEN_SPREAD_AUTOMATIC, schedule);
    g_autoptr(PenSteps) table = pen_sampling_steps(&sampling, schedule, &error);
    g_assert_no_error(error);
    for (int k = 0; k < steps; k++)
        g_assert_cmpfloat(table->step[k].timestep, ==, (double)expected[k]);

    g_autofree float *noise = read_floats(file, "noise", &tensor);
    g_autofree float *next = read_floats(file, "next_latents", &tensor);
    gsize candidates = tensor->dims[0], n = tensor->n_elements / candidates / (gsize)steps;
    PenStep step = table->step[0];
    for (gsize i = 1; i < candidates; i++) {
        gsize at = i * (gsize)steps * n;
        for (gsize e = 0; e < n; e++) {
            double first = next[e] - step.sd * noise[e];
            double other = next[at + e] - step.sd * noise[at + e];
            g_assert_cmpfloat_with_epsilon(first, other, 2e-6);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/sampling/golden/sd1", "sd1", test_trajectories);
    g_test_add_data_func("/sampling/golden/sd2", "sd2", test_trajectories);
    return g_test_run();
}
