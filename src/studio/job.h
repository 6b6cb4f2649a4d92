// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The inside of the studio, for src/studio alone: the worker thread's state, and jobs.
 *
 * A job is a function that runs on the worker thread and tells of its progress through
 * pen_job_event(), which copies the event and delivers it in the caller's main context.
 */

#include "src/engine/previewer.h"
#include "src/formats/adapter-file.h"
#include "src/models/runtime.h"
#include "src/studio/studio.h"

G_BEGIN_DECLS

/* What the worker thread holds between jobs. */
typedef struct {
    PenDevice *device;
    PenRuntime *runtime; /* of the last model */
    char *spec;          /* of that model */
    PenPreviewer *previewer; /* of that model; NULL until needed */
} PenWorkshop;

struct _PenStudio {
    PenStore *store;
    char *device_wanted;
    char *precision;
    GThread *thread;
    GAsyncQueue *jobs; /* GTask with a PenJob as task data; a PenJob without run ends the thread */
    GMutex models_lock;
    GQueue *models; /* models that are open (studio.c), the one asked for last first; any thread */
    PenWorkshop workshop; /* the worker thread's */
};

typedef struct _PenJob PenJob;

struct _PenJob {
    PenStudio *studio;
    GTask *task; /* not owned: the task owns the job */
    PenStudioEventFunc event;
    gpointer event_data;
    GCancellable *cancellable;

    /* Runs on the worker thread; the result (freed with result_free) or NULL with an error. */
    gpointer (*run)(PenJob *job, GError **error);
    GDestroyNotify result_free;
    gpointer input; /* of `run` */
    GDestroyNotify input_free;

    gint64 started;      /* of the work whose time is estimated, by g_get_monotonic_time() */
    double started_with; /* the share that was done then (a resumed run) */
    gint64 last_progress;
};

/* Hands a job to the worker thread. Takes `input` over. */
void pen_job_start(PenStudio *studio, gpointer (*run)(PenJob *job, GError **error),
                   gpointer input, GDestroyNotify input_free, GDestroyNotify result_free,
                   PenStudioEventFunc event, gpointer event_data, GCancellable *cancellable,
                   GAsyncReadyCallback callback, gpointer user_data, gpointer tag);

void pen_job_event(PenJob *job, const PenStudioEvent *event);
void pen_job_notice(PenJob *job, const char *text);

/* Where pictures may be other than they should be. */
void pen_job_warning(PenJob *job, const char *text);

/* Tells what the runtime does because memory is short, and the backward pass if `recomputes`. */
void pen_job_notice_memory(PenJob *job, const PenRuntime *runtime, gboolean recomputes);

/* The share of the job that is done, with the time left estimated from the pace since the first
 * call. Events are thinned out to what an eye can follow. */
void pen_job_progress(PenJob *job, double fraction);

/* Sets PEN_STUDIO_ERROR_INVALID; FALSE. */
gboolean pen_studio_invalid(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The model that a spec of pen_model_find() says, opened once. A new reference. Any thread. */
PenModel *pen_studio_open_model(PenStudio *studio, const char *spec, GError **error);

/* The spec of the model that `style` (may be NULL) or `wanted` (a name or a spec, may be NULL) asks
 * for. What `wanted` says without naming a model goes on top of the style's. A style can draw with
 * its model, also where adapters were added to it since. Free with g_free(). */
char *pen_studio_find_model(PenStudio *studio, const char *wanted, const PenStyle *style,
                            GError **error);

/* The same for work that no VAE takes part in: one that is gone is not missed. */
char *pen_studio_find_taught_model(PenStudio *studio, const PenStyle *style, GError **error);

/* The runtime of a model on the device, opening what is not open; worker thread only. */
PenRuntime *pen_job_runtime(PenJob *job, const char *spec, GError **error);

/* Makes a round on the worker thread: a PenRoundResult. */
gpointer pen_job_make_round(PenJob *job, const PenRoundRequest *request, GError **error);

/* Gives the device back with all that is on it; the next job that needs it opens it anew. Worker thread
 * only. */
void pen_job_close_device(PenJob *job);

/* The previewer of that runtime. */
PenPreviewer *pen_job_previewer(PenJob *job, GError **error);

/* The model of `style`'s hash under any of the names that are known, with the adapters of its spec; NULL
 * if it is none of them. */
char *pen_studio_search_model(PenStudio *studio, const PenStyle *style);

/* A file's layers as far as they are the model's, and their flat values in an adapter of its rank. */
PenAdapter *pen_studio_read_adapter(const PenModel *model, const char *path,
                                    PenAdapterReport *report, GError **error);
PenUNetAdapter *pen_studio_import_values(const PenModel *model, const PenAdapter *file,
                                         float **values, GError **error);

/* A style's adapter as the flat array of `adapter`, whose rank is the style's or the file's: makes
 * both. `version` 0 is an error. */
PenUNetAdapter *pen_studio_load_adapter(PenStudio *studio, const PenModel *model, gint64 version,
                                        float **values, GError **error);

/* An adapter's values as a file for the store. */
GBytes *pen_studio_save_adapter(const PenUNetAdapter *adapter, const float *values,
                                GError **error);

G_END_DECLS
