// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/formats/png.h"
#include "src/models/model.h"

static char *model, *vae, *prediction, *prompt, *negative, *style_name, *seed, *out, *from, *mask;
static char **loras;
static int count = PEN_CLI_UNSET_COUNT, steps = PEN_CLI_UNSET_COUNT, width = PEN_CLI_UNSET_COUNT,
           height = PEN_CLI_UNSET_COUNT;
static double guidance = PEN_CLI_UNSET, eta = PEN_CLI_UNSET, strength = PEN_CLI_UNSET,
              style_strength = PEN_CLI_UNSET;

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
    { "prompt", 'p', 0, G_OPTION_ARG_STRING, &prompt, N_("What the pictures show (needed)"),
      N_("TEXT") },
    { "negative", 'n', 0, G_OPTION_ARG_STRING, &negative, N_("What they shall not show"),
      N_("TEXT") },
    { "style", 's', 0, G_OPTION_ARG_STRING, &style_name,
      N_("The style that draws, and that picks of this round will teach"), N_("NAME") },
    { "style-strength", 0, 0, G_OPTION_ARG_DOUBLE, &style_strength,
      N_("How strongly the style draws; 1 is as taught"), N_("X") },
    { "count", 'c', 0, G_OPTION_ARG_INT, &count, N_("Candidates of the round (4)"), "N" },
    { "seed", 0, 0, G_OPTION_ARG_STRING, &seed,
      N_("The same seed gives the same pictures (default: random)"), "N" },
    { "steps", 0, 0, G_OPTION_ARG_INT, &steps, N_("Sampling steps (20)"), "N" },
    { "guidance", 0, 0, G_OPTION_ARG_DOUBLE, &guidance,
      N_("How closely the prompt is followed (default: what suits the model)"), N_("X") },
    { "eta", 0, 0, G_OPTION_ARG_DOUBLE, &eta,
      N_("Fresh noise in each step, 0 to 1 (1; with less than about 0.1 nothing can be learnt)"), N_("X") },
    { "width", 'W', 0, G_OPTION_ARG_INT, &width,
      N_("In pixels, a multiple of 8 (default: what the model was trained on)"), N_("PIXELS") },
    { "height", 'H', 0, G_OPTION_ARG_INT, &height, N_("The same"), N_("PIXELS") },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &out,
      N_("Also write the pictures to FOLDER, as roundID-PLACE.png"), N_("FOLDER") },
    { "from", 0, 0, G_OPTION_ARG_FILENAME, &from, N_("Start from this PNG, not from noise alone"),
      N_("PICTURE") },
    { "strength", 0, 0, G_OPTION_ARG_DOUBLE, &strength,
      N_("With --from: 0 keeps the picture, 1 nearly ignores it (0.6)"), N_("X") },
    { "mask", 0, 0, G_OPTION_ARG_FILENAME, &mask,
      N_("With --from: a PNG that is white where the picture may change"), N_("PICTURE") },
    G_OPTION_ENTRY_NULL,
};

