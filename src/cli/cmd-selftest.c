// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "src/cli/cli.h"
#include "src/selftest/selftest.h"

static gboolean quick;

static const GOptionEntry entries[] = {
    { "quick", 0, 0, G_OPTION_ARG_NONE, &quick, N_("Without the shapes that take long"), NULL },
    G_OPTION_ENTRY_NULL,
};

static const char *const outcome_names[] = { "right", "wrong", "not run" };

static void on_progress(double fraction, const char *name, gpointer user_data)
{
    PenCli *cli = user_data;
    pen_progress_show(cli->progress, name, fraction, -1);
}

static void print_row(PenCli *cli, const PenSelftestRow *row)
{
    const char *precision = row->dtype == PEN_DTYPE_F16 ? "f16" : "f32";
    g_autofree char *error = isnan(row->error) ? g_strdup("") : g_strdup_printf("%.1e", row->error);
    g_autofree char *speed =
        row->figures.seconds > 0
            ? g_strdup_printf(_("%9.3f ms %8.1f GFLOPS %7.1f GB/s"), row->figures.seconds * 1e3,
                              row->figures.flops / row->figures.seconds * 1e-9,
                              row->figures.bytes / row->figures.seconds * 1e-9)
            : g_strdup("");
    static const char *const outcomes[] = { N_("right"), N_("WRONG"), N_("not run") };
    pen_cli_print(cli, "%-6s %s %-7s %8s %s  %s%s%s%s%s", pen_kernels_name(row->kernels), precision,
                  gettext(outcomes[row->outcome]), error, speed, row->name,
                  *row->figures.kernel ? "  " : "", *row->figures.kernel ? row->figures.kernel : "",
                  row->why ? ": " : "", row->why ? row->why : "");
}

static void on_result(const PenSelftestRow *row, gpointer user_data)
{
    PenCli *cli = user_data;
    print_row(cli, row);
    JsonObject *object = pen_cli_object("test");
    json_object_set_string_member(object, "name", row->name);
    json_object_set_string_member(object, "kernels", pen_kernels_name(row->kernels));
    json_object_set_string_member(object, "precision", row->dtype == PEN_DTYPE_F16 ? "f16" : "f32");
    json_object_set_string_member(object, "outcome", outcome_names[row->outcome]);
    pen_cli_set_number(object, "error", row->error);
    pen_cli_set_number(object, "tolerance", row->tolerance);
    if (*row->figures.kernel)
        json_object_set_string_member(object, "kernel", row->figures.kernel);
    if (row->why)
        json_object_set_string_member(object, "why", row->why);
    if (row->figures.seconds > 0) {
        pen_cli_set_number(object, "seconds", row->figures.seconds);
        pen_cli_set_number(object, "gflops", row->figures.flops / row->figures.seconds * 1e-9);
        pen_cli_set_number(object, "gbytes_per_second",
                           row->figures.bytes / row->figures.seconds * 1e-9);
    }
    if (row->projections) {
        JsonArray *projections = json_array_new();
        for (guint i = 0; i < row->n_projections; i++)
            pen_cli_add_number(projections, row->projections[i]);
        json_object_set_array_member(object, "projections", projections);
    }
    pen_cli_emit(cli, object);
}

static void report(PenCli *cli, const PenSelftest *selftest)
{
    static const char *const verdicts[] = { "good", "left out", "unusable", "incomplete" };
    const PenDeviceInfo *info = selftest->info;
    g_autofree char *text = pen_selftest_verdict_text(selftest);
    pen_cli_print(cli, "\n%s", text);
    pen_cli_print(cli, _("It took %.0f seconds. All figures are in %s"), selftest->seconds,
                  info->findings);
    JsonObject *object = pen_cli_object("verdict");
    json_object_set_string_member(object, "verdict", verdicts[selftest->verdict]);
    json_object_set_string_member(object, "text", text);
    json_object_set_string_member(object, "kernels", pen_kernels_name(info->kernels));
    json_object_set_string_member(object, "file", info->findings);
    pen_cli_set_number(object, "seconds", selftest->seconds);
    pen_cli_emit(cli, object);
}

static gboolean run(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    PenSelftestOptions options = {
        .device = cli->device,
        .quick = quick,
        .progress = on_progress,
        .result = on_result,
        .user_data = cli,
    };
    g_autoptr(PenSelftest) selftest = pen_selftest_run(&options, NULL, error);
    if (!selftest)
        return FALSE;
    pen_cli_print(cli, "%s", "");
    pen_cli_show_device(cli, selftest->info, selftest->info->name, NULL);
    report(cli, selftest);
    if (selftest->verdict != PEN_SELFTEST_UNUSABLE)
        return TRUE;
    g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED,
                _("The device “%s” cannot be used: %s."), selftest->info->name,
                _("its driver computes wrongly"));
    return FALSE;
}

const PenCommand pen_command_selftest = {
    .name = "selftest",
    .summary = N_("Test whether the device computes what it should, and how fast"),
    .description = N_(
        "Runs each kind of kernel that the device uses, in the shapes of Stable Diffusion 1.5 and "
        "SDXL, and the starter\nmodel, and compares the results with those of the processor. It "
        "takes "
        "a few minutes, ten at most. Kernels that\ncompute wrongly are not used from then on. A "
        "report "
        "of wrong pictures or failures wants the file that it names."),
    .entries = entries,
    .run = run,
};
