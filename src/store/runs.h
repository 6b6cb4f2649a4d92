// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/learning/d3po.h"
#include "src/store/picks.h"
#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Training runs: one teaching of a style, from one of its versions to the next, on given picks.
 *
 *     begin -> running -> finish: finished, with a new version that becomes the current one
 *                      -> stop:   paused (can be resumed), failed, abandoned
 *     resume: paused -> running, at the last checkpoint
 *
 * A run whose process has died becomes paused when the store is next opened or a run is begun. A
 * style has at most one run that is running or paused.
 */
typedef enum {
    PEN_RUN_RUNNING,
    PEN_RUN_PAUSED,
    PEN_RUN_FINISHED,
    PEN_RUN_FAILED,
    PEN_RUN_ABANDONED,
} PenRunState;

typedef struct {
    gint64 id;
    gint64 style;
    gint64 from_version; /* 0: the bare model */
    gint64 to_version;   /* 0 until finished */
    gint64 created;
    gint64 ended; /* 0 while running */
    PenD3poConfig d3po; /* but for what no one can choose, the moments of AdamW: 0 when read */
    guint64 seed;
    PenRunState state;
    char *message;  /* why it stopped; may be NULL */
    int steps_done; /* at the checkpoint */
    int steps_total;
    char *checkpoint_file; /* relative; NULL before the first */
} PenRun;

PenRun *pen_run_copy(const PenRun *run);
void pen_run_free(PenRun *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenRun, pen_run_free)

/* One optimiser step of a run's loss curve. Values that are not a number stay NaN. */
typedef struct {
    int step;         /* from 1 */
    double loss;      /* D3PO loss, mean over pairs */
    double margin;    /* mean log-ratio margin of better over worse */
    double agreement; /* share of pairs with a positive margin */
    double grad_norm; /* before clipping */
    double seconds;
} PenTrainingStep;

PenTrainingStep *pen_training_step_copy(const PenTrainingStep *step);
void pen_training_step_free(PenTrainingStep *step);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenTrainingStep, pen_training_step_free)

/* "running", "paused", "finished", "failed", "abandoned": not translated. */
const char *pen_run_state_name(PenRunState state);

/*
 * Begins a run on the given picks' ids. Of `run`, the style, the settings and steps_total are
 * used; from_version becomes the style's current version. A paused run of the style is abandoned.
 * BUSY if the style is being taught already, INVALID without picks. Returns the run's id.
 */
gint64 pen_store_begin_run(PenStore *store, const PenRun *run, const gint64 *picks, guint n_picks,
                           GError **error);

/* Adds a step to the curve of a running run, or replaces it. */
gboolean pen_store_add_training_step(PenStore *store, gint64 run, const PenTrainingStep *step,
                                     GError **error);

/*
 * Keeps the state after `steps_done` steps (`checkpoint` is the content of its file), from which a
 * resumed run goes on. It replaces the one before, which stays valid until then.
 */
gboolean pen_store_checkpoint_run(PenStore *store, gint64 run, int steps_done, GBytes *checkpoint,
                                  GError **error);

/* Stops a running or paused run: PAUSED, FAILED or ABANDONED. `message` may be NULL. */
gboolean pen_store_stop_run(PenStore *store, gint64 run, PenRunState state, const char *message,
                            GError **error);

/*
 * Makes a paused run running again, and takes the steps after its checkpoint off the curve: they
 * are made again. BUSY if it is running, INVALID if it is over. The caller goes on with
 * steps_done, checkpoint_file and pen_store_list_run_picks().
 */
PenRun *pen_store_resume_run(PenStore *store, gint64 run, GError **error);

/*
 * Finishes a running run: `adapter` (the content of its file) becomes the style's next version and
 * the current one, which is an action that can be undone. Returns the version's id.
 */
gint64 pen_store_finish_run(PenStore *store, gint64 run, GBytes *adapter, GError **error);

PenRun *pen_store_get_run(PenStore *store, gint64 run, GError **error);
/* The style's running or paused run; NOT_FOUND if there is none. */
PenRun *pen_store_find_unfinished_run(PenStore *store, gint64 style, GError **error);
/* PenRun, latest first. */
GPtrArray *pen_store_list_runs(PenStore *store, gint64 style, GError **error);
/* PenPick: what the run trains on, exactly as when it began. */
GPtrArray *pen_store_list_run_picks(PenStore *store, gint64 run, GError **error);
/* PenTrainingStep, in order. */
GPtrArray *pen_store_list_training_steps(PenStore *store, gint64 run, GError **error);

G_END_DECLS
