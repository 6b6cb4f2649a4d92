// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A round at work, for src/studio alone: what round-job.c goes through. First everything that it
 * asks for is settled (round-plan.c), then its candidates are drawn (round-draw.c), each being kept
 * in the store as soon as it is finished (round-record.c).
 */

#include "src/engine/trajectory.h"
#include "src/studio/guess.h"
#include "src/studio/origin.h"
#include "src/studio/sampling-choice.h"

G_BEGIN_DECLS

typedef struct {
    PenRoundRequest request; /* with copies of its strings and pixels */
    PenStyle *style;         /* or NULL */
} PenRoundInput;

PenRoundInput *pen_round_input_new(const PenRoundRequest *request);
void pen_round_input_free(gpointer input);

typedef struct {
    PenJob *job;
    PenRoundInput *input;
    PenRuntime *runtime;
    PenModel *model;
    char *spec;                   /* of the model */
    PenPrompt *prompt, *negative; /* as they are read; NULL: no negative prompt */
    PenSamplingChoice sampling;
    guint32 height, width; /* of latents */
    guint32 tile;          /* side in latents; 0: as a whole */
    double sampled;        /* the share of the sampling that is done */
    guint decoded;         /* so many candidates are */
    double scale;          /* of the adapter */
    PenUNetAdapter *adapter;
    float *start;
    float *condition; /* of an inpainting model */
    PenOrigin origin;
    PenGuess guess;
    PenRoundResult *result;
} PenRoundWork;

/* Fills in what the request leaves open, checks it (PEN_STUDIO_ERROR_INVALID) and opens its model.
 */
gboolean pen_round_plan(PenRoundWork *round, GError **error);

/* A style learns about the very model it was made for: with adapters added it draws, but what it
 * would learn were the differences to another model. */
gboolean pen_round_teaches(const PenRoundWork *round);

/* The style's version that samples; 0: none. */
gint64 pen_round_version(const PenRoundWork *round);

/* The artist's own picture comes before those that are drawn. */
guint pen_round_first_drawn(const PenRoundWork *round);

/* Makes the candidates and keeps them. */
gboolean pen_round_draw(PenRoundWork *round, GError **error);

/* What the store keeps of the round beside its candidates. */
PenRound *pen_round_describe(const PenRoundWork *round);

/* Begins the round in the store, with what it started from and its place. */
gboolean pen_round_record(PenRoundWork *round, GError **error);

/* Keeps a candidate, whose picture is in the result, with the settings in its file. */
gboolean pen_round_record_candidate(PenRoundWork *round, guint place,
                                    const PenTrajectory *trajectory, GError **error);

/* Ends the round, if it was recorded, as what it came to. */
gboolean pen_round_end(PenRoundWork *round, gboolean ok, GError **error);

G_END_DECLS
