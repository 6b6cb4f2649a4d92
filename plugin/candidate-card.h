// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * One candidate as a card: an empty frame, then the picture while it sharpens, then the finished
 * picture, with the place that the artist gave it. It is a button: clicking it selects it.
 *
 *     zoom()  the larger view was asked for (Space, or the glass in the corner)
 *     star()  the star in the corner was clicked
 *     twice() it was clicked twice
 */

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define PEN_TYPE_CANDIDATE_CARD (pen_candidate_card_get_type())
G_DECLARE_FINAL_TYPE(PenCandidateCard, pen_candidate_card, PEN, CANDIDATE_CARD, GtkButton)

#define PEN_CARD_MARGIN 7 /* around the picture, for the ring of the selected one */

typedef enum {
    PEN_CARD_WAITING, /* nothing to see yet */
    PEN_CARD_MAKING,  /* a preview */
    PEN_CARD_READY,
    PEN_CARD_FAILED, /* was never finished */
} PenCardState;

/* `number` is from 1: its key. `shape`: height over width of the picture that will come. */
GtkWidget *pen_candidate_card_new(int number, double shape);

/* `picture` may be NULL in the states that have none. */
void pen_candidate_card_set(PenCandidateCard *card, PenCardState state, GdkPixbuf *picture);
PenCardState pen_candidate_card_get_state(PenCandidateCard *card);
GdkPixbuf *pen_candidate_card_get_picture(PenCandidateCard *card);
/* Of the whole round, from 0 to 1; shown while the card is being made. */
void pen_candidate_card_set_fraction(PenCandidateCard *card, double fraction);
/* `place` from 1, 0 for none; `passed`: the artist chose, but not this one. */
void pen_candidate_card_set_place(PenCandidateCard *card, int place, gboolean passed);
/* Whether it is the one that the artist's votes so far speak for: marked until he has voted. */
void pen_candidate_card_set_guess(PenCandidateCard *card, gboolean guess);
/* With a star, by which the artist votes. */
void pen_candidate_card_set_votable(PenCandidateCard *card, gboolean votable);
/* Whether it is the one that Insert, Open and Save act on: it has a ring. */
void pen_candidate_card_set_current(PenCandidateCard *card, gboolean current);

G_END_DECLS
