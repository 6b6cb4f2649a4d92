// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/ddim.h"
#include "src/sampling/noise.h"

#include <math.h>

#define GUIDANCE 5.0

// The formulas of the published script and their autograd derivatives, with torch 1.13 in float64
// on diffusers' alphas_cumprod; Stable Diffusion's schedule, 10 steps, offset 1, alpha_0 at the
// end.
static const struct {
    PenPrediction prediction;
    int timestep;
    double eta;
    float x[6], cond[6], uncond[6], x_next[6];
    double sd, log_prob, x0[6], mean[6], grad_cond[6], grad_uncond[6];
} cases[] = {
    {
        PEN_PREDICTION_EPSILON,
        501,
        1,
        { 0.661f, 0.267f, 0.062f, 0.621f, -0.452f, -0.166f },
        { -1.523f, 0.382f, -1.028f, -0.563f, -0.892f, -0.058f },
        { -0.196f, -0.966f, 0.422f, 0.267f, -0.421f, -0.511f },
        { 3.4689f, -2.6746f, 5.4469f, 1.7815f, 1.6968f, -1.7729f },
        0.527609102173,
        -2.18747286598,
        { 12.3519261867, -8.86605270668, 11.2048044284, 7.48900247912, 3.64543960702,
          -3.16450737607 },
        { 4.29870095923, -2.60959372578, 3.55437520549, 2.74768595207, 0.853304637537,
          -1.09916029343 },
        { 1.26514612114, 0.0991108614956, -2.88541503614, 1.47308383747, -1.28602506578,
          1.02720913096 },
        { -1.01211689691, -0.0792886891964, 2.30833202891, -1.17846706997, 1.02882005262,
          -0.821767304765 },
    },
    {
        PEN_PREDICTION_V,
        501,
        0.5,
        { 0.326f, -0.479f, 1.379f, 2.529f, 0.411f, -0.988f },
        { -0.908f, 0.542f, 0.11f, -2.259f, 0.607f, -0.138f },
        { 0.831f, -0.248f, -0.803f, 0.237f, 0.286f, 0.69f },
        { 1.5583f, -0.8887f, 0.4487f, 4.7212f, 0.1257f, -0.5343f },
        0.263804551087,
        0.19489855011,
        { 6.86691528282, -3.40333103897, -2.48007777796, 11.7507633377, -1.39459987409,
          2.4194609105 },
        { 1.72535145266, -1.12069398964, 0.629159147915, 4.60166427849, 0.0488689633315,
          -0.314839616475 },
        { 0.360293275563, -0.500360094104, 0.389210747438, -0.257812289774, -0.165707674848,
          0.473327938137 },
        { -0.28823462045, 0.400288075283, -0.311368597951, 0.206249831819, 0.132566139879,
          -0.37866235051 },
    },
    {
        PEN_PREDICTION_EPSILON,
        1,
        1,
        { -0.553f, 0.635f, -0.397f, -0.657f, -1.643f, 0.98f },
        { -0.042f, -0.821f, 0.313f, -1.135f, 0.377f, -0.282f },
        { -2.567f, -1.43f, 0.501f, 0.544f, -0.406f, 1.134f },
        { -0.7845f, 0.609f, -0.404f, -0.4977f, -1.7034f, 1.1262f },
        0.0206483543258,
        2.6640639514,
        { -0.969012729941, 0.568818818522, -0.379201632244, -0.333200509705, -1.78937411746,
          1.22649191379 },
        { -0.761575183175, 0.601818846511, -0.38807644881, -0.494657414114, -1.71638707383,
          1.10358294577 },
        { 0.928137261501, -0.290738223966, 0.644683554889, 0.123182765496, -0.52579573636,
          -0.915675438236 },
        { -0.742509809201, 0.232590579173, -0.515746843911, -0.098546212397, 0.420636589088,
          0.732540350589 },
    },
    {
        PEN_PREDICTION_V,
        901,
        1,
        { 0.094f, 1.238f, -1.346f, 0.512f, -0.693f, -0.167f },
        { -1.0f, -1.648f, 0.81f, 0.055f, 1.134f, -0.533f },
        { 0.659f, -1.596f, -0.377f, -3.102f, -0.099f, -0.721f },
        { 1.9515f, 0.9852f, -2.3435f, -0.7221f, -0.6071f, -0.7509f },
        0.776332122037,
        -1.02452314983,
        { 7.59346488237, 1.98946554346, -5.6782318861, -12.5332835879, -6.1053843025,
          -0.237224314783 },
        { 0.964945728994, 0.986763934233, -1.49322331142, -1.18912781705, -1.14931555905,
          -0.129384987322 },
        { -0.161982936833, 0.000256785272217, 0.139607414096, -0.0766815693774, -0.0890266906208,
          0.102046911446 },
        { 0.129586349467, -0.000205428217773, -0.111685931277, 0.0613452555019, 0.0712213524967,
          -0.0816375291565 },
    },
};

