// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>

#include "src/models/model-config-private.h"
#include "src/models/other-families.h"

static const PenFixed scheduler_fixed[] = {
    { "clip_sample", "false" },
    { "thresholding", "false" },
};

static void prefix(GError **error, const char *path, const char *key)
{
    g_autofree char *name = g_filename_display_name(path);
    g_prefix_error(error, "%s: %s: ", name, key);
}

static gboolean get_schedule_names(PenJson *json, const char *path, PenScheduleConfig *config,
                                   GError **error)
{
    g_autofree char *beta = NULL, *prediction = NULL, *spacing = NULL;

    if (!pen_json_get_string(json, "beta_schedule", &beta, error) ||
        !pen_json_get_string(json, "prediction_type", &prediction, error) ||
        !pen_json_get_string(json, "timestep_spacing", &spacing, error))
        return FALSE;
    if (beta && !pen_beta_schedule_from_name(beta, &config->beta_schedule, error)) {
        prefix(error, path, "beta_schedule");
        return FALSE;
    }
    if (prediction && !pen_prediction_from_name(prediction, &config->prediction, error)) {
        prefix(error, path, "prediction_type");
        return FALSE;
    }
    if (spacing && !pen_timestep_spacing_from_name(spacing, &config->spacing, error)) {
        prefix(error, path, "timestep_spacing");
        return FALSE;
    }
    return TRUE;
}

/* What missing keys mean depends on the scheduler. Those that do not know set_alpha_to_one end at
 * abar_0 in Stable Diffusion's own files. */
static void set_scheduler_defaults(const char *class_name, PenScheduleConfig *config)
{
    static const char *const leading[] = { "DDIMScheduler", "PNDMScheduler", "LCMScheduler",
                                           "TCDScheduler", NULL };
    static const char *const to_one[] = { "DDIMScheduler", "LCMScheduler", "TCDScheduler", NULL };
    static const char *const latent_betas[] = { "DPMSolverSDEScheduler", "LCMScheduler",
                                                "TCDScheduler", NULL };
    static const char *const scaled[] = { "LCMScheduler", "TCDScheduler", NULL };

    if (!class_name)
        return;
    if (!g_strv_contains(leading, class_name))
        config->spacing = PEN_SPACING_LINSPACE;
    config->set_alpha_to_one = g_strv_contains(to_one, class_name);
    if (g_strv_contains(latent_betas, class_name)) {
        config->beta_start = 0.00085;
        config->beta_end = 0.012;
    }
    if (g_strv_contains(scaled, class_name))
        config->beta_schedule = PEN_BETA_SCALED_LINEAR;
}

PenSchedule *pen_schedule_read(PenJson *json, const char *path, const char *class_name,
                               GError **error)
{
    PenScheduleConfig config = PEN_SCHEDULE_CONFIG_INIT;
    g_autofree char *named = NULL;
    g_autoptr(GArray) betas = NULL;

    if (!pen_config_check_fixed(json, scheduler_fixed, G_N_ELEMENTS(scheduler_fixed), error) ||
        !pen_json_get_string(json, "_class_name", &named, error))
        return NULL;
    set_scheduler_defaults(class_name ? class_name : named, &config);
    if (!pen_json_get_int(json, "num_train_timesteps", 1, 1000000, &config.num_train_timesteps,
                          error) ||
        !pen_json_get_double(json, "beta_start", &config.beta_start, error) ||
        !pen_json_get_double(json, "beta_end", &config.beta_end, error) ||
        !pen_json_get_doubles(json, "trained_betas", &betas, error) ||
        !pen_json_get_bool(json, "set_alpha_to_one", &config.set_alpha_to_one, error) ||
        !pen_json_get_int(json, "steps_offset", 0, 1000000, &config.steps_offset, error) ||
        !pen_json_get_bool(json, "rescale_betas_zero_snr", &config.rescale_betas_zero_snr, error) ||
        !get_schedule_names(json, path, &config, error))
        return NULL;
    if (betas) {
        config.trained_betas = (const double *)betas->data;
        config.n_trained_betas = betas->len;
    }

    PenSchedule *schedule = pen_schedule_new(&config, error);
    if (!schedule) {
        g_autofree char *name = g_filename_display_name(path);
        g_prefix_error(error, "%s: ", name);
    }
    return schedule;
}

static gboolean check_scheduler(const char *path, const char *class_name, PenJson *json,
                                GError **error)
{
    static const PenFixed fixed[] = { { "use_flow_sigmas", "false" } };
    g_autofree char *timesteps = NULL;
    if (!pen_json_get_string(json, "timestep_type", &timesteps, error))
        return FALSE;
    g_autofree char *other = pen_other_scheduler(class_name, timesteps);
    if (!other)
        return pen_config_check_fixed(json, fixed, G_N_ELEMENTS(fixed), error);
    g_autofree char *name = g_filename_display_name(path);
    g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                _("%s belongs to no model that Penchant runs: %s."), name, other);
    return FALSE;
}

PenSchedule *pen_schedule_load(const char *path, gboolean first_families, char **class_name,
                               GError **error)
{
    g_autoptr(PenJson) json = pen_config_load(path, error);
    JsonObject *object = json ? json_node_get_object(pen_json_node(json)) : NULL;
    if (!json || !pen_json_get_string(json, "_class_name", class_name, error) ||
        !check_scheduler(path, *class_name, json, error))
        return NULL;
    json_object_set_boolean_member(object, "clip_sample", FALSE);
    if (first_families)
        json_object_set_int_member(object, "steps_offset", 1);
    return pen_schedule_read(json, path, NULL, error);
}
