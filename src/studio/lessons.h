// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What a run learns from, for src/studio alone: the rounds of its picks, with their texts and the
 * trajectories of the candidates that the picks rank.
 *
 * A lesson's trajectories are read from their files when they are first asked for, and stay in memory
 * until others need the room: what the bare model says about them is worked out once.
 */

#include "src/engine/trainer.h"
#include "src/store/picks.h"
#include "src/store/rounds.h"

G_BEGIN_DECLS

typedef struct {
    PenPick *pick;
    PenRound *round;
    PenConditioning *cond, *uncond; /* of its texts; NULL until somebody has encoded them */

    /* NULL while they are not in memory; else of n candidates: */
    GPtrArray *trajectories; /* PenTrajectory */
    GArray *ranks;           /* int, higher is better */
    GPtrArray *files;        /* of the trajectories, relative to the store */
    guint64 used;            /* by pen_lessons_load(), for the order in which they make room */
} PenLesson;

typedef struct {
    PenStore *store;
    GPtrArray *list; /* PenLesson, in the order of the run's picks */
    guint64 uses;
} PenLessons;

/* Trajectories of more bytes than this make room for others, but for those of the last rounds that
 * were asked for. */
#define PEN_LESSONS_BYTES ((gsize)1 << 30)
#define PEN_LESSONS_KEPT 8

PenLessons *pen_lessons_new(PenStore *store);
void pen_lessons_free(PenLessons *lessons);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenLessons, pen_lessons_free)

/* Takes a pick's round in. */
gboolean pen_lessons_add(PenLessons *lessons, const PenPick *pick, GError **error);

PenLesson *pen_lessons_get(const PenLessons *lessons, guint index);

/* Takes a lesson out. */
void pen_lessons_remove(PenLessons *lessons, guint index);

/* Has its trajectories in memory; until others are loaded. `schedule` is the model's. An error where a file is
 * missing or damaged, or the candidates do not fit together. */
gboolean pen_lessons_load(PenLessons *lessons, PenLesson *lesson, const PenSchedule *schedule,
                          GError **error);

/* The lesson for the trainer, which is left to say with which steps; valid as long as it is loaded. */
PenTrainerRound pen_lesson_round(const PenLesson *lesson);

G_END_DECLS
