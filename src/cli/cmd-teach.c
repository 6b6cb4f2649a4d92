// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>

#include "src/cli/cli.h"
#include "src/studio/own-picture.h"
#include "src/studio/teach-options.h"

static char *style_name, *model, *seed, *like, *prompt, *artist_names;
static char **artists; /* of --artists; NULL: all */
static int rank = PEN_CLI_UNSET_COUNT;
static gboolean fresh, adopt;

static const GOptionEntry entries[] = {
    { "style", 's', 0, G_OPTION_ARG_STRING, &style_name, N_("The style to teach (needed)"),
      N_("NAME") },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model,
      N_("Where the style's model lies now; for a style that is made here, whose picks it learns"),
      N_("MODEL") },
    { "seed", 0, 0, G_OPTION_ARG_STRING, &seed,
      N_("Of the order of picks and the new adapter (default: random)"), "N" },
    { "like", 0, 0, G_OPTION_ARG_FILENAME, &like,
      N_("Also learn the pictures in FOLDER, which are better than what the bare model draws"),
      N_("FOLDER") },
    { "prompt", 'p', 0, G_OPTION_ARG_STRING, &prompt,
      N_("With --like: what all of them show (default: a .txt file beside each, or its name)"),
      N_("TEXT") },
    { "rank", 0, 0, G_OPTION_ARG_INT, &rank, N_("Adapter rank of a style that is made here (4)"),
      "N" },
    { "artists", 0, 0, G_OPTION_ARG_STRING, &artist_names,
      N_("Learn the picks of these people alone, with commas between them (default: of all)"),
      N_("NAMES") },
    { "adopt", 0, 0, G_OPTION_ARG_NONE, &adopt,
      N_("Also learn the picked rounds that belong to no style"), NULL },
    { "fresh", 0, 0, G_OPTION_ARG_NONE, &fresh,
      N_("Start over where an unfinished teaching would go on"), NULL },
    G_OPTION_ENTRY_NULL,
};

static gboolean read_settings(PenTeachSettings *settings, GError **error)
{
    g_autoptr(GError) inner = NULL;
    if (!pen_teach_options_read(settings, &inner))
        return pen_cli_usage_error(error, "%s", inner->message);
    settings->fresh = fresh;
    if (seed) {
        settings->has_seed = TRUE;
        if (!pen_cli_parse_uint64(seed, "--seed", &settings->seed, error))
            return FALSE;
    }
    if (rank != PEN_CLI_UNSET_COUNT && (rank < 1 || rank > 1024))
        return pen_cli_usage_error(error, _("%s is from %d to %d, not %d."), "--rank", 1, 1024,
                                   rank);
    return TRUE;
}

/* --- the style ---------------------------------------------------------------------------------
 */

/* The rounds that belong to no style and have a pick to learn, latest first. `ties` (may be NULL)
 * tells whether others were passed over, whose pictures are all as good. */
static GPtrArray *list_stray_rounds(PenStore *store, const char *model_hash, gboolean *ties,
                                    GError **error)
{
    g_autoptr(GPtrArray) rounds = pen_store_list_rounds(store, 0, G_MAXINT, error);
    g_autoptr(GPtrArray) strays = g_ptr_array_new_with_free_func((GDestroyNotify)pen_round_free);
    for (guint i = 0; rounds && i < rounds->len; i++) {
        const PenRound *round = rounds->pdata[i];
        if (round->style || (model_hash && !g_str_equal(round->model_hash, model_hash)))
            continue;
        g_autoptr(GPtrArray) picks = pen_store_list_round_picks(store, round->id, NULL);
        gboolean prefers = FALSE;
        for (guint j = 0; picks && j < picks->len; j++)
            prefers = prefers || pen_pick_prefers(picks->pdata[j]);
        if (prefers)
            g_ptr_array_add(strays, pen_round_copy(round));
        else if (picks && picks->len && ties)
            *ties = TRUE;
    }
    return rounds ? g_steal_pointer(&strays) : NULL;
}

