// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/procedures.h"

#include <glib/gi18n-lib.h>

#include "plugin/procedure.h"

void pen_procedure_on_ready(GObject *source, GAsyncResult *result, gpointer data)
{
    PenWait *wait = data;
    wait->result = g_object_ref(result);
    g_main_loop_quit(wait->loop);
}

void pen_procedure_wait(PenWait *wait)
{
    g_main_loop_run(wait->loop);
    g_main_loop_unref(wait->loop);
}

void pen_procedure_on_event(const PenStudioEvent *event, gpointer data)
{
    if (event->kind == PEN_STUDIO_PROGRESS)
        gimp_progress_update(event->fraction);
    else if (event->kind == PEN_STUDIO_NOTICE)
        gimp_progress_set_text(event->text);
    else if (event->kind == PEN_STUDIO_WARNING)
        g_message("%s", event->text); /* stays where GIMP keeps messages */
}

GimpValueArray *pen_procedure_fail(GimpProcedure *procedure, GError *error)
{
    return gimp_procedure_new_return_values(procedure, GIMP_PDB_EXECUTION_ERROR, error);
}

gint64 pen_procedure_find_style(PenStudio *studio, const char *name, GError **error)
{
    if (!name || !*name)
        return 0;
    g_autoptr(PenStyle) style = pen_store_find_style(pen_studio_store(studio), name, error);
    return style ? style->id : -1;
}

const char *pen_procedure_or_null(const char *text)
{
    return text && *text ? text : NULL;
}

char *pen_procedure_read_spec(const char *model, const char *vae, const char *prediction,
                              char **adapters, GError **error)
{
    g_autoptr(PenModelSpec) spec = pen_model_spec_new(pen_procedure_or_null(model));
    if (g_strcmp0(prediction, "auto") != 0)
        spec->prediction = g_strdup(prediction);
    spec->vae = g_strdup(pen_procedure_or_null(vae));
    for (char **adapter = adapters; adapter && *adapter; adapter++)
        if (!pen_model_spec_add_lora_text(spec, *adapter, error))
            return NULL;
    pen_model_spec_make_absolute(spec);
    return pen_model_spec_to_text(spec);
}

void pen_procedure_add_prediction(GimpProcedure *procedure)
{
    gimp_procedure_add_choice_argument(
        procedure, "prediction", _("Pre_diction"),
        _("What a model in a single file predicts, where that is guessed wrong"),
        gimp_choice_new_with_values("auto", 0, _("As the file says"), NULL, "epsilon", 1,
                                    _("The noise (epsilon)"), NULL, "v_prediction", 2, _("v"), NULL,
                                    NULL),
        "auto", G_PARAM_READWRITE);
}

void pen_procedure_add_adapters(GimpProcedure *procedure, const char *blurb)
{
    gimp_procedure_add_string_array_argument(procedure, "adapters", _("Adapters (_LoRA)"), blurb,
                                             G_PARAM_READWRITE);
}

void pen_procedure_add_placing(GimpProcedure *procedure)
{
    gimp_procedure_add_choice_argument(
        procedure, "fit", _("Insert it"),
        _("How a picture that was made from text lies on the selection or, where there is none, on "
          "the canvas"),
        gimp_choice_new_with_values("own", PEN_FIT_OWN, _("At its own size"), NULL, "contain",
                                    PEN_FIT_CONTAIN, _("As large as fits"), NULL, "fill",
                                    PEN_FIT_FILL, _("Filling it, cut off"), NULL, NULL),
        "own", G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(procedure, "grow", _("Grow _by"),
                                    _("So many pixels beyond the selection may change, too"), 0,
                                    PEN_MAX_GROW, 0, G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(
        procedure, "soft-edge", _("Soft edge"),
        _("So many pixels inside the edge the picture fades into the image"), 0, PEN_MAX_GROW, 0,
        G_PARAM_READWRITE);
}

void pen_procedure_read_placing(GimpProcedureConfig *config, PenFit *fit, int *grow, int *soften)
{
    *fit = gimp_procedure_config_get_choice_id(config, "fit");
    g_object_get(config, "grow", grow, "soft-edge", soften, NULL);
}

static const struct {
    const char *name;
    GimpProcedure *(*make)(GimpPlugIn *plug_in);
} procedures[] = {
    { PEN_PROCEDURE, pen_procedure_new_round },
    { PEN_PROCEDURE_PICK, pen_procedure_new_pick },
    { PEN_PROCEDURE_TEACH, pen_procedure_new_teach },
    { PEN_PROCEDURE_INSERT, pen_procedure_new_insert },
};

GList *pen_procedure_names(void)
{
    GList *names = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(procedures); i++)
        names = g_list_append(names, g_strdup(procedures[i].name));
    return names;
}

GimpProcedure *pen_procedure_new(GimpPlugIn *plug_in, const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(procedures); i++)
        if (!g_strcmp0(name, procedures[i].name))
            return procedures[i].make(plug_in);
    return NULL;
}
