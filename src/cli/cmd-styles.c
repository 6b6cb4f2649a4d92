// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>

#include "src/cli/cli.h"
#include "src/studio/recipe.h"

/* --- styles ------------------------------------------------------------------------------------
 */

/* The recipe as it is kept. */
static void add_recipe(JsonObject *object, const PenStyle *style)
{
    if (style->recipe)
        json_object_set_member(object, "recipe", json_from_string(style->recipe, NULL));
}

/* Where several people teach a style: who, and how far each two agree. */
static gboolean show_artists(PenCli *cli, const PenStyle *style, JsonObject *object, GError **error)
{
    PenStore *store = pen_studio_store(cli->studio);
    g_autoptr(GPtrArray) artists = pen_store_list_artists(store, style->id, error);
    if (!artists)
        return FALSE;
    JsonArray *names = json_array_new(), *agreements = json_array_new();
    json_object_set_array_member(object, "artists", names);
    json_object_set_array_member(object, "agreement", agreements);
    for (guint i = 0; i < artists->len; i++) {
        const PenArtist *one = artists->pdata[i];
        JsonObject *entry = json_object_new();
        json_object_set_string_member(entry, "name", one->name);
        json_object_set_int_member(entry, "picks", one->picks);
        json_array_add_object_element(names, entry);
        if (artists->len > 1)
            pen_cli_print(cli, _("%-20s %s: %d picks"), "", one->name, one->picks);
        for (guint j = 0; j < i; j++) {
            const PenArtist *other = artists->pdata[j];
            PenAgreement agreement;
            if (!pen_store_get_agreement(store, style->id, other->name, one->name, &agreement,
                                         error))
                return FALSE;
            if (!agreement.pairs)
                continue;
            pen_cli_print(cli, _("%-20s %s and %s prefer alike in %d of %d pairs; by chance: %.1f"),
                          "", other->name, one->name, agreement.alike, agreement.pairs,
                          agreement.pairs / 2.0);
            entry = json_object_new();
            json_object_set_string_member(entry, "one", other->name);
            json_object_set_string_member(entry, "other", one->name);
            json_object_set_int_member(entry, "pairs", agreement.pairs);
            json_object_set_int_member(entry, "alike", agreement.alike);
            json_array_add_object_element(agreements, entry);
        }
    }
    return TRUE;
}

static gboolean run_styles(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio)
        return FALSE;
    PenStore *store = pen_studio_store(studio);
    g_autoptr(GPtrArray) styles = pen_store_list_styles(store, FALSE, error);
    if (!styles)
        return FALSE;
    for (guint i = 0; i < styles->len; i++) {
        const PenStyle *style = styles->pdata[i];
        g_autoptr(GPtrArray) picks = pen_store_list_picks(store, style->id, FALSE, error);
        g_autoptr(GPtrArray) fresh =
            picks ? pen_store_list_picks(store, style->id, TRUE, error) : NULL;
        if (!fresh)
            return FALSE;
        g_autofree char *version = style->current_number
                                       ? g_strdup_printf(_("version %d"), style->current_number)
                                       : g_strdup(_("not taught yet"));
        PenGuessRecord guesses;
        if (!pen_store_get_guess_record(store, style->id, &guesses, error))
            return FALSE;
        g_autoptr(PenRecipe) recipe = pen_recipe_parse(style->recipe, error);
        if (!recipe)
            return FALSE;
        pen_cli_print(cli, _("%-20s %-16s %s, rank %d, picks: %u (%u new)"), style->name,
                      style->model_name, version, style->rank, picks->len, fresh->len);
        g_autofree char *words = pen_recipe_describe(recipe);
        if (words)
            pen_cli_print(cli, _("%-20s draws with %s"), "", words);
        if (guesses.picks)
            pen_cli_print(cli, _("%-20s guessed your pick in %d of %d rounds; by chance: %.1f"), "",
                          guesses.right, guesses.picks, guesses.chance);
        JsonObject *object = pen_cli_object("style");
        json_object_set_string_member(object, "name", style->name);
        json_object_set_string_member(object, "uuid", style->uuid);
        json_object_set_string_member(object, "model", style->model_name);
        json_object_set_string_member(object, "model_hash", style->model_hash);
        json_object_set_int_member(object, "version", style->current_number);
        json_object_set_int_member(object, "rank", style->rank);
        json_object_set_int_member(object, "picks", picks->len);
        json_object_set_int_member(object, "new_picks", fresh->len);
        json_object_set_int_member(object, "guesses", guesses.picks);
        json_object_set_int_member(object, "guesses_right", guesses.right);
        pen_cli_set_number(object, "guesses_by_chance", guesses.chance);
        pen_cli_set_number(object, "strength", style->strength);
        add_recipe(object, style);
        gboolean ok = show_artists(cli, style, object, error);
        pen_cli_emit(cli, object);
        if (!ok)
            return FALSE;
    }
    if (!styles->len)
        pen_cli_note(cli, _("There are no styles yet. “penchant style create NAME” makes one."));
    return TRUE;
}

