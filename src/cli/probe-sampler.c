// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/cli/probe.h"
#include "src/models/model-config.h"
#include "src/models/sampler-config.h"

/* One sampler of the JSON file. */
typedef struct {
    const char *name;
    PenSampling sampling;
    PenSteps *steps;
    PenProbe *probe; /* the tensors in and out */
    guint n_dims;    /* of latents, and of each step's: one more */
    gsize dims[PEN_SAFETENSOR_MAX_DIMS];
    gsize n;       /* floats of latents */
    float *x, *x0; /* [steps + 1, n], [steps, n] */
} Run;

static void run_clear(Run *run)
{
    g_clear_pointer(&run->steps, pen_steps_free);
    g_clear_pointer(&run->x, g_free);
    g_clear_pointer(&run->x0, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

/* What step() is given. */
static gboolean read_arguments(PenJson *arguments, PenSampling *sampling, GError **error)
{
    JsonObject *object = json_node_get_object(pen_json_node(arguments));
    g_autoptr(GList) keys = json_object_get_members(object);
    for (GList *l = keys; l; l = l->next)
        if (!g_str_equal(l->data, "eta"))
            return pen_cli_usage_error(error, _("step has “%s”; only eta is known."),
                                       (const char *)l->data);
    return pen_json_get_double(arguments, "eta", &sampling->eta, error);
}

/* The scheduler's class and configuration, the number of steps, and what step() is given. */
static gboolean read_sampling(PenJson *entry, const char *path, Run *run, GError **error)
{
    g_autofree char *class_name = NULL;
    g_autoptr(PenJson) config = NULL, arguments = NULL;
    g_autoptr(GArray) given = NULL;
    g_autofree int *timesteps = NULL;
    int steps = 0;
    if (!pen_json_require(entry, error, "scheduler", "steps", "config", NULL) ||
        !pen_json_get_string(entry, "scheduler", &class_name, error) ||
        !pen_json_get_int(entry, "steps", 1, 1000000, &steps, error) ||
        !pen_json_get_object(entry, "config", &config, error) ||
        !pen_json_get_object(entry, "step", &arguments, error) ||
        !pen_json_get_doubles(entry, "timesteps", &given, error))
        return FALSE;
    g_autoptr(PenSchedule) schedule = pen_schedule_read(config, path, class_name, error);
    if (!schedule ||
        !pen_sampler_config_read(config, class_name, schedule, &run->sampling, error) ||
        (arguments && !read_arguments(arguments, &run->sampling, error)))
        return FALSE;
    run->sampling.steps = (guint)steps;
    if (given) {
        timesteps = g_new(int, given->len);
        for (guint i = 0; i < given->len; i++)
            timesteps[i] = (int)CLAMP(g_array_index(given, double, i), -1, G_MAXINT);
        run->sampling.steps = given->len;
        run->sampling.timesteps = timesteps;
    }
    run->steps = pen_sampling_steps(&run->sampling, schedule, error);
    return run->steps != NULL;
}

static char *tensor_name(const Run *run, const char *what)
{
    return g_strdup_printf("%s.%s", run->name, what);
}

/* A tensor of each step's latents. */
static float *read_each(Run *run, const char *what, GError **error)
{
    g_autofree char *name = tensor_name(run, what);
    gsize dims[PEN_SAFETENSOR_MAX_DIMS];
    memcpy(dims, run->dims, sizeof dims);
    return pen_probe_read(run->probe, name, run->n_dims + 1, dims, error);
}

static void write_each(Run *run, const char *what, const float *values)
{
    g_autofree char *name = tensor_name(run, what);
    pen_probe_write(run->probe, name, run->n_dims + 1, run->dims, values);
}

/* The latents to begin with, which say how large all are. */
static gboolean read_init(Run *run, GError **error)
{
    g_autofree char *name = tensor_name(run, "init");
    const PenSafetensor *tensor = pen_safetensors_require(run->probe->in, name, error);
    if (!tensor)
        return FALSE;
    if (tensor->n_dims + 1 > PEN_SAFETENSOR_MAX_DIMS)
        return pen_cli_usage_error(error, _("“%s” has too many dimensions."), name);
    run->n_dims = tensor->n_dims;
    run->dims[0] = run->steps->n;
    memcpy(run->dims + 1, tensor->dims, tensor->n_dims * sizeof *run->dims);
    run->n = tensor->n_elements;
    run->x = g_new(float, (run->steps->n + 1) * run->n);
    run->x0 = g_new(float, run->steps->n * run->n);
    return pen_safetensor_to_f32(tensor, run->x, error);
}

/* Files have latents as diffusers keeps them. */
static double diffusers_scale(const Run *run, double alpha)
{
    return pen_method_is_divided(run->sampling.method) ? 1 / alpha : 1;
}

static void take_step(Run *run, guint k, const float *output, const float *noise)
{
    const PenStep *step = &run->steps->step[k];
    const float *x[PEN_STEP_HISTORY] = { 0 }, *x0[PEN_STEP_HISTORY] = { 0 };
    PenModelOutput answer = { .cond = output + k * run->n, .guidance = 1 };
    g_autofree double *offset = g_new(double, run->n);
    pen_step_predict_x0(step, run->n, run->x + k * run->n, &answer, run->x0 + k * run->n);
    for (guint j = 0; j < PEN_STEP_HISTORY && j <= k; j++) {
        x[j] = run->x + (k - j) * run->n;
        x0[j] = run->x0 + (k - j) * run->n;
    }
    pen_step_offset(step, run->n, x, x0, offset);
    pen_step_advance(step, run->n, offset, &answer, noise ? noise + k * run->n : NULL,
                     run->x + (k + 1) * run->n);
}

static gboolean take_steps(Run *run, GError **error)
{
    const PenStep *steps = run->steps->step;
    gboolean stochastic = pen_method_is_stochastic(run->sampling.method, run->sampling.eta);
    if (!read_init(run, error))
        return FALSE;
    g_autofree float *output = read_each(run, "output", error);
    g_autofree float *noise = output && stochastic ? read_each(run, "noise", error) : NULL;
    if (!output || (stochastic && !noise))
        return FALSE;
    double scale = diffusers_scale(run, steps[0].alpha);
    for (gsize i = 0; i < run->n; i++)
        run->x[i] = (float)(run->x[i] / scale);
    for (guint k = 0; k < run->steps->n; k++)
        take_step(run, k, output, noise);
    write_each(run, "model_input", run->x);
    for (guint k = 0; k < run->steps->n; k++) {
        float *after = run->x + (k + 1) * run->n;
        scale = diffusers_scale(run, steps[k].next_alpha);
        for (gsize i = 0; i < run->n; i++)
            after[i] = (float)(after[i] * scale);
    }
    write_each(run, "after", run->x + run->n);
    return TRUE;
}

static gboolean probe_all(PenProbe *probe, PenJson *json, const char *path, GError **error)
{
    JsonObject *object = json_node_get_object(pen_json_node(json));
    g_autoptr(GList) names = json_object_get_members(object);
    for (GList *l = names; l; l = l->next) {
        g_auto(Run) run = { .name = l->data, .probe = probe };
        g_autoptr(PenJson) entry = NULL;
        if (!pen_json_get_object(json, l->data, &entry, error) ||
            !read_sampling(entry, path, &run, error) || !take_steps(&run, error)) {
            g_prefix_error(error, "%s: ", run.name);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean pen_probe_sampler(const char *model G_GNUC_UNUSED, const char *in, const char *out,
                           GError **error)
{
    if (!g_str_has_suffix(in, ".json"))
        return pen_cli_usage_error(
            error, _("For a sampler, --in is a .json file with its .safetensors beside it."));
    g_autofree char *base = g_strndup(in, strlen(in) - strlen(".json"));
    g_autofree char *path = g_strconcat(base, ".safetensors", NULL);
    g_autoptr(PenJson) json = pen_json_load_object(in, error);
    g_autoptr(PenSafetensors) tensors = json ? pen_safetensors_open(path, error) : NULL;
    if (!tensors)
        return FALSE;
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    PenProbe probe = { .in = tensors, .out = writer };
    return probe_all(&probe, json, in, error) && pen_safetensors_writer_save(writer, out, error);
}
