// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The round that is being made: its job, and its candidates as far as they are. The window can show
 * another round meanwhile and come back to this one.
 */

#include "plugin/app.h"
#include "plugin/candidate-card.h"
#include "plugin/round-panel.h"

G_BEGIN_DECLS

/* Zeros: none is being made. */
typedef struct {
    GCancellable *job;
    gint64 round;        /* 0 until it is recorded */
    double shape;        /* height over width */
    GPtrArray *pictures; /* GdkPixbuf or NULL */
    gboolean *done;
} PenMaking;

/* Begins a job of the app for the order. */
void pen_making_begin(PenMaking *making, PenApp *app, const PenRoundOrder *order);
/* Takes the picture of an event PREVIEW or CANDIDATE; FALSE if there is no such place. */
gboolean pen_making_take(PenMaking *making, const PenStudioEvent *event);
/* How far candidate `k` is, as its card shows it. */
void pen_making_show(const PenMaking *making, guint k, PenCandidateCard *card);
void pen_making_end(PenMaking *making, PenApp *app);

G_END_DECLS