const PenCommand pen_command_styles = {
    .name = "styles",
    .summary = N_("List the styles"),
    .run = run_styles,
};

/* --- style create ------------------------------------------------------------------------------
 */

static char *model, *name, *format;
static int rank = PEN_CLI_UNSET_COUNT;

static void emit_style(PenCli *cli, const char *what, const char *style)
{
    JsonObject *object = pen_cli_object("result");
    json_object_set_string_member(object, "done", what);
    json_object_set_string_member(object, "style", style);
    pen_cli_emit(cli, object);
}

static gboolean run_create(PenCli *cli, char **arguments, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    PenD3poConfig defaults = PEN_D3PO_CONFIG_INIT;
    if (!studio)
        return FALSE;
    if (rank != PEN_CLI_UNSET_COUNT && (rank < 1 || rank > 1024))
        return pen_cli_usage_error(error, _("%s is from %d to %d, not %d."), "--rank", 1, 1024,
                                   rank);
    g_autoptr(PenModelInfo) info = pen_studio_model_info(studio, model, 0, error);
    gint64 id =
        info ? pen_store_create_style(
                   pen_studio_store(studio), arguments[0], info->hash, info->name, info->spec,
                   rank != PEN_CLI_UNSET_COUNT ? rank : (int)defaults.adapter_rank, error)
             : 0;
    g_autoptr(PenStyle) style =
        id ? pen_store_get_style(pen_studio_store(studio), id, error) : NULL;
    if (!style)
        return FALSE;
    pen_cli_print(cli, _("The style “%s” is new, for the model “%s”."), style->name,
                  style->model_name);
    emit_style(cli, "create", style->name);
    return TRUE;
}

static const GOptionEntry create_entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model,
      N_("The model that the style is for (default: the starter model)"), N_("MODEL") },
    { "rank", 0, 0, G_OPTION_ARG_INT, &rank, N_("Adapter rank (4)"), "N" },
    G_OPTION_ENTRY_NULL,
};

static const PenCommand command_create = {
    .name = "create",
    .arguments = N_("NAME"),
    .summary = N_("Make an empty style for a model"),
    .entries = create_entries,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_create,
};

/* --- style export and import -------------------------------------------------------------------
 */

static gboolean run_export(PenCli *cli, char **arguments, GError **error)
{
    PenExportFormat kind = PEN_EXPORT_KOHYA;
    if (g_strcmp0(format, "diffusers") == 0)
        kind = PEN_EXPORT_DIFFUSERS;
    else if (format && !g_str_equal(format, "kohya"))
        return pen_cli_usage_error(error, _("--format is kohya or diffusers, not “%s”."), format);
    g_autoptr(PenStyle) style = pen_cli_find_style(cli, arguments[0], error);
    if (!style || !pen_cli_check_target(arguments[1], error) ||
        !pen_studio_export_style(cli->studio, style->id, arguments[1], kind, error))
        return FALSE;
    pen_cli_print(cli, _("“%s” version %d is in %s."), style->name, style->current_number,
                  arguments[1]);
    JsonObject *object = pen_cli_object("result");
    json_object_set_string_member(object, "done", "export");
    json_object_set_string_member(object, "style", style->name);
    json_object_set_int_member(object, "version", style->current_number);
    json_object_set_string_member(object, "file", arguments[1]);
    pen_cli_emit(cli, object);
    return TRUE;
}

