// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/schedule.h"

#include <glib/gi18n-lib.h>
#include <math.h>

G_DEFINE_QUARK(pen - schedule - error - quark, pen_schedule_error)

// No published model has more than 1000; the bound keeps a hostile file from asking for gigabytes.
#define MAX_TRAIN_TIMESTEPS 1000000

struct _PenSchedule {
    PenPrediction prediction;
    PenTimestepSpacing spacing;
    int steps_offset;
    int n;
    double final_alpha_cumprod;
    float alphas_cumprod[]; // [n]
};

static gboolean from_name(const char *key, const char *name, const char *const *names, int *value,
                          GError **error)
{
    for (int i = 0; names[i]; i++) {
        if (g_strcmp0(name, names[i]) == 0) {
            *value = i;
            return TRUE;
        }
    }
    g_autofree char *known = g_strjoinv(", ", (char **)names);
    g_set_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_UNSUPPORTED,
                _("The model's scheduler has %s “%s”; Penchant knows only: %s."), key,
                name ? name : "", known);
    return FALSE;
}

gboolean pen_beta_schedule_from_name(const char *name, PenBetaSchedule *value, GError **error)
{
    static const char *const names[] = { "linear", "scaled_linear", "squaredcos_cap_v2", NULL };
    int i;
    if (!from_name("beta_schedule", name, names, &i, error))
        return FALSE;
    *value = (PenBetaSchedule)i;
    return TRUE;
}

gboolean pen_prediction_from_name(const char *name, PenPrediction *value, GError **error)
{
    static const char *const names[] = { "epsilon", "v_prediction", NULL };
    int i;
    if (!from_name("prediction_type", name, names, &i, error))
        return FALSE;
    *value = (PenPrediction)i;
    return TRUE;
}

gboolean pen_timestep_spacing_from_name(const char *name, PenTimestepSpacing *value, GError **error)
{
    static const char *const names[] = { "leading", "trailing", "linspace", NULL };
    int i;
    if (!from_name("timestep_spacing", name, names, &i, error))
        return FALSE;
    *value = (PenTimestepSpacing)i;
    return TRUE;
}

static gboolean invalid(GError **error, const char *key)
{
    g_set_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_INVALID,
                _("The model's scheduler has a value of %s that is out of range; "
                  "check its scheduler_config.json."),
                key);
    return FALSE;
}

static gboolean unsupported(GError **error, const char *key)
{
    g_set_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_UNSUPPORTED,
                _("The model's scheduler sets %s, which is for models that work on pixels; "
                  "Penchant supports only models that work on latents."),
                key);
    return FALSE;
}

static gboolean check_config(const PenScheduleConfig *config, GError **error)
{
    int n = config->num_train_timesteps;

    if (n < 1 || n > MAX_TRAIN_TIMESTEPS)
        return invalid(error, "num_train_timesteps");
    if (config->clip_sample)
        return unsupported(error, "clip_sample");
    if (config->thresholding)
        return unsupported(error, "thresholding");
    if (config->steps_offset < 0 || config->steps_offset >= n)
        return invalid(error, "steps_offset");
    if (config->trained_betas) {
        if (config->n_trained_betas != (gsize)n)
            return invalid(error, "trained_betas");
    } else if (config->beta_schedule != PEN_BETA_SQUAREDCOS_CAP_V2) {
        // Written so that NaN fails too.
        if (!(config->beta_start > 0 && config->beta_start < 1))
            return invalid(error, "beta_start");
        if (!(config->beta_end > 0 && config->beta_end < 1))
            return invalid(error, "beta_end");
    }
    if (config->rescale_betas_zero_snr && config->prediction == PEN_PREDICTION_EPSILON) {
        // The last timestep would be pure noise, from which predicted noise reveals no picture.
        g_set_error_literal(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_UNSUPPORTED,
                            _("The model's scheduler combines rescale_betas_zero_snr with epsilon "
                              "prediction, which cannot work; it needs v_prediction."));
        return FALSE;
    }
    return TRUE;
}

// torch.linspace in float32: from both ends towards the middle.
static float linspace(double start, double end, int n, int i)
{
    float first = (float)start, last = (float)end;
    if (n == 1)
        return first;
    float step = (last - first) / (float)(n - 1);
    return i < n / 2 ? first + step * (float)i : last - step * (float)(n - 1 - i);
}

static double cosine_alpha_bar(double t)
{
    double c = cos((t + 0.008) / 1.008 * G_PI / 2);
    return c * c;
}

static float beta_at(const PenScheduleConfig *config, int i)
{
    int n = config->num_train_timesteps;

    if (config->trained_betas)
        return (float)config->trained_betas[i];
    switch (config->beta_schedule) {
    case PEN_BETA_LINEAR:
        return linspace(config->beta_start, config->beta_end, n, i);
    case PEN_BETA_SCALED_LINEAR: {
        float root = linspace(sqrt(config->beta_start), sqrt(config->beta_end), n, i);
        return root * root;
    }
    case PEN_BETA_SQUAREDCOS_CAP_V2: {
        double ratio = cosine_alpha_bar((i + 1.0) / n) / cosine_alpha_bar((double)i / n);
        return (float)MIN(1 - ratio, 0.999);
    }
    }
    g_return_val_if_reached(0);
}

