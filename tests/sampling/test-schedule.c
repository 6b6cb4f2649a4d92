// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/schedule.h"

#include <math.h>
#include <string.h>

// The alphas_cumprod of diffusers' DDIMScheduler, computed with torch 1.13 in float32.
static const int table_t[] = { 0, 1, 2, 101, 500, 901, 998, 999 };
static const struct {
    const char *name;
    PenScheduleConfig config;
    double alphas_cumprod[8];
} tables[] = {
    { "linear",
      { .num_train_timesteps = 1000, .beta_start = 0.0001, .beta_end = 0.02 },
      { 0.999899983, 0.999780059, 0.999640286, 0.893250942, 0.0777966604, 0.000265367184,
        4.11819456e-05, 4.03583072e-05 } },
    { "scaled-linear",
      { .num_train_timesteps = 1000,
        .beta_start = 0.00085,
        .beta_end = 0.012,
        .beta_schedule = PEN_BETA_SCALED_LINEAR },
      { 0.999149978, 0.998296022, 0.997438073, 0.892980218, 0.276332498, 0.0140048908,
        0.00471669622, 0.00466009602 } },
    { "squaredcos-cap-v2",
      { .num_train_timesteps = 1000, .beta_schedule = PEN_BETA_SQUAREDCOS_CAP_V2 },
      { 0.999958694, 0.99991256, 0.999861538, 0.971053958, 0.492285043, 0.0231451206,
        2.42876627e-06, 2.42873499e-09 } },
    { "zero-snr",
      { .num_train_timesteps = 1000,
        .beta_start = 0.00085,
        .beta_end = 0.012,
        .beta_schedule = PEN_BETA_SCALED_LINEAR,
        .prediction = PEN_PREDICTION_V,
        .rescale_betas_zero_snr = TRUE },
      { 0.999149978, 0.998233497, 0.997312665, 0.885432541, 0.241018593, 0.00288884784,
        1.96789003e-07, 0 } },
};

static PenScheduleConfig stable_diffusion(void)
{
    PenScheduleConfig config = PEN_SCHEDULE_CONFIG_INIT;
    config.beta_start = 0.00085;
    config.beta_end = 0.012;
    config.beta_schedule = PEN_BETA_SCALED_LINEAR;
    config.set_alpha_to_one = FALSE;
    config.steps_offset = 1;
    return config;
}

static PenSchedule *schedule_of(PenScheduleConfig config)
{
    g_autoptr(GError) error = NULL;
    PenSchedule *schedule = pen_schedule_new(&config, &error);
    g_assert_no_error(error);
    return schedule;
}

static void test_alphas(gconstpointer data)
{
    guint k = GPOINTER_TO_UINT(data);
    g_autoptr(PenSchedule) schedule = schedule_of(tables[k].config);

    for (guint i = 0; i < G_N_ELEMENTS(table_t); i++) {
        double a = pen_schedule_get_alpha_cumprod(schedule, table_t[i]);
        g_assert_cmpfloat_with_epsilon(a, tables[k].alphas_cumprod[i], 1.3e-7);
    }
    for (int t = 1; t < 1000; t++)
        g_assert_cmpfloat(pen_schedule_get_alpha_cumprod(schedule, t), <=,
                          pen_schedule_get_alpha_cumprod(schedule, t - 1));
}

static void test_final_alpha(void)
{
    PenScheduleConfig config = stable_diffusion();
    g_autoptr(PenSchedule) first = schedule_of(config);
    g_assert_cmpfloat(pen_schedule_get_alpha_cumprod(first, -99), ==,
                      pen_schedule_get_alpha_cumprod(first, 0));
    config.set_alpha_to_one = TRUE;
    g_autoptr(PenSchedule) one = schedule_of(config);
    g_assert_cmpfloat(pen_schedule_get_alpha_cumprod(one, -99), ==, 1);
}

