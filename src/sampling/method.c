// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/sampling/method-private.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

static const PenMethod *const methods[] = {
    &pen_method_ddim,         &pen_method_euler,
    &pen_method_euler_a,      &pen_method_dpmpp_2m,
    &pen_method_dpmpp_2m_sde, &pen_method_dpmpp_sde,
    &pen_method_unipc,        &pen_method_lcm,
    &pen_method_tcd,          NULL,
};

static const struct {
    const char *id, *name;
    const char *aliases[4]; // simplified
    PenTimestepSpacing spacing;
    gboolean karras;
} spreads[PEN_N_SPREADS] = {
    [PEN_SPREAD_AUTOMATIC] = { "automatic", "Automatic", { "auto" }, PEN_SPACING_LINSPACE, FALSE },
    [PEN_SPREAD_NORMAL] = { "normal",
                            "Normal",
                            { "linspace", "uniform" },
                            PEN_SPACING_LINSPACE,
                            FALSE },
    [PEN_SPREAD_LEADING] = { "leading", "Leading", { "ddimuniform" }, PEN_SPACING_LEADING, FALSE },
    [PEN_SPREAD_KARRAS] = { "karras", "Karras", { NULL }, PEN_SPACING_LINSPACE, TRUE },
    [PEN_SPREAD_SGM_UNIFORM] = { "sgm-uniform",
                                 "SGM Uniform",
                                 { "trailing" },
                                 PEN_SPACING_TRAILING,
                                 FALSE },
};

// --- tables -----------------------------------------------------------------------------------

PenSteps *pen_sampling_steps(const PenSampling *sampling, const PenSchedule *schedule,
                             GError **error)
{
    int most = pen_schedule_get_num_train_timesteps(schedule);
    if (sampling->steps < 1 || sampling->steps > (guint)most) {
        pen_schedule_set_steps_error((int)MIN(sampling->steps, G_MAXINT), most, error);
        return NULL;
    }
    if (!(sampling->eta >= 0 && sampling->eta <= 1)) {
        g_set_error_literal(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_INVALID,
                            _("Eta must lie between 0 and 1."));
        return NULL;
    }
    if (sampling->order > 3) {
        g_set_error_literal(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_INVALID,
                            _("A sampler's order must be 1, 2 or 3."));
        return NULL;
    }
    g_autoptr(PenSteps) steps = g_new0(PenSteps, 1);
    steps->n = pen_method_evaluations(sampling->method, sampling->steps);
    steps->step = g_new0(PenStep, steps->n);
    g_return_val_if_fail(sampling->first < steps->n, NULL);
    if (!sampling->method->fill(sampling, schedule, steps, error))
        return NULL;
    const PenStep *first = &steps->step[sampling->first];
    steps->noise_scale =
        sampling->method->divided && sampling->spacing != PEN_SPACING_LEADING ? first->sigma : 1;
    return g_steal_pointer(&steps);
}

guint pen_method_evaluations(const PenMethod *method, guint steps)
{
    return method->evaluations * (steps - 1) + 1;
}

guint pen_method_first_step(const PenMethod *method, guint steps, double strength)
{
    // The tiny term keeps a product like 10 * 0.7 from losing a step to rounding.
    guint taken = (guint)(steps * CLAMP(strength, 0.0, 1.0) + 1e-9);
    return method->evaluations * (steps - MAX(taken, 1));
}

guint pen_method_whole_step(const PenMethod *method, guint step)
{
    return step - step % method->evaluations;
}

gboolean pen_method_is_stochastic(const PenMethod *method, double eta)
{
    return method->stochastic || (method->uses_eta && eta > 0);
}

gboolean pen_method_uses_eta(const PenMethod *method)
{
    return method->uses_eta;
}

gboolean pen_method_is_divided(const PenMethod *method)
{
    return method->divided;
}

// --- for the families -------------------------------------------------------------------------

PenLevels *pen_sampling_levels(const PenSampling *sampling, const PenSchedule *schedule,
                               GError **error)
{
    PenLevelsOptions options = {
        .spacing = sampling->spacing,
        .karras = sampling->karras,
        .multistep = sampling->method->multistep,
        .steps = sampling->steps,
        .timesteps = sampling->timesteps,
    };
    return pen_levels_new(schedule, &options, error);
}

void pen_step_init(PenStep *step, const PenSchedule *schedule, double timestep, double alpha,
                   double next_alpha)
{
    double a = alpha * alpha, a_next = next_alpha * next_alpha;
    step->timestep = timestep;
    step->alpha = alpha;
    step->sigma = sqrt(1 - a);
    step->next_alpha = next_alpha;
    step->next_sigma = sqrt(1 - a_next);
    if (pen_schedule_get_prediction(schedule) == PEN_PREDICTION_V) {
        step->x0_from_x = alpha;
        step->x0_from_output = -step->sigma;
    } else {
        step->x0_from_x = 1 / alpha;
        step->x0_from_output = -step->sigma / alpha;
    }
}

void pen_step_init_levels(PenStep *step, const PenSchedule *schedule, double timestep, double s,
                          double next_s)
{
    pen_step_init(step, schedule, timestep, 1 / sqrt(1 + s * s), 1 / sqrt(1 + next_s * next_s));
}

