// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Thinning: what goes of old rounds where the artist gave their trajectories a budget
 * (src/store/space.h).
 *
 * Lessons as they are taught by default draw the steps of a picture anew for each update, backwards
 * from its finished latents (src/learning/d3po.h, `word`): of thin trajectories, which keep these
 * alone, they learn the same. Pictures, picks and what a predictor of picks goes by stay. What it
 * costs:
 *
 *   - Lessons of other settings (`teach --word off`, `--preset paper`) learn from steps that lead
 * to the picture but that nobody drew, as from a picture that the artist has.
 *   - “More like this one” (`generate --like`) shares such steps, too.
 */

#include "src/studio/studio.h"

G_BEGIN_DECLS

typedef struct {
    guint rounds;  /* that were thinned */
    guint64 freed; /* bytes */
    guint64 left;  /* bytes of all trajectories afterwards */
} PenThinning;

/* Thins rounds, the oldest first, until all trajectories together take no more than `budget` bytes,
 * or until there is none left that could be. One that is in use, or cannot be read, is passed over.
 * Any thread. */
gboolean pen_studio_thin(PenStudio *studio, guint64 budget, PenThinning *done, GError **error);

G_END_DECLS