static void test_trained_betas(void)
{
    const double betas[] = { 0.1, 0.2, 0.5 };
    PenScheduleConfig config = stable_diffusion();
    config.num_train_timesteps = 3;
    config.trained_betas = betas;
    config.n_trained_betas = 3;
    g_autoptr(PenSchedule) schedule = schedule_of(config);
    g_assert_cmpfloat_with_epsilon(pen_schedule_get_alpha_cumprod(schedule, 0), 0.9, 1e-7);
    g_assert_cmpfloat_with_epsilon(pen_schedule_get_alpha_cumprod(schedule, 1), 0.72, 1e-7);
    g_assert_cmpfloat_with_epsilon(pen_schedule_get_alpha_cumprod(schedule, 2), 0.36, 1e-7);
}

/*
 * Timesteps as diffusers makes them with numpy 1.24, as first, middle (index steps / 2), last and
 * the sum of (index + 1) * timestep. Where numpy.arange() makes one more than was asked for by
 * rounding (trailing), that one is left out.
 */
static void test_timesteps(void)
{
    static const struct {
        int steps;
        int expected[3][4];
    } cases[] = {
        { 1, { { 1, 1, 1, 1 }, { 999, 999, 999, 999 }, { 0, 0, 0, 0 } } },
        { 3, { { 667, 334, 1, 1338 }, { 999, 666, 332, 3327 }, { 999, 500, 0, 1999 } } },
        { 7, { { 853, 427, 1, 7980 }, { 999, 570, 142, 11974 }, { 999, 500, 0, 9322 } } },
        { 20, { { 951, 451, 1, 66710 }, { 999, 499, 49, 76790 }, { 999, 473, 0, 69933 } } },
        { 48, { { 941, 461, 1, 369656 }, { 999, 499, 20, 407068 }, { 999, 489, 0, 391648 } } },
        { 50, { { 981, 481, 1, 417775 }, { 999, 499, 19, 440725 }, { 999, 489, 0, 424561 } } },
        { 999,
          { { 999, 500, 1, 166666500 }, { 999, 500, 0, 166292250 }, { 999, 500, 0, 166292250 } } },
    };

    for (int spacing = 0; spacing < 3; spacing++) {
        PenScheduleConfig config = stable_diffusion();
        config.spacing = (PenTimestepSpacing)spacing;
        g_autoptr(PenSchedule) schedule = schedule_of(config);
        for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
            int n = cases[i].steps, t[1000];
            gint64 sum = 0;
            g_autoptr(GError) error = NULL;
            g_assert_true(pen_schedule_get_timesteps(schedule, pen_schedule_get_spacing(schedule), n, t, &error));
            g_assert_no_error(error);
            for (int k = 0; k < n; k++)
                sum += (gint64)(k + 1) * t[k];
            g_assert_cmpint(t[0], ==, cases[i].expected[spacing][0]);
            g_assert_cmpint(t[n / 2], ==, cases[i].expected[spacing][1]);
            g_assert_cmpint(t[n - 1], ==, cases[i].expected[spacing][2]);
            g_assert_cmpint(sum, ==, cases[i].expected[spacing][3]);
        }
    }
}

static void test_timesteps_range(void)
{
    static const int wrong[] = { -1, 0, 1000, 1001, G_MAXINT };
    g_autoptr(PenSchedule) schedule = schedule_of(stable_diffusion());
    g_autofree int *t = g_new(int, 2000);

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(pen_schedule_get_timesteps(schedule, PEN_SPACING_LEADING, wrong[i], t, &error));
        g_assert_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_INVALID);
    }
    // For every number of steps the timesteps fall and stay in range.
    for (int spacing = 0; spacing < 3; spacing++) {
        PenScheduleConfig config = stable_diffusion();
        config.spacing = (PenTimestepSpacing)spacing;
        g_autoptr(PenSchedule) other = schedule_of(config);
        for (int n = 1; n < 1000; n++) {
            g_assert_true(pen_schedule_get_timesteps(other, pen_schedule_get_spacing(other), n, t, NULL));
            g_assert_cmpint(t[0], <, 1000);
            g_assert_cmpint(t[n - 1], >=, 0);
            for (int k = 1; k < n; k++)
                g_assert_cmpint(t[k], <, t[k - 1]);
        }
    }
}

static void refuse(PenScheduleConfig config, int code)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(pen_schedule_new(&config, &error));
    g_assert_error(error, PEN_SCHEDULE_ERROR, code);
}

