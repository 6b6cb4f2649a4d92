// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <stdlib.h>

#include "src/cli/bench.h"
#include "src/models/runtime.h"
#include "src/sampling/noise.h"

static char *arch, *model;
static gboolean random_weights, eight_bit, profile, plan_only;
static int width, height, batch = 1, steps = 3;

static const GOptionEntry entries[] = {
    { "arch", 'a', 0, G_OPTION_ARG_STRING, &arch,
      N_("The model's shape (default: starter, or that of --model)"), "sd15|sd21|sdxl|starter" },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model, N_("A model's folder, file or name"), N_("MODEL") },
    { "random", 0, 0, G_OPTION_ARG_NONE, &random_weights,
      N_("Random weights, for a shape without its files"), NULL },
    { "eight-bit", 0, 0, G_OPTION_ARG_NONE, &eight_bit,
      N_("The UNet's weights in 8 bits, as where memory is short"), NULL },
    { "width", 'W', 0, G_OPTION_ARG_INT, &width,
      N_("Of the pictures (default: what the model was trained on)"), N_("PIXELS") },
    { "height", 'H', 0, G_OPTION_ARG_INT, &height, N_("The same"), N_("PIXELS") },
    { "batch", 0, 0, G_OPTION_ARG_INT, &batch, N_("Pictures at once (1)"), "N" },
    { "steps", 0, 0, G_OPTION_ARG_INT, &steps, N_("Timed steps after the first one (3)"), "N" },
    { "plan", 0, 0, G_OPTION_ARG_NONE, &plan_only,
      N_("Only say how much memory the step would take; needs --random"), NULL },
    { "profile", 0, 0, G_OPTION_ARG_NONE, &profile, N_("Also the time that each kernel takes"),
      NULL },
    G_OPTION_ENTRY_NULL,
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double pen_bench_median(double *seconds, guint n)
{
    qsort(seconds, n, sizeof *seconds, compare);
    return n % 2 ? seconds[n / 2] : (seconds[n / 2 - 1] + seconds[n / 2]) / 2;
}

static gboolean check_options(PenCli *cli, GError **error)
{
    if (width < 0 || height < 0 || width % 8 || height % 8 || width > 4096 || height > 4096)
        return pen_cli_usage_error(error,
                                   _("--width and --height must be multiples of 8, up to 4096."));
    if (batch < 1 || batch > 64)
        return pen_cli_usage_error(error, _("--batch is from 1 to 64, not %d."), batch);
    if (plan_only && !random_weights)
        return pen_cli_usage_error(error, _("--plan needs --random: no weights are read."));
    if (steps < 1 || steps > 10000)
        return pen_cli_usage_error(error, _("--steps is from 1 to 10000, not %d."), steps);
    if (cli->precision && !g_str_equal(cli->precision, "f32") &&
        !g_str_equal(cli->precision, "f16"))
        return pen_cli_usage_error(error, _("“%s” is not a precision. Use f32 or f16."),
                                   cli->precision);
    return TRUE;
}

static gboolean run(PenCli *cli, char **arguments, GError **error)
{
    static const char *const step_names[] = { "unet", "train", "vae" }; /* by PenBenchStep */
    const char *what = arguments[0] ? arguments[0] : "kernels";
    guint step = 0;
    while (step < G_N_ELEMENTS(step_names) && !g_str_equal(what, step_names[step]))
        step++;
    gboolean kernels = g_str_equal(what, "kernels");
    if (!kernels && step == G_N_ELEMENTS(step_names))
        return pen_cli_usage_error(
            error, _("There is no benchmark “%s”. There are: kernels, unet, train, vae."), what);
    if (!check_options(cli, error))
        return FALSE;
    g_autoptr(PenDevice) device = pen_cli_open_device(cli, error);
    if (!device)
        return FALSE;
    const PenDeviceInfo *info = pen_device_info(device);
    if (plan_only && step > PEN_BENCH_TRAIN)
        return pen_cli_usage_error(error, _("--plan is for unet and train."));
    PenBench bench = {
        .cli = cli,
        .device = device,
        .arch = arch,
        .model = model,
        .random = random_weights,
        .eight_bit = eight_bit,
        .width = (guint32)width,
        .height = (guint32)height,
        .batch = (guint)batch,
        .steps = (guint)steps,
        .plan = plan_only,
        .profile = profile,
    };
    gboolean half = g_strcmp0(cli->precision, "f16") == 0;
    if (half && !info->float16)
        return pen_cli_usage_error(error, _("%s cannot compute in half precision; use f32."),
                                   info->name);
    pen_cli_note(cli, _("Working on %s."), info->name);
    if (kernels)
        return pen_bench_kernels(&bench, !half, half || (!cli->precision && info->float16), error);
    PenDtype dtype =
        cli->precision ? half ? PEN_DTYPE_F16 : PEN_DTYPE_F32 : pen_runtime_preferred_dtype(info);
    return pen_bench_step(&bench, (PenBenchStep)step, dtype, error);
}

const PenCommand pen_command_bench = {
    .name = "bench",
    .arguments = N_("[kernels|unet|train|vae]"),
    .summary = N_("Measure the kernels, or one step of a model"),
    .description = N_("kernels  every kind of kernel, and beside it the same work with PyTorch on "
                      "the processor,\n         where it is installed\n"
                      "unet     one evaluation of the UNet\n"
                      "train    forward and backward pass of one candidate at one timestep, with "
                      "guidance\n"
                      "vae      latents to a picture"),
    .entries = entries,
    .max_arguments = 1,
    .run = run,
};
