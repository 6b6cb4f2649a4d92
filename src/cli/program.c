// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "src/cli/cli.h"

static const PenCommand *const commands[] = {
    &pen_command_devices,
    &pen_command_generate,
    &pen_command_pick,
    &pen_command_undo,
    &pen_command_redo, &pen_command_refine,
    &pen_command_teach,
    &pen_command_styles,
    &pen_command_style,
    &pen_command_history,
    &pen_command_models,
    &pen_command_store,
    &pen_command_probe,
    &pen_command_bench,
    &pen_command_selftest,
    NULL,
};

const PenCommand *pen_command_find(const PenCommand *const *list, const char *name)
{
    for (; *list; list++)
        if (g_str_equal((*list)->name, name))
            return *list;
    return NULL;
}

static void append_commands(GString *text, const PenCommand *const *list)
{
    g_string_append(text, _("Commands:\n"));
    for (; *list; list++)
        g_string_append_printf(text, "  %-10s %s\n", (*list)->name, gettext((*list)->summary));
}

/* The help of `penchant` itself, or of a command of commands called `path`. */
static void print_help(const char *path, const char *summary, const PenCommand *const *list)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, _("Usage:\n  %s COMMAND [OPTION…]\n\n%s\n\n"), path, summary);
    append_commands(text, list);
    g_string_append_printf(text, _("\n“%s COMMAND --help” explains one of them.\n"), path);
    fputs(text->str, stdout);
}

static gboolean is_help(const char *word)
{
    return g_str_equal(word, "--help") || g_str_equal(word, "-h") || g_str_equal(word, "-?") ||
           g_str_equal(word, "help");
}

/* The options of all commands may also stand before the command: how many words they are. */
static guint count_leading(char **words)
{
    static const char *const with_value[] = { "--data", "--device", "--precision", NULL };
    guint n = 0;
    while (words[n] && words[n][0] == '-' && !is_help(words[n]))
        n += g_strv_contains(with_value, words[n]) && words[n + 1] ? 2 : 1;
    return n;
}

