// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/method.h"
#include "src/sampling/noise.h"

#include <math.h>

#define N 16

static PenSchedule *make_schedule(PenPrediction prediction)
{
    PenScheduleConfig config = PEN_SCHEDULE_CONFIG_INIT;
    g_autoptr(GError) error = NULL;
    config.beta_start = 0.00085;
    config.beta_end = 0.012;
    config.beta_schedule = PEN_BETA_SCALED_LINEAR;
    config.prediction = prediction;
    config.steps_offset = 1;
    PenSchedule *schedule = pen_schedule_new(&config, &error);
    g_assert_no_error(error);
    return schedule;
}

static PenSteps *make_steps(const PenSchedule *schedule, PenSampling sampling, PenSpread spread)
{
    g_autoptr(GError) error = NULL;
    pen_sampling_set_spread(&sampling, spread, schedule);
    PenSteps *steps = pen_sampling_steps(&sampling, schedule, &error);
    g_assert_no_error(error);
    return steps;
}

static void assert_close(double value, double expected, double tolerance)
{
    g_assert_cmpfloat_with_epsilon(value, expected, tolerance * MAX(1, fabs(expected)));
}

// What a model would say that knows the picture.
static void answer(const PenStep *step, const float *x, const float *x0, float *output)
{
    pen_step_answer_for_x0(step, N, x, x0, output);
}

// Takes the steps from `first` on; x has room for all, and holds the latents of `first`.
static void take_steps(const PenSteps *steps, guint first, const float *picture, float (*x)[N])
{
    g_autofree float *guesses = g_new0(float, steps->n *N);
    for (guint k = first; k < steps->n; k++) {
        const PenStep *step = &steps->step[k];
        const float *xs[PEN_STEP_HISTORY] = { NULL }, *x0s[PEN_STEP_HISTORY] = { NULL };
        float output[N], noise[N];
        double offset[N];
        PenModelOutput said = { .cond = output, .guidance = 1 };
        answer(step, x[k], picture, output);
        pen_step_predict_x0(step, N, x[k], &said, guesses + k * N);
        for (guint j = 0; j < PEN_STEP_HISTORY && j <= k - first; j++) {
            xs[j] = x[k - j];
            x0s[j] = guesses + (k - j) * N;
        }
        pen_noise_fill(7, pen_noise_step_stream(k), 0, N, noise);
        pen_step_offset(step, N, xs, x0s, offset);
        pen_step_advance(step, N, offset, &said, noise, x[k + 1]);
    }
}

// Of a model that knows the picture, every sampler draws it, from noise and from any step on; and
// on the way, latents of a deterministic one are that picture under the same noise.
static void test_perfect_model(gconstpointer data)
{
    g_autoptr(PenSchedule) schedule = make_schedule((PenPrediction)GPOINTER_TO_INT(data));
    for (guint m = 0; pen_methods()[m]; m++)
        for (guint spread = 0; spread < PEN_N_SPREADS; spread++)
            for (guint steps = 1; steps <= 22; steps += 7) {
                PenSampling sampling = { .method = pen_methods()[m], .steps = steps, .eta = 0.4 };
                sampling.first = pen_method_first_step(sampling.method, steps, 0.6);
                g_autoptr(PenSteps) table = make_steps(schedule, sampling, (PenSpread)spread);
                g_autofree float(*x)[N] = g_malloc0((table->n + 1) * sizeof *x);
                float picture[N], noise[N];
                g_assert_cmpuint(table->n, ==, pen_method_evaluations(sampling.method, steps));
                pen_noise_fill(1, 1, 0, N, picture);
                pen_noise_fill(1, 2, 0, N, noise);
                const PenStep *from = &table->step[sampling.first];
                pen_add_noise(from->alpha, from->sigma, N, picture, noise, x[sampling.first]);
                take_steps(table, sampling.first, picture, x);
                // DDIM ends at abar_0 or where its spacing does, TCD at timestep 0.
                double left = table->step[table->n - 1].next_sigma;
                for (guint i = 0; i < N; i++)
                    assert_close(x[table->n][i], picture[i], 1e-4 + 4 * left);
            }
}

