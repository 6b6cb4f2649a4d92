// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What an artist does with a finished candidate: insert it into the chosen image as a layer, open
 * it as an image of its own, or save its file. What went wrong, or right, is told in the bar; an
 * insert is the app's signal "inserted".
 */

#include <gtk/gtk.h>

#include "plugin/app.h"
#include "plugin/spot.h"

G_BEGIN_DECLS

/* A candidate that has become a layer; counted references. */
struct _PenInsertion {
    gint32 layer; /* id: pen_insertion_find_layer() */
    gint64 round;
    int place;          /* among the candidates, from 0 */
    PenSpot *spot;      /* where it was put, */
    GeglRectangle area; /* and where the layer lay in the image then */
    gboolean coarse;    /* it has fewer pixels than it covers */
};

void pen_insertion_unref(PenInsertion *insertion);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenInsertion, pen_insertion_unref)

/* NULL: it is gone. */
GimpLayer *pen_insertion_find_layer(const PenInsertion *insertion);

/* A candidate that is stored, as it is shown or was refined. */
typedef struct {
    gint64 round;
    int place; /* from 0 */
    GdkPixbuf *picture;
    PenInsertion *replaces; /* whose layer it hides, and in whose place it goes; may be NULL */
} PenPictureUse;

/* Into the app's image; without one it is opened as one. */
void pen_picture_insert(PenApp *app, const PenPictureUse *use);
void pen_picture_open(PenApp *app, const PenPictureUse *use);
/* Asks for the file in a dialog over `parent`'s window. */
void pen_picture_save(PenApp *app, const PenPictureUse *use, GtkWidget *parent);

G_END_DECLS
