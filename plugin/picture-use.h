// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What an artist does with a finished candidate: insert it into the chosen image as a layer, open
 * it as an image of its own, or save its file. What went wrong, or right, is told in the bar; an
 * insert is the app's signal "inserted".
 */

#include <gtk/gtk.h>

#include "plugin/app.h"

G_BEGIN_DECLS

/* A candidate that is stored, as it is shown or was refined. */
typedef struct {
    gint64 round;
    int place; /* from 0 */
    GdkPixbuf *picture;
    gint32 replaces; /* the id of a layer, or 0: the picture goes into its image, and hides it */
} PenPictureUse;

/* Into the app's image; without one it is opened as one. */
void pen_picture_insert(PenApp *app, const PenPictureUse *use);
void pen_picture_open(PenApp *app, const PenPictureUse *use);
/* Asks for the file in a dialog over `parent`'s window. */
void pen_picture_save(PenApp *app, const PenPictureUse *use, GtkWidget *parent);

G_END_DECLS
