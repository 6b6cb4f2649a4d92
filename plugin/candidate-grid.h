// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The candidates of a round as cards, in the columns and rows that make them largest, or one of
 * them alone in the larger view.
 *
 *     choose(k: int, how: int)  a candidate was clicked; `how` is a PenChooseHow
 *     current-changed()         another candidate is the one that Insert, Open and Save act on
 *     menu(k: int)              the context menu of a candidate was asked for
 */

#include "plugin/candidate-card.h"

G_BEGIN_DECLS

#define PEN_TYPE_CANDIDATE_GRID (pen_candidate_grid_get_type())
G_DECLARE_FINAL_TYPE(PenCandidateGrid, pen_candidate_grid, PEN, CANDIDATE_GRID, GtkContainer)

typedef enum {
    PEN_CHOOSE_BEST, /* click: this one */
    PEN_CHOOSE_NEXT, /* Shift: comes next */
    PEN_CHOOSE_TIE,  /* Ctrl: as good as the last */
} PenChooseHow;

PenChooseHow pen_choose_how(GdkModifierType state);

GtkWidget *pen_candidate_grid_new(void);
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
