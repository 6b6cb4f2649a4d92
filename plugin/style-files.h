// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Styles from files and to files: each asks for the file in a dialog over `parent`'s window, works
 * in a thread, and tells in the bar what came of it. */

#include "plugin/app.h"

G_BEGIN_DECLS

/* The imported style is used from then on. */
void pen_style_import(PenApp *app, GtkWidget *parent);
/* The same with a file that was chosen already. */
void pen_style_import_file(PenApp *app, const char *path);
void pen_style_export(PenApp *app, const PenStyle *style, GtkWidget *parent);
/* Where the style's model lies now, that was moved: it is known by its content. */
void pen_style_find_model(PenApp *app, const PenStyle *style, GtkWidget *parent);

G_END_DECLS
