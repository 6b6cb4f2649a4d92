// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>

#include "src/cli/cli.h"

static gboolean run(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    return pen_cli_usage_error(error, "bench is not here yet");
}

const PenCommand pen_command_bench = {
    .name = "bench",
    .summary = N_("Measure the kernels, and one step of sampling or training"),
    .run = run,
};
