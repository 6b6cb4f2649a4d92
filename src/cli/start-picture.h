// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The picture that a round starts from (--from) and its mask (--mask). Their sides need not be
 * multiples of 8: they are padded at the right and at the bottom with what is there at the edge,
 * and what comes out is cropped to the size that the picture had.
 */

#include "src/studio/studio.h"

G_BEGIN_DECLS

typedef struct {
    guint width, height; /* of the picture itself; 0: there is none */
    guint8 *rgb, *mask;  /* of the padded size, which is the request's */
} PenStartPicture;

/* Fills `start` and the request; `mask` may be NULL. The request's size, where it has one, must be
 * that which the picture is padded to. */
gboolean pen_start_picture_read(PenStartPicture *start, PenRoundRequest *request, const char *file,
                                const char *mask, GError **error);
void pen_start_picture_clear(PenStartPicture *start);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PenStartPicture, pen_start_picture_clear)

/* Copies a picture of the round, cropped if it was padded, with the texts that it holds. */
gboolean pen_start_picture_copy(const PenStartPicture *start, const char *source,
                                const char *target, GError **error);

G_END_DECLS
