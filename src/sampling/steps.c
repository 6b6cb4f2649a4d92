// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/steps.h"

#include <math.h>
#include <string.h>

void pen_steps_free(PenSteps *steps)
{
    if (!steps)
        return;
    g_free(steps->step);
    g_free(steps);
}

gboolean pen_step_is_stochastic(const PenStep *step)
{
    return step->sd > 0;
}

double pen_step_mean_from_output(const PenStep *step)
{
    return step->from_x0[0] * step->x0_from_output;
}

static inline double guided(const PenModelOutput *output, gsize i)
{
    double cond = output->cond[i];
    if (!output->uncond)
        return cond;
    double uncond = output->uncond[i];
    return uncond + output->guidance * (cond - uncond);
}

/* --- guidance rescale ------------------------------------------------------------------------- */

typedef struct {
    double cond_mean, cond_sd, guided_mean, guided_sd;
} Deviations;

/* As torch.std() has it: divided by n - 1. */
static Deviations measure(const PenModelOutput *output, gsize n)
{
    Deviations d = { 0 };
    for (gsize i = 0; i < n; i++) {
        d.cond_mean += output->cond[i] / (double)n;
        d.guided_mean += guided(output, i) / (double)n;
    }
    for (gsize i = 0; i < n; i++) {
        double cond = output->cond[i] - d.cond_mean, all = guided(output, i) - d.guided_mean;
        d.cond_sd += cond * cond;
        d.guided_sd += all * all;
    }
    d.cond_sd = sqrt(d.cond_sd / (double)MAX(n - 1, 1));
    d.guided_sd = sqrt(d.guided_sd / (double)MAX(n - 1, 1));
    return d;
}

static gboolean rescales(const PenModelOutput *output)
{
    return output->uncond && output->rescale > 0 && output->guidance != 1;
}

double pen_model_output_factor(const PenModelOutput *output, gsize n)
{
    if (!rescales(output))
        return 1;
    Deviations d = measure(output, n);
    return d.guided_sd > 0 ? 1 + output->rescale * (d.cond_sd / d.guided_sd - 1) : 1;
}

void pen_model_output_gradient(const PenModelOutput *output, gsize n, float *grad_cond,
                               float *grad_uncond)
{
    if (!rescales(output) || !grad_uncond)
        return;
    Deviations d = measure(output, n);
    if (!(d.guided_sd > 0 && d.cond_sd > 0))
        return;
    double factor = 1 + output->rescale * (d.cond_sd / d.guided_sd - 1);
    double to_factor = 0; /* dL / d factor */
    for (gsize i = 0; i < n; i++) /* the gradients are g G and (1 - g) G of G = dL / d(factor o) */
        to_factor += ((double)grad_cond[i] + grad_uncond[i]) * guided(output, i);
    double count = (double)MAX(n - 1, 1);
    double by_cond = to_factor * output->rescale / (d.guided_sd * d.cond_sd * count);
    double by_guided = -to_factor * output->rescale * d.cond_sd /
                       (d.guided_sd * d.guided_sd * d.guided_sd * count);
    for (gsize i = 0; i < n; i++) {
        double to_guided = by_guided * (guided(output, i) - d.guided_mean);
        grad_cond[i] = (float)(factor * grad_cond[i] + by_cond * (output->cond[i] - d.cond_mean) +
                               output->guidance * to_guided);
        grad_uncond[i] =
            (float)(factor * grad_uncond[i] + (1 - output->guidance) * to_guided);
    }
}

/* --- the step --------------------------------------------------------------------------------- */

PenStep pen_step_in_hindsight(const PenStep *step)
{
    PenStep other = *step;
    double a = step->alpha * step->alpha, next = step->next_alpha * step->next_alpha;
    double variance = next > a ? (1 - next) / (1 - a) * (1 - a / next) : 0;
    memset(other.from_x, 0, sizeof other.from_x);
    memset(other.from_x0, 0, sizeof other.from_x0);
    other.sd = sqrt(variance);
    other.from_x[0] = sqrt(MAX(0, 1 - next - variance)) / step->sigma;
    other.from_x0[0] = step->next_alpha - other.from_x[0] * step->alpha;
    return other;
}