static const GOptionEntry export_entries[] = {
    { "format", 'f', 0, G_OPTION_ARG_STRING, &format, N_("How layers are named (kohya)"),
      "kohya|diffusers" },
    G_OPTION_ENTRY_NULL,
};

static const PenCommand command_export = {
    .name = "export",
    .arguments = N_("NAME FILE"),
    .summary = N_("Write a style's current version and recipe to a .safetensors file"),
    .description =
        N_("Other programs load the file as a LoRA; “penchant style import” makes a style of it\n"
           "again, with its name, strength and recipe."),
    .entries = export_entries,
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run_export,
};

static gboolean run_import(PenCli *cli, char **arguments, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio)
        return FALSE;
    g_autofree char *notice = NULL;
    gint64 id = pen_studio_import_style(studio, arguments[0], name, model, NULL, &notice, error);
    g_autoptr(PenStyle) style =
        id ? pen_store_get_style(pen_studio_store(studio), id, error) : NULL;
    if (!style)
        return FALSE;
    if (notice)
        pen_cli_warn(cli, notice);
    pen_cli_print(cli, _("The style “%s” is new, for the model “%s”."), style->name,
                  style->model_name);
    emit_style(cli, "import", style->name);
    return TRUE;
}

static const GOptionEntry import_entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model,
      N_("The model that the file was made for (default: the one that it says, else the starter "
         "model)"),
      N_("MODEL") },
    { "name", 0, 0, G_OPTION_ARG_STRING, &name,
      N_("Name of the style (default: what the file says, else its own)"), N_("NAME") },
    G_OPTION_ENTRY_NULL,
};

static const PenCommand command_import = {
    .name = "import",
    .arguments = N_("FILE"),
    .summary = N_("Make a style of an exported one, or of an adapter file of another program"),
    .entries = import_entries,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_import,
};

/* --- style set ---------------------------------------------------------------------------------
 */

static char *template, *negative, *sampler, *schedule;
static int steps = PEN_CLI_UNSET_COUNT, width = PEN_CLI_UNSET_COUNT, height = PEN_CLI_UNSET_COUNT;
static double guidance = PEN_CLI_UNSET;

static void set_text(char **part, const char *option)
{
    if (!option)
        return;
    g_free(*part);
    *part = g_strdup(option);
}

/* The recipe with what the options say of it. */
static void read_recipe(PenRecipe *recipe)
{
    set_text(&recipe->prompt, template);
    set_text(&recipe->negative_prompt, negative);
    if (sampler && !schedule) /* the old one was the old sampler's */
        set_text(&recipe->schedule, "");
    set_text(&recipe->sampler, sampler);
    set_text(&recipe->schedule, schedule);
    if (steps != PEN_CLI_UNSET_COUNT)
        recipe->steps = steps;
    if (guidance != PEN_CLI_UNSET)
        recipe->guidance = guidance;
    if (width != PEN_CLI_UNSET_COUNT)
        recipe->width = width;
    if (height != PEN_CLI_UNSET_COUNT)
        recipe->height = height;
}

static gboolean run_set(PenCli *cli, char **arguments, GError **error)
{
    g_autoptr(PenStyle) style = pen_cli_find_style(cli, arguments[0], error);
    g_autoptr(PenRecipe) recipe =
        style ? pen_studio_get_recipe(cli->studio, style->id, error) : NULL;
    if (!recipe)
        return FALSE;
    read_recipe(recipe);
    if (!pen_studio_set_recipe(cli->studio, style->id, recipe, error))
        return FALSE;
    g_autoptr(PenStyle) now = pen_store_get_style(pen_studio_store(cli->studio), style->id, error);
    g_autoptr(PenRecipe) kept = now ? pen_recipe_parse(now->recipe, error) : NULL;
    if (!kept)
        return FALSE;
    g_autofree char *words = pen_recipe_describe(kept);
    if (words)
        pen_cli_print(cli, _("“%s” draws with %s."), now->name, words);
    else
        pen_cli_print(cli, _("“%s” has no recipe: it draws with what a round asks for."),
                      now->name);
    JsonObject *object = pen_cli_object("result");
    json_object_set_string_member(object, "done", "set");
    json_object_set_string_member(object, "style", now->name);
    add_recipe(object, now);
    pen_cli_emit(cli, object);
    return TRUE;
}

