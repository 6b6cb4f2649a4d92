// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>

#include "src/cli/cli.h"
#include "src/studio/repair.h"

static void report(PenCli *cli, const PenRepair *repair, const char *what)
{
    JsonObject *object = pen_cli_object("result");
    json_object_set_string_member(object, "done", what);
    if (repair->moved_to)
        json_object_set_string_member(object, "moved_to", repair->moved_to);
    json_object_set_int_member(object, "rounds", repair->restored);
    json_object_set_int_member(object, "unreadable", repair->unreadable);
    json_object_set_int_member(object, "lost_adapters", repair->lost_adapters);
    JsonArray *missing = json_array_new();
    for (char **file = repair->missing; *file; file++)
        json_array_add_string_element(missing, *file);
    json_object_set_array_member(object, "missing", missing);
    pen_cli_emit(cli, object);
}

/* What neither checking nor repairing can bring back. */
static void print_rest(PenCli *cli, const PenRepair *repair)
{
    for (char **file = repair->missing; *file; file++)
        pen_cli_print(cli, _("%s is missing."), *file);
    if (repair->unreadable)
        pen_cli_print(cli,
                      g_dngettext(GETTEXT_PACKAGE,
                                  "%u folder of pictures says nothing about how they were made.",
                                  "%u folders of pictures say nothing about how they were made.",
                                  repair->unreadable),
                      repair->unreadable);
    if (repair->lost_adapters)
        pen_cli_print(
            cli,
            g_dngettext(
                GETTEXT_PACKAGE,
                "%u adapter in “styles” belongs to no style: “penchant style import FILE” makes "
                "one of it.",
                "%u adapters in “styles” belong to no style: “penchant style import FILE” makes "
                "one of each.",
                repair->lost_adapters),
            repair->lost_adapters);
}

static gboolean run_check(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio || !pen_store_check(pen_studio_store(studio), error))
        return FALSE;
    g_autoptr(PenRepair) repair = pen_studio_repair(studio, TRUE, error);
    if (!repair)
        return FALSE;
    report(cli, repair, "check");
    print_rest(cli, repair);
    if (!repair->restored) {
        pen_cli_print(cli, _("The database is sound."));
        return TRUE;
    }
    g_set_error(
        error, PEN_STORE_ERROR, PEN_STORE_ERROR_FAILED,
        g_dngettext(GETTEXT_PACKAGE,
                    "The database does not know %u round whose pictures are there: “penchant "
                    "store repair” brings it back.",
                    "The database does not know %u rounds whose pictures are there: "
                    "“penchant store repair” brings them back.",
                    repair->restored),
        repair->restored);
    return FALSE;
}

static gboolean run_repair(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    g_autofree char *moved_to = NULL;
    if (!pen_repair_database(cli->data, &moved_to, error))
        return FALSE;
    PenStudio *studio = pen_cli_studio(cli, error);
    g_autoptr(PenRepair) repair = studio ? pen_studio_repair(studio, FALSE, error) : NULL;
    if (!repair)
        return FALSE;
    repair->moved_to = g_steal_pointer(&moved_to);
    report(cli, repair, "repair");
    if (repair->moved_to)
        pen_cli_print(cli, _("The damaged database lies in %s now."), repair->moved_to);
    print_rest(cli, repair);
    if (repair->restored)
        pen_cli_print(cli,
                      g_dngettext(GETTEXT_PACKAGE, "%u round is back.", "%u rounds are back.",
                                  repair->restored),
                      repair->restored);
    else
        pen_cli_print(cli, _("There was nothing to bring back."));
    return TRUE;
}

static const PenCommand command_check = {
    .name = "check",
    .summary = N_("Look whether database and files are sound and belong together"),
    .run = run_check,
};

static const PenCommand command_repair = {
    .name = "repair",
    .summary = N_("Rebuild the rounds that the database has lost"),
    .description =
        N_("A damaged database is moved aside. Rounds come back from the settings that "
           "their pictures hold,\nunder their old ids; what was picked from them was in the "
           "database alone."),
    .run = run_repair,
};

static const PenCommand *const commands[] = { &command_check, &command_repair, NULL };

const PenCommand pen_command_store = {
    .name = "store",
    .summary = N_("Check and repair what Penchant remembers: check, repair"),
    .commands = commands,
};
