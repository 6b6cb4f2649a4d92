// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * History: what is shown of past rounds to find one again.
 */
typedef struct {
    gint64 round;
    gint64 created;
    char *prompt;
    char *style_name; /* that drew it, or that it teaches; NULL: none */
    int style_number; /* the version that drew it; 0: the bare model */
    char *picture; /* relative: the own artist's best, or the first that was finished; NULL: none */
    gboolean voted; /* the own artist's pick prefers something */
} PenPastRound;

void pen_past_round_free(PenPastRound *past);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenPastRound, pen_past_round_free)

/* What is looked for. */
typedef struct {
    const char
        *words;   /* all of them are in the prompt, whatever the case; NULL or "": any prompt */
    gint64 style; /* 0: any */
} PenHistoryFilter;

/* PenPastRound, latest first, at most `limit`: of the rounds before `before` (0: of all). */
GPtrArray *pen_store_list_history(PenStore *store, const PenHistoryFilter *filter, gint64 before,
                                  int limit, GError **error);
/* One of them. */
PenPastRound *pen_store_get_past_round(PenStore *store, gint64 round, GError **error);

G_END_DECLS