static void test_refusals(void)
{
    static const double bad_betas[] = { 0.1, 1, 0.1 };
    PenScheduleConfig config;

#define REFUSE(code, field, value)                                                                 \
    config = stable_diffusion();                                                                   \
    config.field = value;                                                                          \
    refuse(config, PEN_SCHEDULE_ERROR_##code)

    REFUSE(UNSUPPORTED, clip_sample, TRUE);
    REFUSE(UNSUPPORTED, thresholding, TRUE);
    REFUSE(UNSUPPORTED, rescale_betas_zero_snr, TRUE); // with epsilon
    REFUSE(INVALID, num_train_timesteps, 0);
    REFUSE(INVALID, num_train_timesteps, -5);
    REFUSE(INVALID, num_train_timesteps, G_MAXINT);
    REFUSE(INVALID, steps_offset, -1);
    REFUSE(INVALID, steps_offset, 1000);
    REFUSE(INVALID, beta_start, 0);
    REFUSE(INVALID, beta_start, 1e-12); // an alpha of one in float32
    REFUSE(INVALID, beta_start, NAN);
    REFUSE(INVALID, beta_end, 1);
    REFUSE(INVALID, beta_end, INFINITY);
    REFUSE(INVALID, beta_end, 0.9); // abar underflows
    REFUSE(INVALID, trained_betas, bad_betas);
#undef REFUSE
    config = stable_diffusion();
    config.num_train_timesteps = 3;
    config.trained_betas = bad_betas;
    config.n_trained_betas = 3;
    refuse(config, PEN_SCHEDULE_ERROR_INVALID);
}

static void test_names(void)
{
    PenBetaSchedule beta_schedule;
    PenPrediction prediction;
    PenTimestepSpacing spacing;
    g_autoptr(GError) error = NULL;

    g_assert_true(pen_beta_schedule_from_name("linear", &beta_schedule, NULL));
    g_assert_cmpint(beta_schedule, ==, PEN_BETA_LINEAR);
    g_assert_true(pen_beta_schedule_from_name("scaled_linear", &beta_schedule, NULL));
    g_assert_cmpint(beta_schedule, ==, PEN_BETA_SCALED_LINEAR);
    g_assert_true(pen_beta_schedule_from_name("squaredcos_cap_v2", &beta_schedule, NULL));
    g_assert_cmpint(beta_schedule, ==, PEN_BETA_SQUAREDCOS_CAP_V2);
    g_assert_true(pen_prediction_from_name("epsilon", &prediction, NULL));
    g_assert_cmpint(prediction, ==, PEN_PREDICTION_EPSILON);
    g_assert_true(pen_prediction_from_name("v_prediction", &prediction, NULL));
    g_assert_cmpint(prediction, ==, PEN_PREDICTION_V);
    g_assert_true(pen_timestep_spacing_from_name("leading", &spacing, NULL));
    g_assert_cmpint(spacing, ==, PEN_SPACING_LEADING);
    g_assert_true(pen_timestep_spacing_from_name("trailing", &spacing, NULL));
    g_assert_cmpint(spacing, ==, PEN_SPACING_TRAILING);
    g_assert_true(pen_timestep_spacing_from_name("linspace", &spacing, NULL));
    g_assert_cmpint(spacing, ==, PEN_SPACING_LINSPACE);

    g_assert_false(pen_prediction_from_name("sample", &prediction, &error));
    g_assert_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(error->message, "sample"));
    g_assert_false(pen_beta_schedule_from_name(NULL, &beta_schedule, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint k = 0; k < G_N_ELEMENTS(tables); k++) {
        g_autofree char *path = g_strconcat("/schedule/alphas/", tables[k].name, NULL);
        g_test_add_data_func(path, GUINT_TO_POINTER(k), test_alphas);
    }
    g_test_add_func("/schedule/final-alpha", test_final_alpha);
    g_test_add_func("/schedule/trained-betas", test_trained_betas);
    g_test_add_func("/schedule/timesteps", test_timesteps);
    g_test_add_func("/schedule/timesteps-range", test_timesteps_range);
    g_test_add_func("/schedule/refusals", test_refusals);
    g_test_add_func("/schedule/names", test_names);
    return g_test_run();
}
