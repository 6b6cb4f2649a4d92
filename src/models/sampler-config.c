// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/sampler-config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/models/model-config.h"

/* diffusers' default of eta in TCDScheduler.step(); the others have none or 0. */
#define TCD_ETA 0.3

/* Settings that change what a scheduler does and that Penchant follows in one value only. Those
 * that are not listed say nothing to the samplers, or are read. */
static const struct {
    const char *key;
    const char *values[4]; /* as JSON writes them */
} followed[] = {
    { "use_exponential_sigmas", { "false" } },
    { "use_beta_sigmas", { "false" } },
    { "use_lu_lambdas", { "false" } },
    { "use_flow_sigmas", { "false" } },
    { "final_sigmas_type", { "\"zero\"" } },
    { "lower_order_final", { "true" } },
    { "interpolation_type", { "\"linear\"" } },
    { "timestep_type", { "\"discrete\"" } },
    { "predict_x0", { "true" } },
    { "disable_corrector", { "[]" } },
    { "original_inference_steps", { "50" } },
    { "timestep_scaling", { "10.0", "10" } },
};

static gboolean unsupported(PenJson *json, const char *key, const char *value, GError **error)
{
    g_autoptr(GError) place = NULL;
    pen_json_set_error(json, key, &place, _("Penchant's samplers do not know “%s”."), value);
    g_set_error_literal(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED, place->message);
    return FALSE;
}

static gboolean check_followed(PenJson *json, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(followed); i++) {
        if (!pen_json_has(json, followed[i].key))
            continue;
        JsonObject *object = json_node_get_object(pen_json_node(json));
        g_autofree char *value =
            json_to_string(json_object_get_member(object, followed[i].key), FALSE);
        gboolean known = FALSE;
        for (guint v = 0; followed[i].values[v]; v++)
            known = known || g_str_equal(value, followed[i].values[v]);
        if (!known)
            return unsupported(json, followed[i].key, value, error);
    }
    return TRUE;
}

/* DPMSolverMultistepScheduler is two samplers; UniPC's kind has a name of its own. */
static gboolean read_solver(PenJson *json, PenSampling *sampling, GError **error)
{
    g_autofree char *algorithm = NULL, *solver = NULL;
    gboolean unipc = g_str_equal(pen_method_id(sampling->method), "unipc");
    if (!pen_json_get_string(json, "algorithm_type", &algorithm, error) ||
        !pen_json_get_string(json, "solver_type", &solver, error))
        return FALSE;
    if (solver && !g_str_equal(solver, unipc ? "bh2" : "midpoint"))
        return unsupported(json, "solver_type", solver, error);
    if (g_strcmp0(algorithm, "sde-dpmsolver++") == 0)
        sampling->method = pen_method_find("dpmpp-2m-sde", NULL, NULL);
    else if (algorithm && !g_str_equal(algorithm, "dpmsolver++"))
        return unsupported(json, "algorithm_type", algorithm, error);
    int order = 0;
    if (!pen_json_get_int(json, "solver_order", 1, 3, &order, error))
        return FALSE;
    sampling->order = (guint)order;
    return TRUE;
}

gboolean pen_sampler_config_read(PenJson *json, const char *class_name, const PenSchedule *schedule,
                                 PenSampling *sampling, GError **error)
{
    sampling->method = pen_method_find(class_name, NULL, error);
    if (!sampling->method)
        return FALSE;
    sampling->spacing = pen_schedule_get_spacing(schedule);
    sampling->eta = g_str_equal(pen_method_id(sampling->method), "tcd") ? TCD_ETA : 0;
    return check_followed(json, error) && read_solver(json, sampling, error) &&
           pen_json_get_bool(json, "use_karras_sigmas", &sampling->karras, error);
}
