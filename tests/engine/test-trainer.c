// SPDX-License-Identifier: GPL-3.0-or-later
/* The gradient of a round, all candidates at once and one by one. (tests/models and tests/cli compare it with
 * the golden tensors.) */
#include <math.h>
#include <string.h>

#include "src/engine/denoiser.h"
#include "src/engine/trainer.h"
#include "src/learning/adapter-init.h"
#include "src/sampling/method.h"
#include "src/sampling/noise.h"

enum { N = 3, SIDE = 8, STEPS = 5 };

typedef struct {
    PenDevice *device;
    PenRuntime *runtime;
    PenUNetAdapter *adapter;
    PenTrajectory *trajectories[N];
    PenConditioning *conditionings[2]; /* of the prompt, then of no text */
    PenHindsight *hindsight;           /* NULL, or for the targets */
    double clip;                       /* of the loss; 0: none */
} Fixture;

/* A round of noise that a trained adapter looks back on. */
static void set_up(Fixture *fixture)
{
    fixture->hindsight = NULL;
    fixture->clip = 0;
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = pen_model_find(NULL, &error);
    g_autoptr(PenModel) model = pen_model_open(folder, &error);
    g_assert_no_error(error);
    fixture->device = pen_device_open(NULL, &error);
    g_assert_no_error(error);
    fixture->runtime = pen_runtime_new(model, fixture->device, PEN_DTYPE_F32, &error);
    fixture->adapter = pen_unet_adapter_new(&model->unet, 4, &error);
    gboolean ok = pen_unet_adapter_allocate(fixture->adapter, fixture->device, PEN_DTYPE_F32, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_autofree float *values = g_new(float, fixture->adapter->n_values);
    pen_adapter_init_down(1, "values", 3, fixture->adapter->n_values, values);
    ok = pen_unet_adapter_upload(fixture->adapter, values, &error);
    g_assert_true(ok);

    pen_runtime_encode_texts(fixture->runtime, (const char *const[]){ "a bird", NULL }, 2,
                             fixture->conditionings, NULL, NULL, &error);
    g_assert_no_error(error);
    PenSampling sampling = { .method = pen_methods()[0], .steps = STEPS, .eta = 1 };
    g_autoptr(PenSteps) table = pen_sampling_steps(&sampling, model->schedule, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < N; i++) {
        PenTrajectory *t = pen_trajectory_new(SIDE, SIDE, model->unet.in_channels, STEPS, 0);
        t->guidance = 5;
        memcpy(t->table, table->step, STEPS * sizeof *t->table);
        for (guint k = 0; k <= STEPS; k++)
            pen_noise_fill(10 * i + k, PEN_STREAM_INITIAL, 0, pen_trajectory_elements(t),
                           pen_trajectory_latents(t, k));
        fixture->trajectories[i] = t;
    }
}

static void tear_down(Fixture *fixture)
{
    for (guint i = 0; i < N; i++)
        pen_trajectory_free(fixture->trajectories[i]);
    for (guint i = 0; i < 2; i++)
        pen_conditioning_free(fixture->conditionings[i]);
    pen_unet_adapter_free(fixture->adapter);
    pen_runtime_free(fixture->runtime);
    pen_device_unref(fixture->device);
}

static double relative_error(const float *a, const float *b, gsize n)
{
    double difference = 0, size = 0;
    for (gsize i = 0; i < n; i++) {
        difference += pow((double)a[i] - b[i], 2);
        size += pow(a[i], 2);
    }
    return sqrt(difference / size);
}

typedef struct {
    double log_prob[N * 2], reference[N * 2], loss;
    float *gradient;
    gboolean recomputes;
} Outcome;

static const guint steps[] = { 0, 2 };

/* `batch`: see pen_trainer_set_batch_latents(). */
static Outcome take_gradient_with(Fixture *fixture, guint batch, gboolean hindsight,
                                  gboolean guided)
{
    static const int ranks[N] = { 1, 2, 0 };
    g_autoptr(GError) error = NULL;
    Outcome outcome = { .gradient = g_new(float, fixture->adapter->n_values) };
    PenD3poConfig config = PEN_D3PO_CONFIG_INIT;
    config.beta = 5; /* so that the coefficients differ from candidate to candidate */
    config.clip = fixture->clip;
    config.hindsight = hindsight;
    config.guided = guided;
    PenTrainerRound round = {
        .n = N,
        .trajectories = fixture->trajectories,
        .ranks = ranks,
        .cond = fixture->conditionings[0],
        .uncond = fixture->conditionings[1],
        .hindsight = fixture->hindsight,
        .n_steps = 2,
        .steps = steps,
    };
    for (guint i = 0; i < N; i++) /* learnt anew */
        for (guint k = 0; k < STEPS; k++)
            fixture->trajectories[i]->reference[k] = NAN;
    PenTrainerResult result = { .log_prob = outcome.log_prob, .reference = outcome.reference };
    g_autoptr(PenTrainer) trainer = pen_trainer_new(fixture->runtime, fixture->adapter, &config);
    pen_trainer_set_batch_latents(trainer, batch);
    pen_trainer_gradient(trainer, &round, outcome.gradient, &result, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    outcome.loss = result.loss;
    outcome.recomputes = pen_trainer_recomputes(trainer);
    return outcome;
}

static Outcome take_gradient(Fixture *fixture, guint batch)
{
    return take_gradient_with(fixture, batch, FALSE, TRUE);
}

static void assert_same(const Fixture *fixture, const Outcome *a, const Outcome *b)
{
    g_assert_cmpfloat_with_epsilon(a->loss, b->loss, 1e-5 * a->loss);
    for (guint i = 0; i < N * 2; i++) {
        g_assert_cmpfloat_with_epsilon(a->log_prob[i], b->log_prob[i], 1e-4);
        g_assert_cmpfloat_with_epsilon(a->reference[i], b->reference[i], 1e-4);
        g_assert_cmpfloat(fabs(a->log_prob[i] - a->reference[i]), >, 1e-3);
    }
    double difference = relative_error(a->gradient, b->gradient, fixture->adapter->n_values);
    g_test_message("relative difference of the gradients %.2g", difference);
    g_assert_cmpfloat(difference, <, 1e-4);
}

static void test_batch(void)
{
    Fixture fixture;
    set_up(&fixture);
    Outcome one_by_one = take_gradient(&fixture, 0);
    Outcome together = take_gradient(&fixture, PEN_TRAINER_BATCH_LATENTS);
    assert_same(&fixture, &one_by_one, &together);

    /* Half of the largest log-ratio clips a candidate, and a small one all of them. */
    double largest = 0;
    for (guint i = 0; i < N * 2; i++)
        largest = fmax(largest, fabs(together.log_prob[i] - together.reference[i]));
    fixture.clip = -expm1(-largest / 2);
    Outcome few_one_by_one = take_gradient(&fixture, 0);
    Outcome few_together = take_gradient(&fixture, PEN_TRAINER_BATCH_LATENTS);
    assert_same(&fixture, &few_one_by_one, &few_together);
    g_assert_cmpfloat(
        relative_error(together.gradient, few_together.gradient, fixture.adapter->n_values), >, 1e-3);
    fixture.clip = 1e-9;
    Outcome none_one_by_one = take_gradient(&fixture, 0);
    Outcome none_together = take_gradient(&fixture, PEN_TRAINER_BATCH_LATENTS);
    for (gsize v = 0; v < fixture.adapter->n_values; v++)
        g_assert_true(none_one_by_one.gradient[v] == 0 && none_together.gradient[v] == 0);
    Outcome *outcomes[] = { &one_by_one,   &together,        &few_one_by_one,
                            &few_together, &none_one_by_one, &none_together };
    for (guint i = 0; i < G_N_ELEMENTS(outcomes); i++)
        g_free(outcomes[i]->gradient);
    tear_down(&fixture);
}

/* In hindsight the steps are those that lead to the finished latents in the mean, q(x' | x, x0) of
 * Song et al., eq. 7, whatever was sampled. */
static void test_hindsight(void)
{
    g_autoptr(GError) error = NULL;
    Fixture fixture;
    set_up(&fixture);
    Outcome found = take_gradient_with(&fixture, PEN_TRAINER_BATCH_LATENTS, TRUE, TRUE);
    const PenSchedule *schedule = pen_runtime_model(fixture.runtime)->schedule;
    for (guint i = 0; i < N; i++) {
        PenTrajectory *t = fixture.trajectories[i];
        const float *x0 = pen_trajectory_latents(t, STEPS);
        for (guint j = 0; j < G_N_ELEMENTS(steps); j++) {
            PenStep step = t->table[steps[j]];
            double a = pen_schedule_get_alpha_cumprod(schedule, (int)step.timestep);
            double b = pen_schedule_get_alpha_cumprod(schedule, (int)step.timestep - 1000 / STEPS);
            const float *x = pen_trajectory_latents(t, steps[j]);
            float *next = pen_trajectory_latents(t, steps[j] + 1);
            for (gsize e = 0; e < pen_trajectory_elements(t); e++)
                next[e] = (float)(sqrt(b) * x0[e] + sqrt(1 - b - step.sd * step.sd) *
                                                        (x[e] - sqrt(a) * x0[e]) / sqrt(1 - a));
        }
    }
    Outcome expected = take_gradient(&fixture, PEN_TRAINER_BATCH_LATENTS);
    assert_same(&fixture, &expected, &found);
    g_free(found.gradient);
    g_free(expected.gradient);
    tear_down(&fixture);
}

/* Without guidance in the loss the trajectories teach as if they had been made without any. */
static void test_unguided(void)
{
    Fixture fixture;
    set_up(&fixture);
    Outcome guided = take_gradient(&fixture, PEN_TRAINER_BATCH_LATENTS);
    Outcome found = take_gradient_with(&fixture, PEN_TRAINER_BATCH_LATENTS, FALSE, FALSE);
    g_assert_cmpfloat(relative_error(guided.gradient, found.gradient, fixture.adapter->n_values), >,
                      1e-2);
    for (guint i = 0; i < N; i++)
        fixture.trajectories[i]->guidance = 1;
    Outcome expected = take_gradient(&fixture, PEN_TRAINER_BATCH_LATENTS);
    assert_same(&fixture, &expected, &found);
    g_free(guided.gradient);
    g_free(found.gradient);
    g_free(expected.gradient);
    tear_down(&fixture);
}

/* Without guidance and in hindsight, what counts are steps to the targets (src/engine/hindsight.h), whoever
 * computed the bare model's answers and whenever. */
static void test_targets(void)
{
    g_autoptr(GError) error = NULL;
    Fixture fixture;
    set_up(&fixture);
    PenD3poConfig config = PEN_D3PO_CONFIG_INIT;
    config.hindsight = TRUE;
    config.guided = FALSE;
    PenTrainerRound round = { .n = N, .trajectories = fixture.trajectories,
                              .cond = fixture.conditionings[0], .uncond = fixture.conditionings[1] };
    g_autoptr(PenTrainer) trainer = pen_trainer_new(fixture.runtime, fixture.adapter, &config);
    gboolean ok = pen_trainer_fill_answers(trainer, &round, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    PenHindsight hindsight = { 0 };
    for (guint i = 0; i < N; i++)
        pen_hindsight_add(&hindsight, fixture.trajectories[i]);
    fixture.hindsight = &hindsight;
    Outcome found = take_gradient_with(&fixture, PEN_TRAINER_BATCH_LATENTS, TRUE, FALSE);
    Outcome again = take_gradient_with(&fixture, 0, TRUE, FALSE);
    assert_same(&fixture, &found, &again);

    /* The same steps, given as if they had been sampled. */
    for (guint i = 0; i < N; i++) {
        PenTrajectory *t = fixture.trajectories[i];
        gsize n = pen_trajectory_elements(t);
        g_autofree float *target = g_new(float, n);
        for (guint j = 0; j < G_N_ELEMENTS(steps); j++) {
            g_autofree double *offset = g_new(double, n);
            pen_trajectory_offset(t, steps[j], offset);
            pen_hindsight_target(&hindsight, t, steps[j], FALSE, target);
            PenModelOutput output = { .cond = target, .guidance = 1 };
            pen_step_mean(&t->table[steps[j]], n, offset, &output,
                          pen_trajectory_latents(t, steps[j] + 1));
        }
    }
    Outcome expected = take_gradient_with(&fixture, PEN_TRAINER_BATCH_LATENTS, FALSE, FALSE);
    assert_same(&fixture, &expected, &found);

    /* Where a style drew, the bare model is asked. */
    for (guint i = 0; i < N; i++)
        for (guint turn = 0; turn < 2; turn++)
            g_clear_pointer(&fixture.trajectories[i]->bare[turn], g_free);
    fixture.trajectories[0]->drawn_scale = 1;
    Outcome asked = take_gradient_with(&fixture, 0, TRUE, FALSE);
    g_assert_nonnull(pen_trajectory_get_bare(fixture.trajectories[0], steps[0], FALSE));
    g_assert_cmpfloat(relative_error(found.gradient, asked.gradient, fixture.adapter->n_values), >, 0);
    g_free(found.gradient);
    g_free(again.gradient);
    g_free(expected.gradient);
    g_free(asked.gradient);
    tear_down(&fixture);
}

/* Steps whose numbers overflow are counted and left out. */
static void test_overflow(void)
{
    g_autoptr(GError) error = NULL;
    static const int ranks[N] = { 1, 2, 0 };
    Fixture fixture;
    set_up(&fixture);
    PenD3poConfig config = PEN_D3PO_CONFIG_INIT;
    g_autoptr(PenTrainer) trainer = pen_trainer_new(fixture.runtime, fixture.adapter, &config);
    g_autofree float *gradient = g_new(float, fixture.adapter->n_values);
    pen_trajectory_latents(fixture.trajectories[1], 0)[3] = NAN;
    PenTrainerRound round = { .n = N, .trajectories = fixture.trajectories, .ranks = ranks,
                              .cond = fixture.conditionings[0], .uncond = fixture.conditionings[1],
                              .n_steps = 2, .steps = steps };
    PenTrainerResult result = { 0 };
    gboolean ok = pen_trainer_gradient(trainer, &round, gradient, &result, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_cmpuint(result.overflowed, ==, 1);
    g_assert_cmpuint(result.stats.terms, ==, 3); /* of the other step */
    g_assert_true(isfinite(gradient[0]) && isfinite(result.loss));
    tear_down(&fixture);
}

/* With too little memory for all candidates, and for the activations of one: the same gradient. */
static void test_little_memory(void)
{
    g_autoptr(GError) error = NULL;
    Fixture fixture;
    set_up(&fixture);
    Outcome roomy = take_gradient(&fixture, PEN_TRAINER_BATCH_LATENTS);
    g_assert_false(roomy.recomputes);
    PenDenoiserOptions one = { .height = SIDE, .width = SIDE, .pictures = 1, .guided = TRUE,
                               .adapter = fixture.adapter, .gradient = TRUE, .shrinks = TRUE };
    g_autoptr(PenDenoiser) denoiser = pen_denoiser_new(fixture.runtime, &one, &error);
    g_assert_no_error(error);
    guint64 bytes = pen_plan_bytes(pen_denoiser_plan(denoiser));
    g_clear_pointer(&denoiser, pen_denoiser_free);
    pen_device_set_budget(fixture.device, pen_device_allocated(fixture.device) + bytes - 1);
    Outcome tight = take_gradient(&fixture, PEN_TRAINER_BATCH_LATENTS);
    g_assert_true(tight.recomputes);
    assert_same(&fixture, &roomy, &tight);
    g_assert_false(pen_runtime_eight_bits(fixture.runtime));

    /* Without room even for recomputing, the weights go to 8 bits. (The adapter of this test is so
     * large that only the bare model's answers stay about the same.) */
    pen_device_set_budget(fixture.device, pen_device_allocated(fixture.device) + (1 << 16));
    Outcome tiny = take_gradient(&fixture, PEN_TRAINER_BATCH_LATENTS);
    g_assert_true(pen_runtime_eight_bits(fixture.runtime));
    for (guint i = 0; i < N * 2; i++) {
        g_assert_cmpfloat_with_epsilon(roomy.reference[i], tiny.reference[i], 1e-2);
        g_assert_cmpfloat(roomy.reference[i], !=, tiny.reference[i]);
    }
    g_free(roomy.gradient);
    g_free(tight.gradient);
    g_free(tiny.gradient);
    tear_down(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/trainer/batch", test_batch);
    g_test_add_func("/trainer/hindsight", test_hindsight);
    g_test_add_func("/trainer/unguided", test_unguided);
    g_test_add_func("/trainer/targets", test_targets);
    g_test_add_func("/trainer/overflow", test_overflow);
    g_test_add_func("/trainer/little-memory", test_little_memory);
    return g_test_run();
}