/* Free with g_free(). */
static GOptionEntry *common_entries(PenCli *cli)
{
    const GOptionEntry entries[] = {
        { "data", 0, 0, G_OPTION_ARG_FILENAME, &cli->data,
          N_("Keep styles, rounds and picks in FOLDER (PENCHANT_DATA, else the user's data "
             "folder)"),
          N_("FOLDER") },
        { "device", 0, 0, G_OPTION_ARG_STRING, &cli->device,
          N_("Work on the device of this number or name (see “penchant devices”)"), N_("NAME") },
        { "precision", 0, 0, G_OPTION_ARG_STRING, &cli->precision,
          N_("Store numbers in 32 or 16 bits: f32 or f16 (default: what suits the device)"),
          "f32|f16" },
        { "json", 0, 0, G_OPTION_ARG_NONE, &cli->json,
          N_("Write one JSON object a line to standard output: results, progress, errors"), NULL },
        { "quiet", 'q', 0, G_OPTION_ARG_NONE, &cli->quiet, N_("No progress and no notices"), NULL },
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

/* Parses the words after the command's name, and runs it. */
static gboolean run_command(PenCli *cli, const PenCommand *command, const char *path,
                            char **leading, char **words, GError **error)
{
    g_autofree GOptionEntry *common = common_entries(cli);
    g_set_prgname(path);
    g_autoptr(GOptionContext) context =
        g_option_context_new(command->arguments ? gettext(command->arguments) : NULL);
    g_option_context_set_translation_domain(context, GETTEXT_PACKAGE);
    g_option_context_set_summary(context, gettext(command->summary));
    if (command->description)
        g_option_context_set_description(context, gettext(command->description));
    if (command->entries)
        g_option_context_add_main_entries(context, command->entries, GETTEXT_PACKAGE);
    if (command->more_entries)
        g_option_context_add_main_entries(context, command->more_entries(), GETTEXT_PACKAGE);
    g_option_context_add_main_entries(context, common, GETTEXT_PACKAGE);

    g_auto(GStrv) prepared = command->prepare ? command->prepare(words) : g_strdupv(words);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_strv_builder_add(builder, "penchant");
    g_strv_builder_addv(builder, (const char **)leading);
    g_strv_builder_addv(builder, (const char **)prepared);
    g_auto(GStrv) arguments = g_strv_builder_end(builder);
    g_autoptr(GError) inner = NULL;
    if (!g_option_context_parse_strv(context, &arguments, &inner)) {
        if (g_error_matches(inner, G_CONVERT_ERROR, G_CONVERT_ERROR_ILLEGAL_SEQUENCE))
            return pen_cli_usage_error(error, _("What was written is not text in UTF-8."));
        return pen_cli_usage_error(error, _("%s. See “%s --help”."), inner->message, path);
    }
    char **rest = arguments + 1;
    if (*rest && g_str_equal(*rest, "--"))
        rest++;
    guint n = g_strv_length(rest);
    if (n < command->min_arguments)
        return pen_cli_usage_error(error, _("%s needs: %s. See “%s --help”."), path,
                                   gettext(command->arguments), path);
    if (n > command->max_arguments)
        return pen_cli_usage_error(error, _("“%s” is one word too many. See “%s --help”."),
                                   rest[command->max_arguments], path);
    /* The user's models lie beside the store. */
    if (cli->data)
        g_setenv("PENCHANT_DATA", cli->data, TRUE);
    gboolean follows = cli->crew && cli->crew->rank > 0;
    cli->quiet = cli->quiet || follows; /* rank 0 does the talking */
    if (cli->crew && cli->crew->device) {
        g_free(cli->device);
        cli->device = g_strdup(cli->crew->device);
    }
    cli->progress = pen_progress_new(!cli->quiet && !cli->json);
    if (cli->crew && !command->shares)
        return pen_cli_usage_error(error, _("“%s” is done by one process: use penchant for it."),
                                   command->name);
    return command->run(cli, rest, error);
}

static gboolean dispatch(PenCli *cli, const PenCommand *const *list, const char *path,
                         const char *summary, char **leading, char **words, GError **error)
{
    if (!words[0])
        return pen_cli_usage_error(error, _("Which command? “%s --help” lists them."), path);
    if (is_help(words[0])) {
        print_help(path, summary, list);
        return TRUE;
    }
    const PenCommand *command = pen_command_find(list, words[0]);
    if (!command)
        return pen_cli_usage_error(error, _("There is no command “%s %s”. “%s --help” lists them."),
                                   path, words[0], path);
    g_autofree char *inner = g_strconcat(path, " ", command->name, NULL);
    if (command->commands)
        return dispatch(cli, command->commands, inner, gettext(command->summary), leading,
                        words + 1, error);
    return run_command(cli, command, inner, leading, words + 1, error);
}

/* A locale of ASCII characters (C, POSIX, none under cron, one that is not installed) says nothing about
 * the bytes that words and files have: they are UTF-8, and so is what goes out. */
static void choose_locale(void)
{
    setlocale(LC_ALL, "");
    if (g_str_equal(nl_langinfo(CODESET), "ANSI_X3.4-1968") && !setlocale(LC_CTYPE, "C.UTF-8"))
        g_setenv("CHARSET", "UTF-8", TRUE); /* GLib's own way to be told */
}

int pen_cli_main(int argc, char **argv, PenCrew *crew)
{
    choose_locale();
    const char *translations = g_getenv("PENCHANT_LOCALE");
    bindtextdomain(GETTEXT_PACKAGE, translations ? translations : LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE);
    g_set_prgname("penchant");

    PenCli cli = { .crew = crew };
    if (argc == 2 && g_str_equal(argv[1], "--version")) {
        pen_cli_print_version();
        return 0;
    }
    if (argc > 2 && g_str_equal(argv[1], "--complete")) {
        g_autofree GOptionEntry *common = common_entries(&cli);
        pen_cli_complete(commands, common, argv + 2);
        return 0;
    }
    g_autoptr(GError) error = NULL;
    int status = 0;
    guint n_leading = count_leading(argv + 1);
    g_auto(GStrv) leading = g_new0(char *, n_leading + 1);
    for (guint i = 0; i < n_leading; i++)
        leading[i] = g_strdup(argv[1 + i]);
    /* A mistake in the options has to be reported in the form that was asked for, too. */
    cli.json = g_strv_contains((const char *const *)argv + 1, "--json");
    if (!dispatch(&cli, commands, "penchant",
                  _("Teaches an image model your taste: generate pictures, pick, teach."), leading,
                  argv + 1 + n_leading, &error)) {
        if (!cli.progress)
            cli.progress = pen_progress_new(FALSE);
        pen_cli_report(&cli, error);
        status = pen_cli_exit_code(error);
    }
    pen_studio_free(cli.studio);
    if (cli.copy)
        pen_store_remove_folder(cli.copy);
    g_free(cli.copy);
    pen_progress_free(cli.progress);
    g_free(cli.data);
    g_free(cli.device);
    g_free(cli.precision);
    return status;
}
