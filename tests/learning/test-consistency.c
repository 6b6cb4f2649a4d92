// SPDX-License-Identifier: GPL-3.0-or-later
/* D3PO of consistency steps (LCM) against tests/tools/consistency_reference.py. */
#include <math.h>

#include "src/formats/safetensors.h"
#include "src/learning/d3po.h"
#include "src/sampling/method.h"

enum { N = 3, STEPS = 4, ELEMENTS = 24 };

static const int timesteps[STEPS] = { 999, 749, 499, 249 };
static const int rank[N] = { 2, 0, 1 };

static PenSafetensors *golden;

static const float *values(const char *name)
{
    g_autoptr(GError) error = NULL;
    const PenSafetensor *tensor = pen_safetensors_require(golden, name, &error);
    g_assert_no_error(error);
    g_assert_cmpint(tensor->type, ==, PEN_SAFETENSOR_F32);
    return tensor->data;
}

static const float *at(const char *name, guint i, guint k, guint each)
{
    return values(name) + (i * each + k) * ELEMENTS;
}

static void assert_near(double actual, double expected, double size)
{
    g_assert_cmpfloat_with_epsilon(actual, expected, 2e-4 * size);
}

static PenSteps *steps_new(void)
{
    g_autoptr(GError) error = NULL;
    PenScheduleConfig config = PEN_SCHEDULE_CONFIG_INIT;
    config.beta_start = 0.00085;
    config.beta_end = 0.012;
    config.beta_schedule = PEN_BETA_SCALED_LINEAR;
    g_autoptr(PenSchedule) schedule = pen_schedule_new(&config, &error);
    g_assert_no_error(error);
    PenSampling sampling = { .method = pen_method_find("lcm", NULL, NULL),
                             .steps = STEPS,
                             .timesteps = timesteps };
    PenSteps *steps = pen_sampling_steps(&sampling, schedule, &error);
    g_assert_no_error(error);
    return steps;
}

static void offset_of(const PenStep *step, const float *x, double *offset)
{
    pen_step_offset(step, ELEMENTS, (const float *const[PEN_STEP_HISTORY]){ x },
                    (const float *const[PEN_STEP_HISTORY]){ NULL }, offset);
}

static void test_sampling(void)
{
    g_autoptr(PenSteps) steps = steps_new();
    double offset[ELEMENTS];
    float next[ELEMENTS];
    for (guint i = 0; i < N; i++)
        for (guint k = 0; k < STEPS; k++) {
            PenModelOutput output = { .cond = at("policy", i, k, STEPS), .guidance = 1 };
            g_assert_cmpint(pen_step_is_stochastic(&steps->step[k]), ==, k + 1 < STEPS);
            offset_of(&steps->step[k], at("latents", i, k, STEPS + 1), offset);
            pen_step_advance(&steps->step[k], ELEMENTS, offset, &output, at("noise", i, k, STEPS),
                             next);
            for (guint e = 0; e < ELEMENTS; e++)
                assert_near(next[e], at("latents", i, k + 1, STEPS + 1)[e], 40);
        }
}

/* Of step k, for all candidates: d loss / d learnt. */
static double step_loss(const PenStep *step, guint k, const PenD3poConfig *config,
                        float gradient[N][ELEMENTS])
{
    double log_prob[N], ref_log_prob[N], coefficient[N], offset[ELEMENTS];
    for (guint i = 0; i < N; i++) {
        const float *next = at("latents", i, k + 1, STEPS + 1);
        PenModelOutput learnt = { .cond = at("learnt", i, k, STEPS), .guidance = 1 };
        PenModelOutput reference = { .cond = at("reference", i, k, STEPS), .guidance = 1 };
        offset_of(step, at("latents", i, k, STEPS + 1), offset);
        log_prob[i] = pen_step_log_prob(step, ELEMENTS, offset, &learnt, next);
        ref_log_prob[i] = pen_step_log_prob(step, ELEMENTS, offset, &reference, next);
        assert_near(log_prob[i], values("log_prob")[i * (STEPS - 1) + k], 1);
        assert_near(ref_log_prob[i], values("ref_log_prob")[i * (STEPS - 1) + k], 1);
    }
    double loss = pen_d3po_step_loss(config, N, log_prob, ref_log_prob, rank, 3 * (STEPS - 1),
                                     coefficient, NULL);
    for (guint i = 0; i < N; i++) {
        PenModelOutput learnt = { .cond = at("learnt", i, k, STEPS), .guidance = 1 };
        offset_of(step, at("latents", i, k, STEPS + 1), offset);
        pen_step_log_prob_gradient(step, ELEMENTS, offset, &learnt,
                                   at("latents", i, k + 1, STEPS + 1), coefficient[i], gradient[i],
                                   NULL);
    }
    return loss;
}

static void test_loss(void)
{
    g_autoptr(PenSteps) steps = steps_new();
    PenD3poConfig config = PEN_D3PO_CONFIG_INIT;
    double loss = 0, wrong = 0, size = 0;
    guint clipped = 0;
    for (guint k = 0; k + 1 < STEPS; k++) {
        float gradient[N][ELEMENTS];
        loss += step_loss(&steps->step[k], k, &config, gradient);
        for (guint i = 0; i < N; i++) {
            const float *expected = at("grad", i, k, STEPS);
            double norm = 0;
            for (guint e = 0; e < ELEMENTS; e++) {
                wrong += pow((double)gradient[i][e] - expected[e], 2);
                norm += pow((double)expected[e], 2);
            }
            size += norm;
            clipped += norm == 0;
        }
    }
    assert_near(loss, values("loss")[0], 1);
    g_test_message("gradient: relative error %.2g, %u of %d clipped", sqrt(wrong / size), clipped,
                   N * (STEPS - 1));
    g_assert_cmpfloat(sqrt(wrong / size), <, 1e-3);
    /* Both branches of the clamp are there. */
    g_assert_cmpuint(clipped, >, 0);
    g_assert_cmpuint(clipped, <, N * (STEPS - 1));
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_test_init(&argc, &argv, NULL);
    golden = pen_safetensors_open(PEN_TEST_DATA "/golden/consistency-d3po.safetensors", &error);
    g_assert_no_error(error);
    g_test_add_func("/consistency/sampling", test_sampling);
    g_test_add_func("/consistency/loss", test_loss);
    int status = g_test_run();
    pen_safetensors_unref(golden);
    return status;
}
