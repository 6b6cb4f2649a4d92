// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What the views of the window share: the studio, the settings, the style that is being taught, the
 * image that pictures go into, and a place for messages. Views read it and listen to its signals;
 * they do not know each other.
 *
 *     message(type: GtkMessageType, text: string, button: string, answer: GClosure)
 *                       something to tell the artist in the bar; unless they are NULL, the bar has
 *                       a button, which invokes the closure
 *     message-over()    what was told before is no longer true
 *     opened()          the studio is open
 *     model-changed()   another model was chosen, or its numbers are known now, or cannot be read
 *     extras-changed()  VAE or adapters of the settings were changed
 *     styles-changed()  styles, their versions, or the chosen one, changed
 *     recipe-used()     a style's recipe has changed the settings, or given them back
 *     picks-changed()   a pick was made, changed or undone
 *     log-changed()     something else that can be undone was done, undone or redone
 *     image-changed()   another image was chosen
 *     placing-changed() how pictures will lie in it was changed
 *     inserted(insertion: PenInsertion *)
 *                       a candidate has become a layer (plugin/picture-use.h)
 *     jobs-changed()    a job started or ended
 *     rounds-changed()  rounds were thrown away or brought back, or came with a pack
 */

#include <gtk/gtk.h>
#include <libgimp/gimp.h>

#include "plugin/settings.h"
#include "src/studio/studio.h"

G_BEGIN_DECLS

#define PEN_TYPE_APP (pen_app_get_type())
G_DECLARE_FINAL_TYPE(PenApp, pen_app, PEN, APP, GObject)

PenApp *pen_app_new(void);

PenSettings *pen_app_settings(PenApp *app);

/*
 * Opens the studio: "opened", or a message and FALSE. Views must cope with a store that is not
 * open: pen_app_studio() is NULL until then, and pen_app_store() too.
 */
gboolean pen_app_open(PenApp *app);
PenStudio *pen_app_studio(PenApp *app);
PenStore *pen_app_store(PenApp *app);

/* The settings were changed and are saved in a moment: GIMP gives a plug-in no time for that when
 * it quits. A failure is told in the bar. */
void pen_app_settings_changed(PenApp *app);

/* The chosen style's id (0: none), and the style itself, or NULL. */
gint64 pen_app_style(PenApp *app);
PenStyle *pen_app_load_style(PenApp *app);
/* A style that is chosen brings its recipe along (recipe-use.h) and says so. */
void pen_app_set_style(PenApp *app, gint64 style);
void pen_app_styles_changed(PenApp *app);
void pen_app_picks_changed(PenApp *app);
/* Rounds came, went or are back, with their picks. */
void pen_app_rounds_changed(PenApp *app);

/*
 * The chosen model's numbers are read in the background; NULL until they are, or when they could
 * not be. A style brings its own model along. A model that cannot be read is told in the bar, and
 * the last one that could be is chosen again.
 */
void pen_app_set_model(PenApp *app, const char *model);
/* What is asked for, as a spec for the studio's requests: the chosen model, or with a style none,
 * and the extras of the settings. May be NULL. Free with g_free(). */
char *pen_app_spec(PenApp *app);
/* The extras of the settings were changed: tells everyone, and soon reads the model with them. */
void pen_app_extras_changed(PenApp *app);
/* Puts an adapter's file into the extras (FALSE: it is there already, which is told), and takes a
 * file out of them. */
gboolean pen_app_add_adapter(PenApp *app, const char *file);
void pen_app_leave_out(PenApp *app, const char *file);
/* Chooses the decoder of the extras; NULL: the model's own. */
void pen_app_set_vae(PenApp *app, const char *file);
const PenModelInfo *pen_app_model(PenApp *app);
gboolean pen_app_is_reading_model(PenApp *app);

/* The image that pictures go into; NULL: a new one, or it was closed. Owned by libgimp. */
GimpImage *pen_app_image(PenApp *app);
void pen_app_set_image(PenApp *app, GimpImage *image);
/* Whether a new image was asked for, and not just no other found. */
gboolean pen_app_wants_new_image(PenApp *app);
void pen_app_set_new_image(PenApp *app);
/* How pictures will lie in it, in the settings, was changed. */
void pen_app_placing_changed(PenApp *app);
/* Rounds start from the active layer of that image from now on. */
void pen_app_start_from(PenApp *app, GimpImage *image);

typedef struct _PenInsertion PenInsertion;
void pen_app_inserted(PenApp *app, PenInsertion *insertion);

void pen_app_notify(PenApp *app, GtkMessageType type, const char *text);
/* The same with a button in the bar that calls `answer` with the app and `data`, a string of which
 * it keeps a copy. */
typedef void (*PenAppAnswer)(PenApp *app, const char *data);
void pen_app_offer(PenApp *app, GtkMessageType type, const char *text, const char *button,
                   PenAppAnswer answer, const char *data);
/* `error` is not freed. A cancelled job is no message. If it names a file of the extras, the bar
 * offers to do without that. */
void pen_app_report(PenApp *app, const GError *error);
/* Errors about a broken file say what is wrong with it; `advice` says what to do. */
void pen_app_report_file(PenApp *app, const GError *error, const char *advice);
/* Something new was asked for: what was told of the last thing is over. */
void pen_app_clear_message(PenApp *app);
/* Tells the events NOTICE and WARNING; returns TRUE when it did. */
gboolean pen_app_event(PenApp *app, const PenStudioEvent *event);

/* The latest action that is older than the window, or 0. */
gint64 pen_app_first_action(PenApp *app);
void pen_app_log_changed(PenApp *app);

/* Throws a round away, which the bar then offers to take back. */
void pen_app_delete_round(PenApp *app, gint64 round);

/* What uses the studio. The window closes when its jobs, cancelled, have ended. */
GCancellable *pen_app_begin_job(PenApp *app);
void pen_app_end_job(PenApp *app, GCancellable *job);
void pen_app_close(PenApp *app); /* cancels the jobs; no more are to begin */
gboolean pen_app_is_closing(PenApp *app);
gboolean pen_app_is_busy(PenApp *app);
/* While it teaches, other jobs stand in line. */
void pen_app_set_teaching(PenApp *app, gboolean teaching);
gboolean pen_app_is_teaching(PenApp *app);

G_END_DECLS
