// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "src/sampling/levels.h"
#include "src/sampling/method.h"

/* What a family is. */
struct _PenMethod {
    const char *id, *name;
    const char *aliases[4]; // further names, as pen_method_find() simplifies them; NULL at the end
    PenSpread usual;        // AUTOMATIC: the model's own
    gboolean stochastic, uses_eta;
    gboolean divided;   // pen_method_is_divided()
    gboolean multistep; // PenLevelsOptions
    guint evaluations;  // of a step
    // Fills the table; its steps are zeros.
    gboolean (*fill)(const PenSampling *sampling, const PenSchedule *schedule, PenSteps *steps,
                     GError **error);
};

extern const PenMethod pen_method_ddim, pen_method_euler, pen_method_euler_a, pen_method_dpmpp_2m,
    pen_method_dpmpp_2m_sde, pen_method_dpmpp_sde, pen_method_unipc, pen_method_lcm, pen_method_tcd;

PenLevels *pen_sampling_levels(const PenSampling *sampling, const PenSchedule *schedule,
                               GError **error);

// All of a step but from_x, from_x0 and sd.
void pen_step_init(PenStep *step, const PenSchedule *schedule, double timestep, double alpha,
                   double next_alpha);
void pen_step_init_levels(PenStep *step, const PenSchedule *schedule, double timestep, double s,
                          double next_s);

/**
 * The timesteps that LCM and TCD were distilled on, spread over `steps` of them: of
 * T/50 - 1, 2T/50 - 1, … T - 1 the last and others in even distances below it.
 */
gboolean pen_consistency_timesteps(const PenSampling *sampling, const PenSchedule *schedule,
                                   int *timesteps, GError **error);

// Solves the m x m system in place; the solution is in b. m <= PEN_STEP_HISTORY.
void pen_solve(guint m, double a[PEN_STEP_HISTORY][PEN_STEP_HISTORY], double *b);