/* The first of the rounds that a new style could be taught here and now. */
static const PenRound *find_teachable(PenCli *cli, const GPtrArray *rounds, int new_rank,
                                      GError **error)
{
    for (guint i = 0; i < rounds->len; i++) {
        const PenRound *round = rounds->pdata[i];
        g_autoptr(PenPick) own = pen_store_get_pick(pen_studio_store(cli->studio), round->id, NULL);
        if (!own) /* others picked: what is wrong with it, the lesson itself says */
            return round;
        g_autoptr(GError) inner = NULL;
        g_auto(PenCliJob) job;
        pen_cli_job_init(&job, cli);
        pen_studio_check_teaching_async(cli->studio, round->id, new_rank, job.cancellable,
                                        pen_cli_job_done, &job);
        if (pen_studio_check_teaching_finish(cli->studio, pen_cli_job_wait(&job), &inner))
            return round;
        if (i + 1 == rounds->len ||
            !g_error_matches(inner, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING)) {
            g_propagate_error(error, g_steal_pointer(&inner));
            return NULL;
        }
    }
    return NULL;
}

static gboolean adopt_rounds(PenCli *cli, const PenStyle *style, GError **error)
{
    int adopted = pen_studio_adopt_rounds(cli->studio, style->id, error);
    if (adopted < 0)
        return FALSE;
    if (adopted)
        pen_cli_note(cli,
                     g_dngettext(GETTEXT_PACKAGE,
                                 "%d picked round that belonged to no style now teaches “%s”.",
                                 "%d picked rounds that belonged to no style now teach “%s”.",
                                 (gulong)adopted),
                     adopted, style->name);
    return TRUE;
}

/* A new style of the name that was given, for the picks that belong to none. */
static PenStyle *make_style(PenCli *cli, GError **error)
{
    PenStore *store = pen_studio_store(cli->studio);
    gboolean ties = FALSE;
    g_autoptr(PenModelInfo) info =
        model ? pen_studio_model_info(cli->studio, model, 0, error) : NULL;
    g_autoptr(GPtrArray) rounds =
        model && !info ? NULL : list_stray_rounds(store, info ? info->hash : NULL, &ties, error);
    if (!rounds)
        return NULL;
    if (!rounds->len && ties) {
        g_set_error_literal(
            error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING,
            _("The picks so far find all pictures of their rounds as good: pick the "
              "best of a round."));
        return NULL;
    }
    if (!rounds->len) /* says which styles there are and how to make one */
        return pen_cli_find_style(cli, style_name, error);
    PenD3poConfig defaults = PEN_D3PO_CONFIG_INIT;
    int new_rank = rank != PEN_CLI_UNSET_COUNT ? rank : (int)defaults.adapter_rank;
    const PenRound *round = find_teachable(cli, rounds, new_rank, error);
    if (!round)
        return NULL;
    gint64 id = pen_store_create_style(store, style_name, round->model_hash, round->model_name,
                                       round->model_path, new_rank, error);
    PenStyle *style = id ? pen_store_get_style(store, id, error) : NULL;
    if (style)
        pen_cli_note(cli, _("The style “%s” is new, for the model “%s”."), style->name,
                     style->model_name);
    return style;
}

/* The style, with picks to learn if there are any at all. */
static PenStyle *prepare_style(PenCli *cli, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio || !pen_cli_check_device(cli, error))
        return NULL;
    PenStore *store = pen_studio_store(studio);
    g_autoptr(PenStyle) style = pen_store_find_style(store, style_name, NULL);
    if (!style)
        style = make_style(cli, error);
    else if (rank != PEN_CLI_UNSET_COUNT && rank != style->rank) {
        pen_cli_usage_error(error,
                            _("The style “%s” has adapters of rank %d; --rank is for a "
                              "style that is made here."),
                            style->name, style->rank);
        return NULL;
    } else if (model && !pen_studio_relocate_style(studio, style->id, model, error))
        return NULL;
    g_autoptr(GPtrArray) picks =
        style ? pen_store_list_picks(store, style->id, FALSE, error) : NULL;
    if (!picks || ((adopt || picks->len == 0) && !adopt_rounds(cli, style, error)))
        return NULL;
    g_autoptr(GPtrArray) strays = list_stray_rounds(store, style->model_hash, NULL, NULL);
    if (strays && strays->len)
        pen_cli_note(cli,
                     _("Some picked rounds belong to no style; --adopt makes them teach “%s”."),
                     style->name);
    g_autoptr(PenRun) unfinished = pen_store_find_unfinished_run(store, style->id, NULL);
    if (unfinished && unfinished->state == PEN_RUN_PAUSED && !fresh &&
        (seed || pen_teach_options_given()))
        pen_cli_note(cli, _("An unfinished teaching goes on with the settings it began with; "
                            "--fresh starts over with the ones given now."));
    return g_steal_pointer(&style);
}

