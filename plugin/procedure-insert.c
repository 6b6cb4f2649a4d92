// SPDX-License-Identifier: GPL-3.0-or-later
#include <glib/gi18n-lib.h>

#include "plugin/image.h"
#include "plugin/insert.h"
#include "plugin/picture.h"
#include "plugin/procedure.h"
#include "plugin/procedures.h"

GimpLayer *pen_procedure_insert(PenStudio *studio, GimpImage *image, gint64 round,
                                GdkPixbuf *picture, const char *name, PenFit fit, int grow,
                                int soften, GError **error)
{
    PenSpot *spot = pen_spot_load(pen_studio_store(studio), round, image);
    if (!spot)
        spot = pen_spot_find_for_picture(image, gdk_pixbuf_get_width(picture),
                                         gdk_pixbuf_get_height(picture), fit, grow, soften);
    PenWait wait = PEN_WAIT_INIT;
    pen_insert_async(image, spot, picture, name, pen_procedure_on_ready, &wait);
    pen_procedure_wait(&wait);
    GimpLayer *layer = pen_insert_finish(wait.result, NULL, error);
    g_object_unref(wait.result);
    return layer;
}

/* The stored picture of a candidate. */
static GdkPixbuf *load_candidate(PenStore *store, gint64 round, int place, GError **error)
{
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, round, error);
    if (!candidates)
        return NULL;
    const PenCandidate *candidate = place < (int)candidates->len ? candidates->pdata[place] : NULL;
    if (!candidate || !candidate->picture_file) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                    _("Round %d has no finished candidate %d; they count from 0."), (int)round,
                    place);
        return NULL;
    }
    g_autofree char *path = pen_store_path(store, candidate->picture_file);
    return gdk_pixbuf_new_from_file(path, error);
}

static GdkPixbuf *refine(PenStudio *studio, gint64 round, int place, double scale, GError **error)
{
    PenRefineRequest request = PEN_REFINE_REQUEST_INIT;
    request.round = round;
    request.place = place;
    request.scale = scale;
    gimp_progress_init(_("Penchant refines a picture"));
    PenWait wait = PEN_WAIT_INIT;
    pen_studio_refine_async(studio, &request, pen_procedure_on_event, NULL, NULL,
                            pen_procedure_on_ready, &wait);
    pen_procedure_wait(&wait);
    g_autoptr(PenRoundResult) made = pen_studio_refine_finish(studio, wait.result, error);
    g_object_unref(wait.result);
    gimp_progress_end();
    return made ? pen_picture_new(made->rgb[0], (int)made->width, (int)made->height) : NULL;
}

static GimpValueArray *run_insert(GimpProcedure *procedure, GimpProcedureConfig *config,
                                  gpointer data)
{
    GError *error = NULL;
    g_autoptr(GimpImage) image = NULL;
    int round = 0, place = 0, grow, soften;
    double scale = 1;
    PenFit fit;
    g_object_get(config, "image", &image, "round", &round, "candidate", &place, "refine", &scale,
                 NULL);
    pen_procedure_read_placing(config, &fit, &grow, &soften);
    g_autoptr(PenStudio) studio = pen_studio_new(NULL, NULL, NULL, &error);
    if (!studio)
        return pen_procedure_fail(procedure, error);
    PenStore *store = pen_studio_store(studio);
    g_autoptr(GdkPixbuf) picture = scale > 1 ? refine(studio, round, place, scale, &error)
                                             : load_candidate(store, round, place, &error);
    g_autoptr(PenRound) row = picture ? pen_store_get_round(store, round, &error) : NULL;
    if (!row)
        return pen_procedure_fail(procedure, error);
    g_autofree char *name = pen_image_layer_name(row->prompt);
    GimpLayer *layer =
        pen_procedure_insert(studio, image, round, picture, name, fit, grow, soften, &error);
    if (!layer)
        return pen_procedure_fail(procedure, error);
    GimpValueArray *values = gimp_procedure_new_return_values(procedure, GIMP_PDB_SUCCESS, NULL);
    GIMP_VALUES_SET_LAYER(values, 1, layer);
    return values;
}

GimpProcedure *pen_procedure_new_insert(GimpPlugIn *plug_in)
{
    GimpProcedure *p = gimp_procedure_new(plug_in, PEN_PROCEDURE_INSERT, GIMP_PDB_PROC_TYPE_PLUGIN,
                                          run_insert, NULL, NULL);
    gimp_procedure_set_documentation(
        p, _("Insert a candidate where it belongs"),
        _("A candidate of a round that started from a layer or a selection of this image, also in "
          "another session, covers just that; any other lies on the selection or the canvas, as "
          "“fit” says. One step of undo."),
        PEN_PROCEDURE_INSERT);
    gimp_procedure_set_attribution(p, PEN_AUTHORS, PEN_AUTHORS, PEN_YEAR);
    gimp_procedure_add_image_argument(p, "image", _("_Image"), _("The image that gets the layer"),
                                      FALSE, G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(p, "round", _("Round"), _("Number of the round"), 1, G_MAXINT,
                                    1, G_PARAM_READWRITE);
    gimp_procedure_add_int_argument(p, "candidate", _("Candidate"),
                                    _("Number of the candidate, from 0"), 0, 15, 0,
                                    G_PARAM_READWRITE);
    gimp_procedure_add_double_argument(
        p, "refine", _("Refine"),
        _("More than 1 draws over the picture at a size so many times as large, with the prompt, "
          "style and model that made it"),
        1, 8, 1, G_PARAM_READWRITE);
    pen_procedure_add_placing(p);
    gimp_procedure_add_layer_return_value(p, "layer", _("Layer"), _("The new layer"), FALSE,
                                          G_PARAM_READWRITE);
    return p;
}
