// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The chooser of the model: the starter model, those in the models folder, those that other
 * programs keep on this machine, and any file or folder, which can also be dropped on it. It sets
 * and shows the model of the app; while a style is used it shows the style's and rests.
 */

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_MODEL_CHOOSER (pen_model_chooser_get_type())
G_DECLARE_FINAL_TYPE(PenModelChooser, pen_model_chooser, PEN, MODEL_CHOOSER, GtkComboBoxText)

GtkWidget *pen_model_chooser_new(PenApp *app);

/* By which name the chooser knows a model's path, which may be the path; NULL: it is the starter.
 * g_free(). */
char *pen_model_chooser_name(PenApp *app, const char *path);

G_END_DECLS