/* --- whose picks -------------------------------------------------------------------------------
 */

static gboolean read_artists(GError **error)
{
    if (!artist_names)
        return TRUE;
    artists = g_strsplit(artist_names, ",", -1);
    for (char **name = artists; *name; name++)
        if (!pen_artist_check_name(g_strstrip(*name), error)) {
            g_prefix_error(error, "--artists: ");
            return FALSE;
        }
    return TRUE;
}

/* Every one that is asked for has picks that teach the style. */
static gboolean check_artists(PenCli *cli, const PenStyle *style, GError **error)
{
    g_autoptr(GPtrArray) there =
        pen_store_list_artists(pen_studio_store(cli->studio), style->id, error);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (guint i = 0; there && i < there->len; i++)
        g_strv_builder_add(builder, ((const PenArtist *)there->pdata[i])->name);
    g_auto(GStrv) names = g_strv_builder_end(builder);
    g_autofree char *list = g_strjoinv(", ", names);
    for (char **name = artists; there && name && *name; name++)
        if (!g_strv_contains((const char *const *)names, *name))
            return pen_cli_usage_error(error, _("“%s” has no picks for “%s”. These have: %s."),
                                       *name, style->name, list);
    pen_store_choose_artists(pen_studio_store(cli->studio), (const char *const *)artists);
    return there != NULL;
}

/* --- pictures of the artist's own --------------------------------------------------------------
 */

static void on_own_event(const PenStudioEvent *event, gpointer user_data)
{
    pen_cli_show_event(user_data, event, _("Drawing what your pictures are better than"));
}

/* The style that they teach: a new one is for --model, or the starter model. */
static PenStyle *style_of_own(PenCli *cli, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio)
        return NULL;
    PenStore *store = pen_studio_store(studio);
    g_autoptr(GError) inner = NULL;
    PenStyle *style = pen_store_find_style(store, style_name, &inner);
    if (style || !g_error_matches(inner, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND)) {
        if (!style)
            g_propagate_error(error, g_steal_pointer(&inner));
        return style;
    }
    g_autoptr(PenModelInfo) info = pen_studio_model_info(studio, model, 0, error);
    PenD3poConfig defaults = PEN_D3PO_CONFIG_INIT;
    gint64 id = info ? pen_store_create_style(
                           store, style_name, info->hash, info->name, info->spec,
                           rank != PEN_CLI_UNSET_COUNT ? rank : (int)defaults.adapter_rank, error)
                     : 0;
    return id ? pen_store_get_style(store, id, error) : NULL;
}

static gboolean learn_own(PenCli *cli, GError **error)
{
    g_autoptr(GPtrArray) pictures = pen_own_pictures_of_folder(like, prompt, error);
    g_autoptr(PenStyle) style =
        pictures && pen_cli_check_device(cli, error) ? style_of_own(cli, error) : NULL;
    if (!style)
        return FALSE;
    PenOwnPicturesResult done;
    g_auto(PenCliJob) job;
    pen_cli_job_init(&job, cli);
    pen_studio_learn_pictures_async(cli->studio, style->id, pictures, on_own_event, cli,
                                    job.cancellable, pen_cli_job_done, &job);
    if (!pen_studio_learn_pictures_finish(cli->studio, pen_cli_job_wait(&job), &done, error))
        return FALSE;
    pen_cli_note(cli,
                 g_dngettext(GETTEXT_PACKAGE, "%u picture of %u is new for “%s”.",
                             "%u pictures of %u are new for “%s”.", done.learnt),
                 done.learnt, pictures->len, style->name);
    JsonObject *object = pen_cli_object("pictures");
    json_object_set_int_member(object, "new", done.learnt);
    json_object_set_int_member(object, "known", done.known);
    json_object_set_int_member(object, "failed", done.failed);
    pen_cli_emit(cli, object);
    return TRUE;
}

/* --- the run -----------------------------------------------------------------------------------
 */

typedef struct {
    PenCli *cli;
    guint step, steps;
} Watch;

