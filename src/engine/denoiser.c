// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/engine/denoiser.h"

#include <math.h>
#include <string.h>

struct _PenDenoiser {
    PenRuntime *runtime;
    PenDenoiserOptions options;
    PenPlan *plan;
    guint evaluations;   /* the batch of the UNet */
    guint n_gradients;   /* adapter matrices */
    gsize latent, out;   /* floats of one evaluation's latents and output */
    gsize context;       /* floats of one conditioning's hidden states */
    gsize added;         /* floats of what it adds to the time embedding; may be 0 */
    gsize condition;     /* floats of one condition; 0 unless the model is one for inpainting */
    float *contexts;     /* [evaluations, context] */
    float *additions;    /* [evaluations, added] */
    float *conditions;   /* [evaluations, condition] */
    float *samples;      /* [evaluations, latent] */
    float *outputs;      /* [evaluations, out] */
    float *out_gradient; /* [evaluations, out] */
    gboolean recomputes;
    guint64 count;       /* of evaluations that were done */
    double up;           /* what the last backward pass's gradients were multiplied by */
};

/* With half-precision storage the backward pass runs on gradients scaled up to about this size, far from
 * the smallest and from the largest half. A power of two, so that scaling is exact. */
#define GRADIENT_SIZE 64.0

/* Gradients leave the graph under these names. */
static char *gradient_name(guint matrix)
{
    return g_strdup_printf("gradient.%u", matrix);
}

static gboolean add_gradients(const PenDenoiserOptions *options, PenUNet *unet)
{
    PenGraph *graph = unet->graph;
    PenTensor *grad_out =
        pen_graph_late_input(graph, "out_gradient", pen_tensor_shape(unet->out));
    guint n = unet->n_adapter + (options->sample_gradient ? 1 : 0);
    g_autofree PenTensor **targets = g_new0(PenTensor *, n);
    g_autofree PenTensor **gradients = g_new0(PenTensor *, n);
    memcpy(targets, unet->adapter, unet->n_adapter * sizeof *targets);
    if (options->sample_gradient)
        targets[unet->n_adapter] = unet->sample;
    if (!pen_graph_gradient(graph, unet->out, grad_out, targets, n, gradients))
        return FALSE;
    for (guint i = 0; i < unet->n_adapter; i++) {
        g_autofree char *name = gradient_name(i);
        pen_graph_output(graph, name, gradients[i]);
    }
    if (options->sample_gradient)
        pen_graph_output(graph, "sample_gradient", gradients[unet->n_adapter]);
    return TRUE;
}

static PenPlan *make_plan(PenDenoiser *d, gboolean checkpoint, GError **error)
{
    const PenDenoiserOptions *options = &d->options;
    PenUNetOptions unet_options = {
        .batch = d->evaluations,
        .height = options->height,
        .width = options->width,
        .tokens = options->tokens,
        .adapter = options->adapter,
        .checkpoint = checkpoint,
        .statistics = options->statistics,
    };
    g_autoptr(PenUNet) unet = pen_runtime_unet(d->runtime, &unet_options, error);
    if (!unet)
        return NULL;
    d->n_gradients = unet->n_adapter;
    if (options->gradient && !add_gradients(options, unet)) {
        pen_graph_check(unet->graph, error);
        return NULL;
    }
    return pen_plan_new(pen_runtime_device(d->runtime), pen_unet_steal_graph(unet), error);
}

gboolean pen_denoiser_fits(const PenDenoiser *d)
{
    return pen_plan_bytes(d->plan) <= pen_device_memory_left(pen_runtime_device(d->runtime));
}

/* With the weights as they are now: the faster plan, or if that does not fit the smaller one, which
 * perhaps does not either. */
static gboolean make_smaller_plan(PenDenoiser *d, GError **error)
{
    d->plan = make_plan(d, FALSE, error);
    if (d->plan && d->options.gradient && !pen_denoiser_fits(d)) {
        pen_plan_free(d->plan);
        d->plan = make_plan(d, TRUE, error);
        d->recomputes = TRUE;
    }
    return d->plan != NULL;
}

/* If nothing fits, the plan is the smallest there is, and says so when it takes its memory. */
static gboolean make_fitting_plan(PenDenoiser *d, GError **error)
{
    if (!d->options.shrinks)
        return (d->plan = make_plan(d, FALSE, error)) != NULL;
    if (!make_smaller_plan(d, error))
        return FALSE;
    if (pen_denoiser_fits(d) || pen_runtime_eight_bits(d->runtime))
        return TRUE;
    g_clear_pointer(&d->plan, pen_plan_free);
    d->recomputes = FALSE;
    pen_runtime_set_eight_bits(d->runtime);
    return make_smaller_plan(d, error);
}

