// SPDX-License-Identifier: GPL-3.0-or-later
/* A step of the starter model and a D3PO gradient, against stored numbers. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "src/engine/sampler.h"
#include "src/engine/trainer.h"
#include "src/sampling/noise.h"
#include "src/selftest/checks.h"

#define PROMPT "a red bird in a forest"
#define SEED 20261129
#define TIMESTEP 500
#define GUIDANCE 5
#define RANK 4
#define ADAPTER_SPREAD 0.05f /* of the adapter's numbers, so that it has an effect */
#define STEPS 6              /* of the trajectories that the gradient is of */
#define CANDIDATES 2

/* Streams of the noise of this file. */
enum { LATENTS, ADAPTER, DIRECTIONS };

/* Made in float32 by llvmpipe's kernels in registers, of an engine that the golden tests compare
 * with diffusers: the member "projections" of PENCHANT_KERNELS=tiles penchant selftest --json. */
static const struct {
    const char *name;
    double f32, f16; /* relative L2 distances that are allowed */
    double want[PEN_MODEL_PROJECTIONS + 1];
} checks[PEN_N_MODEL_CHECKS] = {
    { "starter model, UNet step",
      1e-3,
      1e-2,
      { -19.445482, 0.946199346, -107.571844, -45.8242261, -27.2800804, -36.7758234, 35.2096354,
        30.1704761, 48.8621556 } },
    { "starter model, picture from latents",
      1e-3,
      1e-2,
      { -83.5028367, -47.2080679, -104.426425, 58.9961813, 68.7892116, -49.3444344, 13.870012,
        -2.67058163, 45.8363357 } },
    { "starter model, D3PO gradient",
      1e-2,
      0.1,
      { -0.00172759457, 0.00104127707, -0.000644472512, 0.000316215099, 0.00288445494,
        0.00075074333, 0.00108978621, -0.000102172012, 0.00152481079 } },
};

const char *pen_model_check_name(PenModelCheck check)
{
    return checks[check].name;
}

/* What a check computes: the model on the device, and its result. */
typedef struct {
    PenRuntime *runtime;
    PenConditioning *texts[2]; /* the prompt's and none's */
    guint32 side;              /* of latents */
    gsize n;                   /* floats of latents */
    float *latents;
    GArray *result; /* float */
    GCancellable *cancellable;
} Check;

