// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The rounds of a prompt file, made by a crew: one after another by whoever is free. Rank 0 draws, too. It gives
 * out what is missing and takes in what comes; seeds and ids are those that it would have alone.
 */

#include "src/cli/cli.h"

G_BEGIN_DECLS

typedef struct {
    char *prompt;
    guint64 seed;
} PenCrewRound;

/* A round that was made, or is there already (`was_there`), in rank 0. */
typedef gboolean (*PenCrewRoundFunc)(gint64 round, gboolean was_there, gpointer data, GError **error);

/* `rounds`: PenCrewRound, needed in rank 0 alone; `request`: what they have in common, everywhere. */
gboolean pen_crew_make_rounds(PenCli *cli, const PenRoundRequest *request, const GArray *rounds,
                              PenStudioEventFunc event, gpointer event_data, PenCrewRoundFunc made,
                              gpointer data, GError **error);

G_END_DECLS