static void show_step(Watch *watch, const PenStudioEvent *event)
{
    const PenTrainingStep *t = event->training;
    watch->step = event->step;
    watch->steps = event->steps;
    pen_cli_print(watch->cli,
                  _("step %u/%u  loss %.5f  log-ratio margin %+.5f  agreement %3.0f %%  "
                    "gradient norm %.4g  %.1f s"),
                  event->step, event->steps, t->loss, t->margin, 100 * t->agreement, t->grad_norm,
                  t->seconds);
    JsonObject *object = pen_cli_object("step");
    json_object_set_int_member(object, "step", event->step);
    json_object_set_int_member(object, "steps", event->steps);
    pen_cli_set_number(object, "loss", t->loss);
    pen_cli_set_number(object, "margin", t->margin);
    pen_cli_set_number(object, "agreement", t->agreement);
    pen_cli_set_number(object, "grad_norm", t->grad_norm);
    pen_cli_set_number(object, "seconds", t->seconds);
    pen_cli_emit(watch->cli, object);
}

static void on_event(const PenStudioEvent *event, gpointer user_data)
{
    Watch *watch = user_data;
    if (event->kind == PEN_STUDIO_STEP)
        show_step(watch, event);
    else
        pen_cli_show_event(watch->cli, event, _("Teaching"));
}

static void report_taught(PenCli *cli, const PenStyle *style, const PenTeachResult *taught)
{
    g_autoptr(PenStyleVersion) version =
        pen_store_get_style_version(pen_studio_store(cli->studio), taught->version, NULL);
    int number = version ? version->number : 0;
    pen_cli_print(cli,
                  _("“%s” is now version %d. Picks: %u, steps: %u, loss: %.5f to %.5f, log-ratio "
                    "margin: %+.5f to %+.5f"),
                  style->name, number, taught->picks, taught->steps, taught->first.loss,
                  taught->last.loss, taught->first.margin, taught->last.margin);
    JsonObject *object = pen_cli_object("result");
    json_object_set_string_member(object, "style", style->name);
    json_object_set_int_member(object, "version", number);
    json_object_set_int_member(object, "run", taught->run);
    json_object_set_int_member(object, "picks", taught->picks);
    json_object_set_int_member(object, "steps", taught->steps);
    pen_cli_set_number(object, "first_loss", taught->first.loss);
    pen_cli_set_number(object, "last_loss", taught->last.loss);
    pen_cli_set_number(object, "first_margin", taught->first.margin);
    pen_cli_set_number(object, "last_margin", taught->last.margin);
    pen_cli_emit(cli, object);
}

static gboolean run(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    PenTeachSettings settings;
    if (!style_name)
        return pen_cli_usage_error(error, _("Which style shall learn? Give --style NAME."));
    if (!read_settings(&settings, error) || !read_artists(error))
        return FALSE;
    if (prompt && !like)
        return pen_cli_usage_error(error, _("--prompt goes with --like FOLDER."));
    if (like && !learn_own(cli, error))
        return FALSE;
    g_autoptr(PenStyle) style = prepare_style(cli, error);
    if (!style || !check_artists(cli, style, error))
        return FALSE;
    Watch watch = { .cli = cli };
    PenTeachResult taught;
    g_auto(PenCliJob) job;
    pen_cli_job_init(&job, cli);
    pen_studio_teach_async(cli->studio, style->id, &settings, on_event, &watch, job.cancellable,
                           pen_cli_job_done, &job);
    g_autoptr(GError) inner = NULL;
    if (pen_studio_teach_finish(cli->studio, pen_cli_job_wait(&job), &taught, &inner)) {
        report_taught(cli, style, &taught);
        return TRUE;
    }
    if (g_error_matches(inner, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                    _("Stopped. What “%s” learnt so far is kept: “penchant teach --style '%s'” "
                      "goes on from there."),
                    style->name, style->name);
    else
        g_propagate_error(error, g_steal_pointer(&inner));
    return FALSE;
}

const PenCommand pen_command_teach = {
    .name = "teach",
    .summary = N_("Teach a style the picks of its rounds"),
    .description =
        N_("Prints the loss and the log-ratio margin of better over worse pictures for "
           "every step.\nCtrl-C stops; the same command goes on at the last finished "
           "step. A style that does not\nexist yet is made, for the picked rounds that "
           "belong to none.\n"
           "With --like the pictures in a folder count as the best of rounds whose other\n"
           "candidates the bare model draws for the same prompt."),
    .entries = entries,
    .more_entries = pen_teach_options_entries,
    .run = run,
};
