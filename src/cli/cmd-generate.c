// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/cli/crew-rounds.h"
#include "src/cli/prompt-list.h"
#include "src/cli/start-picture.h"
#include "src/models/model-spec.h"
#include "src/models/model.h"
#include "src/sampling/noise.h"
#include "src/studio/taken-settings.h"

static char *model, *vae, *prediction, *prompt, *negative, *style_name, *seed, *out, *from, *mask,
    *settings_of, *like, *sampler, *schedule, *timesteps, *prompt_file;
static char **loras;
static gboolean words, no_recipe, fast, no_fast;
static int wide = PEN_CLI_UNSET_COUNT, count = PEN_CLI_UNSET_COUNT, steps = PEN_CLI_UNSET_COUNT,
           width = PEN_CLI_UNSET_COUNT, height = PEN_CLI_UNSET_COUNT,
           clip_skip = PEN_CLI_UNSET_COUNT, n_rounds = PEN_CLI_UNSET_COUNT;
static double guidance = PEN_CLI_UNSET, guidance_rescale = PEN_CLI_UNSET, eta = PEN_CLI_UNSET,
              strength = PEN_CLI_UNSET, part = PEN_CLI_UNSET, style_strength = PEN_CLI_UNSET;
static gboolean shared_noise;

static const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model,
      N_("A model's folder or .safetensors file, or a name of “penchant models” (default: the "
         "style's, else the starter model)"),
      N_("MODEL") },
    { "vae", 0, 0, G_OPTION_ARG_FILENAME, &vae,
      N_("Decode with this VAE (file or folder), not with the model's"), N_("VAE") },
    { "lora", 'l', 0, G_OPTION_ARG_FILENAME_ARRAY, &loras,
      N_("Add this adapter to the model, at a strength (1); can be given several times"),
      N_("FILE[:X]") },
    { "prediction", 0, 0, G_OPTION_ARG_STRING, &prediction,
      N_("What a single-file model predicts, where that is guessed wrong"), "epsilon|v" },
    { "prompt", 'p', 0, G_OPTION_ARG_STRING, &prompt,
      N_("What the pictures show (needed, unless --prompts, --like or --settings-of say it)"),
      N_("TEXT") },
    { "prompts", 0, 0, G_OPTION_ARG_FILENAME, &prompt_file,
      N_("Make many rounds: take the prompts of FILE, one a line, in turn"), N_("FILE") },
    { "rounds", 0, 0, G_OPTION_ARG_INT, &n_rounds,
      N_("With --prompts: so many rounds (one of each prompt); those that are there are not made "
         "again"),
      "N" },
    { "negative", 'n', 0, G_OPTION_ARG_STRING, &negative, N_("What they shall not show"),
      N_("TEXT") },
    { "words", 0, 0, G_OPTION_ARG_NONE, &words,
      N_("Brackets in prompts are characters, not weights; see docs/prompts.md"), NULL },
    { "clip-skip", 0, 0, G_OPTION_ARG_INT, &clip_skip,
      N_("Stop at the Nth layer from the end of the text encoder (1: the last)"), "N" },
    { "style", 's', 0, G_OPTION_ARG_STRING, &style_name,
      N_("The style that draws, and that picks of this round will teach"), N_("NAME") },
    { "no-recipe", 0, 0, G_OPTION_ARG_NONE, &no_recipe,
      N_("Leave the style's recipe away (see “penchant style set”)"), NULL },
    { "style-strength", 0, 0, G_OPTION_ARG_DOUBLE, &style_strength,
      N_("How strongly the style draws; 1 is as taught"), N_("X") },
    { "count", 'c', 0, G_OPTION_ARG_INT, &count, N_("Candidates of the round (4)"), "N" },
    { "wide", 0, 0, G_OPTION_ARG_INT, &wide,
      N_("Begin so many, and finish the --count of them that your picks speak for"), "N" },
    { "like", 0, 0, G_OPTION_ARG_STRING, &like,
      N_("More like candidate PLACE of that round, with all its settings"), N_("ROUND:PLACE") },
    { "part", 0, 0, G_OPTION_ARG_DOUBLE, &part,
      N_("With --like: how much of the way all share, from 0 to less than 1 (0.5)"), N_("X") },
    { "seed", 0, 0, G_OPTION_ARG_STRING, &seed,
      N_("The same seed gives the same pictures (default: random; with --prompts 0)"), "N" },
    { "shared-noise", 0, 0, G_OPTION_ARG_NONE, &shared_noise,
      N_("All candidates start from the same noise, as in the published script"), NULL },
    { "sampler", 0, 0, G_OPTION_ARG_STRING, &sampler,
      N_("DDIM (the default, unless the style has one), Euler, Euler a, DPM++ 2M, DPM++ 2M SDE, "
         "DPM++ SDE, UniPC, LCM or TCD; "
         "also with a schedule, as in “DPM++ 2M Karras”"),
      N_("NAME") },
    { "schedule", 0, 0, G_OPTION_ARG_STRING, &schedule,
      N_("Normal, Leading, Karras or SGM Uniform (default: what suits the sampler)"), N_("NAME") },
    { "fast", 0, 0, G_OPTION_ARG_NONE, &fast,
      N_("4 to 8 steps with the sampler and the guidance that go with them, for models and "
         "adapters "
         "that were made for it (LCM, Lightning, Turbo, Hyper-SD, DMD2, TCD); those that are "
         "called so "
         "are drawn so anyway"),
      NULL },
    { "no-fast", 0, 0, G_OPTION_ARG_NONE, &no_fast,
      N_("Draw like any other a model or adapter that is called so"), NULL },
    { "steps", 0, 0, G_OPTION_ARG_INT, &steps,
      N_("Sampling steps (the style's, else what suits the model: 20, or few)"), "N" },
    { "timesteps", 0, 0, G_OPTION_ARG_STRING, &timesteps,
      N_("The steps' own timesteps in place of a schedule, as in 999,749,499,249"), "T,T…" },
    { "guidance", 0, 0, G_OPTION_ARG_DOUBLE, &guidance,
      N_("How closely the prompt is followed (default: what suits the model)"), N_("X") },
    { "guidance-rescale", 0, 0, G_OPTION_ARG_DOUBLE, &guidance_rescale,
      N_("How far guidance's contrast is taken back, 0 to 1 (what suits the model: 0.7 where its "
         "schedule ends in pure noise, else 0)"),
      N_("PHI") },
    { "eta", 0, 0, G_OPTION_ARG_DOUBLE, &eta,
      N_("How much of their noise DDIM and TCD take afresh in each step, 0 to 1 (1)"), N_("X") },
    { "width", 'W', 0, G_OPTION_ARG_INT, &width,
      N_("In pixels, a multiple of 8 (default: what the model was trained on)"), N_("PIXELS") },
    { "height", 'H', 0, G_OPTION_ARG_INT, &height, N_("The same"), N_("PIXELS") },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &out,
      N_("Also write the pictures to FOLDER, as roundID-PLACE.png"), N_("FOLDER") },
    { "from", 0, 0, G_OPTION_ARG_FILENAME, &from,
      N_("Start from this PNG of any size, not from noise alone"), N_("PICTURE") },
    { "strength", 0, 0, G_OPTION_ARG_DOUBLE, &strength,
      N_("With --from: 0 keeps the picture, 1 nearly ignores it (0.6)"), N_("X") },
    { "mask", 0, 0, G_OPTION_ARG_FILENAME, &mask,
      N_("With --from: a PNG that is white where the picture may change"), N_("PICTURE") },
    { "settings-of", 0, 0, G_OPTION_ARG_FILENAME, &settings_of,
      N_("Take the settings that are not given from this picture (PNG, JPEG, WebP) of Penchant or "
         "A1111"),
      N_("PICTURE") },
    G_OPTION_ENTRY_NULL,
};