void pen_solve(guint m, double a[PEN_STEP_HISTORY][PEN_STEP_HISTORY], double *b)
{
    for (guint i = 0; i < m; i++)
        for (guint row = 0; row < m; row++) {
            double factor = a[row][i] / a[i][i];
            for (guint j = 0; row != i && j < m; j++)
                a[row][j] -= factor * a[i][j];
            b[row] -= row != i ? factor * b[i] : 0;
        }
    for (guint i = 0; i < m; i++)
        b[i] /= a[i][i];
}

// --- names ------------------------------------------------------------------------------------

const PenMethod *const *pen_methods(void)
{
    return methods;
}

const char *pen_method_id(const PenMethod *method)
{
    return method->id;
}

const char *pen_method_name(const PenMethod *method)
{
    return method->name;
}

const char *pen_spread_id(PenSpread spread)
{
    return spreads[spread].id;
}

const char *pen_spread_name(PenSpread spread)
{
    return spreads[spread].name;
}

void pen_sampling_set_spread(PenSampling *sampling, PenSpread spread, const PenSchedule *schedule)
{
    if (spread == PEN_SPREAD_AUTOMATIC)
        spread =
            pen_schedule_has_zero_snr(schedule) ? PEN_SPREAD_SGM_UNIFORM : sampling->method->usual;
    if (sampling->steps == 1 && (spread == PEN_SPREAD_NORMAL || spread == PEN_SPREAD_KARRAS))
        spread = PEN_SPREAD_SGM_UNIFORM;
    sampling->spacing = spread == PEN_SPREAD_AUTOMATIC ? pen_schedule_get_spacing(schedule)
                                                       : spreads[spread].spacing;
    sampling->karras = spreads[spread].karras;
}

char *pen_method_full_name(const PenMethod *method, PenSpread spread)
{
    if (spread == PEN_SPREAD_AUTOMATIC)
        spread = method->usual;
    gboolean plain = spread == PEN_SPREAD_AUTOMATIC ||
                     (spread == PEN_SPREAD_NORMAL && method->usual == PEN_SPREAD_NORMAL);
    return plain ? g_strdup(method->name)
                 : g_strdup_printf("%s %s", method->name, spreads[spread].name);
}

// "DPM++ 2M", "dpmpp_2m" and "dpmpp-2m" are one name.
static char *simplify(const char *name)
{
    GString *simple = g_string_new(NULL);
    for (const char *c = name; *c; c++) {
        if (*c == '+')
            g_string_append_c(simple, 'p');
        else if (g_ascii_isalnum(*c))
            g_string_append_c(simple, g_ascii_tolower(*c));
    }
    return g_string_free(simple, FALSE);
}

static gboolean is_named(const char *simple, const char *id, const char *name,
                         const char *const aliases[4])
{
    g_autofree char *simple_id = simplify(id), *simple_name = simplify(name);
    gboolean is = g_str_equal(simple, simple_id) || g_str_equal(simple, simple_name);
    for (guint i = 0; !is && i < 4 && aliases[i]; i++)
        is = g_str_equal(simple, aliases[i]);
    return is;
}

static gboolean find_spread(const char *simple, PenSpread *spread)
{
    for (guint i = 0; i < PEN_N_SPREADS; i++)
        if (is_named(simple, spreads[i].id, spreads[i].name, spreads[i].aliases)) {
            *spread = (PenSpread)i;
            return TRUE;
        }
    return FALSE;
}

static const PenMethod *find_method(const char *simple)
{
    for (guint i = 0; methods[i]; i++)
        if (is_named(simple, methods[i]->id, methods[i]->name, methods[i]->aliases))
            return methods[i];
    return NULL;
}

const PenMethod *pen_method_find(const char *name, PenSpread *spread, GError **error)
{
    g_autofree char *simple = simplify(name);
    const PenMethod *found = find_method(simple);
    for (gsize cut = strlen(simple); !found && spread && cut-- > 1;) {
        g_autofree char *front = g_strndup(simple, cut);
        PenSpread back;
        if (find_spread(simple + cut, &back) && (found = find_method(front)) != NULL)
            *spread = back;
    }
    if (!found) {
        g_autoptr(GString) known = g_string_new(NULL);
        for (guint i = 0; methods[i]; i++)
            g_string_append_printf(known, "%s%s", i ? ", " : "", methods[i]->name);
        g_set_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_UNSUPPORTED,
                    _("There is no sampler “%s”. There are: %s."), name, known->str);
    }
    return found;
}

gboolean pen_spread_find(const char *name, PenSpread *spread, GError **error)
{
    g_autofree char *simple = simplify(name);
    if (find_spread(simple, spread))
        return TRUE;
    g_autoptr(GString) known = g_string_new(NULL);
    for (guint i = 0; i < PEN_N_SPREADS; i++)
        g_string_append_printf(known, "%s%s", i ? ", " : "", spreads[i].name);
    g_set_error(error, PEN_SCHEDULE_ERROR, PEN_SCHEDULE_ERROR_UNSUPPORTED,
                _("There is no schedule “%s”. There are: %s."), name, known->str);
    return FALSE;
}