PenDenoiser *pen_denoiser_new(PenRuntime *runtime, const PenDenoiserOptions *options,
                              GError **error)
{
    g_return_val_if_fail(!options->gradient || options->adapter, NULL);
    const PenModel *model = pen_runtime_model(runtime);
    g_autoptr(PenDenoiser) d = g_new0(PenDenoiser, 1);
    d->runtime = runtime;
    d->options = *options;
    if (!d->options.tokens)
        d->options.tokens = model->tokens;
    d->evaluations = options->pictures * (options->guided ? 2 : 1);
    if (!make_fitting_plan(d, error))
        return NULL;
    gsize pixels = (gsize)options->height * options->width;
    d->latent = pixels * model->unet.out_channels;
    d->out = pixels * model->unet.out_channels;
    d->condition = pixels * model->condition_channels;
    d->context = (gsize)d->options.tokens * model->unet.context_channels;
    d->added = model->unet.added_channels;
    d->contexts = g_new0(float, d->evaluations * d->context);
    d->additions = g_new0(float, d->evaluations * d->added);
    d->conditions = g_new0(float, d->evaluations * d->condition);
    d->samples = g_new0(float, d->evaluations * d->latent);
    d->outputs = g_new0(float, d->evaluations * d->out);
    d->out_gradient = g_new0(float, d->evaluations * d->out);
    return g_steal_pointer(&d);
}

void pen_denoiser_free(PenDenoiser *denoiser)
{
    if (!denoiser)
        return;
    pen_plan_free(denoiser->plan);
    g_free(denoiser->contexts);
    g_free(denoiser->additions);
    g_free(denoiser->conditions);
    g_free(denoiser->samples);
    g_free(denoiser->outputs);
    g_free(denoiser->out_gradient);
    g_free(denoiser);
}

gboolean pen_denoiser_recomputes(const PenDenoiser *denoiser)
{
    return denoiser->recomputes;
}

guint64 pen_denoiser_count(const PenDenoiser *denoiser)
{
    return denoiser->count;
}

PenPlan *pen_denoiser_plan(PenDenoiser *denoiser)
{
    return denoiser->plan;
}

/* Evaluations go picture by picture: without the prompt, then with it. */
static guint per_picture(const PenDenoiser *d)
{
    return d->options.guided ? 2 : 1;
}

/* Fills sizes that are not said in. */
static void write_added(PenDenoiser *d, guint evaluation, const PenConditioning *conditioning)
{
    const PenModel *model = pen_runtime_model(d->runtime);
    PenConditioning sized = *conditioning;
    gboolean said = FALSE;
    for (guint i = 0; i < PEN_CONDITIONING_SIZES; i++)
        said = said || sized.sizes[i] != 0;
    if (!said) {
        sized.sizes[0] = sized.sizes[4] = (float)(d->options.height * model->factor);
        sized.sizes[1] = sized.sizes[5] = (float)(d->options.width * model->factor);
    }
    pen_unet_added(&model->unet, &sized, d->additions + evaluation * d->added);
}

void pen_denoiser_set_evaluation_conditioning(PenDenoiser *denoiser, guint evaluation,
                                              const PenConditioning *conditioning)
{
    g_return_if_fail(conditioning->tokens == denoiser->options.tokens);
    memcpy(denoiser->contexts + evaluation * denoiser->context, conditioning->hidden,
           denoiser->context * sizeof(float));
    if (denoiser->added)
        write_added(denoiser, evaluation, conditioning);
}

void pen_denoiser_set_conditioning(PenDenoiser *denoiser, const PenConditioning *cond,
                                   const PenConditioning *uncond)
{
    guint each = per_picture(denoiser);
    for (guint i = 0; i < denoiser->options.pictures; i++) {
        if (denoiser->options.guided)
            pen_denoiser_set_evaluation_conditioning(denoiser, i * each, uncond);
        pen_denoiser_set_evaluation_conditioning(denoiser, i * each + each - 1, cond);
    }
}

void pen_denoiser_set_condition(PenDenoiser *denoiser, guint picture, const float *condition)
{
    guint each = per_picture(denoiser);
    for (guint i = 0; i < each; i++)
        memcpy(denoiser->conditions + (picture * each + i) * denoiser->condition, condition,
               denoiser->condition * sizeof *condition);
}

gboolean pen_denoiser_run_batch(PenDenoiser *denoiser, const float *latents,
                                const double *timesteps, double scale, float *out,
                                GCancellable *cancellable, GError **error)
{
    const PenUNetConfig *config = &pen_runtime_model(denoiser->runtime)->unet;
    g_autofree float *embedding = g_new(float, denoiser->evaluations * config->channels[0]);
    pen_unet_timestep_embedding(config, timesteps, denoiser->evaluations, embedding);
    pen_plan_write(denoiser->plan, "sample", latents);
    if (denoiser->condition)
        pen_plan_write(denoiser->plan, "condition", denoiser->conditions);
    pen_plan_write(denoiser->plan, "timestep_embedding", embedding);
    pen_plan_write(denoiser->plan, "context", denoiser->contexts);
    if (denoiser->added)
        pen_plan_write(denoiser->plan, "added", denoiser->additions);
    if (denoiser->options.adapter) {
        float value = (float)scale;
        pen_plan_write(denoiser->plan, "adapter_scale", &value);
    }
    if (!pen_runtime_load_unet(denoiser->runtime, NULL, NULL, cancellable, error) ||
        !pen_plan_run(denoiser->plan, NULL, NULL, cancellable, error))
        return FALSE;
    pen_plan_read(denoiser->plan, "out", out);
    denoiser->count += denoiser->evaluations;
    return pen_runtime_check_unet(denoiser->runtime, out, denoiser->evaluations * denoiser->out,
                                  error);
}