typedef struct {
    PenCli *cli;
    PenStartPicture start;
    gint64 round;
    guint finished;
} Watch;

static void on_event(const PenStudioEvent *event, gpointer user_data)
{
    Watch *watch = user_data;
    if (event->kind == PEN_STUDIO_ROUND) {
        watch->round = event->round;
    } else if (event->kind == PEN_STUDIO_CANDIDATE) {
        watch->finished++;
        JsonObject *object = pen_cli_object("candidate");
        json_object_set_int_member(object, "round", watch->round);
        json_object_set_int_member(object, "place", event->place);
        pen_cli_emit(watch->cli, object);
    } else {
        pen_cli_show_event(watch->cli, event, _("Making pictures"));
    }
}

/* --- the copies ------------------------------------------------------------------------------- */

/* Makes the folder and tries whether files can be written there, before the work is done. */
static gboolean prepare_folder(const char *folder, GError **error)
{
    g_autofree char *probe = g_build_filename(folder, ".penchant-XXXXXX", NULL);
    int fd = g_mkdir_with_parents(folder, 0777) == 0 ? g_mkstemp(probe) : -1;
    if (fd < 0) {
        int problem = errno;
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(problem),
                    _("Pictures cannot be written to %s (%s): choose another folder for --out."),
                    folder, g_strerror(problem));
        return FALSE;
    }
    g_close(fd, NULL);
    g_unlink(probe);
    return TRUE;
}