// Levels fall, and each step leads to where the next one is.
static void test_levels(void)
{
    g_autoptr(PenSchedule) schedule = make_schedule(PEN_PREDICTION_EPSILON);
    for (guint m = 0; pen_methods()[m]; m++)
        for (guint spread = 1; spread < PEN_N_SPREADS; spread++) {
            PenSampling sampling = { .method = pen_methods()[m], .steps = 10, .eta = 0.4 };
            g_autoptr(PenSteps) steps = make_steps(schedule, sampling, (PenSpread)spread);
            for (guint k = 1; k < steps->n; k++) {
                g_assert_cmpfloat(steps->step[k].sigma, <, steps->step[k - 1].sigma);
                if (m > 0 ||
                    spread == PEN_SPREAD_LEADING) // DDIM goes down T / steps whatever comes
                    assert_close(steps->step[k - 1].next_sigma, steps->step[k].sigma, 1e-9);
            }
        }
}

// The variance of what a stochastic step makes of a known picture is that of its level.
static void test_variance(void)
{
    g_autoptr(PenSchedule) schedule = make_schedule(PEN_PREDICTION_EPSILON);
    static const char *const names[] = { "DDIM", "Euler a", "DPM++ 2M SDE", "LCM", "TCD" };
    for (guint m = 0; m < G_N_ELEMENTS(names); m++) {
        PenSampling sampling = { .method = pen_method_find(names[m], NULL, NULL),
                                 .steps = 12,
                                 .eta = 0.4 };
        g_autoptr(PenSteps) steps = make_steps(schedule, sampling, PEN_SPREAD_LEADING);
        g_assert_true(pen_method_is_stochastic(sampling.method, 0.4));
        for (guint k = 0; k + 1 < steps->n; k++) {
            const PenStep *step = &steps->step[k];
            double kept = step->from_x[0] * step->sigma;
            assert_close(kept * kept + step->sd * step->sd, step->next_sigma * step->next_sigma,
                         1e-5);
        }
    }
}

// In hindsight: DDIM with eta 1 and Euler ancestral step with the forward process's own Gaussian,
// and the weights of any sampler add up to what the first and the last level are apart.
static void test_hindsight(gconstpointer data)
{
    g_autoptr(PenSchedule) schedule = make_schedule((PenPrediction)GPOINTER_TO_INT(data));
    for (guint m = 0; pen_methods()[m]; m++) {
        PenSampling sampling = { .method = pen_methods()[m], .steps = 9, .eta = 1 };
        gboolean own = m == 0 || g_str_equal(pen_method_id(sampling.method), "euler-a");
        g_autoptr(PenSteps) steps = make_steps(schedule, sampling, PEN_SPREAD_LEADING);
        double sum = 0;
        for (guint k = 0; k + 1 < steps->n; k++) {
            const PenStep *step = &steps->step[k];
            PenStep other = pen_step_in_hindsight(step);
            double slope = other.from_x0[0] / other.sd;
            if (own) {
                assert_close(other.sd / step->sd, 1, 1e-4);
                assert_close(other.from_x[0], step->from_x[0], 1e-4);
                assert_close(other.from_x0[0], step->from_x0[0], 1e-4);
            }
            sum += slope * slope;
        }
        double first = steps->step[0].alpha / steps->step[0].sigma;
        double last = steps->step[steps->n - 1].alpha / steps->step[steps->n - 1].sigma;
        if (m > 0)
            assert_close(sum / (last * last - first * first), 1, 1e-6);
    }
}