static PenSchedule *make_schedule(PenPrediction prediction, gboolean set_alpha_to_one)
{
    PenScheduleConfig config = PEN_SCHEDULE_CONFIG_INIT;
    g_autoptr(GError) error = NULL;

    config.beta_start = 0.00085;
    config.beta_end = 0.012;
    config.beta_schedule = PEN_BETA_SCALED_LINEAR;
    config.prediction = prediction;
    config.set_alpha_to_one = set_alpha_to_one;
    config.steps_offset = 1;
    PenSchedule *schedule = pen_schedule_new(&config, &error);
    g_assert_no_error(error);
    return schedule;
}

static PenDdimStep make_step(const PenSchedule *schedule, int timestep, int steps, double eta)
{
    PenDdimStep step;
    g_autoptr(GError) error = NULL;
    pen_ddim_step_init(&step, schedule, timestep, steps, eta, &error);
    g_assert_no_error(error);
    return step;
}

static void assert_close(double value, double expected, double tolerance)
{
    g_assert_cmpfloat_with_epsilon(value, expected, tolerance * MAX(1, fabs(expected)));
}

static void test_reference(void)
{
    for (guint k = 0; k < G_N_ELEMENTS(cases); k++) {
        g_autoptr(PenSchedule) schedule = make_schedule(cases[k].prediction, FALSE);
        PenDdimStep step = make_step(schedule, cases[k].timestep, 10, cases[k].eta);
        PenModelOutput output = { cases[k].cond, cases[k].uncond, GUIDANCE };
        const float zero[6] = { 0 }, one[6] = { 1, 1, 1, 1, 1, 1 };
        float x0[6], mean[6], moved[6], grad_cond[6], grad_uncond[6];

        g_assert_true(pen_ddim_step_is_stochastic(&step));
        g_assert_cmpint(step.previous, ==, cases[k].timestep - 100);
        // Alphas of float32 differ in their last bit between versions of torch.
        assert_close(step.sd / cases[k].sd, 1, 5e-5);
        pen_ddim_predict_x0(&step, 6, cases[k].x, &output, x0);
        pen_ddim_advance(&step, 6, cases[k].x, &output, zero, mean);
        pen_ddim_advance(&step, 6, cases[k].x, &output, one, moved);
        assert_close(pen_ddim_log_prob(&step, 6, cases[k].x, &output, cases[k].x_next),
                     cases[k].log_prob, 2e-5);
        pen_ddim_log_prob_gradient(&step, 6, cases[k].x, &output, cases[k].x_next, 1, grad_cond,
                                   grad_uncond);
        for (guint i = 0; i < 6; i++) {
            assert_close(x0[i], cases[k].x0[i], 1e-5);
            assert_close(mean[i], cases[k].mean[i], 1e-5);
            assert_close(moved[i], cases[k].mean[i] + cases[k].sd, 1e-5);
            assert_close(grad_cond[i], cases[k].grad_cond[i], 1e-4);
            assert_close(grad_uncond[i], cases[k].grad_uncond[i], 1e-4);
        }
    }
}

