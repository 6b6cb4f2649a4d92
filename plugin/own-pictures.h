// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Asks which of the artist's own pictures are to be learnt: those of a folder, or the open images. */

#include "plugin/app.h"
#include "src/studio/own-picture.h"

G_BEGIN_DECLS

typedef void (*PenOwnPicturesChosen)(GPtrArray *pictures, gpointer data);

/* A menu at `button`, then what each way asks for. `chosen` is called with PenOwnPicture, or not at all;
 * it is told to the artist when there are none. */
void pen_own_pictures_ask(PenApp *app, GtkWidget *button, PenOwnPicturesChosen chosen,
                          gpointer data);

G_END_DECLS
