// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "src/cli/cli.h"

/* --- pick ------------------------------------------------------------------------------------- */

static int best = PEN_CLI_UNSET_COUNT;
static char *order;
static char **up, **down;

static const GOptionEntry entries[] = {
    { "best", 'b', 0, G_OPTION_ARG_INT, &best, N_("Candidate K is better than all others"), "K" },
    { "order", 'o', 0, G_OPTION_ARG_STRING, &order,
      N_("An order, best first; = is a tie, those that are not named come last: \"2>0>1=3\""),
      N_("ORDER") },
    { "up", 'u', 0, G_OPTION_ARG_STRING_ARRAY, &up, N_("Thumbs up for these candidates"), "K…" },
    { "down", 'd', 0, G_OPTION_ARG_STRING_ARRAY, &down, N_("Thumbs down for these"), "K…" },
    G_OPTION_ENTRY_NULL,
};

static gboolean is_list(const char *word)
{
    return *word && strspn(word, "0123456789, ") == strlen(word);
}

/* "--up 0 3" is for GOption "--up 0 --up 3". */
static char **spread_lists(char **words)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (char **word = words; *word; word++) {
        g_strv_builder_add(builder, *word);
        const char *option = g_str_equal(*word, "--up") || g_str_equal(*word, "-u")     ? "--up"
                             : g_str_equal(*word, "--down") || g_str_equal(*word, "-d") ? "--down"
                                                                                        : NULL;
        if (!option || !word[1])
            continue;
        g_strv_builder_add(builder, *++word);
        while (word[1] && is_list(word[1])) {
            g_strv_builder_add(builder, option);
            g_strv_builder_add(builder, *++word);
        }
    }
    return g_strv_builder_end(builder);
}

static gboolean read_ranks(int *ranks, int n, GError **error)
{
    if ((best != PEN_CLI_UNSET_COUNT) + (order != NULL) + (up || down) != 1)
        return pen_cli_usage_error(
            error, _("Say how the round is picked in one way: --best K, --order \"2>0>1=3\", or "
                     "--up K… --down K…."));
    if (order)
        return pen_notation_read_order(order, ranks, n, error);
    if (!up && !down)
        return pen_notation_read_best(best, ranks, n, error);
    g_autofree char *ups = up ? g_strjoinv(" ", up) : NULL;
    g_autofree char *downs = down ? g_strjoinv(" ", down) : NULL;
    return pen_notation_read_votes(ups, downs, ranks, n, error);
}

static gboolean run_pick(PenCli *cli, char **arguments, GError **error)
{
    guint64 id;
    if (!g_ascii_string_to_unsigned(arguments[0], 10, 1, G_MAXINT64, &id, NULL))
        return pen_cli_usage_error(
            error, _("“%s” is not a round's id; “penchant history” lists the rounds."),
            arguments[0]);
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio)
        return FALSE;
    PenStore *store = pen_studio_store(studio);
    gint64 round = (gint64)id;
    g_autoptr(PenRound) row = pen_store_get_round(store, round, error);
    g_autoptr(GPtrArray) candidates = row ? pen_store_list_candidates(store, round, error) : NULL;
    if (!candidates)
        return FALSE;
    int n = (int)candidates->len;
    g_autofree int *ranks = g_new0(int, n);
    if (!read_ranks(ranks, n, error))
        return FALSE;
    gint64 pick = pen_store_add_pick(store, round, ranks, n, error);
    if (!pick)
        return FALSE;
    g_autofree char *text = pen_notation_write(ranks, n);
    JsonObject *object = pen_cli_object("result");
    json_object_set_int_member(object, "pick", pick);
    json_object_set_int_member(object, "round", round);
    json_object_set_string_member(object, "order", text);
    pen_cli_emit(cli, object);
    pen_cli_print(cli, _("Round %" PRId64 ": %s"), round, text);
    return TRUE;
}

const PenCommand pen_command_pick = {
    .name = "pick",
    .arguments = N_("ROUND"),
    .summary = N_("Record which pictures of a round are better"),
    .description = N_("Candidates are numbered from 0, as in the names of the files that generate "
                      "--out writes.\nPicking again replaces the pick; “penchant undo” takes it "
                      "back."),
    .entries = entries,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_pick,
    .prepare = spread_lists,
};

/* --- undo and redo -----------------------------------------------------------------------------
 */

static char *describe_version(int number)
{
    return number ? g_strdup_printf(_("version %d"), number) : g_strdup(_("the bare model"));
}

static int version_number(PenStore *store, gint64 version)
{
    g_autoptr(PenStyleVersion) row =
        version ? pen_store_get_style_version(store, version, NULL) : NULL;
    return row ? row->number : 0;
}

/* What an action did, as a noun. */
static char *describe(PenStore *store, const PenAction *action)
{
    switch (action->kind) {
    case PEN_ACTION_PICK:
        return g_strdup_printf(_("pick of round %" PRId64), action->round);
    case PEN_ACTION_RENAME:
        return g_strdup_printf(_("renaming of the style “%s” to “%s”"), action->old_name,
                               action->new_name);
    case PEN_ACTION_DELETE:
        return g_strdup_printf(_("deletion of the style “%s”"), action->style_name);
    case PEN_ACTION_RESTORE:
        return g_strdup_printf(_("restoring of the style “%s”"), action->style_name);
    case PEN_ACTION_STRENGTH:
        return g_strdup_printf(_("strength of the style “%s”, from %d %% to %d %%"),
                               action->style_name, (int)lround(action->old_strength * 100),
                               (int)lround(action->new_strength * 100));
    case PEN_ACTION_RECIPE:
        return g_strdup_printf(_("recipe of the style “%s”"), action->style_name);
    case PEN_ACTION_COMPARISON:
        return g_strdup(_("choice between a picture with a style and one without"));
    case PEN_ACTION_VERSION:
        break;
    }
    g_autofree char *before = describe_version(version_number(store, action->old_version));
    g_autofree char *after = describe_version(version_number(store, action->new_version));
    return g_strdup_printf(_("change of the style “%s” from %s to %s"), action->style_name, before,
                           after);
}

static const char *kind_name(PenActionKind kind)
{
    static const char *const names[] = { "pick",    "rename",   "delete",    "restore",
                                         "version", "strength", "comparison", "recipe" };
    return names[kind];
}

static gboolean take(PenCli *cli, gboolean undo, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio)
        return FALSE;
    PenStore *store = pen_studio_store(studio);
    g_autoptr(PenAction) action =
        undo ? pen_store_undo(store, error) : pen_store_redo(store, error);
    if (!action)
        return FALSE;
    g_autofree char *text = describe(store, action);
    pen_cli_print(cli, undo ? _("Undone: %s") : _("Redone: %s"), text);
    JsonObject *object = pen_cli_object("result");
    json_object_set_string_member(object, undo ? "undone" : "redone", kind_name(action->kind));
    if (action->kind == PEN_ACTION_PICK)
        json_object_set_int_member(object, "round", action->round);
    else if (action->style_name)
        json_object_set_string_member(object, "style", action->style_name);
    json_object_set_string_member(object, "description", text);
    pen_cli_emit(cli, object);
    return TRUE;
}

static gboolean run_undo(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    return take(cli, TRUE, error);
}

static gboolean run_redo(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    return take(cli, FALSE, error);
}

const PenCommand pen_command_undo = {
    .name = "undo",
    .summary = N_("Take back the latest pick, teaching or change of a style"),
    .run = run_undo,
};

const PenCommand pen_command_redo = {
    .name = "redo",
    .summary = N_("Do again what was undone last"),
    .run = run_redo,
};
