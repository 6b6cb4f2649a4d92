// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The candidate that a round is more like, for src/studio alone: new candidates share its first
 * steps.
 */

#include "src/engine/trajectory.h"
#include "src/sampling/method.h"
#include "src/studio/job.h"

G_BEGIN_DECLS

typedef struct {
    gint64 candidate; /* 0: none */
    char *model_hash; /* of the model that drew it */
    char *file;       /* of its trajectory */
    PenTrajectory *trajectory;
    guint parting; /* the first step that is not shared */
} PenOrigin;

/* Finds request->like_place of like_round, and makes the request what that round was: its strings
 * and pixels are exchanged for others, which are the request's. */
gboolean pen_origin_load(PenOrigin *origin, PenStudio *studio, PenRoundRequest *request,
                         GError **error);
void pen_origin_clear(PenOrigin *origin);

/* Loads its trajectory, if there is an origin. An error unless model and sampler are those that drew it,
 * and its pictures are of that size. */
gboolean pen_origin_take(PenOrigin *origin, const PenModel *model, const PenMethod *method,
                         const PenRoundRequest *request, GError **error);

G_END_DECLS