typedef struct {
    PenCli *cli;
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

/* --- pictures to start from ------------------------------------------------------------------ */

/* Reads a picture of the wanted size; 0 takes the picture's own. */
static PenPng *read_picture(const char *path, guint *w, guint *h, GError **error)
{
    g_autoptr(PenPng) png = pen_png_read(path, error);
    if (!png)
        return NULL;
    if ((*w && *w != png->width) || (*h && *h != png->height)) {
        pen_cli_usage_error(error,
                            _("%s is %ux%u pixels, and the round %ux%u: scale the picture, or "
                              "leave --width and --height away."),
                            path, png->width, png->height, *w, *h);
        return NULL;
    }
    *w = png->width;
    *h = png->height;
    return g_steal_pointer(&png);
}

/* Over white, which is what a canvas without paint looks like. */
static guint8 over_white(guint8 value, guint8 alpha)
{
    return (guint8)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

static gboolean read_start(PenRoundRequest *request, guint8 **rgb, guint8 **area, GError **error)
{
    if (!from) {
        if (mask || strength != PEN_CLI_UNSET)
            return pen_cli_usage_error(error, _("--mask and --strength go with --from PICTURE."));
        return TRUE;
    }
    g_autoptr(PenPng) picture = read_picture(from, &request->width, &request->height, error);
    if (!picture)
        return FALSE;
    gsize n = (gsize)picture->width * picture->height;
    request->start_rgb = *rgb = g_new(guint8, 3 * n);
    for (gsize i = 0; i < 3 * n; i++)
        (*rgb)[i] = over_white(picture->rgba[i / 3 * 4 + i % 3], picture->rgba[i / 3 * 4 + 3]);
    if (strength != PEN_CLI_UNSET)
        request->start_strength = strength;
    if (!mask)
        return TRUE;
    g_autoptr(PenPng) white = read_picture(mask, &request->width, &request->height, error);
    if (!white)
        return FALSE;
    request->start_mask = *area = g_new(guint8, n);
    for (gsize i = 0; i < n; i++)
        (*area)[i] = white->rgba[4 * i] * white->rgba[4 * i + 3] / 255;
    return TRUE;
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

/* The store's files are for the artist alone; a copy has the mode of any file made here. */
static gboolean copy_picture(const char *source, const char *target, GError **error)
{
    g_autoptr(GError) inner = NULL;
    g_autoptr(GBytes) picture = pen_file_map(source, G_MAXUINT64, &inner);
    g_autoptr(PenFileWriter) file = picture ? pen_file_writer_new(target, &inner) : NULL;
    if (file &&
        pen_file_writer_write(file, g_bytes_get_data(picture, NULL), g_bytes_get_size(picture),
                              &inner) &&
        pen_file_writer_commit(file, &inner))
        return TRUE;
    g_set_error(error, inner->domain, inner->code,
                _("%s could not be written (%s); the picture is kept in %s."), target,
                inner->message, source);
    return FALSE;
}

/* The files of a round's finished candidates: the copies in --out, else those of the store. */
static GPtrArray *round_files(PenCli *cli, gint64 round, GError **error)
{
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
        if (!copy_picture(stored, copy, error))
            return NULL;
    }
    return candidates ? g_steal_pointer(&files) : NULL;
}

static gboolean report_round(PenCli *cli, const Watch *watch, const PenRoundResult *made,
                             GError **error)
{
    /* The id first: it is what the next command needs, even if a copy fails. */
    if (made)
        pen_cli_print(cli, "%" G_GINT64_FORMAT, watch->round);
    g_autoptr(GPtrArray) files = round_files(cli, watch->round, error);
    if (!files)
        return FALSE;
    JsonObject *object = pen_cli_object(made ? "result" : "cancelled");
    json_object_set_int_member(object, "round", watch->round);
    if (made) {
        json_object_set_int_member(object, "seed", (gint64)made->seed);
        json_object_set_int_member(object, "width", made->width);
        json_object_set_int_member(object, "height", made->height);
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

static gboolean fill_request(PenCli *cli, PenRoundRequest *request, char **spec, PenStyle **style,
                             GError **error)
{
    if (!prompt)
        return pen_cli_usage_error(error, _("What shall the pictures show? Give --prompt TEXT."));
    if (count != PEN_CLI_UNSET_COUNT && (count < 1 || count > PEN_ROUND_MAX))
        return pen_cli_usage_error(error, _("--count is 1 to %d, not %d."), PEN_ROUND_MAX, count);
    if (steps != PEN_CLI_UNSET_COUNT && (steps < 1 || steps > 1000))
        return pen_cli_usage_error(error, _("--steps is 1 to 1000, not %d."), steps);
    if (!size_option("--width", width, &request->width, error) ||
        !size_option("--height", height, &request->height, error))
        return FALSE;
    *spec = pen_cli_model(model, vae, prediction, loras, error);
    if (!*spec)
        return FALSE;
    request->model = *spec;
    request->prompt = prompt;
    request->negative_prompt = negative;
    if (count != PEN_CLI_UNSET_COUNT)
        request->count = (guint)count;
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
    if (eta != PEN_CLI_UNSET)
        request->eta = eta;
    if (style_strength != PEN_CLI_UNSET) {
        if (!style_name || !(style_strength >= 0 && style_strength <= 100))
            return pen_cli_usage_error(
                error, _("--style-strength goes with --style and is from 0 to 100."));
        request->style_strength = style_strength;
    }
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
    return !out || prepare_folder(out, error);
}

static gboolean run(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    PenRoundRequest request = PEN_ROUND_REQUEST_INIT;
    g_autoptr(PenStyle) style = NULL;
    g_autofree guint8 *rgb = NULL, *area = NULL;
    g_autofree char *spec = NULL;
    if (!fill_request(cli, &request, &spec, &style, error) || !read_start(&request, &rgb, &area, error))
        return FALSE;
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio)
        return FALSE;
    Watch watch = { .cli = cli };
    g_auto(PenCliJob) job;
    pen_cli_job_init(&job, cli);
    pen_studio_generate_async(studio, &request, on_event, &watch, job.cancellable, pen_cli_job_done,
                              &job);
    g_autoptr(GError) inner = NULL;
    g_autoptr(PenRoundResult) made =
        pen_studio_generate_finish(studio, pen_cli_job_wait(&job), &inner);
    if (made) {
        watch.round = made->round;
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

const PenCommand pen_command_generate = {
    .name = "generate",
    .arguments = NULL,
    .summary = N_("Make a round of pictures to pick from, and print its id"),
    .description = N_("The round's id is all that goes to standard output, so that\n"
                      "  R=$(penchant generate --prompt \"a bird\" --out /tmp/birds)\n"
                      "  penchant pick $R --best 2\n"
                      "works. Each PNG holds the settings it was made with."),
    .entries = entries,
    .run = run,
};