static const GOptionEntry set_entries[] = {
    { "template", 't', 0, G_OPTION_ARG_STRING, &template,
      N_("Put prompts into this text, where it says {prompt}; without that, in front of it"),
      N_("TEXT") },
    { "negative", 'n', 0, G_OPTION_ARG_STRING, &negative, N_("What the pictures shall not show"),
      N_("TEXT") },
    { "sampler", 0, 0, G_OPTION_ARG_STRING, &sampler, N_("Draw with this sampler"), N_("NAME") },
    { "schedule", 0, 0, G_OPTION_ARG_STRING, &schedule, N_("Its schedule"), N_("NAME") },
    { "steps", 0, 0, G_OPTION_ARG_INT, &steps, N_("Sampling steps"), "N" },
    { "guidance", 0, 0, G_OPTION_ARG_DOUBLE, &guidance, N_("How closely the prompt is followed"),
      N_("X") },
    { "width", 'W', 0, G_OPTION_ARG_INT, &width, N_("In pixels, a multiple of 8"), N_("PIXELS") },
    { "height", 'H', 0, G_OPTION_ARG_INT, &height, N_("The same"), N_("PIXELS") },
    G_OPTION_ENTRY_NULL,
};

static const PenCommand command_set = {
    .name = "set",
    .arguments = N_("NAME"),
    .summary = N_("Change a style's recipe, and say what it is"),
    .description = N_("The recipe is what rounds are made with that use the style and do not say "
                      "otherwise.\nAn empty text, or 0, leaves that part open again."),
    .entries = set_entries,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_set,
};

/* --- style delete, rename, versions ------------------------------------------------------------
 */

static gboolean run_delete(PenCli *cli, char **arguments, GError **error)
{
    g_autoptr(PenStyle) style = pen_cli_find_style(cli, arguments[0], error);
    if (!style || !pen_store_delete_style(pen_studio_store(cli->studio), style->id, error))
        return FALSE;
    pen_cli_print(cli, _("The style “%s” is deleted; “penchant undo” brings it back."),
                  style->name);
    emit_style(cli, "delete", style->name);
    return TRUE;
}

static const PenCommand command_delete = {
    .name = "delete",
    .arguments = N_("NAME"),
    .summary = N_("Delete a style (“penchant undo” brings it back)"),
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_delete,
};

/* The one of that name that was deleted last. */
static gint64 find_deleted(PenStore *store, const char *called, GError **error)
{
    g_autoptr(GPtrArray) styles = pen_store_list_styles(store, TRUE, error);
    g_autofree char *wanted = g_utf8_casefold(called, -1);
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; styles && i < styles->len; i++) {
        const PenStyle *style = styles->pdata[i];
        g_autofree char *key = g_utf8_casefold(style->name, -1);
        if (g_str_equal(key, wanted))
            return style->id;
        g_string_append_printf(names, "%s%s", names->len ? ", " : "", style->name);
    }
    if (styles)
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND,
                    names->len ? _("No deleted style is called “%s”. There are: %s.")
                               : _("No style “%s” was deleted, and no other one."),
                    called, names->str);
    return 0;
}

static gboolean run_restore(PenCli *cli, char **arguments, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    PenStore *store = studio ? pen_studio_store(studio) : NULL;
    gint64 id = store ? find_deleted(store, arguments[0], error) : 0;
    if (!id || !pen_store_restore_style(store, id, error))
        return FALSE;
    g_autoptr(PenStyle) style = pen_store_get_style(store, id, error);
    if (!style)
        return FALSE;
    pen_cli_print(cli, _("The style “%s” is back."), style->name);
    emit_style(cli, "restore", style->name);
    return TRUE;
}

static const PenCommand command_restore = {
    .name = "restore",
    .arguments = N_("NAME"),
    .summary = N_("Bring a deleted style back"),
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_restore,
};

static gboolean run_rename(PenCli *cli, char **arguments, GError **error)
{
    g_autoptr(PenStyle) style = pen_cli_find_style(cli, arguments[0], error);
    if (!style ||
        !pen_store_rename_style(pen_studio_store(cli->studio), style->id, arguments[1], error))
        return FALSE;
    pen_cli_print(cli, _("The style “%s” is called “%s” now."), style->name, arguments[1]);
    emit_style(cli, "rename", arguments[1]);
    return TRUE;
}

