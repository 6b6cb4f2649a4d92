// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

/**
 * The noise schedule of a diffusion model, and the timesteps a sampler visits.
 *
 * A model is trained on x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise for t = 0 … T-1, where
 * abar_t ("alphas_cumprod") falls from nearly 1 to nearly 0. A sampler with N steps visits N of the
 * T timesteps, from noise (large t) to picture.
 *
 * Names, defaults and numbers are those of diffusers' DDIMScheduler and its scheduler_config.json.
 * diffusers computes in float32, and near t = 0 the sampler's standard deviation is a difference of
 * numbers close to one; so betas, alphas and their running product are rounded to float32 in the
 * same places here (agreement: 1e-7), and everything derived from them is computed in double.
 */

typedef enum {
    PEN_BETA_LINEAR,            // "linear": beta rises linearly
    PEN_BETA_SCALED_LINEAR,     // "scaled_linear": sqrt(beta) rises linearly (Stable Diffusion)
    PEN_BETA_SQUAREDCOS_CAP_V2, // "squaredcos_cap_v2": abar is a squared cosine
} PenBetaSchedule;

typedef enum {
    PEN_PREDICTION_EPSILON, // "epsilon": the model predicts the noise
    PEN_PREDICTION_V,       // "v_prediction": sqrt(abar) noise - sqrt(1 - abar) x_0
} PenPrediction;

// Table 2 of "Common Diffusion Noise Schedules and Sample Steps are Flawed" (arXiv:2305.08891).
typedef enum {
    PEN_SPACING_LEADING,  // "leading": multiples of T/N, plus steps_offset
    PEN_SPACING_TRAILING, // "trailing": T-1 downwards
    PEN_SPACING_LINSPACE, // "linspace": both ends included
} PenTimestepSpacing;

/**
 * The values of a scheduler_config.json; start from PEN_SCHEDULE_CONFIG_INIT, which holds
 * diffusers' defaults for absent keys, with one exception: clip_sample is off, because clipping
 * latents is meant for models that work on pixels.
 */
typedef struct {
    int num_train_timesteps; // T
    double beta_start;
    double beta_end;
    PenBetaSchedule beta_schedule;
    // NULL, or num_train_timesteps values in place of the three above. Read in pen_schedule_new().
    const double *trained_betas;
    gsize n_trained_betas;
    PenPrediction prediction;
    gboolean set_alpha_to_one; // what abar is before t = 0: 1, or abar_0
    int steps_offset;
    PenTimestepSpacing spacing;
    gboolean rescale_betas_zero_snr;
    gboolean clip_sample;  // TRUE is refused
    gboolean thresholding; // TRUE is refused
} PenScheduleConfig;

#define PEN_SCHEDULE_CONFIG_INIT                                                                   \
    { .num_train_timesteps = 1000,                                                                 \
      .beta_start = 0.0001,                                                                        \
      .beta_end = 0.02,                                                                            \
      .beta_schedule = PEN_BETA_LINEAR,                                                            \
      .prediction = PEN_PREDICTION_EPSILON,                                                        \
      .set_alpha_to_one = TRUE,                                                                    \
      .spacing = PEN_SPACING_LEADING }

typedef enum {
    PEN_SCHEDULE_ERROR_UNSUPPORTED, // the configuration asks for something Penchant does not do
    PEN_SCHEDULE_ERROR_INVALID,     // a value is out of range
} PenScheduleError;

#define PEN_SCHEDULE_ERROR (pen_schedule_error_quark())
GQuark pen_schedule_error_quark(void);

// The enums' names as a scheduler_config.json writes them. FALSE and an error for any other name.
gboolean pen_beta_schedule_from_name(const char *name, PenBetaSchedule *value, GError **error);
gboolean pen_prediction_from_name(const char *name, PenPrediction *value, GError **error);
gboolean pen_timestep_spacing_from_name(const char *name, PenTimestepSpacing *value,
                                        GError **error);

typedef struct _PenSchedule PenSchedule;

// Checks `config` and computes the schedule. NULL and an error if it is invalid or unsupported.
PenSchedule *pen_schedule_new(const PenScheduleConfig *config, GError **error);
void pen_schedule_free(PenSchedule *schedule);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenSchedule, pen_schedule_free)

PenPrediction pen_schedule_get_prediction(const PenSchedule *schedule);
PenTimestepSpacing pen_schedule_get_spacing(const PenSchedule *schedule);
gboolean pen_schedule_has_zero_snr(const PenSchedule *schedule); // abar ends at 0
int pen_schedule_get_num_train_timesteps(const PenSchedule *schedule);

// abar_t; the abar before t = 0 ("final_alpha_cumprod") for a negative t. t < num_train_timesteps.
double pen_schedule_get_alpha_cumprod(const PenSchedule *schedule, int t);

/**
 * Fills `timesteps[steps]`, falling, spread as `spacing` says. An error if `steps` is not in 1 … num_train_timesteps, or if
 * the spacing would leave the range of trained timesteps (leading, with an offset and as many steps
 * as timesteps).
 */
gboolean pen_schedule_get_timesteps(const PenSchedule *schedule, PenTimestepSpacing spacing,
                                    int steps, int *timesteps, GError **error);

// The sentence that `steps` are too many where at most `most` are possible.
void pen_schedule_set_steps_error(int steps, int most, GError **error);