/* The files of a round's finished candidates: the copies in --out, else those of the store. */
static GPtrArray *round_files(PenCli *cli, const Watch *watch, GError **error)
{
    gint64 round = watch->round;
    PenStore *store = pen_studio_store(cli->studio);
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, round, error);
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; candidates && i < candidates->len; i++) {
        const PenCandidate *candidate = candidates->pdata[i];
        if (candidate->state != PEN_ROUND_COMPLETE)
            continue;
        g_autofree char *stored = pen_store_path(store, candidate->picture_file);
        if (!out) {
            g_ptr_array_add(files, g_steal_pointer(&stored));
            continue;
        }
        g_autofree char *name =
            g_strdup_printf("round%" G_GINT64_FORMAT "-%d.png", round, candidate->place);
        char *copy = g_build_filename(out, name, NULL);
        g_ptr_array_add(files, copy);
        if (!pen_start_picture_copy(&watch->start, stored, copy, error))
            return NULL;
    }
    return candidates ? g_steal_pointer(&files) : NULL;
}

static gboolean report_round(PenCli *cli, const Watch *watch, const PenRoundResult *made,
                             GError **error)
{
    /* The id first: it is what the next command needs, even if a copy fails. */
    if (made)
        pen_cli_print(cli, "%" PRId64, watch->round);
    g_autoptr(GPtrArray) files = round_files(cli, watch, error);
    if (!files)
        return FALSE;
    JsonObject *object = pen_cli_object(made ? "result" : "cancelled");
    json_object_set_int_member(object, "round", watch->round);
    if (made) {
        json_object_set_int_member(object, "seed", (gint64)made->seed);
        json_object_set_boolean_member(object, "was_there", made->was_there);
        json_object_set_int_member(object, "width", made->width);
        json_object_set_int_member(object, "height", made->height);
        json_object_set_int_member(object, "made", made->made);
        json_object_set_int_member(object, "evaluations", (gint64)made->evaluations);
        if (made->guess >= 0)
            json_object_set_int_member(object, "guess", made->guess);
        json_object_set_string_member(object, "model", made->model_name);
        json_object_set_string_member(object, "model_hash", made->model_hash);
    }
    JsonArray *array = json_array_new();
    for (guint i = 0; i < files->len; i++) {
        json_array_add_string_element(array, files->pdata[i]);
        if (!cli->json)
            pen_cli_note(cli, "%s", (char *)files->pdata[i]);
    }
    json_object_set_array_member(object, "files", array);
    pen_cli_emit(cli, object);
    return TRUE;
}

/* --- the command ------------------------------------------------------------------------------ */

static gboolean size_option(const char *option, int value, guint *size, GError **error)
{
    if (value == PEN_CLI_UNSET_COUNT)
        return TRUE;
    if (value <= 0 || value % 8)
        return pen_cli_usage_error(error,
                                   _("%s must be a multiple of 8, and %d is not: %d would do."),
                                   option, value, MAX((value + 4) / 8 * 8, 8));
    *size = (guint)value;
    return TRUE;
}

