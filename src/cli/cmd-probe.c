// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>

#include "src/cli/probe.h"

static char *model, *in, *out, *prompt, *negative_prompt;
static gboolean words;
static int clip_skip = 1;
static char **lora;

static const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model,
      N_("A model's folder, file or name (default: the starter model)"), N_("MODEL") },
    { "in", 'i', 0, G_OPTION_ARG_FILENAME, &in, N_("The inputs (needed by all but prompt)"), N_("IN.safetensors") },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &out, N_("Where the results go (needed)"),
      N_("OUT.safetensors") },
    { "prompt", 'p', 0, G_OPTION_ARG_STRING, &prompt, N_("The text of prompt"), N_("TEXT") },
    { "negative-prompt", 'n', 0, G_OPTION_ARG_STRING, &negative_prompt,
      N_("The text that prompt keeps away from (default: none, which is not an empty one)"),
      N_("TEXT") },
    { "words", 0, 0, G_OPTION_ARG_NONE, &words,
      N_("Brackets in prompts are characters, not weights"), NULL },
    { "clip-skip", 0, 0, G_OPTION_ARG_INT, &clip_skip,
      N_("Stop at the Nth layer from the end of the text encoder (1: the last)"), "N" },
    { "lora", 'l', 0, G_OPTION_ARG_FILENAME_ARRAY, &lora,
      N_("An adapter, in kohya or diffusers naming; given twice to d3po, the first one samples and "
         "the second one is trained"),
      N_("FILE") },
    G_OPTION_ENTRY_NULL,
};

typedef struct {
    const char *name;
    gboolean (*run)(PenProbe *probe, GError **error);
    /* In place of it, what needs no device. */
    gboolean (*convert)(const char *model, const char *in, const char *out, GError **error);
    gboolean needs_input;
} Part;

static const Part parts[] = {
    { "text", pen_probe_text, NULL, TRUE },
    { "prompt", pen_probe_prompt, NULL, FALSE },
    { "unet", pen_probe_unet, NULL, TRUE },
    { "vae-decode", pen_probe_vae_decode, NULL, TRUE },
    { "vae-encode", pen_probe_vae_encode, NULL, TRUE },
    { "unet-grad", pen_probe_unet_grad, NULL, TRUE },
    { "d3po", pen_probe_d3po, NULL, TRUE },
    { "tokens", NULL, pen_probe_tokens, TRUE },
    { "sampler", NULL, pen_probe_sampler, TRUE },
};

static const Part *find_part(const char *name, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (g_str_equal(parts[i].name, name))
            return &parts[i];
        g_string_append_printf(names, "%s%s", i ? ", " : "", parts[i].name);
    }
    pen_cli_usage_error(error, _("There is no component “%s”. There are: %s."), name, names->str);
    return NULL;
}

static gboolean open_probe(PenCli *cli, PenProbe *probe, const char *folder, GError **error)
{
    gboolean half = g_strcmp0(cli->precision, "f16") == 0;
    probe->adapters = g_ptr_array_new_with_free_func(pen_probe_adapter_free);
    probe->out = pen_safetensors_writer_new();
    if (in && !(probe->in = pen_safetensors_open(in, error)))
        return FALSE;
    probe->model = pen_model_open(folder, error);
    probe->device = probe->model ? pen_cli_open_device(cli, error) : NULL;
    if (!probe->device)
        return FALSE;
    /* Comparisons are made in float32 unless half precision is what is compared. */
    probe->runtime =
        pen_runtime_new(probe->model, probe->device, half ? PEN_DTYPE_F16 : PEN_DTYPE_F32, error);
    if (!probe->runtime)
        return FALSE;
    for (char **path = lora; path && *path; path++) {
        PenProbeAdapter *adapter = pen_probe_adapter_load(probe, *path, error);
        if (!adapter)
            return FALSE;
        g_ptr_array_add(probe->adapters, adapter);
    }
    return TRUE;
}

static void close_probe(PenProbe *probe)
{
    g_clear_pointer(&probe->adapters, g_ptr_array_unref);
    g_clear_pointer(&probe->runtime, pen_runtime_free);
    g_clear_pointer(&probe->device, pen_device_unref);
    g_clear_pointer(&probe->model, pen_model_unref);
    g_clear_pointer(&probe->in, pen_safetensors_unref);
    g_clear_pointer(&probe->out, pen_safetensors_writer_free);
}

static gboolean run(PenCli *cli, char **arguments, GError **error)
{
    const Part *part = find_part(arguments[0], error);
    if (!part)
        return FALSE;
    if ((!in && part->needs_input) || !out)
        return pen_cli_usage_error(error, _("Give --in FILE and --out FILE."));
    if (cli->precision && !g_str_equal(cli->precision, "f32") &&
        !g_str_equal(cli->precision, "f16"))
        return pen_cli_usage_error(error, _("“%s” is not a precision. Use f32 or f16."),
                                   cli->precision);
    g_autofree char *folder = pen_model_find(model, error);
    if (!folder || !pen_cli_check_target(out, error))
        return FALSE;
    gboolean ok;
    if (part->run) {
        PenProbe probe = {
            .cli = cli,
            .prompt = prompt,
            .negative_prompt = negative_prompt,
            .reading = words ? PEN_PROMPT_WORDS : PEN_PROMPT_WEIGHTS,
            .clip_skip = (guint)MAX(clip_skip, 1),
        };
        ok = open_probe(cli, &probe, folder, error) && part->run(&probe, error) &&
             pen_safetensors_writer_save(probe.out, out, error);
        close_probe(&probe);
    } else {
        ok = part->convert(folder, in, out, error);
    }
    if (!ok)
        return FALSE;
    JsonObject *object = pen_cli_object("result");
    json_object_set_string_member(object, "component", part->name);
    json_object_set_string_member(object, "out", out);
    pen_cli_emit(cli, object);
    return TRUE;
}

const PenCommand pen_command_probe = {
    .name = "probe",
    .arguments = N_("COMPONENT"),
    .summary = N_("Run one part of a model on given tensors"),
    .description = N_("Components: text, prompt, unet, vae-decode, vae-encode, unet-grad, d3po, "
                      "tokens, sampler.\n"
                      "Tensors are named and shaped as in tests/data/golden/README.md; tokens "
                      "reads and writes a\nJSON list of objects with “text” and “ids”; sampler "
                      "reads NAME.json, with NAME.safetensors beside\nit. Where d3po finds latents "
                      "and next_latents that the adapter did not sample, it trains on\nthese."),
    .entries = entries,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
