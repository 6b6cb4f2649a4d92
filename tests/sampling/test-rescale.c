// SPDX-License-Identifier: GPL-3.0-or-later
/* Guidance rescale: the deviation it gives, and its gradient against finite differences. */
#include <math.h>

#include "src/sampling/steps.h"

#define N 24

static void fill(guint32 seed, float *values)
{
    GRand *rand = g_rand_new_with_seed(seed);
    for (gsize i = 0; i < N; i++)
        values[i] = (float)g_rand_double_range(rand, -1, 1.5);
    g_rand_free(rand);
}

static double deviation(const double *values)
{
    double mean = 0, square = 0;
    for (gsize i = 0; i < N; i++)
        mean += values[i] / N;
    for (gsize i = 0; i < N; i++)
        square += (values[i] - mean) * (values[i] - mean);
    return sqrt(square / (N - 1));
}

static void test_factor(void)
{
    float cond[N], uncond[N];
    double with[N], guided[N];
    fill(1, cond);
    fill(2, uncond);
    PenModelOutput output = { cond, uncond, 7, 1 };
    for (gsize i = 0; i < N; i++) {
        with[i] = cond[i];
        guided[i] = uncond[i] + 7 * ((double)cond[i] - uncond[i]);
    }
    double whole = deviation(with) / deviation(guided);
    g_assert_cmpfloat_with_epsilon(pen_model_output_factor(&output, N), whole, 1e-9);
    output.rescale = 0.7;
    g_assert_cmpfloat_with_epsilon(pen_model_output_factor(&output, N), 0.3 + 0.7 * whole, 1e-9);
    output.rescale = 0;
    g_assert_cmpfloat(pen_model_output_factor(&output, N), ==, 1);
    output = (PenModelOutput){ cond, NULL, 7, 0.7 };
    g_assert_cmpfloat(pen_model_output_factor(&output, N), ==, 1);
}

static void test_gradient(void)
{
    const PenStep step = {
        .alpha = 0.6,
        .sigma = 0.8,
        .x0_from_x = 0.6,
        .x0_from_output = -0.8,
        .from_x = { 0.3 },
        .from_x0 = { 0.7 },
        .sd = 0.5,
    };
    float values[2][N], next[N], gradient[2][N];
    double offset[N];
    fill(3, values[0]);
    fill(4, values[1]);
    fill(5, next);
    for (gsize i = 0; i < N; i++)
        offset[i] = 0.01 * (double)i;
    const PenModelOutput output = { values[0], values[1], 5, 0.7 };
    pen_step_log_prob_gradient(&step, N, offset, &output, next, 2, gradient[0], gradient[1]);
    for (guint side = 0; side < 2; side++)
        for (gsize i = 0; i < N; i++) {
            const float was = values[side][i], h = 1e-2f;
            values[side][i] = was + h;
            double up = pen_step_log_prob(&step, N, offset, &output, next);
            values[side][i] = was - h;
            double down = pen_step_log_prob(&step, N, offset, &output, next);
            values[side][i] = was;
            double numeric = 2 * (up - down) / (2 * h);
            g_assert_cmpfloat_with_epsilon(gradient[side][i], numeric,
                                           2e-3 * MAX(1, fabs(numeric)));
        }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rescale/factor", test_factor);
    g_test_add_func("/rescale/gradient", test_gradient);
    return g_test_run();
}
