// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>

#include "src/cli/cli.h"
#include "src/formats/png.h"

static double scale = PEN_CLI_UNSET, strength = PEN_CLI_UNSET;
static char *out;

static const GOptionEntry entries[] = {
    { "scale", 'x', 0, G_OPTION_ARG_DOUBLE, &scale, N_("So many times as large (2)"), N_("X") },
    { "strength", 0, 0, G_OPTION_ARG_DOUBLE, &strength,
      N_("0 only enlarges, 1 nearly ignores the picture (0.3)"), N_("X") },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &out, N_("Write the picture to FILE, a PNG (needed)"),
      N_("FILE") },
    G_OPTION_ENTRY_NULL,
};

static void on_event(const PenStudioEvent *event, gpointer cli)
{
    pen_cli_show_event(cli, event, _("Refining the picture"));
}

static gboolean run(PenCli *cli, char **arguments, GError **error)
{
    guint64 round, place;
    if (!pen_cli_parse_uint64(arguments[0], "ROUND", &round, error) ||
        !pen_cli_parse_uint64(arguments[1], "K", &place, error))
        return FALSE;
    if (!out)
        return pen_cli_usage_error(error, _("Say with --out FILE where the picture goes."));
    PenRefineRequest request = PEN_REFINE_REQUEST_INIT;
    request.round = (gint64)round;
    request.place = (int)MIN(place, G_MAXINT);
    if (scale != PEN_CLI_UNSET)
        request.scale = scale;
    if (strength != PEN_CLI_UNSET)
        request.strength = strength;
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio || !pen_cli_check_target(out, error))
        return FALSE;
    g_auto(PenCliJob) job;
    pen_cli_job_init(&job, cli);
    pen_studio_refine_async(studio, &request, on_event, cli, job.cancellable, pen_cli_job_done,
                            &job);
    g_autoptr(PenRoundResult) made =
        pen_studio_refine_finish(studio, pen_cli_job_wait(&job), error);
    if (!made || !pen_png_write(out, made->rgb[0], made->width, made->height, 3, 0, NULL, 0, error))
        return FALSE;
    pen_cli_print(cli, "%s", out);
    JsonObject *object = pen_cli_object("result");
    json_object_set_string_member(object, "file", out);
    json_object_set_int_member(object, "width", made->width);
    json_object_set_int_member(object, "height", made->height);
    pen_cli_emit(cli, object);
    return TRUE;
}

const PenCommand pen_command_refine = {
    .name = "refine",
    .arguments = N_("ROUND K"),
    .summary = N_("Make a candidate larger, and finer with it"),
    .description =
        N_("Draws over candidate K (from 0) of a round at a larger size, with the prompt, "
           "style and model that made it, in tiles without seams: as much memory as one "
           "picture of the model's own size, whatever the size is."),
    .entries = entries,
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};