// Central differences of the log-probability against its gradient, at every step of a trajectory.
static void test_finite_differences(gconstpointer data)
{
    enum { N = 24, STEPS = 8 };
    g_autoptr(PenSchedule) schedule = make_schedule((PenPrediction)GPOINTER_TO_INT(data), FALSE);
    float x[N], cond[N], uncond[N], noise[N], x_next[N], grad_cond[N], grad_uncond[N];
    const double factor = -0.37, h = 1.0 / 64; // exact in float; the function is quadratic
    int timesteps[STEPS];

    g_assert_true(pen_schedule_get_timesteps(schedule, STEPS, timesteps, NULL));
    for (guint k = 0; k < STEPS; k++) {
        PenDdimStep step = make_step(schedule, timesteps[k], STEPS, 0.8);
        for (guint guided = 0; guided < 2; guided++) {
            PenModelOutput output = { cond, guided ? uncond : NULL, GUIDANCE };
            float *inputs[2] = { cond, uncond }, *gradients[2] = { grad_cond, grad_uncond };

            pen_noise_fill(k, 1, 0, N, x);
            pen_noise_fill(k, 2, 0, N, cond);
            pen_noise_fill(k, 3, 0, N, uncond);
            pen_noise_fill(k, 4, 0, N, noise);
            pen_ddim_advance(&step, N, x, &output, noise, x_next);
            pen_ddim_log_prob_gradient(&step, N, x, &output, x_next, factor, grad_cond,
                                       guided ? grad_uncond : NULL);
            for (guint which = 0; which <= guided; which++) {
                for (guint i = 0; i < N; i++) {
                    float at = inputs[which][i];
                    inputs[which][i] = (float)(at + h);
                    double used = inputs[which][i];
                    double above = pen_ddim_log_prob(&step, N, x, &output, x_next);
                    inputs[which][i] = (float)(at - h);
                    used -= inputs[which][i];
                    double below = pen_ddim_log_prob(&step, N, x, &output, x_next);
                    inputs[which][i] = at;
                    double slope = factor * (above - below) / used;
                    assert_close(gradients[which][i], slope, 1e-5);
                }
            }
        }
    }
}

// A freshly sampled step's log-probability is known from its noise alone.
static void test_log_prob_of_noise(void)
{
    enum { N = 4096 };
    g_autoptr(PenSchedule) schedule = make_schedule(PEN_PREDICTION_EPSILON, FALSE);
    static float x[N], cond[N], noise[N], x_next[N];
    PenModelOutput output = { cond, NULL, 1 };
    double sum = 0;

    pen_noise_fill(5, 1, 0, N, x);
    pen_noise_fill(5, 2, 0, N, cond);
    pen_noise_fill(5, 3, 0, N, noise);
    for (guint i = 0; i < N; i++)
        sum += (double)noise[i] * noise[i];
    for (int t = 1; t < 1000; t += 50) {
        PenDdimStep step = make_step(schedule, t, 20, 1);
        pen_ddim_advance(&step, N, x, &output, noise, x_next);
        assert_close(pen_ddim_log_prob(&step, N, x, &output, x_next),
                     -sum / (2 * N) - log(step.sd * sqrt(2 * G_PI)), 2e-6);
    }
}

// If the model knows the noise exactly, DDIM with eta 0 walks along the forward process to x0.
static void test_perfect_model(gconstpointer data)
{
    enum { N = 8, STEPS = 20 };
    PenPrediction prediction = (PenPrediction)GPOINTER_TO_INT(data);
    g_autoptr(PenSchedule) schedule = make_schedule(prediction, TRUE);
    float x0[N], noise[N], x[N], guess[N], out[N];
    int timesteps[STEPS];

    pen_noise_fill(1, 1, 0, N, x0);
    pen_noise_fill(1, 2, 0, N, noise);
    g_assert_true(pen_schedule_get_timesteps(schedule, STEPS, timesteps, NULL));
    pen_schedule_add_noise(schedule, timesteps[0], N, x0, noise, x);
    for (guint k = 0; k < STEPS; k++) {
        PenDdimStep step = make_step(schedule, timesteps[k], STEPS, 0);
        double a = pen_schedule_get_alpha_cumprod(schedule, timesteps[k]);
        PenModelOutput output = { out, NULL, 1 };
        for (guint i = 0; i < N; i++)
            out[i] = prediction == PEN_PREDICTION_V
                         ? (float)(sqrt(a) * noise[i] - sqrt(1 - a) * x0[i])
                         : noise[i];
        pen_ddim_predict_x0(&step, N, x, &output, guess);
        pen_ddim_advance(&step, N, x, &output, NULL, x);
        for (guint i = 0; i < N; i++)
            assert_close(guess[i], x0[i], 1e-4);
    }
    for (guint i = 0; i < N; i++)
        assert_close(x[i], x0[i], 1e-4);
}