/* What the picture of --settings-of says and no option does. */
static gboolean take_settings(PenCli *cli, PenRoundRequest *request, PenTakenSettings **taken,
                              char **spec, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    *taken = studio ? pen_studio_take_settings(studio, settings_of, error) : NULL;
    if (!*taken)
        return FALSE;
    const PenPictureSettings *settings = (*taken)->settings;
    request->as_is = TRUE; /* the picture says what the recipe would */
    if (!prompt)
        request->prompt = settings->prompt ? settings->prompt : "";
    if (!negative)
        request->negative_prompt = settings->negative;
    if (steps == PEN_CLI_UNSET_COUNT && settings->steps)
        request->steps = (guint)settings->steps;
    if (!sampler)
        request->sampler = settings->sampler;
    if (!timesteps && steps == PEN_CLI_UNSET_COUNT)
        request->timesteps = settings->timesteps;
    if (guidance == PEN_CLI_UNSET && settings->guidance > 0)
        request->guidance = settings->guidance;
    if (guidance_rescale == PEN_CLI_UNSET)
        request->guidance_rescale = settings->guidance_rescale;
    if (eta == PEN_CLI_UNSET && settings->eta >= 0)
        request->eta = settings->eta;
    request->words = words || settings->words;
    if (clip_skip == PEN_CLI_UNSET_COUNT)
        request->clip_skip = (guint)settings->clip_skip;
    if (!seed && settings->has_seed) {
        request->has_seed = TRUE;
        request->seed = settings->seed;
    }
    if (width == PEN_CLI_UNSET_COUNT && height == PEN_CLI_UNSET_COUNT && !from) {
        request->width = settings->width;
        request->height = settings->height;
    }
    if (!style_name && (*taken)->style) {
        request->style = (*taken)->style;
        if (settings->style_strength > 0)
            request->style_strength = settings->style_strength;
    }
    if ((*taken)->notice)
        pen_cli_warn(cli, (*taken)->notice);
    g_autoptr(PenModelSpec) both = pen_model_spec_parse((*taken)->model, error);
    g_autoptr(PenModelSpec) said = both ? pen_model_spec_parse(*spec, error) : NULL;
    if (!said)
        return FALSE;
    pen_model_spec_overlay(both, said);
    g_free(*spec);
    *spec = pen_model_spec_to_text(both);
    return TRUE;
}

/* --like takes all of the earlier round's settings, and its style unless one is given. */
static gboolean like_option(PenCli *cli, PenRoundRequest *request, GError **error)
{
    guint64 round, place;
    g_auto(GStrv) parts = g_strsplit(like, ":", 2);
    if (g_strv_length(parts) != 2 ||
        !g_ascii_string_to_unsigned(parts[0], 10, 1, G_MAXINT64, &round, NULL) ||
        !g_ascii_string_to_unsigned(parts[1], 10, 0, G_MAXINT, &place, NULL))
        return pen_cli_usage_error(
            error, _("--like is a round's number and a place in it, as in 3:1; “%s” is not."),
            like);
    if (prompt || negative || from || settings_of || words || clip_skip != PEN_CLI_UNSET_COUNT ||
        steps != PEN_CLI_UNSET_COUNT || timesteps || fast || no_fast ||
        width != PEN_CLI_UNSET_COUNT || height != PEN_CLI_UNSET_COUNT ||
        guidance != PEN_CLI_UNSET || eta != PEN_CLI_UNSET)
        return pen_cli_usage_error(
            error, _("--like takes prompt, start, size, steps, guidance and eta from "
                     "the round: leave them away."));
    if (part != PEN_CLI_UNSET && !(part >= 0 && part < 1))
        return pen_cli_usage_error(error, _("--part is from 0 to less than 1, not %g."), part);
    request->like_round = (gint64)round;
    request->like_place = (int)place;
    if (part != PEN_CLI_UNSET)
        request->like_part = part;
    PenStudio *studio = pen_cli_studio(cli, error);
    g_autoptr(PenRound) row =
        studio ? pen_store_get_round(pen_studio_store(studio), request->like_round, error) : NULL;
    if (row && row->style && !style_name) {
        g_autoptr(PenStyle) style = pen_store_get_style(pen_studio_store(studio), row->style, NULL);
        request->style = style && !style->deleted ? style->id : 0;
    }
    return row != NULL;
}