static const PenCommand command_rename = {
    .name = "rename",
    .arguments = N_("NAME NEW"),
    .summary = N_("Give a style another name"),
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run_rename,
};

static gboolean run_versions(PenCli *cli, char **arguments, GError **error)
{
    g_autoptr(PenStyle) style = pen_cli_find_style(cli, arguments[0], error);
    g_autoptr(GPtrArray) versions =
        style ? pen_store_list_style_versions(pen_studio_store(cli->studio), style->id, error)
              : NULL;
    if (!versions)
        return FALSE;
    pen_cli_print(cli, _("%s0  the bare model"), style->current_version ? "  " : "* ");
    for (guint i = 0; i < versions->len; i++) {
        const PenStyleVersion *version = versions->pdata[i];
        gboolean current = version->id == style->current_version;
        g_autofree char *when = pen_cli_time(version->created);
        pen_cli_print(cli, "%s%d  %s  %s", current ? "* " : "  ", version->number, when,
                      version->run ? _("taught") : _("imported"));
        JsonObject *object = pen_cli_object("version");
        json_object_set_string_member(object, "style", style->name);
        json_object_set_int_member(object, "version", version->number);
        json_object_set_int_member(object, "created", version->created);
        json_object_set_int_member(object, "run", version->run);
        json_object_set_boolean_member(object, "current", current);
        pen_cli_emit(cli, object);
    }
    return TRUE;
}

static const PenCommand command_versions = {
    .name = "versions",
    .arguments = N_("NAME"),
    .summary = N_("List what teaching has made of a style"),
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_versions,
};

static gboolean run_use(PenCli *cli, char **arguments, GError **error)
{
    g_autoptr(PenStyle) style = pen_cli_find_style(cli, arguments[0], error);
    g_autoptr(GPtrArray) versions =
        style ? pen_store_list_style_versions(pen_studio_store(cli->studio), style->id, error)
              : NULL;
    guint64 number;
    if (!versions || !pen_cli_parse_uint64(arguments[1], _("the version"), &number, error))
        return FALSE;
    gint64 id = 0;
    for (guint i = 0; i < versions->len; i++) {
        const PenStyleVersion *version = versions->pdata[i];
        if ((guint64)version->number == number)
            id = version->id;
    }
    if (number && !id)
        return pen_cli_usage_error(error,
                                   _("“%s” has no version %s; “penchant style versions” "
                                     "lists them."),
                                   style->name, arguments[1]);
    if (!pen_store_set_style_version(pen_studio_store(cli->studio), style->id, id, error))
        return FALSE;
    pen_cli_print(cli, _("“%s” draws with version %s now."), style->name, arguments[1]);
    emit_style(cli, "use", style->name);
    return TRUE;
}

static const PenCommand command_use = {
    .name = "use",
    .arguments = N_("NAME VERSION"),
    .summary = N_("Make an earlier version of a style the current one; 0: the bare model"),
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run_use,
};

static gboolean run_relocate(PenCli *cli, char **arguments, GError **error)
{
    g_autoptr(PenStyle) style = pen_cli_find_style(cli, arguments[0], error);
    if (!style || !pen_studio_relocate_style(cli->studio, style->id, arguments[1], error))
        return FALSE;
    pen_cli_print(cli, _("“%s” finds its model at %s now."), style->name, arguments[1]);
    emit_style(cli, "relocate", style->name);
    return TRUE;
}

static const PenCommand command_relocate = {
    .name = "relocate",
    .arguments = N_("NAME MODEL"),
    .summary = N_("Say where the model of a style lies now, after it was moved"),
    .description =
        N_("The model is known by its content: another one is refused. Models in the models "
           "folder are\nfound without this."),
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run_relocate,
};

static const PenCommand *const style_commands[] = {
    &command_create, &command_export,   &command_import,   &command_delete, &command_restore,
    &command_rename, &command_versions, &command_relocate, &command_set,    &command_use,
    NULL,
};

const PenCommand pen_command_style = {
    .name = "style",
    .summary = N_("Make, export, import, rename, relocate or delete a style, or set its recipe"),
    .commands = style_commands,
};
