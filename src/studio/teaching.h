// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A run of teaching, for src/studio alone: its course, the adapter it starts with and its steps.
 * teach-job.c says when; this is how.
 *
 * All of the course follows from the run's settings, its seed and its rounds, so a resumed run equals
 * one that was never interrupted. A step is one change of the adapter: the gradients of `together`
 * updates, of some timesteps of one round each, averaged.
 */

#include "src/engine/trainer.h"
#include "src/engine/word.h"
#include "src/learning/adamw.h"
#include "src/studio/job.h"
#include "src/studio/lessons.h"

G_BEGIN_DECLS

/* A run and where it stands. Start from zeros with job, store and lessons. */
typedef struct {
    PenJob *job;
    PenStore *store;
    PenStyle *style;
    PenRun *run;
    PenLessons *lessons;
    GArray *updates; /* in the order in which they are made */
    guint together;
    guint passes;   /* through all rounds in an epoch */
    guint sketched; /* so many updates of the first pass make a new adapter's start */
    PenRuntime *runtime;
    PenUNetAdapter *adapter;
    gboolean is_new; /* the adapter starts without a version's values */
    PenWord *word;   /* what the adapter says, if that is what is learnt; else NULL */
    float *v;        /* the word's */
    float *values, *gradient, *sum;
    PenAdamw *adamw;
    PenTrainer *trainer;
    PenHindsight hindsight;
    guint step;          /* steps done */
    guint overflowed;    /* timesteps that were left out because numbers overflowed */
    gboolean changed;    /* some step changed the adapter */
    gint64 checkpointed; /* when; 0: not yet */
    guint kept;          /* steps of the checkpoint */
    double done, work;   /* of the progress, in steps: the start counts, too */
} PenTeaching;

void pen_teaching_clear(PenTeaching *teaching);

/* Lists the updates and sets run->steps_total. */
void pen_teaching_plan(PenTeaching *teaching);

/* Makes adapter, values and optimiser: a version's, new ones, or the checkpoint's. */
gboolean pen_teaching_load(PenTeaching *teaching, GError **error);

/* pen_lessons_load(), for the run's model. */
gboolean pen_teaching_load_lesson(PenTeaching *teaching, PenLesson *lesson, GError **error);

/* What comes before the first step: the fit of the targets, and of a new adapter the sketch. */
gboolean pen_teaching_start(PenTeaching *teaching, GError **error);

/* Takes the next step and records it; one whose numbers overflowed changes nothing. */
gboolean pen_teaching_take_step(PenTeaching *teaching, GError **error);

/* The adapter's values that the lesson ends with, in t->values. */
gboolean pen_teaching_end(PenTeaching *teaching, GError **error);

/* Keeps the state after the last step, unless it is kept already, if that is due or `now`. */
gboolean pen_teaching_keep(PenTeaching *teaching, gboolean now, GError **error);

G_END_DECLS