static void test_guidance(void)
{
    g_autoptr(PenSchedule) schedule = make_schedule(PEN_PREDICTION_EPSILON, FALSE);
    PenDdimStep step = make_step(schedule, 501, 10, 1);
    const float x[] = { 0.5f }, cond[] = { 1 }, uncond[] = { -1 }, combined[] = { 9 };
    PenModelOutput none = { cond, NULL, 5 }, one = { cond, uncond, 1 }, five = { cond, uncond, 5 };
    PenModelOutput whole = { combined, NULL, 1 };
    float a, b;

    pen_ddim_predict_x0(&step, 1, x, &none, &a);
    pen_ddim_predict_x0(&step, 1, x, &one, &b);
    g_assert_true(a == b);
    pen_ddim_predict_x0(&step, 1, x, &five, &a);
    pen_ddim_predict_x0(&step, 1, x, &whole, &b);
    g_assert_true(a == b);
}

static void test_deterministic_steps(void)
{
    g_autoptr(PenSchedule) schedule = make_schedule(PEN_PREDICTION_EPSILON, FALSE);
    g_autoptr(PenSchedule) to_one = make_schedule(PEN_PREDICTION_EPSILON, TRUE);
    const float x[] = { 1, 2 }, out[] = { 0.5f, -1 };
    PenModelOutput output = { out, NULL, 1 };
    float gradient[2] = { 9, 9 };

    // eta 0; the last step to alpha 1; the last step at t = 0, which leads to alpha_0 again
    PenDdimStep steps[] = { make_step(schedule, 501, 10, 0), make_step(to_one, 1, 10, 1),
                            make_step(schedule, 0, 10, 1) };
    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_assert_false(pen_ddim_step_is_stochastic(&steps[i]));
        g_assert_true(isnan(pen_ddim_log_prob(&steps[i], 2, x, &output, x)));
        pen_ddim_log_prob_gradient(&steps[i], 2, x, &output, x, 1, gradient, NULL);
        g_assert_true(gradient[0] == 0 && gradient[1] == 0);
    }
    PenDdimStep same = make_step(schedule, 0, 10, 1);
    float next[2];
    pen_ddim_advance(&same, 2, x, &output, NULL, next);
    assert_close(next[0], x[0], 1e-6);
    assert_close(next[1], x[1], 1e-6);
}

static void test_zero_snr(void)
{
    PenScheduleConfig config = PEN_SCHEDULE_CONFIG_INIT;
    config.prediction = PEN_PREDICTION_V;
    config.rescale_betas_zero_snr = TRUE;
    config.spacing = PEN_SPACING_TRAILING;
    g_autoptr(PenSchedule) schedule = pen_schedule_new(&config, NULL);
    PenDdimStep step = make_step(schedule, 999, 20, 1);
    const float x[] = { 0.25f }, out[] = { -0.75f };
    PenModelOutput output = { out, NULL, 1 };
    float x0;

    // At t = 999 x is all noise, and v is minus the picture.
    pen_ddim_predict_x0(&step, 1, x, &output, &x0);
    g_assert_cmpfloat(x0, ==, 0.75f);
    g_assert_true(isfinite(step.sd) && step.sd > 0);
    g_assert_true(isfinite(pen_ddim_log_prob(&step, 1, x, &output, x)));
}

static void test_eta_range(void)
{
    static const double wrong[] = { -0.1, 1.01, NAN, INFINITY };
    g_autoptr(PenSchedule) schedule = make_schedule(PEN_PREDICTION_EPSILON, FALSE);
    PenDdimStep step;

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(pen_ddim_step_init(&step, schedule, 501, 10, wrong[i], &error));
        g_assert_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_INVALID);
    }
}

int main(int argc, char **argv)
{
    gconstpointer epsilon = GINT_TO_POINTER(PEN_PREDICTION_EPSILON);
    gconstpointer v = GINT_TO_POINTER(PEN_PREDICTION_V);

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ddim/reference", test_reference);
    g_test_add_data_func("/ddim/finite-differences/epsilon", epsilon, test_finite_differences);
    g_test_add_data_func("/ddim/finite-differences/v", v, test_finite_differences);
    g_test_add_func("/ddim/log-prob-of-noise", test_log_prob_of_noise);
    g_test_add_data_func("/ddim/perfect-model/epsilon", epsilon, test_perfect_model);
    g_test_add_data_func("/ddim/perfect-model/v", v, test_perfect_model);
    g_test_add_func("/ddim/guidance", test_guidance);
    g_test_add_func("/ddim/deterministic-steps", test_deterministic_steps);
    g_test_add_func("/ddim/zero-snr", test_zero_snr);
    g_test_add_func("/ddim/eta-range", test_eta_range);
    return g_test_run();
}