gboolean pen_denoiser_run(PenDenoiser *denoiser, const float *latents, double timestep,
                          double scale, double guidance, PenModelOutput *outputs,
                          GCancellable *cancellable, GError **error)
{
    guint each = per_picture(denoiser);
    g_autofree double *timesteps = g_new(double, denoiser->evaluations);
    for (guint e = 0; e < denoiser->evaluations; e++) {
        timesteps[e] = timestep;
        memcpy(denoiser->samples + e * denoiser->latent,
               latents + e / each * denoiser->latent, denoiser->latent * sizeof *latents);
    }
    if (!pen_denoiser_run_batch(denoiser, denoiser->samples, timesteps, scale, denoiser->outputs,
                                cancellable, error))
        return FALSE;
    for (guint i = 0; i < denoiser->options.pictures; i++) {
        const float *first = denoiser->outputs + i * each * denoiser->out;
        outputs[i] = (PenModelOutput){
            .cond = first + (each - 1) * denoiser->out,
            .uncond = denoiser->options.guided ? first : NULL,
            .guidance = guidance,
        };
    }
    return TRUE;
}

gsize pen_denoiser_n_statistics(const PenModel *model)
{
    gsize n = 0;
    for (guint b = 0; b < pen_unet_count_blocks(&model->unet); b++)
        n += 2 * pen_unet_block_channels(&model->unet, b);
    return n;
}

void pen_denoiser_statistics(PenDenoiser *denoiser, float *out)
{
    const PenModel *model = pen_runtime_model(denoiser->runtime);
    gsize n = pen_denoiser_n_statistics(model), at = 0;
    for (guint b = 0; b < pen_unet_count_blocks(&model->unet); b++) {
        gsize channels = pen_unet_block_channels(&model->unet, b);
        g_autofree char *name = pen_unet_statistics_name(b);
        g_autofree float *pairs = g_new(float, denoiser->evaluations * channels * 2);
        pen_plan_read(denoiser->plan, name, pairs);
        for (guint e = 0; e < denoiser->evaluations; e++)
            for (gsize c = 0; c < channels; c++) {
                const float *pair = pairs + (e * channels + c) * 2;
                double variance = 1 / ((double)pair[1] * pair[1]) - PEN_UNET_STATISTICS_EPSILON;
                out[e * n + at + c] = pair[0];
                out[e * n + at + channels + c] = (float)sqrt(fmax(variance, 0));
            }
        at += 2 * channels;
    }
}

void pen_denoiser_output_gradients(PenDenoiser *denoiser, guint picture, float **cond,
                                   float **uncond)
{
    g_return_if_fail(picture < denoiser->options.pictures);
    guint each = per_picture(denoiser);
    float *first = denoiser->out_gradient + picture * each * denoiser->out;
    *cond = first + (each - 1) * denoiser->out;
    *uncond = denoiser->options.guided ? first : NULL;
}

gboolean pen_denoiser_backward_batch(PenDenoiser *denoiser, const float *out_gradient,
                                     float *gradient, GCancellable *cancellable, GError **error)
{
    const PenUNetAdapter *adapter = denoiser->options.adapter;
    gsize n = denoiser->evaluations * denoiser->out;
    float largest = 0;
    for (gsize i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(out_gradient[i]));
    memset(gradient, 0, adapter->n_values * sizeof *gradient);

    int exponent = 0;
    frexp(largest, &exponent);
    denoiser->up = largest > 0 && isfinite(largest) ? ldexp(GRADIENT_SIZE, -exponent) : 1;
    g_autofree float *scaled = g_new(float, n);
    for (gsize i = 0; i < n; i++)
        scaled[i] = (float)(out_gradient[i] * denoiser->up);
    pen_plan_write(denoiser->plan, "out_gradient", scaled);
    if (!pen_plan_finish(denoiser->plan, NULL, NULL, cancellable, error))
        return FALSE;
    for (guint i = 0; i < denoiser->n_gradients; i++) {
        const PenUNetAdapterModule *module = &adapter->modules[i / 2];
        g_autofree char *name = gradient_name(i);
        pen_plan_read(denoiser->plan, name, gradient + (i % 2 ? module->b : module->a));
    }
    for (gsize i = 0; i < adapter->n_values; i++)
        gradient[i] = (float)(gradient[i] / denoiser->up);
    return TRUE;
}

gboolean pen_denoiser_backward(PenDenoiser *denoiser, float *gradient, GCancellable *cancellable,
                               GError **error)
{
    return pen_denoiser_backward_batch(denoiser, denoiser->out_gradient, gradient, cancellable,
                                       error);
}

void pen_denoiser_sample_gradient(PenDenoiser *denoiser, float *gradient)
{
    pen_plan_read(denoiser->plan, "sample_gradient", gradient);
    for (gsize i = 0; i < denoiser->evaluations * denoiser->latent; i++)
        gradient[i] = (float)(gradient[i] / denoiser->up);
}
