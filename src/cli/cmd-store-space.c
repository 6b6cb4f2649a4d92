// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/studio/thinning.h"

static void print_bytes(PenCli *cli, const char *what, guint64 bytes)
{
    g_autofree char *size = g_format_size(bytes);
    pen_cli_print(cli, "%12s  %s", size, what);
}

static gboolean run_size(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    PenSpace space;
    guint64 budget;
    if (!studio || !pen_store_measure(pen_studio_store(studio), 0, &space, error) ||
        !pen_store_get_trajectory_budget(pen_studio_store(studio), &budget, error))
        return FALSE;
    guint64 rounds = space.pictures + space.trajectories + space.others;
    guint64 each = space.rounds ? rounds / space.rounds : 0;
    print_bytes(cli, _("pictures"), space.pictures);
    print_bytes(cli, _("trajectories, from which lessons are taught"), space.trajectories);
    print_bytes(cli, _("what guesses go by, start pictures and masks"), space.others);
    print_bytes(cli, _("styles"), space.styles);
    print_bytes(cli, _("lessons that wait to go on"), space.runs);
    print_bytes(cli, _("database"), space.database);
    g_autofree char *each_text = g_format_size(each);
    pen_cli_print(cli,
                  g_dngettext(GETTEXT_PACKAGE, "%u round keeps %s, %u of them thinned.",
                              "%u rounds keep %s each in the mean, %u of them thinned.", space.rounds),
                  space.rounds, each_text, space.thin);
    g_autofree char *most = g_format_size(budget);
    if (budget)
        pen_cli_print(cli, _("Trajectories may take %s (“penchant store budget”)."), most);
    JsonObject *object = pen_cli_object("size");
    json_object_set_int_member(object, "rounds", space.rounds);
    json_object_set_int_member(object, "thinned", space.thin);
    json_object_set_int_member(object, "pictures", (gint64)space.pictures);
    json_object_set_int_member(object, "trajectories", (gint64)space.trajectories);
    json_object_set_int_member(object, "others", (gint64)space.others);
    json_object_set_int_member(object, "styles", (gint64)space.styles);
    json_object_set_int_member(object, "runs", (gint64)space.runs);
    json_object_set_int_member(object, "database", (gint64)space.database);
    json_object_set_int_member(object, "budget", (gint64)budget);
    pen_cli_emit(cli, object);
    return TRUE;
}

/* "500M", "2.5G", "none". */
static gboolean read_budget(const char *text, guint64 *bytes, GError **error)
{
    static const char units[] = "kMGT";
    char *end;
    double number = g_ascii_strtod(text, &end), unit = 1;
    if (g_str_equal(text, "none")) {
        *bytes = 0;
        return TRUE;
    }
    const char *found = *end ? strchr(units, *end) : NULL;
    for (const char *u = units; found && u <= found; u++)
        unit *= 1000;
    if (found)
        end++;
    if (end == text || g_ascii_strcasecmp(*end ? end : "B", "B") != 0 || !(number * unit >= 1) ||
        number * unit > 1e18)
        return pen_cli_usage_error(error,
                                   _("“%s” is no size: write for example 500M, 20G, or none."), text);
    *bytes = (guint64)(number * unit);
    return TRUE;
}

static gboolean run_budget(PenCli *cli, char **arguments, GError **error)
{
    guint64 budget = 0;
    PenStudio *studio = read_budget(arguments[0], &budget, error) ? pen_cli_studio(cli, error) : NULL;
    PenThinning done = { 0 };
    if (!studio || !pen_store_set_trajectory_budget(pen_studio_store(studio), budget, error) ||
        (budget && !pen_studio_thin(studio, budget, &done, error)))
        return FALSE;
    g_autofree char *most = g_format_size(budget), *freed = g_format_size(done.freed),
                    *left = g_format_size(done.left);
    if (!budget)
        pen_cli_print(cli, _("All trajectories are kept."));
    else if (done.left > budget)
        pen_cli_print(cli, _("Trajectories take %s, more than %s, and none of them can be thinned further."),
                      left, most);
    else
        pen_cli_print(cli, _("Trajectories take %s of %s."), left, most);
    if (done.rounds)
        pen_cli_print(cli,
                      g_dngettext(GETTEXT_PACKAGE, "%u round was thinned, which freed %s.",
                                  "%u rounds were thinned, which freed %s.", done.rounds),
                      done.rounds, freed);
    JsonObject *object = pen_cli_object("result");
    json_object_set_int_member(object, "budget", (gint64)budget);
    json_object_set_int_member(object, "thinned", done.rounds);
    json_object_set_int_member(object, "freed", (gint64)done.freed);
    if (budget)
        json_object_set_int_member(object, "trajectories", (gint64)done.left);
    pen_cli_emit(cli, object);
    return TRUE;
}

const PenCommand pen_command_store_size = {
    .name = "size",
    .summary = N_("Say how many bytes it keeps, and for what"),
    .run = run_size,
};

const PenCommand pen_command_store_budget = {
    .name = "budget",
    .arguments = N_("SIZE"),
    .summary = N_("Say how much trajectories may take: 500M, 20G, or none for no bound"),
    .description = N_(
        "Beyond that the oldest rounds are thinned, now and after each new round: their pictures and picks stay,\n"
        "and of the steps that led to a picture only the last. Lessons as they are taught by default learn the "
        "same\nfrom them."),
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_budget,
};