// Central differences of the log-probability against its gradient, with earlier guesses in the
// mean.
static void test_gradient(void)
{
    const double factor = -0.37, h = 1.0 / 64; // exact in float; the function is quadratic
    g_autoptr(PenSchedule) schedule = make_schedule(PEN_PREDICTION_V);
    PenSampling sampling = { .method = pen_method_find("DPM++ 2M SDE", NULL, NULL), .steps = 6 };
    g_autoptr(PenSteps) steps = make_steps(schedule, sampling, PEN_SPREAD_AUTOMATIC);
    for (guint k = 1; k + 1 < steps->n; k++) {
        const PenStep *step = &steps->step[k];
        float x[N], before[N], cond[N], uncond[N], next[N], grad_cond[N], grad_uncond[N];
        const float *xs[PEN_STEP_HISTORY] = { x }, *x0s[PEN_STEP_HISTORY] = { NULL, before };
        float *inputs[2] = { cond, uncond }, *gradients[2] = { grad_cond, grad_uncond };
        double offset[N];
        PenModelOutput output = { cond, uncond, 5, 0 };
        pen_noise_fill(k, 1, 0, N, x);
        pen_noise_fill(k, 2, 0, N, before);
        pen_noise_fill(k, 3, 0, N, cond);
        pen_noise_fill(k, 4, 0, N, uncond);
        pen_noise_fill(k, 5, 0, N, next);
        pen_step_offset(step, N, xs, x0s, offset);
        pen_step_log_prob_gradient(step, N, offset, &output, next, factor, grad_cond, grad_uncond);
        for (guint which = 0; which < 2; which++)
            for (guint i = 0; i < N; i++) {
                float at = inputs[which][i];
                inputs[which][i] = (float)(at + h);
                double used = inputs[which][i];
                double above = pen_step_log_prob(step, N, offset, &output, next);
                inputs[which][i] = (float)(at - h);
                used -= inputs[which][i];
                double below = pen_step_log_prob(step, N, offset, &output, next);
                inputs[which][i] = at;
                assert_close(gradients[which][i], factor * (above - below) / used, 1e-5);
            }
    }
}

static void test_names(void)
{
    static const struct {
        const char *name, *id;
        PenSpread spread;
    } cases[] = {
        { "DDIM", "ddim", PEN_SPREAD_AUTOMATIC },
        { "euler_ancestral", "euler-a", PEN_SPREAD_AUTOMATIC },
        { "Euler a Karras", "euler-a", PEN_SPREAD_KARRAS },
        { "EulerAncestralDiscreteScheduler", "euler-a", PEN_SPREAD_AUTOMATIC },
        { "DPM++ 2M Karras", "dpmpp-2m", PEN_SPREAD_KARRAS },
        { "dpmpp_2m_sde", "dpmpp-2m-sde", PEN_SPREAD_AUTOMATIC },
        { "DPM++ 2M SDE SGM Uniform", "dpmpp-2m-sde", PEN_SPREAD_SGM_UNIFORM },
        { "DPM++ SDE", "dpmpp-sde", PEN_SPREAD_AUTOMATIC },
        { "uni_pc normal", "unipc", PEN_SPREAD_NORMAL },
        { "Euler trailing", "euler", PEN_SPREAD_SGM_UNIFORM },
        { "lcm", "lcm", PEN_SPREAD_AUTOMATIC },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        PenSpread spread = PEN_SPREAD_AUTOMATIC;
        g_autoptr(GError) error = NULL;
        const PenMethod *method = pen_method_find(cases[i].name, &spread, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(pen_method_id(method), ==, cases[i].id);
        g_assert_cmpint(spread, ==, cases[i].spread);
    }
    for (guint m = 0; pen_methods()[m]; m++) {
        g_assert_true(pen_method_find(pen_method_id(pen_methods()[m]), NULL, NULL) ==
                      pen_methods()[m]);
        g_assert_true(pen_method_find(pen_method_name(pen_methods()[m]), NULL, NULL) ==
                      pen_methods()[m]);
    }
    for (guint s = 0; s < PEN_N_SPREADS; s++) {
        PenSpread found = PEN_N_SPREADS;
        g_assert_true(pen_spread_find(pen_spread_name((PenSpread)s), &found, NULL));
        g_assert_cmpint(found, ==, s);
    }
    static const char *const wrong[] = { "", "Karras", "DPM", "Euler b", "DPM++ 2M Exponential" };
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        PenSpread spread;
        g_autoptr(GError) error = NULL;
        g_assert_null(pen_method_find(wrong[i], &spread, &error));
        g_assert_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_UNSUPPORTED);
    }
}