static gboolean fill_request(PenCli *cli, PenRoundRequest *request, char **spec, PenStyle **style,
                             PenTakenSettings **taken, GError **error)
{
    if (part != PEN_CLI_UNSET && !like)
        return pen_cli_usage_error(error, _("--part goes with --like ROUND:PLACE."));
    if (!prompt && !prompt_file && !settings_of && !like)
        return pen_cli_usage_error(error, _("What shall the pictures show? Give --prompt TEXT."));
    if (count != PEN_CLI_UNSET_COUNT && (count < 1 || count > PEN_ROUND_MAX))
        return pen_cli_usage_error(error, _("--count is 1 to %d, not %d."), PEN_ROUND_MAX, count);
    if (wide != PEN_CLI_UNSET_COUNT && (wide < 1 || wide > PEN_ROUND_WIDE_MAX))
        return pen_cli_usage_error(error, _("--wide is 1 to %d, not %d."), PEN_ROUND_WIDE_MAX,
                                   wide);
    if (steps != PEN_CLI_UNSET_COUNT && (steps < 1 || steps > 1000))
        return pen_cli_usage_error(error, _("--steps is 1 to 1000, not %d."), steps);
    if (clip_skip != PEN_CLI_UNSET_COUNT && (clip_skip < 1 || clip_skip > 12))
        return pen_cli_usage_error(error, _("%s is from %d to %d, not %d."), "--clip-skip", 1, 12,
                                   clip_skip);
    if (!size_option("--width", width, &request->width, error) ||
        !size_option("--height", height, &request->height, error))
        return FALSE;
    *spec = pen_cli_model(model, vae, prediction, loras, error);
    if (!*spec)
        return FALSE;
    request->prompt = prompt;
    request->negative_prompt = negative;
    request->words = words;
    request->as_is = no_recipe;
    if (clip_skip != PEN_CLI_UNSET_COUNT)
        request->clip_skip = (guint)clip_skip;
    if (count != PEN_CLI_UNSET_COUNT)
        request->count = (guint)count;
    if (wide != PEN_CLI_UNSET_COUNT)
        request->wide = (guint)wide;
    if (steps != PEN_CLI_UNSET_COUNT)
        request->steps = (guint)steps;
    if (guidance != PEN_CLI_UNSET) {
        /* In a request 0 asks for the model's own. */
        if (!(guidance > 0 && guidance <= PEN_MODEL_MAX_GUIDANCE))
            return pen_cli_usage_error(
                error,
                _("--guidance is more than 0 and at most %g; without it the model's own is used."),
                PEN_MODEL_MAX_GUIDANCE);
        request->guidance = guidance;
    }
    if (guidance_rescale != PEN_CLI_UNSET) {
        if (!(guidance_rescale >= 0 && guidance_rescale <= 1))
            return pen_cli_usage_error(error, _("--guidance-rescale is from 0 to 1."));
        request->guidance_rescale = guidance_rescale;
    }
    if (fast && no_fast)
        return pen_cli_usage_error(error, _("--fast and --no-fast do not go together."));
    request->speed = fast ? PEN_SPEED_FAST : no_fast ? PEN_SPEED_USUAL : PEN_SPEED_AUTOMATIC;
    request->sampler = sampler;
    request->schedule = schedule;
    request->timesteps = timesteps;
    if (eta != PEN_CLI_UNSET)
        request->eta = eta;
    if (style_strength != PEN_CLI_UNSET) {
        if (!style_name || !(style_strength >= 0 && style_strength <= 100))
            return pen_cli_usage_error(
                error, _("--style-strength goes with --style and is from 0 to 100."));
        request->style_strength = style_strength;
    }
    request->shared_noise = shared_noise;
    if (seed) {
        request->has_seed = TRUE;
        if (!pen_cli_parse_uint64(seed, "--seed", &request->seed, error))
            return FALSE;
    }
    if (style_name) {
        *style = pen_cli_find_style(cli, style_name, error);
        if (!*style)
            return FALSE;
        request->style = (*style)->id;
    }
    if (settings_of && !take_settings(cli, request, taken, spec, error))
        return FALSE;
    request->model = *spec;
    return (!like || like_option(cli, request, error)) && (!out || prepare_folder(out, error));
}

