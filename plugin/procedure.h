// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* What the procedures share; only for them. */

#include <libgimp/gimp.h>

#include "plugin/settings.h"
#include "src/studio/studio.h"

G_BEGIN_DECLS

#define PEN_AUTHORS "The Penchant authors"
#define PEN_YEAR "2026"

GimpProcedure *pen_procedure_new_round(GimpPlugIn *plug_in);
GimpProcedure *pen_procedure_new_pick(GimpPlugIn *plug_in);
GimpProcedure *pen_procedure_new_teach(GimpPlugIn *plug_in);
GimpProcedure *pen_procedure_new_insert(GimpPlugIn *plug_in);

/* An asynchronous call that a procedure waits for: pass pen_procedure_on_ready and the PenWait,
 * wait, and finish with `result`, which is the waiter's. */
typedef struct {
    GMainLoop *loop;
    GAsyncResult *result;
} PenWait;

#define PEN_WAIT_INIT { g_main_loop_new(NULL, FALSE), NULL }

void pen_procedure_on_ready(GObject *source, GAsyncResult *result, gpointer wait);
void pen_procedure_wait(PenWait *wait);

/* Tells GIMP's progress bar what a job tells. */
void pen_procedure_on_event(const PenStudioEvent *event, gpointer data);

/* Takes the error. */
GimpValueArray *pen_procedure_fail(GimpProcedure *procedure, GError *error);

/* The id of the living style of that name; 0 for an empty name, -1 with an error for an unknown
 * one. */
gint64 pen_procedure_find_style(PenStudio *studio, const char *name, GError **error);

/* NULL for an empty text. */
const char *pen_procedure_or_null(const char *text);

/* What the arguments that choose a model say, as a spec for the studio; with `*error` set when an
 * adapter cannot be, else NULL where nothing is said. `adapters` may be NULL. Free with g_free().
 */
char *pen_procedure_read_spec(const char *model, const char *vae, const char *prediction,
                              char **adapters, GError **error);

/* The argument "prediction", for that. */
void pen_procedure_add_prediction(GimpProcedure *procedure);
void pen_procedure_add_adapters(GimpProcedure *procedure, const char *blurb);

/* How pictures lie in the image. */
void pen_procedure_add_placing(GimpProcedure *procedure);
void pen_procedure_read_placing(GimpProcedureConfig *config, PenFit *fit, int *grow, int *soften);

/* Inserts a candidate where it belongs, or by `fit`. */
GimpLayer *pen_procedure_insert(PenStudio *studio, GimpImage *image, gint64 round,
                                GdkPixbuf *picture, const char *name, PenFit fit, int grow,
                                int soften, GError **error);

G_END_DECLS
