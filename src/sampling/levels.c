// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/levels.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#define ABAR_FOR_ZERO 0x1p-24
#define KARRAS_RHO 7.0

static double sigma_of(const PenSchedule *schedule, int t)
{
    double abar = pen_schedule_get_alpha_cumprod(schedule, t);
    if (abar <= 0)
        abar = ABAR_FOR_ZERO;
    return sqrt((1 - abar) / abar);
}

static double sigma_at(const PenSchedule *schedule, double t)
{
    int last = pen_schedule_get_num_train_timesteps(schedule) - 1;
    int below = CLAMP((int)t, 0, last), above = MIN(below + 1, last);
    double part = CLAMP(t - below, 0.0, 1.0);
    return (1 - part) * sigma_of(schedule, below) + part * sigma_of(schedule, above);
}

double pen_levels_timestep_at(const PenSchedule *schedule, double sigma)
{
    int below = 0, above = pen_schedule_get_num_train_timesteps(schedule) - 1;
    if (above == 0)
        return 0;
    while (above - below > 1) {
        int middle = (below + above) / 2;
        if (sigma_of(schedule, middle) <= sigma)
            below = middle;
        else
            above = middle;
    }
    double low = log(sigma_of(schedule, below)), high = log(sigma_of(schedule, above));
    return below + CLAMP((log(sigma) - low) / (high - low), 0.0, 1.0);
}

gboolean pen_levels_check_timesteps(const PenSchedule *schedule, const int *timesteps, guint steps,
                                    GError **error)
{
    int n = pen_schedule_get_num_train_timesteps(schedule);
    for (guint i = 0; i < steps; i++) {
        if (timesteps[i] >= 0 && timesteps[i] < (i > 0 ? timesteps[i - 1] : n))
            continue;
        g_set_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_INVALID,
                    _("Timesteps must fall and lie between %d and 0; %d does not."), n - 1,
                    timesteps[i]);
        return FALSE;
    }
    return TRUE;
}

static gboolean space(const PenSchedule *schedule, const PenLevelsOptions *options,
                      double *timesteps, GError **error)
{
    guint steps = options->steps;
    if (options->timesteps) {
        if (!pen_levels_check_timesteps(schedule, options->timesteps, steps, error))
            return FALSE;
        for (guint i = 0; i < steps; i++)
            timesteps[i] = options->timesteps[i];
        return TRUE;
    }
    // Where the last one is left out, one more is made.
    gboolean one_more = options->multistep && options->spacing != PEN_SPACING_TRAILING;
    guint made = steps + (one_more ? 1 : 0);
    int last = pen_schedule_get_num_train_timesteps(schedule) - 1;
    g_autofree int *whole = g_new(int, made);
    if (!pen_schedule_get_timesteps(schedule, options->spacing, (int)made, whole, error))
        return FALSE;
    for (guint i = 0; i < steps; i++)
        timesteps[i] = options->spacing == PEN_SPACING_LINSPACE && !options->multistep
                           ? last * (double)(steps - 1 - i) / MAX(steps - 1, 1)
                           : whole[i];
    return TRUE;
}

static void spread_as_karras(const PenSchedule *schedule, const PenLevelsOptions *options,
                             PenLevels *levels)
{
    guint n = levels->n;
    int last = pen_schedule_get_num_train_timesteps(schedule) - 1;
    double most = options->multistep ? sigma_of(schedule, last) : levels->sigma[0];
    double least = options->multistep ? sigma_of(schedule, 0) : levels->sigma[n - 1];
    double first = pow(most, 1 / KARRAS_RHO), change = pow(least, 1 / KARRAS_RHO) - first;
    for (guint i = 0; i < n; i++) {
        double sigma = pow(first + change * i / MAX(n - 1, 1), KARRAS_RHO);
        double t = pen_levels_timestep_at(schedule, sigma);
        levels->sigma[i] = sigma;
        levels->timestep[i] = options->multistep ? rint(t) : t;
    }
}

PenLevels *pen_levels_new(const PenSchedule *schedule, const PenLevelsOptions *options,
                          GError **error)
{
    g_return_val_if_fail(options->steps > 0, NULL);
    guint n = options->steps;
    g_autoptr(PenLevels) levels = g_new0(PenLevels, 1);
    levels->n = n;
    levels->timestep = g_new(double, n);
    levels->sigma = g_new0(double, n + 1);
    if (!space(schedule, options, levels->timestep, error))
        return NULL;
    for (guint i = 0; i < n; i++)
        levels->sigma[i] = sigma_at(schedule, levels->timestep[i]);
    if (options->karras && !options->timesteps)
        spread_as_karras(schedule, options, levels);
    return g_steal_pointer(&levels);
}

void pen_levels_free(PenLevels *levels)
{
    if (!levels)
        return;
    g_free(levels->timestep);
    g_free(levels->sigma);
    g_free(levels);
}
