// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/steps.h"

#include <math.h>

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

void pen_step_advance(const PenStep *step, gsize n, const double *offset,
                      const PenModelOutput *output, const float *noise, float *x_next)
{
    g_return_if_fail(noise != NULL || !pen_step_is_stochastic(step));

    double slope = pen_step_mean_from_output(step);
    for (gsize i = 0; i < n; i++) {
        double mean = offset[i] + slope * guided(output, i);
        x_next[i] = (float)(step->sd > 0 ? mean + step->sd * noise[i] : mean);
    }
}

void pen_step_predict_x0(const PenStep *step, gsize n, const float *x, const PenModelOutput *output,
                         float *x0)
{
    for (gsize i = 0; i < n; i++)
        x0[i] = (float)(step->x0_from_x * x[i] + step->x0_from_output * guided(output, i));
}

void pen_step_answer_for_x0(const PenStep *step, gsize n, const float *x, const float *x0,
                            float *answer)
{
    for (gsize i = 0; i < n; i++)
        answer[i] = (float)((x0[i] - step->x0_from_x * x[i]) / step->x0_from_output);
}

void pen_step_add_noise(const PenStep *step, gsize n, const float *x0, const float *noise, float *x)
{
    for (gsize i = 0; i < n; i++)
        x[i] = (float)(step->alpha * x0[i] + step->sigma * noise[i]);
}

double pen_step_log_prob(const PenStep *step, gsize n, const double *offset,
                         const PenModelOutput *output, const float *x_next)
{
    if (!pen_step_is_stochastic(step))
        return NAN;

    double slope = pen_step_mean_from_output(step), sum = 0;
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

    for (gsize i = 0; i < n; i++) {
        double gradient = scale * (x_next[i] - offset[i] - slope * guided(output, i));
        grad_cond[i] = (float)(gradient * to_cond);
        if (grad_uncond)
            grad_uncond[i] = (float)(gradient * (1 - to_cond));
    }
}
