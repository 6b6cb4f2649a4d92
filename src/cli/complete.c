// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/sampling/method.h"

/* What the words before the last one have come to. */
typedef struct {
    const PenCommand *const *commands; /* of which one may follow; NULL: none */
    const PenCommand *command;         /* the last one named; NULL: none yet */
    const GOptionEntry *lists[3];      /* the options that may follow, NULL at the end */
    const GOptionEntry *option;        /* whose value follows; NULL: none */
    const char *data;                  /* of --data; NULL: not given */
} Place;

static void offer(const char *word, const char *begun)
{
    if (g_str_has_prefix(word, begun))
        puts(word);
}

static void enter(Place *place, const PenCommand *command, const GOptionEntry *common)
{
    guint n = 0;
    memset(place->lists, 0, sizeof place->lists);
    place->command = command;
    place->commands = command->commands;
    if (command->entries)
        place->lists[n++] = command->entries;
    if (command->more_entries)
        place->lists[n++] = command->more_entries();
    if (!command->commands)
        place->lists[n++] = common;
}

static const GOptionEntry *find_option(const Place *place, const char *word)
{
    for (guint i = 0; i < G_N_ELEMENTS(place->lists) && place->lists[i]; i++)
        for (const GOptionEntry *entry = place->lists[i]; entry->long_name; entry++)
            if ((g_str_has_prefix(word, "--") && g_str_equal(word + 2, entry->long_name)) ||
                (entry->short_name && word[1] == entry->short_name && !word[2]))
                return entry;
    return NULL;
}

static void pass(Place *place, const char *word, const GOptionEntry *common)
{
    if (place->option) {
        if (g_str_equal(place->option->long_name, "data"))
            place->data = word;
        place->option = NULL;
        return;
    }
    const GOptionEntry *option = *word == '-' ? find_option(place, word) : NULL;
    if (option && option->arg != G_OPTION_ARG_NONE)
        place->option = option;
    const PenCommand *command = place->commands ? pen_command_find(place->commands, word) : NULL;
    if (command)
        enter(place, command, common);
}

static void offer_styles(const Place *place, const char *begun)
{
    g_autofree char *folder = place->data ? g_strdup(place->data) : pen_store_default_folder();
    g_autofree char *database = g_build_filename(folder, PEN_STORE_FILE, NULL);
    if (!g_file_test(database, G_FILE_TEST_EXISTS)) /* opening would make one */
        return;
    g_autoptr(PenStore) store = pen_store_open(folder, NULL);
    g_autoptr(GPtrArray) styles = store ? pen_store_list_styles(store, FALSE, NULL) : NULL;
    for (guint i = 0; styles && i < styles->len; i++)
        offer(((const PenStyle *)styles->pdata[i])->name, begun);
}

static void offer_values(const Place *place, const char *begun)
{
    const GOptionEntry *option = place->option;
    if (g_str_equal(option->long_name, "style")) {
        offer_styles(place, begun);
    } else if (g_str_equal(option->long_name, "sampler")) {
        for (const PenMethod *const *method = pen_methods(); *method; method++)
            offer(pen_method_name(*method), begun);
    } else if (g_str_equal(option->long_name, "schedule")) {
        for (PenSpread spread = PEN_SPREAD_NORMAL; spread < PEN_N_SPREADS; spread++)
            offer(pen_spread_name(spread), begun);
    } else if (option->arg_description && strchr(option->arg_description, '|')) {
        g_auto(GStrv) choices = g_strsplit(option->arg_description, "|", -1);
        for (char **choice = choices; *choice; choice++)
            offer(*choice, begun);
    }
}

static void offer_options(const Place *place, const char *begun)
{
    for (guint i = 0; i < G_N_ELEMENTS(place->lists) && place->lists[i]; i++)
        for (const GOptionEntry *entry = place->lists[i]; entry->long_name; entry++) {
            g_autofree char *word = g_strconcat("--", entry->long_name, NULL);
            if (!(entry->flags & G_OPTION_FLAG_HIDDEN))
                offer(word, begun);
        }
    offer("--help", begun);
    if (!place->command)
        offer("--version", begun);
}

void pen_cli_complete(const PenCommand *const *commands, const GOptionEntry *common, char **words)
{
    Place place = { .commands = commands, .lists = { common } };
    for (; words[1]; words++)
        pass(&place, *words, common);
    if (place.option)
        offer_values(&place, *words);
    else if (**words == '-')
        offer_options(&place, *words);
    else if (place.commands)
        for (; *place.commands; place.commands++)
            offer((*place.commands)->name, *words);
    else if (place.command->arguments && g_str_has_prefix(place.command->arguments, "NAME"))
        offer_styles(&place, *words);
}