// DMD2's timesteps, and others that are none.
static void test_given_timesteps(void)
{
    static const int good[] = { 999, 749, 499, 249 };
    static const int bad[][2] = { { 1000, 3 }, { 400, 400 }, { 300, 400 }, { 5, -1 } };
    g_autoptr(PenSchedule) schedule = make_schedule(PEN_PREDICTION_EPSILON);
    for (guint m = 0; pen_methods()[m]; m++) {
        PenSampling sampling = { .method = pen_methods()[m], .steps = 4, .timesteps = good };
        g_autoptr(PenSteps) steps = make_steps(schedule, sampling, PEN_SPREAD_KARRAS);
        for (guint k = 0; steps->n == 4 && k < 4; k++)
            g_assert_cmpfloat(steps->step[k].timestep, ==, good[k]);
        for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
            g_autoptr(GError) error = NULL;
            sampling.timesteps = bad[i];
            sampling.steps = 2;
            g_assert_null(pen_sampling_steps(&sampling, schedule, &error));
            g_assert_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_INVALID);
        }
    }
}

static void test_limits(void)
{
    g_autoptr(PenSchedule) schedule = make_schedule(PEN_PREDICTION_EPSILON);
    const PenSampling wrong[] = {
        { .method = pen_methods()[0], .steps = 0 },
        { .method = pen_methods()[1], .steps = 1001 },
        { .method = pen_methods()[3], .steps = 1000 }, // needs one timestep more than it takes
        { .method = pen_methods()[0], .steps = 5, .eta = NAN },
        { .method = pen_methods()[0], .steps = 5, .eta = 1.01 },
        { .method = pen_methods()[3], .steps = 5, .order = 4 },
        { .method = pen_method_find("lcm", NULL, NULL), .steps = 51 },
    };
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(pen_sampling_steps(&wrong[i], schedule, &error));
        g_assert_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_INVALID);
    }
}

static void test_first_step(void)
{
    const PenMethod *ddim = pen_methods()[0], *sde = pen_method_find("dpmpp-sde", NULL, NULL);
    g_assert_cmpuint(pen_method_first_step(ddim, 20, 1), ==, 0);
    g_assert_cmpuint(pen_method_first_step(ddim, 20, 0), ==, 19);
    g_assert_cmpuint(pen_method_first_step(ddim, 20, 0.5), ==, 10);
    g_assert_cmpuint(pen_method_first_step(ddim, 10, 0.7), ==, 3);
    g_assert_cmpuint(pen_method_first_step(ddim, 10, 0.79), ==, 3);
    g_assert_cmpuint(pen_method_first_step(ddim, 10, 7), ==, 0);
    g_assert_cmpuint(pen_method_first_step(sde, 10, 0.7), ==, 6);
    g_assert_cmpuint(pen_method_first_step(sde, 10, 0), ==, 18);
}

int main(int argc, char **argv)
{
    gconstpointer epsilon = GINT_TO_POINTER(PEN_PREDICTION_EPSILON);
    gconstpointer v = GINT_TO_POINTER(PEN_PREDICTION_V);

    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/methods/perfect-model/epsilon", epsilon, test_perfect_model);
    g_test_add_data_func("/methods/perfect-model/v", v, test_perfect_model);
    g_test_add_func("/methods/levels", test_levels);
    g_test_add_func("/methods/variance", test_variance);
    g_test_add_data_func("/methods/hindsight/epsilon", epsilon, test_hindsight);
    g_test_add_data_func("/methods/hindsight/v", v, test_hindsight);
    g_test_add_func("/methods/gradient", test_gradient);
    g_test_add_func("/methods/names", test_names);
    g_test_add_func("/methods/given-timesteps", test_given_timesteps);
    g_test_add_func("/methods/limits", test_limits);
    g_test_add_func("/methods/first-step", test_first_step);
    return g_test_run();
}
