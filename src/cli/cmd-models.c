// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/models/model.h"

static gboolean run(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio)
        return FALSE;
    g_auto(GStrv) names = pen_studio_model_names(studio);
    for (char **name = names; *name; name++) {
        g_autoptr(GError) broken = NULL;
        g_autoptr(PenModelInfo) info = pen_studio_model_info(studio, *name, 0, &broken);
        JsonObject *object = pen_cli_object("model");
        json_object_set_string_member(object, "name", *name);
        if (info) {
            pen_cli_print(cli, _("%-16s %ux%u  %.12s  %s"), *name, info->size, info->size,
                          info->hash, info->spec);
            json_object_set_string_member(object, "path", info->spec);
            json_object_set_string_member(object, "hash", info->hash);
            json_object_set_int_member(object, "size", info->size);
        } else {
            pen_cli_print(cli, _("%-16s cannot be used: %s"), *name, broken->message);
            json_object_set_string_member(object, "error", broken->message);
        }
        pen_cli_emit(cli, object);
    }
    g_autofree char *user = pen_model_user_folder();
    pen_cli_note(cli, _("Model folders and .safetensors files in %s are found by their name."), user);
    return TRUE;
}

const PenCommand pen_command_models = {
    .name = "models",
    .summary = N_("List the models that --model knows by name"),
    .run = run,
};
