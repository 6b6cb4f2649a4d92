// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "src/sampling/schedule.h"

/**
 * The noise levels that a sampler visits, from noise to picture.
 *
 * A level is sigma = sqrt(1 - abar) / sqrt(abar), the noise for one part of picture, with the
 * timestep at which the model was trained on it. Between two timesteps sigma is interpolated
 * linearly, and a timestep is found for a sigma linearly in log sigma, as k-diffusion and diffusers
 * do. An abar of 0 counts as 2^-24: a schedule with zero terminal SNR begins at sigma 4096.
 *
 * How `steps` levels are spread over the timesteps (PenTimestepSpacing) and what other programs
 * call it:
 *
 *     linspace   "normal": from the largest sigma to the smallest
 *     leading    "DDIM uniform": multiples of T / steps; leaves out the noisiest end
 *     trailing   "SGM uniform": T - 1 downwards; few-step models want it
 *     karras     sigma^(1/7) falls evenly (Karras et al., arXiv:2206.00364, eq. 5) between the
 * first and the last sigma of the spacing
 */
typedef struct {
    PenTimestepSpacing spacing;
    gboolean karras;
    // As diffusers' multistep solvers space: whole timesteps; linspace and leading make one step
    // more and leave the last one out; and Karras goes over all of the schedule's sigmas.
    gboolean multistep;
    guint steps;
    const int *timesteps; // NULL, or [steps] falling: these and no others
} PenLevelsOptions;

typedef struct {
    guint n;
    double *timestep; // [n]
    double *sigma;    // [n + 1], falling to 0
} PenLevels;

// An error if the model has not so many timesteps, or `timesteps` are not falling.
PenLevels *pen_levels_new(const PenSchedule *schedule, const PenLevelsOptions *options,
                          GError **error);
void pen_levels_free(PenLevels *levels);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenLevels, pen_levels_free)

// The timestep, perhaps between two, that is trained on sigma.
double pen_levels_timestep_at(const PenSchedule *schedule, double sigma);

// Whether timesteps[steps] fall and lie in the schedule; else an error.
gboolean pen_levels_check_timesteps(const PenSchedule *schedule, const int *timesteps, guint steps,
                                    GError **error);