static void check_clear(Check *c)
{
    for (guint i = 0; i < G_N_ELEMENTS(c->texts); i++)
        g_clear_pointer(&c->texts[i], pen_conditioning_free);
    g_clear_pointer(&c->runtime, pen_runtime_free);
    g_clear_pointer(&c->latents, g_free);
    g_clear_pointer(&c->result, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Check, check_clear)

static gboolean open_model(Check *c, PenDevice *device, PenDtype dtype, GError **error)
{
    static const char *const texts[] = { PROMPT, "" };
    g_autofree char *spec = pen_model_find(PEN_STARTER_MODEL, error);
    g_autoptr(PenModel) model = spec ? pen_model_open(spec, error) : NULL;
    if (!model)
        return FALSE;
    c->runtime = pen_runtime_new(model, device, dtype, error);
    if (!c->runtime || !pen_runtime_encode_texts(c->runtime, texts, G_N_ELEMENTS(texts), c->texts,
                                                 NULL, c->cancellable, error))
        return FALSE;
    c->side = model->unet.sample_size;
    c->n = (gsize)c->side * c->side * model->unet.out_channels;
    c->latents = g_new(float, c->n);
    pen_noise_fill(SEED, LATENTS, 0, c->n, c->latents);
    return TRUE;
}

static gboolean run_unet(Check *c, GError **error)
{
    PenDenoiserOptions options = {
        .height = c->side,
        .width = c->side,
        .pictures = 1,
        .guided = TRUE,
    };
    g_autoptr(PenDenoiser) denoiser = pen_denoiser_new(c->runtime, &options, error);
    if (!denoiser)
        return FALSE;
    PenModelOutput output;
    pen_denoiser_set_conditioning(denoiser, c->texts[0], c->texts[1]);
    if (!pen_denoiser_run(denoiser, c->latents, TIMESTEP, 0, GUIDANCE, &output, c->cancellable,
                          error))
        return FALSE;
    g_array_append_vals(c->result, output.cond, (guint)c->n);
    g_array_append_vals(c->result, output.uncond, (guint)c->n);
    return TRUE;
}

static gboolean run_vae(Check *c, GError **error)
{
    guint32 pixels = c->side * pen_runtime_model(c->runtime)->factor;
    g_array_set_size(c->result, pixels * pixels * 3);
    return pen_runtime_vae_decode(c->runtime, c->latents, 1, c->side, c->side,
                                  (float *)c->result->data, NULL, NULL, c->cancellable, error);
}

static gboolean sample(Check *c, PenUNetAdapter *adapter, PenTrajectory **trajectories,
                       GError **error)
{
    PenSamplerJob job = {
        .n = CANDIDATES,
        .height = c->side,
        .width = c->side,
        .sampling = { .method = pen_methods()[0], .steps = STEPS, .eta = 1 },
        .guidance = GUIDANCE,
        .cond = c->texts[0],
        .uncond = c->texts[1],
        .adapter = adapter,
        .scale = 1,
        .seed = SEED,
    };
    pen_sampling_set_spread(&job.sampling, PEN_SPREAD_AUTOMATIC,
                            pen_runtime_model(c->runtime)->schedule);
    return pen_sampler_run(c->runtime, &job, trajectories, c->cancellable, error);
}

static gboolean run_gradient(Check *c, GError **error)
{
    static const int ranks[CANDIDATES] = { 1, 0 };
    static const guint steps[] = { 1, 3 };
    PenD3poConfig config = PEN_D3PO_CONFIG_INIT;
    const PenModel *model = pen_runtime_model(c->runtime);
    g_autoptr(PenUNetAdapter) adapter = pen_unet_adapter_new(&model->unet, RANK, error);
    if (!adapter || !pen_unet_adapter_allocate(adapter, pen_runtime_device(c->runtime),
                                               pen_runtime_dtype(c->runtime), error))
        return FALSE;
    g_autofree float *values = g_new(float, adapter->n_values);
    pen_noise_fill(SEED, ADAPTER, 0, adapter->n_values, values);
    for (gsize i = 0; i < adapter->n_values; i++)
        values[i] *= ADAPTER_SPREAD;
    PenTrajectory *trajectories[CANDIDATES] = { NULL };
    if (!pen_unet_adapter_upload(adapter, values, error) ||
        !sample(c, adapter, trajectories, error))
        return FALSE;
    PenTrainerRound round = {
        .n = CANDIDATES,
        .trajectories = trajectories,
        .ranks = ranks,
        .cond = c->texts[0],
        .uncond = c->texts[1],
        .n_steps = G_N_ELEMENTS(steps),
        .steps = steps,
    };
    PenTrainerResult result = { 0 };
    g_autoptr(PenTrainer) trainer = pen_trainer_new(c->runtime, adapter, &config);
    g_array_set_size(c->result, (guint)adapter->n_values);
    gboolean good = pen_trainer_gradient(trainer, &round, (float *)c->result->data, &result, NULL,
                                         NULL, c->cancellable, error);
    for (guint i = 0; i < CANDIDATES; i++)
        pen_trajectory_free(trajectories[i]);
    return good;
}

/* projections[PEN_MODEL_PROJECTIONS + 1] */
static double *project(const GArray *result)
{
    double *projections = g_new0(double, PEN_MODEL_PROJECTIONS + 1);
    g_autofree float *direction = g_new(float, result->len);
    const float *v = (const float *)result->data;
    for (guint j = 0; j < PEN_MODEL_PROJECTIONS; j++) {
        pen_noise_fill(SEED, PEN_STREAM(DIRECTIONS, j), 0, result->len, direction);
        for (guint i = 0; i < result->len; i++)
            projections[j] += (double)v[i] * direction[i];
    }
    for (guint i = 0; i < result->len; i++)
        projections[PEN_MODEL_PROJECTIONS] += (double)v[i] * v[i];
    projections[PEN_MODEL_PROJECTIONS] = sqrt(projections[PEN_MODEL_PROJECTIONS]);
    return projections;
}

/* The relative L2 distance, as far as the projections know it. */
static double distance(const double *have, const double *want)
{
    double norm = want[PEN_MODEL_PROJECTIONS], sum = 0;
    for (guint j = 0; j < PEN_MODEL_PROJECTIONS; j++)
        sum += (have[j] - want[j]) * (have[j] - want[j]);
    double off = sqrt(sum / PEN_MODEL_PROJECTIONS);
    return MAX(off, fabs(have[PEN_MODEL_PROJECTIONS] - norm)) / norm;
}

gboolean pen_model_check(PenModelCheck check, PenDevice *device, PenDtype dtype,
                         PenSelftestRow *row, GCancellable *cancellable, GError **error)
{
    static gboolean (*const run[])(Check *, GError **) = { run_unet, run_vae, run_gradient };
    g_auto(Check) c = {
        .result = g_array_new(FALSE, FALSE, sizeof(float)),
        .cancellable = cancellable,
    };
    g_autoptr(GError) failure = NULL;
    row->tolerance = dtype == PEN_DTYPE_F16 ? checks[check].f16 : checks[check].f32;
    if (!open_model(&c, device, dtype, &failure) || !run[check](&c, &failure))
        return pen_selftest_row_fail(row, g_steal_pointer(&failure), error);
    row->projections = project(c.result);
    row->n_projections = PEN_MODEL_PROJECTIONS + 1;
    row->error = distance(row->projections, checks[check].want);
    row->outcome = row->error <= row->tolerance ? PEN_SELFTEST_RIGHT : PEN_SELFTEST_WRONG;
    return TRUE;
}
