// SPDX-License-Identifier: GPL-3.0-or-later
#include <glib/gi18n-lib.h>

#include "plugin/procedure.h"
#include "plugin/procedures.h"

/* --- plug-in-penchant-pick ------------------------------------------------------------------- */

static GimpValueArray *run_pick(GimpProcedure *procedure, GimpProcedureConfig *config,
                                gpointer data)
{
    GError *error = NULL;
    g_autofree char *order = NULL;
    int round = 0;
    g_object_get(config, "round", &round, "order", &order, NULL);
    g_autoptr(PenStudio) studio = pen_studio_new(NULL, NULL, NULL, &error);
    if (!studio)
        return pen_procedure_fail(procedure, error);
    PenStore *store = pen_studio_store(studio);
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, round, &error);
    if (!candidates)
        return pen_procedure_fail(procedure, error);
    g_autofree int *ranks = g_new0(int, candidates->len + 1);
    if (g_strcmp0(order, "none") &&
        !pen_notation_read_order(order ? order : "", ranks, candidates->len, &error))
        return pen_procedure_fail(procedure, error);
    gint64 pick = pen_store_add_pick(store, round, ranks, candidates->len, &error);
    if (!pick)
        return pen_procedure_fail(procedure, error);
    GimpValueArray *values = gimp_procedure_new_return_values(procedure, GIMP_PDB_SUCCESS, NULL);
    GIMP_VALUES_SET_INT(values, 1, (int)pick);
    return values;
}

GimpProcedure *pen_procedure_new_pick(GimpPlugIn *plug_in)
{
    GimpProcedure *p = gimp_procedure_new(plug_in, PEN_PROCEDURE_PICK, GIMP_PDB_PROC_TYPE_PLUGIN,
                                          run_pick, NULL, NULL);
    gimp_procedure_set_documentation(
        p, _("Record which candidates of a round you like better"),
        _("The order names candidates, from 0, best first: \"2\" picks one, \"2>0>1=3\" ranks four "
          "with a tie, "
          "\"none\" says that none is better. Candidates that are not named come last. The pick is "
          "on disk when "
          "the procedure returns; a later pick of the same round replaces it."),
        PEN_PROCEDURE_PICK);
    gimp_procedure_set_attribution(p, PEN_AUTHORS, PEN_AUTHORS, PEN_YEAR);
    gimp_procedure_add_int_argument(p, "round", _("Round"), _("Number of the round"), 1, G_MAXINT,
                                    1, G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(
        p, "order", _("Order"), _("Candidates, best first, e.g. 2>0>1=3"), "0", G_PARAM_READWRITE);
    gimp_procedure_add_int_return_value(p, "pick", _("Pick"), _("Number of the pick"), 0, G_MAXINT,
                                        0, G_PARAM_READWRITE);
    return p;
}

/* --- plug-in-penchant-teach ------------------------------------------------------------------ */

/* The style of that name, made if there is none yet; it adopts the picked rounds without a style.
 */
static gint64 need_style(PenStudio *studio, const char *name, const char *model, GError **error)
{
    if (!name || !*name) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("Say which style to teach."));
        return 0;
    }
    g_autoptr(PenStyle) style = pen_store_find_style(pen_studio_store(studio), name, NULL);
    if (!style) {
        int picks = pen_studio_count_picks(studio, 0, model, FALSE, error);
        if (picks == 0)
            g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING,
                        _("There are no picks for “%s” yet that prefer one picture to another. "
                          "Make a round for it and pick the best."),
                        name);
        if (picks <= 0)
            return 0;
    }
    gint64 id = style ? style->id : pen_studio_create_style(studio, name, model, error);
    if (id && !style && pen_studio_adopt_rounds(studio, id, error) < 0)
        return 0;
    return id;
}

