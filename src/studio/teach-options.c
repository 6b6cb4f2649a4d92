// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>

#include "src/studio/teach-options.h"

/* What no one would give. */
#define NO_COUNT G_MININT
#define NO_NUMBER (-G_MAXDOUBLE)

static char *preset, *hindsight, *guided, *afresh, *falling_rate, *one_pair, *word;
static int epochs = NO_COUNT, timesteps_per_update = NO_COUNT, updates = NO_COUNT;
static double learning_rate = NO_NUMBER, beta = NO_NUMBER, clip = NO_NUMBER,
              loser_weight = NO_NUMBER, timestep_fraction = NO_NUMBER;
static gboolean new_only;

static const GOptionEntry entries[] = {
    { "preset", 0, 0, G_OPTION_ARG_STRING, &preset,
      N_("Settings for a few picks, or those of the published script for thousands"), "few|paper" },
    { "epochs", 0, 0, G_OPTION_ARG_INT, &epochs, N_("How often each pick is learnt"), "N" },
    { "learning-rate", 0, 0, G_OPTION_ARG_DOUBLE, &learning_rate, N_("Of AdamW"), N_("X") },
    { "beta", 0, 0, G_OPTION_ARG_DOUBLE, &beta, N_("How closely the style stays to the bare model"),
      N_("X") },
    { "clip", 0, 0, G_OPTION_ARG_DOUBLE, &clip,
      N_("Bound of the probability ratios, 1 ± X; 0: none"), N_("X") },
    { "loser-weight", 0, 0, G_OPTION_ARG_DOUBLE, &loser_weight,
      N_("How much the pictures that lost repel; those that won attract by 1"), N_("X") },
    { "timestep-fraction", 0, 0, G_OPTION_ARG_DOUBLE, &timestep_fraction,
      N_("Share of the sampling steps that each epoch learns from, up to 1"), N_("X") },
    { "timesteps-per-update", 0, 0, G_OPTION_ARG_INT, &timesteps_per_update,
      N_("So many of a round's sampling steps change the style at once; 0: all"), "N" },
    { "hindsight", 0, 0, G_OPTION_ARG_STRING, &hindsight,
      N_("Whether the finished picture, not the noise of its making, tells what a step was good for"),
      "on|off" },
    { "guided", 0, 0, G_OPTION_ARG_STRING, &guided,
      N_("Whether the model is taught as guidance mixes it, or each part of the mixture by itself"),
      "on|off" },
    { "afresh", 0, 0, G_OPTION_ARG_STRING, &afresh,
      N_("Whether a lesson begins at the bare model, or goes on from the style's version"), "on|off" },
    { "updates", 0, 0, G_OPTION_ARG_INT, &updates,
      N_("About how often the style changes in an epoch, whatever the number of picks; 0: as often as "
         "the picks say"),
      "N" },
    { "falling-rate", 0, 0, G_OPTION_ARG_STRING, &falling_rate,
      N_("Whether the learning rate rises at first and falls to 0 in the course of the lesson"),
      "on|off" },
    { "one-pair", 0, 0, G_OPTION_ARG_STRING, &one_pair,
      N_("Whether a change of the style is about one pair of a round, drawn anew each time, or about "
         "all"),
      "on|off" },
    { "word", 0, 0, G_OPTION_ARG_STRING, &word,
      N_("Whether a lesson that begins at the bare model looks for a word that the prompts could have had, "
         "or changes all of its attention"),
      "on|off" },
    { "new-only", 0, 0, G_OPTION_ARG_NONE, &new_only,
      N_("Learn only picks that the style has not learnt yet"), NULL },
    G_OPTION_ENTRY_NULL,
};

