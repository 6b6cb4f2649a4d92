// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/few-steps.h"

#include <glib/gi18n-lib.h>
#include <string.h>

/* Most Turbo and Lightning models that are mixed with others are recommended with it. */
const PenFewSteps pen_few_steps_any = {
    .name = N_("few steps"), .sampler = "DPM++ SDE Karras", .steps = 5, .guidance = 1, .eta = 1
};

/* Kinds as their authors describe them; what is more special stands first. The steps are those
 * where a name says none. Patterns are looked for in names as they are written: letters' case tells
 * words apart in "dreamshaperLCM". */
typedef struct {
    const char *model, *adapter; /* regular expressions; NULL: there is none of that form */
    PenFewSteps few;
} Kind;

#define HYPER_MODEL "(?:(?i:hyper[-_ ]?sd)|[Hh]yper(?![-_ ]?[Rr]eal)(?=[A-Z0-9_.-]|$)|HYPER)"
#define HYPER_ADAPTER "(?i:hyper[-_ ]?sd)"

static const Kind kinds[] = {
    /* Yin et al., arXiv:2405.14867: trained on these timesteps and no others. */
    { "(?i)dmd2?.*1[-_ ]?step", NULL, { "DMD2", "LCM", 1, { 399 }, 1, 0 } },
    { "(?i)dmd2", "(?i)dmd2", { "DMD2", "LCM", 4, { 999, 749, 499, 249 }, 1, 0 } },
    /* Ren et al., arXiv:2404.13686. Its model of one step draws from one timestep; its adapter of
     * one step is a trajectory consistency model for any number; those called CFG keep their
     * guidance. */
    { HYPER_MODEL ".*(?i:1[-_ ]?step)", NULL, { "Hyper-SD", "LCM", 1, { 800 }, 1, 0 } },
    { NULL, HYPER_ADAPTER ".*(?i:[-_ ]1[-_ ]?step)", { "Hyper-SD", "TCD", 4, { 0 }, 1, 1 } },
    { HYPER_MODEL ".*(?i:cfg)",
      HYPER_ADAPTER ".*(?i:cfg)",
      { N_("Hyper-SD with guidance"), "DDIM SGM Uniform", 8, { 0 }, 5, 0 } },
    { HYPER_MODEL, HYPER_ADAPTER, { "Hyper-SD", "DDIM SGM Uniform", 8, { 0 }, 1, 0 } },
    /* Lin et al., arXiv:2402.13929. */
    { "(?i)lightning",
      "(?i)sdxl[-_ ]?lightning|lightning.*step",
      { "Lightning", "Euler SGM Uniform", 4, { 0 }, 1, 0 } },
    /* Sauer et al., arXiv:2311.17042. */
    { "(?i)turbo",
      "(?i)(sd|xl)[-_ ]?turbo|turbo.*step",
      { "Turbo", "Euler a SGM Uniform", 4, { 0 }, 1, 0 } },
    { "(?<![A-Za-z])tcd(?![a-z])|TCD",
      "(?<![A-Za-z])tcd(?![a-z])|TCD",
      { "TCD", "TCD", 4, { 0 }, 1, 0.3 } },
    { "(?<![A-Za-z])lcm(?![a-z])|LCM",
      "(?<![A-Za-z])lcm(?![a-z])|LCM",
      { "LCM", "LCM", 4, { 0 }, 1, 0 } },
};

static const PenFewSteps *kind_named(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_equal(kinds[i].few.name, name))
            return &kinds[i].few;
    g_return_val_if_reached(NULL);
}

/* Where the timesteps are not given, a name says how many steps: "4step", "8-Steps". */
static void read_steps(const char *name, PenFewSteps *few)
{
    g_autoptr(GRegex) regex = g_regex_new("(?i)(\\d{1,2})[-_ ]?step", 0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    if (few->timesteps[0] || g_str_equal(few->sampler, "TCD") ||
        !g_regex_match(regex, name, 0, &match))
        return;
    g_autofree char *digits = g_match_info_fetch(match, 1);
    guint64 steps = g_ascii_strtoull(digits, NULL, 10);
    if (steps >= 1 && steps <= 16)
        few->steps = (guint)steps;
}

static gboolean by_name(const char *name, gboolean adapter, PenFewSteps *few)
{
    for (gsize i = 0; name && i < G_N_ELEMENTS(kinds); i++) {
        const char *pattern = adapter ? kinds[i].adapter : kinds[i].model;
        if (!pattern || !g_regex_match_simple(pattern, name, 0, 0))
            continue;
        *few = kinds[i].few;
        read_steps(name, few);
        return TRUE;
    }
    return FALSE;
}

/* The name that a person gave: the file's or folder's, or where a tool gave that, the one around
 * it. */
static char *own_name(const char *path)
{
    static const char *const tools[] = { "pytorch_lora_weights", "adapter_model", "model",
                                         "diffusion_pytorch_model", NULL };
    g_autofree char *base = g_path_get_basename(path);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *around = g_path_get_basename(folder);
    g_autofree char *stem = g_strndup(base, strcspn(base, "."));
    if (g_strv_contains(tools, stem))
        return g_str_equal(around, base) ? g_strdup(base) : own_name(folder);
    if (!g_str_equal(around, "snapshots"))
        return g_strdup(base);
    g_autofree char *repository = g_path_get_dirname(folder);
    return g_path_get_basename(repository);
}

static gboolean find(const char *path, const PenSafetensors *file, gboolean adapter,
                     PenFewSteps *few)
{
    static const char *const keys[] = { "modelspec.title", "ss_output_name" };
    g_autofree char *name = own_name(path);
    if (by_name(name, adapter, few))
        return TRUE;
    for (gsize i = 0; file && i < G_N_ELEMENTS(keys); i++)
        if (by_name(pen_safetensors_metadata(file, keys[i]), adapter, few))
            return TRUE;
    return FALSE;
}

gboolean pen_few_steps_of_model(const char *path, const PenSafetensors *file, PenFewSteps *few)
{
    return find(path, file, FALSE, few);
}

gboolean pen_few_steps_of_adapter(const char *path, const PenSafetensors *file, PenFewSteps *few)
{
    return find(path, file, TRUE, few);
}

gboolean pen_few_steps_of_scheduler(const char *class_name, PenTimestepSpacing spacing,
                                    PenFewSteps *few)
{
    const char *name = NULL;
    if (g_strcmp0(class_name, "LCMScheduler") == 0)
        name = "LCM";
    else if (g_strcmp0(class_name, "TCDScheduler") == 0)
        name = "TCD";
    else if (g_strcmp0(class_name, "EulerAncestralDiscreteScheduler") == 0 &&
             spacing == PEN_SPACING_TRAILING)
        name = "Turbo";
    if (name)
        *few = *kind_named(name);
    return name != NULL;
}

char *pen_few_steps_describe(const PenFewSteps *few)
{
    return g_strdup_printf(g_dngettext(GETTEXT_PACKAGE, "%s: %s, %u step, guidance %g",
                                       "%s: %s, %u steps, guidance %g", few->steps),
                           _(few->name), few->sampler, few->steps, few->guidance);
}
