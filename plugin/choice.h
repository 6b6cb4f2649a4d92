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
/* How the artist votes for a candidate. */
typedef enum {
    PEN_VOTE_BEST, /* this one */
    PEN_VOTE_NEXT, /* comes next */
    PEN_VOTE_TIE,  /* as good as the last */
    PEN_VOTE_STAR, /* the best, or no longer voted for if it is that */
} PenVote;

/* FALSE: that changed nothing. */
gboolean pen_choice_vote(PenChoiceState *choice, int k, PenVote how);

/* The valid pick of a round of `n`. */
void pen_choice_load(PenChoiceState *choice, PenStore *store, gint64 round, int n);
/* Makes it the round's pick, or takes that away if nothing is chosen. */
gboolean pen_choice_store(const PenChoiceState *choice, PenStore *store, gint64 round,
                          GError **error);

/* From a stored pick. */
void pen_choice_read(PenChoiceState *choice, const PenPick *pick);
/* To ranks as the store wants them (higher is better), `n` of them. */
void pen_choice_write(const PenChoiceState *choice, int *ranks);

/* `k` is the best. One that has a place already comes to the front of the others; else it takes the
 * first place from those that have it. The order of the rest stays. */
void pen_choice_best(PenChoiceState *choice, int k);
/* `k` has no place any more; a choice of nobody is not made. */
void pen_choice_take_out(PenChoiceState *choice, int k);
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

/* As a screen reader says it. g_free(). */
char *pen_choice_describe(const PenChoiceState *choice);

G_END_DECLS
