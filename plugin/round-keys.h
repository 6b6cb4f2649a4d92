// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What a key asks of a round's pictures. Numbers mean them wherever the keyboard is, but for text;
 * the other keys only while the pictures have it. plugin/shortcuts.c tells them to the artist.
 */

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef enum {
    PEN_ROUND_KEY_NOTHING,
    PEN_ROUND_KEY_VOTE,  /* for a candidate */
    PEN_ROUND_KEY_NONE,  /* none of these */
    PEN_ROUND_KEY_MAKE,  /* the next round */
    PEN_ROUND_KEY_GUESS, /* is right */
    PEN_ROUND_KEY_TAKE_OUT,
    PEN_ROUND_KEY_LOOK, /* closer */
    PEN_ROUND_KEY_LEAVE,
    PEN_ROUND_KEY_PREVIOUS,
    PEN_ROUND_KEY_NEXT,
} PenRoundKey;

/* `focused`: the pictures have the keyboard. `*k`: the candidate that is voted for, from 0. */
PenRoundKey pen_round_key_of(const GdkEventKey *event, gboolean focused, int *k);

G_END_DECLS