/* What a given value sets, and its range. */
static const struct {
    const char *option;
    const double *value;
    gsize offset;
    double min, max;
} numbers[] = {
    { "--learning-rate", &learning_rate, G_STRUCT_OFFSET(PenD3poConfig, learning_rate), 0, 1 },
    { "--beta", &beta, G_STRUCT_OFFSET(PenD3poConfig, beta), 0, 1e6 },
    { "--clip", &clip, G_STRUCT_OFFSET(PenD3poConfig, clip), 0, 1e6 },
    { "--loser-weight", &loser_weight, G_STRUCT_OFFSET(PenD3poConfig, loser_weight), 0, 1 },
    { "--timestep-fraction", &timestep_fraction, G_STRUCT_OFFSET(PenD3poConfig, timestep_fraction),
      1e-3, 1 },
};

static const struct {
    const char *option;
    const int *value;
    gsize offset;
    int min, max;
} counts[] = {
    { "--epochs", &epochs, G_STRUCT_OFFSET(PenD3poConfig, epochs), 1, 10000 },
    { "--timesteps-per-update", &timesteps_per_update,
      G_STRUCT_OFFSET(PenD3poConfig, timesteps_per_update), 0, 1000 },
    { "--updates", &updates, G_STRUCT_OFFSET(PenD3poConfig, updates), 0, 1000000 },
};

static const struct {
    const char *option;
    char *const *value;
    gsize offset;
} switches[] = {
    { "--hindsight", &hindsight, G_STRUCT_OFFSET(PenD3poConfig, hindsight) },
    { "--guided", &guided, G_STRUCT_OFFSET(PenD3poConfig, guided) },
    { "--afresh", &afresh, G_STRUCT_OFFSET(PenD3poConfig, afresh) },
    { "--falling-rate", &falling_rate, G_STRUCT_OFFSET(PenD3poConfig, falling_rate) },
    { "--one-pair", &one_pair, G_STRUCT_OFFSET(PenD3poConfig, one_pair) },
    { "--word", &word, G_STRUCT_OFFSET(PenD3poConfig, word) },
};

const GOptionEntry *pen_teach_options_entries(void)
{
    return entries;
}

static gboolean refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static gboolean refuse(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (error)
        *error = g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, arguments);
    va_end(arguments);
    return FALSE;
}

gboolean pen_teach_options_read(PenTeachSettings *settings, GError **error)
{
    if (preset && !g_str_equal(preset, "few") && !g_str_equal(preset, "paper"))
        return refuse(error, _("--preset is few or paper, not “%s”."), preset);
    pen_teach_settings_init(settings, g_strcmp0(preset, "paper") == 0);
    settings->only_new = new_only;
    PenD3poConfig *d3po = &settings->d3po;
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
        double value = *numbers[i].value;
        if (value == NO_NUMBER)
            continue;
        if (!(value >= numbers[i].min && value <= numbers[i].max))
            return refuse(error, _("%s is from %g to %g, not %g."), numbers[i].option,
                          numbers[i].min, numbers[i].max, value);
        G_STRUCT_MEMBER(double, d3po, numbers[i].offset) = value;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(counts); i++) {
        int value = *counts[i].value;
        if (value == NO_COUNT)
            continue;
        if (value < counts[i].min || value > counts[i].max)
            return refuse(error, _("%s is from %d to %d, not %d."), counts[i].option, counts[i].min,
                          counts[i].max, value);
        G_STRUCT_MEMBER(guint, d3po, counts[i].offset) = (guint)value;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(switches); i++) {
        const char *value = *switches[i].value;
        if (value && !g_str_equal(value, "on") && !g_str_equal(value, "off"))
            return refuse(error, _("%s is on or off, not “%s”."), switches[i].option, value);
        if (value)
            G_STRUCT_MEMBER(gboolean, d3po, switches[i].offset) = g_str_equal(value, "on");
    }
    return TRUE;
}

gboolean pen_teach_options_given(void)
{
    gboolean any = preset || new_only;
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        any |= *numbers[i].value != NO_NUMBER;
    for (gsize i = 0; i < G_N_ELEMENTS(counts); i++)
        any |= *counts[i].value != NO_COUNT;
    for (gsize i = 0; i < G_N_ELEMENTS(switches); i++)
        any |= *switches[i].value != NULL;
    return any;
}
