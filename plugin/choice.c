// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/choice.h"

#include <glib/gi18n-lib.h>
#include <string.h>

void pen_choice_init(PenChoiceState *choice, int n)
{
    *choice = (PenChoiceState){ .n = CLAMP(n, 0, PEN_CHOICE_MAX) };
}

static int last_place(const PenChoiceState *choice)
{
    int last = 0;
    for (int i = 0; i < choice->n; i++)
        last = MAX(last, choice->place[i]);
    return last;
}

/* Removes `k`'s place, and the place itself if nobody shares it. */
static void take_out(PenChoiceState *choice, int k)
{
    int old = choice->place[k];
    if (!old)
        return;
    choice->place[k] = 0;
    gboolean shared = FALSE;
    for (int i = 0; i < choice->n; i++)
        shared = shared || choice->place[i] == old;
    for (int i = 0; i < choice->n; i++) {
        if (!shared && choice->place[i] > old)
            choice->place[i]--;
    }
}

void pen_choice_take_out(PenChoiceState *choice, int k)
{
    take_out(choice, k);
    choice->made = last_place(choice) > 0;
}

void pen_choice_read(PenChoiceState *choice, const PenPick *pick)
{
    pen_choice_init(choice, pick->n);
    choice->made = TRUE;
    int lowest = G_MAXINT, highest = G_MININT;
    for (int i = 0; i < choice->n; i++) {
        if (pick->ranks[i] == PEN_RANK_NONE)
            continue;
        lowest = MIN(lowest, pick->ranks[i]);
        highest = MAX(highest, pick->ranks[i]);
    }
    if (lowest >= highest)
        return;
    /* The place is one more than the number of different ranks above. */
    for (int i = 0; i < choice->n; i++) {
        int rank = pick->ranks[i];
        /* Where everything has a place, the lowest has one too: pen_choice_write(). */
        if (rank == PEN_RANK_NONE || (rank == lowest && rank <= 0))
            continue;
        choice->place[i] = 1;
        for (int j = 0; j < choice->n; j++) {
            gboolean counted = pick->ranks[j] <= rank;
            for (int l = 0; l < j && !counted; l++)
                counted = pick->ranks[l] == pick->ranks[j];
            if (!counted)
                choice->place[i]++;
        }
    }
}

void pen_choice_write(const PenChoiceState *choice, int *ranks)
{
    for (int i = 0; i < choice->n; i++)
        ranks[i] = choice->place[i] ? choice->n + 1 - choice->place[i] : 0;
}

void pen_choice_best(PenChoiceState *choice, int k)
{
    if (choice->place[k]) {
        take_out(choice, k);
        for (int i = 0; i < choice->n; i++)
            choice->place[i] += choice->place[i] > 0;
    } else {
        for (int i = 0; i < choice->n; i++)
            choice->place[i] *= choice->place[i] > 1;
    }
    choice->place[k] = 1;
    choice->made = TRUE;
}

void pen_choice_next(PenChoiceState *choice, int k)
{
    if (choice->place[k]) {
        pen_choice_take_out(choice, k);
        return;
    }
    choice->place[k] = last_place(choice) + 1;
    choice->made = TRUE;
}

void pen_choice_tie(PenChoiceState *choice, int k)
{
    int last = MAX(last_place(choice), 1);
    gboolean again = choice->place[k] == last;
    pen_choice_take_out(choice, k);
    if (again)
        return;
    choice->place[k] = MAX(last_place(choice), 1);
    choice->made = TRUE;
}

void pen_choice_none(PenChoiceState *choice)
{
    gboolean again = pen_choice_is_none(choice);
    pen_choice_init(choice, choice->n);
    choice->made = !again;
}

gboolean pen_choice_is_none(const PenChoiceState *choice)
{
    return choice->made && last_place(choice) == 0;
}

gboolean pen_choice_is_tied(const PenChoiceState *choice, int k)
{
    for (int i = 0; i < choice->n; i++) {
        if (i != k && choice->place[k] && choice->place[i] == choice->place[k])
            return TRUE;
    }
    return FALSE;
}

int pen_choice_get_best(const PenChoiceState *choice)
{
    for (int i = 0; i < choice->n; i++) {
        if (choice->place[i] == 1)
            return i;
    }
    return -1;
}

gboolean pen_choice_vote(PenChoiceState *choice, int k, PenVote how)
{
    const PenChoiceState before = *choice;
    switch (how) {
    case PEN_VOTE_BEST:
        pen_choice_best(choice, k);
        break;
    case PEN_VOTE_NEXT:
        pen_choice_next(choice, k);
        break;
    case PEN_VOTE_TIE:
        pen_choice_tie(choice, k);
        break;
    case PEN_VOTE_STAR:
        if (choice->place[k] == 1)
            pen_choice_take_out(choice, k);
        else
            pen_choice_best(choice, k);
        break;
    }
    return memcmp(&before, choice, sizeof before) != 0;
}

void pen_choice_load(PenChoiceState *choice, PenStore *store, gint64 round, int n)
{
    pen_choice_init(choice, n);
    g_autoptr(PenPick) pick = store && round ? pen_store_get_pick(store, round, NULL) : NULL;
    if (pick && pick->n == choice->n)
        pen_choice_read(choice, pick);
}

gboolean pen_choice_store(const PenChoiceState *choice, PenStore *store, gint64 round,
                          GError **error)
{
    if (!choice->made)
        return pen_store_withdraw_pick(store, round, error);
    int ranks[PEN_CHOICE_MAX];
    pen_choice_write(choice, ranks);
    return pen_store_add_pick(store, round, ranks, choice->n, error) != 0;
}

char *pen_choice_describe(const PenChoiceState *choice)
{
    int best = pen_choice_get_best(choice);
    if (best >= 0)
        return g_strdup_printf(_("No. %d is the best."), best + 1);
    return g_strdup(choice->made ? _("None of these.") : _("No vote."));
}
