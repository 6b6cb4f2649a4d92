// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Files that are dropped on the window. What one is, its content tells (src/studio/file-role.h):
 * settings of a picture are taken over, a picture without any is offered as what to start from, a
 * model is chosen, an adapter or a decoder added, a style imported. Anything else is named in the
 * bar.
 */

#include "plugin/app.h"
#include "src/studio/taken-settings.h"

G_BEGIN_DECLS

typedef void (*PenDropSettings)(const PenTakenSettings *taken, gpointer data);

/* Makes the window, and the text fields that are in it by now, take files. Text that is dropped on
 * a field goes into it as ever. `take` takes settings over. */
void pen_drop_accept(GtkWidget *window, PenApp *app, PenDropSettings take, gpointer data);

G_END_DECLS