static void add_scaled(gsize n, double factor, const float *values, double *sum)
{
    for (gsize i = 0; i < n && factor != 0; i++)
        sum[i] += factor * values[i];
}

void pen_step_offset(const PenStep *step, gsize n, const float *const x[PEN_STEP_HISTORY],
                     const float *const x0[PEN_STEP_HISTORY], double *offset)
{
    double own = step->from_x[0] + step->from_x0[0] * step->x0_from_x;
    for (gsize i = 0; i < n; i++)
        offset[i] = own * x[0][i];
    for (guint j = 1; j < PEN_STEP_HISTORY; j++) {
        add_scaled(n, step->from_x[j], x[j], offset);
        add_scaled(n, step->from_x0[j], x0[j], offset);
    }
}

void pen_step_mean(const PenStep *step, gsize n, const double *offset, const PenModelOutput *output,
                   float *mean)
{
    double slope = pen_step_mean_from_output(step);
    for (gsize i = 0; i < n; i++)
        mean[i] = (float)(offset[i] + slope * guided(output, i));
}

void pen_step_advance(const PenStep *step, gsize n, const double *offset,
                      const PenModelOutput *output, const float *noise, float *x_next)
{
    g_return_if_fail(noise != NULL || !pen_step_is_stochastic(step));

    double slope = pen_step_mean_from_output(step) * pen_model_output_factor(output, n);
    for (gsize i = 0; i < n; i++) {
        double mean = offset[i] + slope * guided(output, i);
        x_next[i] = (float)(step->sd > 0 ? mean + step->sd * noise[i] : mean);
    }
}

void pen_step_predict_x0(const PenStep *step, gsize n, const float *x, const PenModelOutput *output,
                         float *x0)
{
    double slope = step->x0_from_output * pen_model_output_factor(output, n);
    for (gsize i = 0; i < n; i++)
        x0[i] = (float)(step->x0_from_x * x[i] + slope * guided(output, i));
}

void pen_step_answer_for_x0(const PenStep *step, gsize n, const float *x, const float *x0,
                            float *answer)
{
    for (gsize i = 0; i < n; i++)
        answer[i] = (float)((x0[i] - step->x0_from_x * x[i]) / step->x0_from_output);
}

void pen_add_noise(double alpha, double sigma, gsize n, const float *x0, const float *noise,
                   float *x)
{
    for (gsize i = 0; i < n; i++)
        x[i] = (float)(alpha * x0[i] + sigma * noise[i]);
}

double pen_step_log_prob(const PenStep *step, gsize n, const double *offset,
                         const PenModelOutput *output, const float *x_next)
{
    if (!pen_step_is_stochastic(step))
        return NAN;

    double slope = pen_step_mean_from_output(step) * pen_model_output_factor(output, n), sum = 0;
    for (gsize i = 0; i < n; i++) {
        double z = (x_next[i] - offset[i] - slope * guided(output, i)) / step->sd;
        sum += z * z;
    }
    return -sum / (2 * (double)n) - log(step->sd) - 0.5 * log(2 * G_PI);
}

void pen_step_log_prob_gradient(const PenStep *step, gsize n, const double *offset,
                                const PenModelOutput *output, const float *x_next, double factor,
                                float *grad_cond, float *grad_uncond)
{
    g_return_if_fail(grad_uncond == NULL || output->uncond != NULL);

    double slope = pen_step_mean_from_output(step), scale = 0;
    if (pen_step_is_stochastic(step))
        scale = factor * slope / ((double)n * step->sd * step->sd);
    double to_cond = output->uncond ? output->guidance : 1;
    double rescaled = pen_model_output_factor(output, n);

    for (gsize i = 0; i < n; i++) {
        double gradient =
            scale * (x_next[i] - offset[i] - slope * rescaled * guided(output, i));
        grad_cond[i] = (float)(gradient * to_cond);
        if (grad_uncond)
            grad_uncond[i] = (float)(gradient * (1 - to_cond));
    }
    pen_model_output_gradient(output, n, grad_cond, grad_uncond);
}
