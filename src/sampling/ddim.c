// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/ddim.h"

#include <glib/gi18n-lib.h>
#include <math.h>

gboolean pen_ddim_step_init(PenDdimStep *step, const PenSchedule *schedule, int timestep, int steps,
                            double eta, GError **error)
{
    g_return_val_if_fail(timestep >= 0 && steps > 0, FALSE);

    if (!(eta >= 0 && eta <= 1)) {
        g_set_error_literal(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_INVALID,
                            _("Eta must lie between 0 and 1."));
        return FALSE;
    }

    int previous = pen_schedule_get_previous(schedule, timestep, steps);
    double a = pen_schedule_get_alpha_cumprod(schedule, timestep);
    double a_prev = pen_schedule_get_alpha_cumprod(schedule, previous);
    double signal = sqrt(a), spread = sqrt(1 - a);
    double signal_prev = sqrt(a_prev);
    double sd = eta * sqrt((1 - a_prev) / (1 - a)) * sqrt(MAX(0, 1 - a / a_prev));
    double direction = sqrt(MAX(0, 1 - a_prev - sd * sd)); // of e in mu; rounding may go below 0

    *step = (PenDdimStep){ .timestep = timestep, .previous = previous, .sd = sd };
    if (pen_schedule_get_prediction(schedule) == PEN_PREDICTION_V) {
        step->x0_from_x = signal;
        step->x0_from_output = -spread;
        step->mean_from_x = signal_prev * signal + direction * spread;
        step->mean_from_output = direction * signal - signal_prev * spread;
    } else {
        step->x0_from_x = 1 / signal;
        step->x0_from_output = -spread / signal;
        step->mean_from_x = signal_prev / signal;
        step->mean_from_output = direction - signal_prev * spread / signal;
    }
    return TRUE;
}

gboolean pen_ddim_step_is_stochastic(const PenDdimStep *step)
{
    return step->sd > 0;
}

static inline double guided(const PenModelOutput *output, gsize i)
{
    double cond = output->cond[i];
    if (!output->uncond)
        return cond;
    double uncond = output->uncond[i];
    return uncond + output->guidance * (cond - uncond);
}

/* `factor`: pen_model_output_factor(). */
static inline double mean_at(const PenDdimStep *step, const float *x, const PenModelOutput *output,
                             double factor, gsize i)
{
    return step->mean_from_x * x[i] + step->mean_from_output * factor * guided(output, i);
}

void pen_ddim_advance(const PenDdimStep *step, gsize n, const float *x,
                      const PenModelOutput *output, const float *noise, float *x_next)
{
    g_return_if_fail(noise != NULL || !pen_ddim_step_is_stochastic(step));

    double rescaled = pen_model_output_factor(output, n);
    for (gsize i = 0; i < n; i++) {
        double mean = mean_at(step, x, output, rescaled, i);
        x_next[i] = (float)(step->sd > 0 ? mean + step->sd * noise[i] : mean);
    }
}

void pen_ddim_predict_x0(const PenDdimStep *step, gsize n, const float *x,
                         const PenModelOutput *output, float *x0)
{
    double slope = step->x0_from_output * pen_model_output_factor(output, n);
    for (gsize i = 0; i < n; i++)
        x0[i] = (float)(step->x0_from_x * x[i] + slope * guided(output, i));
}

void pen_ddim_find_output(const PenDdimStep *step, gsize n, const float *x, const float *x0,
                          float *output)
{
    for (gsize i = 0; i < n; i++)
        output[i] = (float)((x0[i] - step->x0_from_x * x[i]) / step->x0_from_output);
}

void pen_ddim_mean(const PenDdimStep *step, gsize n, const float *x, const PenModelOutput *output,
                   float *mean)
{
    double rescaled = pen_model_output_factor(output, n);
    for (gsize i = 0; i < n; i++)
        mean[i] = (float)mean_at(step, x, output, rescaled, i);
}

double pen_ddim_log_prob(const PenDdimStep *step, gsize n, const float *x,
                         const PenModelOutput *output, const float *x_next)
{
    if (!pen_ddim_step_is_stochastic(step))
        return NAN;

    double sum = 0, rescaled = pen_model_output_factor(output, n);
    for (gsize i = 0; i < n; i++) {
        double z = (x_next[i] - mean_at(step, x, output, rescaled, i)) / step->sd;
        sum += z * z;
    }
    return -sum / (2 * (double)n) - log(step->sd) - 0.5 * log(2 * G_PI);
}

void pen_ddim_log_prob_gradient(const PenDdimStep *step, gsize n, const float *x,
                                const PenModelOutput *output, const float *x_next, double factor,
                                float *grad_cond, float *grad_uncond)
{
    g_return_if_fail(grad_uncond == NULL || output->uncond != NULL);

    double scale = 0;
    if (pen_ddim_step_is_stochastic(step))
        scale = factor * step->mean_from_output / ((double)n * step->sd * step->sd);
    double to_cond = output->uncond ? output->guidance : 1;
    double rescaled = pen_model_output_factor(output, n);

    for (gsize i = 0; i < n; i++) {
        double gradient = scale * (x_next[i] - mean_at(step, x, output, rescaled, i));
        grad_cond[i] = (float)(gradient * to_cond);
        if (grad_uncond)
            grad_uncond[i] = (float)(gradient * (1 - to_cond));
    }
    pen_model_output_gradient(output, n, grad_cond, grad_uncond);
}
