// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The candidate that a round is more like, for src/studio alone: new candidates share its first
 * steps.
 */

#include "src/engine/trajectory.h"
#include "src/studio/job.h"

G_BEGIN_DECLS

typedef struct {
    gint64 candidate; /* 0: none */
    char *model_hash; /* of the model that drew it */
    PenTrajectory *trajectory;
    guint parting; /* the first step that is not shared */
} PenOrigin;

/* Finds request->like_place of like_round, and makes the request what that round was: its strings
 * and pixels are exchanged for others, which are the request's. */
gboolean pen_origin_load(PenOrigin *origin, PenStudio *studio, PenRoundRequest *request,
                         GError **error);
void pen_origin_clear(PenOrigin *origin);

/* An error unless the model is the one that drew it, and its pictures are of that size. */
gboolean pen_origin_check(const PenOrigin *origin, const PenModel *model,
                          const PenRoundRequest *request, GError **error);

G_END_DECLS
