// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "src/sampling/steps.h"

/**
 * The samplers: what one is asked for, and the table of steps (src/sampling/steps.h) that comes of
 * it. Each family has a file of its own beside this one, which says what its step is and whose
 * paper it follows. Numbers are those of diffusers' schedulers, where not said otherwise.
 */
typedef struct _PenMethod PenMethod;

typedef struct {
    const PenMethod *method;
    PenTimestepSpacing spacing; // src/sampling/levels.h says what these three do; LCM and TCD have
    gboolean karras;            // timesteps of their own and take no notice of the first two
    const int *timesteps;       // [steps], or NULL
    guint steps;
    double eta;  // of DDIM and TCD, in [0, 1]: how much of its noise is fresh
    guint order; // of DPM++ 2M, 2M SDE and UniPC, 1 … 3; 0: 2, which is usual
    guint first; // the first step of the table to be taken: pen_method_first_step(); usually 0
} PenSampling;

/* NULL and an error if the model cannot be sampled so. The table has pen_method_evaluations()
 * steps; those before `first` are left empty. */
PenSteps *pen_sampling_steps(const PenSampling *sampling, const PenSchedule *schedule,
                             GError **error);

// How often `steps` of the method ask the model: DPM++ SDE twice a step, once in the last.
guint pen_method_evaluations(const PenMethod *method, guint steps);

/**
 * Image to image: the step of the table at which a picture enters that is to be changed with
 * `strength` in [0, 1]. 1 starts from noise that hides the picture almost entirely; 0 takes the
 * last step only. This is diffusers' get_timesteps().
 */
guint pen_method_first_step(const PenMethod *method, guint steps, double strength);

// Where the sampler's own step begins that `step` of the table belongs to: only these can be the first.
guint pen_method_whole_step(const PenMethod *method, guint step);

// Whether its steps take fresh noise, but perhaps the last one.
gboolean pen_method_is_stochastic(const PenMethod *method, double eta);

// Whether eta says something to it.
gboolean pen_method_uses_eta(const PenMethod *method);

// diffusers keeps its latents as x0 + s noise, and shows the model the s-th of them (PenStep's x).
gboolean pen_method_is_divided(const PenMethod *method);

// --- names ------------------------------------------------------------------------------------

// All, NULL at the end. The first one is DDIM.
const PenMethod *const *pen_methods(void);

const char *pen_method_id(const PenMethod *method);   // for scripts and files: "euler-a"
const char *pen_method_name(const PenMethod *method); // as people know it: "Euler a"

/* The schedule, as people choose it. */
typedef enum {
    PEN_SPREAD_AUTOMATIC,   // what the sampler is usually given
    PEN_SPREAD_NORMAL,      // linspace
    PEN_SPREAD_LEADING,     // leading
    PEN_SPREAD_KARRAS,      // Karras over linspace
    PEN_SPREAD_SGM_UNIFORM, // trailing
    PEN_N_SPREADS
} PenSpread;

const char *pen_spread_id(PenSpread spread);   // "sgm-uniform"
const char *pen_spread_name(PenSpread spread); // "SGM Uniform"

/**
 * Sets the sampling's spacing and karras. Automatic is, for DDIM the spacing that the model's
 * scheduler_config.json names, for the DPM++ samplers Karras, for the others normal; but trailing
 * for a model with zero terminal SNR, whose last timestep must not be left out. A single step is
 * trailing in place of normal and Karras, which would begin at the end.
 */
void pen_sampling_set_spread(PenSampling *sampling, PenSpread spread, const PenSchedule *schedule);

/* Both in one name: "DPM++ 2M Karras", "Euler a"; the schedule is left out where the sampler is usually
 * given it and it is no part of the name that people know. pen_method_find() reads it. */
char *pen_method_full_name(const PenMethod *method, PenSpread spread);

/**
 * A sampler by its id, its name, or what ComfyUI and diffusers call it; case, spaces and
 * punctuation do not matter. `name` may end with a schedule, as in "DPM++ 2M Karras": then *spread
 * is set, else it is left as it is; `spread` may be NULL where a schedule is not allowed. An error
 * that lists the names if there is none.
 */
const PenMethod *pen_method_find(const char *name, PenSpread *spread, GError **error);
gboolean pen_spread_find(const char *name, PenSpread *spread, GError **error);