/* Makes a round, reports it, and says what of it stays if it is stopped. */
static gboolean make_round(PenCli *cli, const PenRoundRequest *request,
                           const PenStartPicture *start, gboolean *was_there, GError **error)
{
    Watch watch = { .cli = cli, .start = *start };
    g_auto(PenCliJob) job;
    pen_cli_job_init(&job, cli);
    pen_studio_generate_async(cli->studio, request, on_event, &watch, job.cancellable,
                              pen_cli_job_done, &job);
    g_autoptr(GError) inner = NULL;
    g_autoptr(PenRoundResult) made =
        pen_studio_generate_finish(cli->studio, pen_cli_job_wait(&job), &inner);
    if (made) {
        watch.round = made->round;
        *was_there = made->was_there;
        return report_round(cli, &watch, made, error);
    }
    if (!g_error_matches(inner, G_IO_ERROR, G_IO_ERROR_CANCELLED) || !watch.finished) {
        g_propagate_error(error, g_steal_pointer(&inner));
        return FALSE;
    }
    if (!report_round(cli, &watch, NULL, error))
        return FALSE;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                _("Stopped. Round %" PRId64 " keeps its finished candidates (%u) and can "
                  "be picked from."),
                watch.round, watch.finished);
    return FALSE;
}

/* --- many rounds ------------------------------------------------------------------------------ */

/* The store does not keep whether the noise was shared, so such rounds have seeds of their own. */
static guint64 list_seed(const PenRoundRequest *request)
{
    guint64 given = request->has_seed ? request->seed : 0;
    return request->shared_noise ? pen_noise_derive_seed(given, PEN_STREAM_PROMPT_LIST, 1) : given;
}

static void report_list(PenCli *cli, guint n, guint there)
{
    pen_cli_note(cli,
                 g_dngettext(GETTEXT_PACKAGE, "%u round, of which %u was there already.",
                             "%u rounds, of which %u were there already.", n),
                 n, there);
    JsonObject *object = pen_cli_object("rounds");
    json_object_set_int_member(object, "rounds", n);
    json_object_set_int_member(object, "made", n - there);
    json_object_set_int_member(object, "were_there", there);
    pen_cli_emit(cli, object);
}

/* The first `n` rounds of the list. */
static GArray *list_rounds(char **prompts, guint n, guint64 seed_of_list)
{
    GArray *rounds = g_array_new(FALSE, FALSE, sizeof(PenCrewRound));
    for (guint i = 0; i < n; i++) {
        PenCrewRound round;
        round.prompt = (char *)pen_prompt_list_get(prompts, i, seed_of_list, &round.seed);
        g_array_append_val(rounds, round);
    }
    return rounds;
}

typedef struct {
    PenCli *cli;
    const PenStartPicture *start;
    Watch watch; /* of the rounds that we draw ourselves */
    guint there;
} List;

static gboolean on_crew_round(gint64 round, gboolean was_there, gpointer data, GError **error)
{
    List *list = data;
    g_autoptr(PenRound) row =
        pen_store_get_round(pen_studio_store(list->cli->studio), round, error);
    if (!row)
        return FALSE;
    PenRoundResult made = {
        .round = round,
        .was_there = was_there,
        .seed = row->seed,
        .width = (guint)row->width,
        .height = (guint)row->height,
        .made = (guint)row->made,
        .guess = -1,
        .model_name = row->model_name,
        .model_hash = row->model_hash,
    };
    Watch watch = { .cli = list->cli, .start = *list->start, .round = round };
    list->there += was_there;
    return report_round(list->cli, &watch, &made, error);
}

