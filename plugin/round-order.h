// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* What is asked of the studio when a round is ordered. */

#include "plugin/app.h"
#include "plugin/spot.h"

G_BEGIN_DECLS

/* A request and the memory that it points to. */
typedef struct {
    PenRoundRequest request;
    char *prompt, *negative_prompt, *model, *sampler, *schedule;
    PenSpotStart
        *start; /* where it belongs, and what it starts from; NULL: in no image, from text */
} PenRoundOrder;

void pen_round_order_free(PenRoundOrder *order);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenRoundOrder, pen_round_order_free)

/* An order of more like candidate `k` of a round, as many as are asked for now. */
PenRoundOrder *pen_round_order_like(PenApp *app, gint64 round, int k, GError **error);

G_END_DECLS
