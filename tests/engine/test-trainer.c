// SPDX-License-Identifier: GPL-3.0-or-later
/* The gradient of a round, all candidates at once and one by one. (tests/models and tests/cli compare it with
 * the golden tensors.) */
#include <math.h>

#include "src/engine/trainer.h"
#include "src/learning/adapter-init.h"
#include "src/sampling/noise.h"

enum { N = 3, SIDE = 8, STEPS = 5 };

typedef struct {
    PenDevice *device;
    PenRuntime *runtime;
    PenUNetAdapter *adapter;
    PenTrajectory *trajectories[N];
    float *context; /* of the prompt, then of the negative one */
    gsize context_values;
} Fixture;

/* A round of noise that a trained adapter looks back on. */
static void set_up(Fixture *fixture)
{
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

    fixture->context_values = (gsize)model->tokens * model->unet.context_channels;
    fixture->context = g_new(float, 2 * fixture->context_values);
    pen_runtime_encode_text(fixture->runtime, (const char *const[]){ "a bird", "" }, 2,
                            fixture->context, NULL, NULL, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < N; i++) {
        PenTrajectory *t = pen_trajectory_new(SIDE, SIDE, model->unet.in_channels, STEPS, 0);
        t->guidance = 5;
        t->eta = 1;
        pen_schedule_get_timesteps(model->schedule, STEPS, t->timesteps, &error);
        g_assert_no_error(error);
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
    g_free(fixture->context);
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

static void test_batch(void)
{
    g_autoptr(GError) error = NULL;
    Fixture fixture;
    set_up(&fixture);
    PenD3poConfig config = PEN_D3PO_CONFIG_INIT;
    config.beta = 5; /* so that the coefficients differ from candidate to candidate */
    config.clip = 0;
    static const guint steps[] = { 0, 2 };
    const int ranks[N] = { 1, 2, 0 };
    double log_prob[2][N * 2], reference[2][N * 2], loss[2];
    float *gradient[2];
    for (guint together = 0; together < 2; together++) {
        PenTrainerRound round = {
            .n = N,
            .trajectories = fixture.trajectories,
            .ranks = ranks,
            .context = fixture.context,
            .negative = fixture.context + fixture.context_values,
            .n_steps = 2,
            .steps = steps,
        };
        for (guint i = 0; i < N; i++) /* learnt anew */
            for (guint k = 0; k < STEPS; k++)
                fixture.trajectories[i]->reference[k] = NAN;
        PenTrainerResult result = { .log_prob = log_prob[together],
                                    .reference = reference[together] };
        g_autoptr(PenTrainer) trainer =
            pen_trainer_new(fixture.runtime, fixture.adapter, &config);
        if (!together)
            pen_trainer_set_batch_latents(trainer, 0);
        gradient[together] = g_new(float, fixture.adapter->n_values);
        pen_trainer_gradient(trainer, &round, gradient[together], &result, NULL, NULL, NULL,
                             &error);
        g_assert_no_error(error);
        loss[together] = result.loss;
    }
    g_assert_cmpfloat_with_epsilon(loss[0], loss[1], 1e-5 * loss[0]);
    for (guint i = 0; i < N * 2; i++) {
        g_assert_cmpfloat_with_epsilon(log_prob[0][i], log_prob[1][i], 1e-4);
        g_assert_cmpfloat_with_epsilon(reference[0][i], reference[1][i], 1e-4);
        g_assert_cmpfloat(fabs(log_prob[0][i] - reference[0][i]), >, 1e-3);
    }
    double difference =
        relative_error(gradient[0], gradient[1], fixture.adapter->n_values);
    g_test_message("relative difference of the gradients %.2g", difference);
    g_assert_cmpfloat(difference, <, 1e-4);
    g_free(gradient[0]);
    g_free(gradient[1]);
    tear_down(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/trainer/batch", test_batch);
    return g_test_run();
}
