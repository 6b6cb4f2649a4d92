// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The artist's choice among a round's candidates, as the cards show it: places 1, 2, 3… that
 * candidates share in a tie, and candidates without a place below all of them.
 */

#include "src/store/picks.h"

G_BEGIN_DECLS

#define PEN_CHOICE_MAX 16

typedef struct {
    int n;
    gboolean made;             /* FALSE: nothing was chosen yet, which is not "none of these" */
    int place[PEN_CHOICE_MAX]; /* from 1; 0: none */
} PenChoiceState;

void pen_choice_init(PenChoiceState *choice, int n);
/* From a stored pick. */
void pen_choice_read(PenChoiceState *choice, const PenPick *pick);
/* To ranks as the store wants them (higher is better), `n` of them. */
void pen_choice_write(const PenChoiceState *choice, int *ranks);

/* `k` alone is the best; taken back if it was that already. */
void pen_choice_best(PenChoiceState *choice, int k);
/* `k` comes next after those that have a place; taken out if it has one. */
void pen_choice_next(PenChoiceState *choice, int k);
/* `k` is as good as the last one that has a place; taken out if it shares that place already. */
void pen_choice_tie(PenChoiceState *choice, int k);
/* None is better than another. */
void pen_choice_none(PenChoiceState *choice);

gboolean pen_choice_is_none(const PenChoiceState *choice);
/* Whether two candidates share `k`'s place. */
gboolean pen_choice_is_tied(const PenChoiceState *choice, int k);
/* The first candidate with place 1, or -1. */
int pen_choice_get_best(const PenChoiceState *choice);

G_END_DECLS