// Running product of 1 - beta: torch accumulates in double and rounds what it stores.
static void cumulate(float *values, int n, const float *alphas)
{
    double product = 1;
    for (int i = 0; i < n; i++) {
        product *= alphas[i];
        values[i] = (float)product;
    }
}

/*
 * Shifts and scales sqrt(abar) so that it ends at exactly zero and starts where it did
 * (arXiv:2305.08891, algorithm 1), going through betas as diffusers does. `alphas` is changed too.
 */
static void rescale_to_zero_snr(float *abar, int n, float *alphas)
{
    float first = sqrtf(abar[0]), last = sqrtf(abar[n - 1]);
    float scale = first / (first - last);

    for (int i = 0; i < n; i++) {
        float root = (sqrtf(abar[i]) - last) * scale;
        abar[i] = root * root;
    }
    for (int i = n - 1; i >= 0; i--) {
        float beta = 1 - (i > 0 ? abar[i] / abar[i - 1] : abar[0]);
        alphas[i] = 1 - beta;
    }
    cumulate(abar, n, alphas);
}

PenSchedule *pen_schedule_new(const PenScheduleConfig *config, GError **error)
{
    g_return_val_if_fail(config != NULL, NULL);

    if (!check_config(config, error))
        return NULL;

    int n = config->num_train_timesteps;
    g_autofree float *alphas = g_new(float, n);
    g_autoptr(PenSchedule) schedule = g_malloc(sizeof *schedule + (gsize)n * sizeof(float));

    for (int i = 0; i < n; i++) {
        alphas[i] = 1 - beta_at(config, i);
        if (!(alphas[i] > 0 && alphas[i] < 1)) {
            invalid(error, config->trained_betas ? "trained_betas" : "beta_start");
            return NULL;
        }
    }
    cumulate(schedule->alphas_cumprod, n, alphas);
    if (config->rescale_betas_zero_snr) {
        if (n < 2) {
            invalid(error, "num_train_timesteps");
            return NULL;
        }
        rescale_to_zero_snr(schedule->alphas_cumprod, n, alphas);
    } else if (schedule->alphas_cumprod[n - 1] <= 0) {
        // Betas so large that the product underflows would make the sampler divide by zero.
        invalid(error, config->trained_betas ? "trained_betas" : "beta_end");
        return NULL;
    }
    schedule->prediction = config->prediction;
    schedule->spacing = config->spacing;
    schedule->steps_offset = config->steps_offset;
    schedule->n = n;
    schedule->final_alpha_cumprod = config->set_alpha_to_one ? 1 : schedule->alphas_cumprod[0];
    return g_steal_pointer(&schedule);
}

void pen_schedule_free(PenSchedule *schedule)
{
    g_free(schedule);
}

PenPrediction pen_schedule_get_prediction(const PenSchedule *schedule)
{
    return schedule->prediction;
}

PenTimestepSpacing pen_schedule_get_spacing(const PenSchedule *schedule)
{
    return schedule->spacing;
}

gboolean pen_schedule_has_zero_snr(const PenSchedule *schedule)
{
    return schedule->alphas_cumprod[schedule->n - 1] <= 0;
}

int pen_schedule_get_num_train_timesteps(const PenSchedule *schedule)
{
    return schedule->n;
}

double pen_schedule_get_alpha_cumprod(const PenSchedule *schedule, int t)
{
    g_return_val_if_fail(t < schedule->n, 0);
    return t < 0 ? schedule->final_alpha_cumprod : schedule->alphas_cumprod[t];
}

void pen_schedule_set_steps_error(int steps, int most, GError **error)
{
    g_set_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_INVALID,
                _("%d steps are not possible with this model; choose 1 to %d."), steps, most);
}

gboolean pen_schedule_get_timesteps(const PenSchedule *schedule, PenTimestepSpacing spacing,
                                    int steps, int *timesteps, GError **error)
{
    int n = schedule->n;

    if (steps < 1 || steps > n) {
        pen_schedule_set_steps_error(steps, n, error);
        return FALSE;
    }
    for (int i = 0; i < steps; i++) {
        // rint() rounds halves to even, as numpy does.
        switch (spacing) {
        case PEN_SPACING_LEADING:
            timesteps[i] = (steps - 1 - i) * (n / steps) + schedule->steps_offset;
            break;
        case PEN_SPACING_TRAILING: {
            // numpy.arange() steps by the rounded difference of its first two elements.
            double delta = (n - (double)n / steps) - n;
            timesteps[i] = (int)rint(n + i * delta) - 1;
            break;
        }
        case PEN_SPACING_LINSPACE:
            // numpy.linspace() sets its last element, which is our first, exactly.
            timesteps[i] = i == 0 && steps > 1
                               ? n - 1
                               : (int)rint((steps - 1 - i) * ((n - 1.0) / MAX(steps - 1, 1)));
            break;
        }
    }
    if (timesteps[0] >= n) {
        g_set_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_INVALID,
                    _("%d steps leave this model's range of timesteps; choose fewer steps."),
                    steps);
        return FALSE;
    }
    return TRUE;
}
