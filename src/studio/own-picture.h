// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Pictures that the artist has already, as a taste to be learnt: each is the winner of a round
 * whose other candidates the bare model draws for the same prompt. They are ordinary rounds with
 * ordinary picks; a later lesson has them too, and undo takes them back.
 */

#include "src/studio/studio.h"

G_BEGIN_DECLS

/* A picture in a file, of any format that gdk-pixbuf reads; or pixels that are there. */
typedef struct {
    char *name;   /* for messages: the file's path, or what the artist calls it */
    char *prompt; /* what it shows */
    guint width, height;
    guint8 *rgb; /* [height, width, 3]; NULL: `name` is a file, read when it is its turn */
} PenOwnPicture;

PenOwnPicture *pen_own_picture_new(const char *name, const char *prompt);
void pen_own_picture_free(PenOwnPicture *picture);

/*
 * PenOwnPicture: the pictures of a folder, by name. What one shows is `prompt`, or if that is NULL
 * the text of the file beside it that ends in .txt, as trainers have it, or else its name without
 * digits, "red_house-02.png" being "red house". PEN_STUDIO_ERROR_NOTHING where the folder has no
 * picture.
 */
GPtrArray *pen_own_pictures_of_folder(const char *folder, const char *prompt, GError **error);

/* What tells whether a picture (its pixels as they are learnt, and what it shows) is one that a
 * style has. g_free(). */
char *pen_own_picture_hash(const guint8 *rgb, guint width, guint height, const char *prompt);

typedef struct {
    guint learnt; /* have become rounds of the style */
    guint known;  /* already were, from before */
    guint failed; /* could not be read; a NOTICE said which and why */
} PenOwnPicturesResult;

/*
 * Makes the rounds and picks, for pen_studio_teach_async() to learn. Pictures are cut to a shape
 * and scaled to a size that the style's model was trained on. One that cannot be read is left out;
 * that none can is an error. Cancelled, or interrupted in any way, it goes on where it was when it
 * is asked again. Events are those of the rounds, with PROGRESS for all of them.
 */
void pen_studio_learn_pictures_async(PenStudio *studio, gint64 style, GPtrArray *pictures,
                                     PenStudioEventFunc event, gpointer event_data,
                                     GCancellable *cancellable, GAsyncReadyCallback callback,
                                     gpointer user_data);
gboolean pen_studio_learn_pictures_finish(PenStudio *studio, GAsyncResult *result,
                                          PenOwnPicturesResult *done, GError **error);

G_END_DECLS
