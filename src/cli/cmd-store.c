// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>

#include "src/cli/cli.h"
#include "src/studio/packs/pack.h"
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

static gboolean run_artist(PenCli *cli, char **arguments, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio ||
        (arguments[0] && !pen_store_set_artist(pen_studio_store(studio), arguments[0], error)))
        return FALSE;
    g_autofree char *name = pen_store_get_artist(pen_studio_store(studio));
    pen_cli_print(cli, "%s", name);
    JsonObject *object = pen_cli_object("result");
    json_object_set_string_member(object, "artist", name);
    pen_cli_emit(cli, object);
    return TRUE;
}

/* --- packs -------------------------------------------------------------------------------------
 */

static char *rounds, *of_pack;
static gboolean light, picks_alone;

static const GOptionEntry export_entries[] = {
    { "rounds", 0, 0, G_OPTION_ARG_STRING, &rounds, N_("Only these rounds, as in 5-40 or 7 (all)"),
      N_("FIRST[-LAST]") },
    { "of", 0, 0, G_OPTION_ARG_FILENAME, &of_pack, N_("Only the rounds of that pack"), N_("PACK") },
    { "light", 0, 0, G_OPTION_ARG_NONE, &light,
      N_("Without what is needed to teach: enough to look and to pick"), NULL },
    { "picks", 0, 0, G_OPTION_ARG_NONE, &picks_alone,
      N_("Picks alone, for a store that has the rounds"), NULL },
    G_OPTION_ENTRY_NULL,
};

static gboolean read_rounds(gint64 *first, gint64 *last, GError **error)
{
    guint64 from = 1, to = 0;
    g_auto(GStrv) parts = rounds ? g_strsplit(rounds, "-", 2) : NULL;
    gboolean ok = !parts || (parts[0] &&
                             g_ascii_string_to_unsigned(parts[0], 10, 1, G_MAXINT64, &from, NULL));
    if (ok && parts)
        ok = parts[1] ? g_ascii_string_to_unsigned(parts[1], 10, from, G_MAXINT64, &to, NULL)
                      : (to = from) > 0;
    *first = (gint64)from;
    *last = (gint64)to;
    return ok || pen_cli_usage_error(
                     error,
                     _("--rounds is a round's number or a range of them, as in 5-40; “%s” is not."),
                     rounds);
}

static gboolean run_export(PenCli *cli, char **arguments, GError **error)
{
    PenPackSelection selection = {
        .kind = light         ? PEN_PACK_LIGHT
                : picks_alone ? PEN_PACK_PICKS
                              : PEN_PACK_WHOLE,
        .of_pack = of_pack,
    };
    if (light && picks_alone)
        return pen_cli_usage_error(error, _("--light and --picks do not go together."));
    PenStudio *studio = read_rounds(&selection.first, &selection.last, error) &&
                                pen_cli_check_target(arguments[0], error)
                            ? pen_cli_studio(cli, error)
                            : NULL;
    PenPackContent content;
    if (!studio || !pen_studio_write_pack(studio, &selection, arguments[0], &content, error))
        return FALSE;
    pen_cli_print(cli, _("%s: %u rounds, %u picks"), arguments[0], content.rounds, content.picks);
    JsonObject *object = pen_cli_object("result");
    json_object_set_string_member(object, "file", arguments[0]);
    json_object_set_int_member(object, "rounds", content.rounds);
    json_object_set_int_member(object, "picks", content.picks);
    pen_cli_emit(cli, object);
    return TRUE;
}

static gboolean run_merge(PenCli *cli, char **arguments, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio)
        return FALSE;
    for (char **file = arguments; *file; file++) {
        PenImported imported;
        if (!pen_studio_merge_pack(studio, *file, NULL, &imported, error))
            return FALSE;
        pen_cli_print(
            cli,
            _("%s: %u rounds are new, %u were here, %u were thrown away here; %u picks are "
              "new"),
            *file, imported.rounds, imported.known, imported.deleted, imported.picks);
        JsonObject *object = pen_cli_object("result");
        json_object_set_string_member(object, "file", *file);
        json_object_set_int_member(object, "rounds", imported.rounds);
        json_object_set_int_member(object, "known", imported.known);
        json_object_set_int_member(object, "completed", imported.completed);
        json_object_set_int_member(object, "deleted", imported.deleted);
        json_object_set_int_member(object, "picks", imported.picks);
        if (imported.first)
            json_object_set_int_member(object, "first", imported.first);
        pen_cli_emit(cli, object);
    }
    return TRUE;
}

static const PenCommand command_export = {
    .name = "export",
    .arguments = N_("FILE"),
    .summary = N_("Write rounds and their picks to a pack, for another store"),
    .description =
        N_("A pack is one tar archive. Whoever merges it, or drops it on the window, can pick from "
           "its rounds\nand give the picks back: “penchant store export --picks FILE”."),
    .entries = export_entries,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_export,
};

static const PenCommand command_merge = {
    .name = "merge",
    .arguments = N_("FILE…"),
    .summary = N_("Take in packs of other stores"),
    .description =
        N_("Rounds are known by their content: to merge a file twice, or several in another "
           "order, changes nothing.\nRounds of a style that is here teach it; others can be "
           "adopted by one. A file that is not as it should be\nleaves the store as it was."),
    .min_arguments = 1,
    .max_arguments = G_MAXUINT,
    .run = run_merge,
};

/* -----------------------------------------------------------------------------------------------
 */

static const PenCommand command_artist = {
    .name = "artist",
    .arguments = N_("[NAME]"),
    .summary = N_("Print whose picks are made here, or set it (at first the login's name)"),
    .max_arguments = 1,
    .run = run_artist,
};

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

static const PenCommand *const commands[] = {
    &command_artist, &command_check,          &command_export,           &command_merge,
    &command_repair, &pen_command_store_size, &pen_command_store_budget, NULL,
};

const PenCommand pen_command_store = {
    .name = "store",
    .summary = N_("What Penchant remembers: artist, check, export, merge, repair, size, budget"),
    .commands = commands,
};