static gboolean make_each(List *list, PenRoundRequest *request, const GArray *rounds,
                          GError **error)
{
    for (guint i = 0; i < rounds->len; i++) {
        gboolean was_there = FALSE;
        request->prompt = g_array_index(rounds, PenCrewRound, i).prompt;
        request->seed = g_array_index(rounds, PenCrewRound, i).seed;
        if (!make_round(list->cli, request, list->start, &was_there, error)) {
            g_prefix_error(error, _("Round %u of %u: "), i + 1, rounds->len);
            return FALSE;
        }
        list->there += was_there;
    }
    return TRUE;
}

static gboolean make_list(PenCli *cli, PenRoundRequest *request, const PenStartPicture *start,
                          GError **error)
{
    gboolean leads = !cli->crew || cli->crew->rank == 0;
    List list = { .cli = cli, .start = start, .watch = { .cli = cli, .start = *start } };
    g_auto(GStrv) prompts = leads ? pen_prompt_list_load(prompt_file, error) : g_new0(char *, 1);
    if (!prompts)
        return FALSE;
    guint n = n_rounds != PEN_CLI_UNSET_COUNT && leads ? (guint)n_rounds : g_strv_length(prompts);
    g_autoptr(GArray) rounds = list_rounds(prompts, n, list_seed(request));
    request->has_seed = request->once = TRUE;
    if (!(cli->crew ? pen_crew_make_rounds(cli, request, rounds, on_event, &list.watch,
                                           on_crew_round, &list, error)
                    : make_each(&list, request, rounds, error)))
        return FALSE;
    if (leads)
        report_list(cli, n, list.there);
    return TRUE;
}

static gboolean check_list_options(PenCli *cli, GError **error)
{
    if (!prompt_file && cli->crew)
        return pen_cli_usage_error(
            error, _("Many processes make the rounds of a list: give --prompts FILE."));
    if (!prompt_file)
        return n_rounds == PEN_CLI_UNSET_COUNT ||
               pen_cli_usage_error(error, _("--rounds goes with --prompts FILE."));
    if (prompt || like || from || wide != PEN_CLI_UNSET_COUNT)
        return pen_cli_usage_error(
            error,
            _("--prompts makes plain rounds of its own prompts: leave --prompt, --like, --from "
              "and --wide away."));
    if (n_rounds != PEN_CLI_UNSET_COUNT && (n_rounds < 1 || n_rounds > PEN_PROMPT_LIST_MAX))
        return pen_cli_usage_error(error, _("%s is from %d to %d, not %d."), "--rounds", 1,
                                   PEN_PROMPT_LIST_MAX, n_rounds);
    return TRUE;
}

static gboolean run(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    PenRoundRequest request = PEN_ROUND_REQUEST_INIT;
    g_autoptr(PenStyle) style = NULL;
    g_autoptr(PenTakenSettings) taken = NULL;
    g_auto(PenStartPicture) start = { 0 };
    g_autofree char *spec = NULL;
    if (!from && (mask || strength != PEN_CLI_UNSET))
        return pen_cli_usage_error(error, _("--mask and --strength go with --from PICTURE."));
    if (!check_list_options(cli, error) ||
        (cli->crew && !pen_cli_share_studio(cli, style_name, error)) ||
        !fill_request(cli, &request, &spec, &style, &taken, error) ||
        (from && !pen_start_picture_read(&start, &request, from, mask, error)))
        return FALSE;
    if (strength != PEN_CLI_UNSET)
        request.start_strength = strength;
    if (!pen_cli_studio(cli, error))
        return FALSE;
    gboolean was_there;
    return prompt_file ? make_list(cli, &request, &start, error)
                       : make_round(cli, &request, &start, &was_there, error);
}

const PenCommand pen_command_generate = {
    .name = "generate",
    .arguments = NULL,
    .summary = N_("Make a round of pictures to pick from, and print its id"),
    .description = N_("The round's id is all that goes to standard output, so that\n"
                      "  R=$(penchant generate --prompt \"a bird\" --out /tmp/birds)\n"
                      "  penchant pick $R --best 2\n"
                      "works. Each PNG holds the settings it was made with. With --prompts the ids "
                      "of all rounds\n"
                      "are printed; the same command, stopped and started again, makes only those "
                      "that are missing."),
    .entries = entries,
    .run = run,
    .shares = TRUE,
};