static GimpValueArray *run_teach(GimpProcedure *procedure, GimpProcedureConfig *config,
                                 gpointer data)
{
    GError *error = NULL;
    g_autofree char *name = NULL, *model = NULL, *device = NULL, *prediction = NULL;
    g_auto(GStrv) adapters = NULL;
    int epochs = 0;
    double learning_rate = 0;
    g_object_get(config, "style", &name, "model", &model, "prediction", &prediction, "adapters", &adapters, "epochs", &epochs,
                 "learning-rate", &learning_rate, "device", &device, NULL);
    g_autoptr(PenStudio) studio = pen_studio_new(NULL, pen_procedure_or_null(device), NULL, &error);
    if (!studio)
        return pen_procedure_fail(procedure, error);
    g_autofree char *spec = pen_procedure_read_spec(model, NULL, prediction, adapters, &error);
    gint64 style = error ? 0 : need_style(studio, name, spec, &error);
    if (!style)
        return pen_procedure_fail(procedure, error);
    PenTeachSettings settings;
    pen_teach_settings_init(&settings, FALSE);
    if (epochs > 0)
        settings.d3po.epochs = epochs;
    if (learning_rate > 0)
        settings.d3po.learning_rate = learning_rate;

    gimp_progress_init(_("Penchant learns your taste"));
    PenWait wait = PEN_WAIT_INIT;
    pen_studio_teach_async(studio, style, &settings, pen_procedure_on_event, NULL, NULL,
                           pen_procedure_on_ready, &wait);
    pen_procedure_wait(&wait);
    PenTeachResult taught;
    gboolean done = pen_studio_teach_finish(studio, wait.result, &taught, &error);
    g_object_unref(wait.result);
    gimp_progress_end();
    if (!done)
        return pen_procedure_fail(procedure, error);
    g_autoptr(PenStyle) now = pen_store_get_style(pen_studio_store(studio), style, NULL);
    GimpValueArray *values = gimp_procedure_new_return_values(procedure, GIMP_PDB_SUCCESS, NULL);
    GIMP_VALUES_SET_INT(values, 1, now ? now->current_number : 0);
    GIMP_VALUES_SET_INT(values, 2, (int)taught.picks);
    GIMP_VALUES_SET_INT(values, 3, (int)taught.steps);
    GIMP_VALUES_SET_DOUBLE(values, 4, taught.last.agreement);
    return values;
}

GimpProcedure *pen_procedure_new_teach(GimpPlugIn *plug_in)
{
    GimpProcedure *p = gimp_procedure_new(plug_in, PEN_PROCEDURE_TEACH, GIMP_PDB_PROC_TYPE_PLUGIN,
                                          run_teach, NULL, NULL);
    gimp_procedure_set_documentation(p, _("Teach a style what you picked"),
                                     _("Trains the style on its picks and makes a new version of "
                                       "it. A style that does not exist is made, and "
                                       "gets the picked rounds that belong to no style. Teaching "
                                       "that was stopped goes on at its last step."),
                                     PEN_PROCEDURE_TEACH);
    gimp_procedure_set_attribution(p, PEN_AUTHORS, PEN_AUTHORS, PEN_YEAR);
    gimp_procedure_add_string_argument(p, "style", _("St_yle"), _("Name of the style"), "",
                                       G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(p, "epochs", _("_Epochs"),
                                    _("Passes over the picks; 0: as needed for a few picks"), 0,
                                    10000, 0, G_PARAM_READWRITE);
    gimp_procedure_add_double_argument(p, "learning-rate", _("_Learning rate"),
                                       _("0: as needed for a few picks"), 0, 1, 0,
                                       G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(
        p, "model", _("_Model"),
        _("Model of a style that does not exist yet; empty: the starter model"), "",
        G_PARAM_READWRITE);
    gimp_procedure_add_string_argument(p, "device", _("_Device"),
                                       _("Part of a device's name; empty: chosen by itself"), "",
                                       G_PARAM_READWRITE);
    pen_procedure_add_prediction(p);
    pen_procedure_add_adapters(p,
                               _("Adapters of a style that does not exist yet, as its rounds had "
                                 "them: each FILE or FILE:STRENGTH"));
    gimp_procedure_add_int_return_value(p, "version", _("Version"),
                                        _("Number of the style's new version"), 0, G_MAXINT, 0,
                                        G_PARAM_READWRITE);
    gimp_procedure_add_int_return_value(p, "picks", _("Picks"), _("How many picks it was taught"),
                                        0, G_MAXINT, 0, G_PARAM_READWRITE);
    gimp_procedure_add_int_return_value(p, "steps", _("Steps"),
                                        _("How many steps the teaching took"), 0, G_MAXINT, 0,
                                        G_PARAM_READWRITE);
    gimp_procedure_add_double_return_value(
        p, "agreement", _("Agreement"), _("Share of the picks' pairs that the style agrees with"),
        0, 1, 0, G_PARAM_READWRITE);
    return p;
}
