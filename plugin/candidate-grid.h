// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The candidates of a round as cards, in the columns and rows that make them largest, or one of
 * them alone in the larger view.
 *
 * One of them may be current: it has a ring, and Insert, Open and Save act on it. A click makes a
 * candidate current; voting is something else: the star on a card, a second click, or one with
 * Shift or Ctrl.
 *
 *     clicked(k: int)         a candidate was clicked, and is current now
 *     vote(k: int, how: int)  the artist votes; `how` is a PenVote. Only with stars
 *     current-changed()       another candidate, or none, is current
 *     menu(k: int)            the context menu of a candidate was asked for
 */

#include "plugin/candidate-card.h"
#include "plugin/choice.h"

G_BEGIN_DECLS

#define PEN_TYPE_CANDIDATE_GRID (pen_candidate_grid_get_type())
G_DECLARE_FINAL_TYPE(PenCandidateGrid, pen_candidate_grid, PEN, CANDIDATE_GRID, GtkContainer)

/* Shift: comes next, Ctrl: as good as the last. */
PenVote pen_vote_of(GdkModifierType state);

/* `stars`: the artist can vote. */
GtkWidget *pen_candidate_grid_new(gboolean stars);
/* Where room is left the cards are in the middle, or with `foot` at the foot. */
void pen_candidate_grid_set_foot(PenCandidateGrid *grid, gboolean foot);
/* Begins anew with `n` waiting cards for pictures of that height over width. */
void pen_candidate_grid_reset(PenCandidateGrid *grid, int n, double shape);
int pen_candidate_grid_get_n(PenCandidateGrid *grid);
PenCandidateCard *pen_candidate_grid_get_card(PenCandidateGrid *grid, int k);

/* -1: none. Setting it moves the larger view too. */
int pen_candidate_grid_get_current(PenCandidateGrid *grid);
void pen_candidate_grid_set_current(PenCandidateGrid *grid, int k);

gboolean pen_candidate_grid_is_zoomed(PenCandidateGrid *grid);
void pen_candidate_grid_set_zoomed(PenCandidateGrid *grid, gboolean zoomed);

G_END_DECLS
