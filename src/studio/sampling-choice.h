// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * How a round is sampled: what its request says, and where that says nothing what suits the model.
 * A model that draws in few steps (src/models/few-steps.h) is drawn so; a request can also ask that
 * of one that is not known to be such, or that it be drawn like any other.
 */

#include "src/sampling/method.h"
#include "src/studio/studio.h"

G_BEGIN_DECLS

typedef struct {
    const PenMethod *method;
    PenSpread spread;
    int *timesteps; /* [request->steps]; NULL: as method and spread say */
} PenSamplingChoice;

/* Fills in what `request` leaves open, too. An error for a sampler or timesteps that there are not.
 */
gboolean pen_sampling_choose(PenRoundRequest *request, const PenModelInfo *model,
                             PenSamplingChoice *choice, GError **error);
void pen_sampling_choice_clear(PenSamplingChoice *choice);

/* "999 749 499 249", as a round is kept with and a PNG's text has it; NULL for none. g_free(). */
char *pen_sampling_choice_timesteps(const PenSamplingChoice *choice, guint steps);

G_END_DECLS
