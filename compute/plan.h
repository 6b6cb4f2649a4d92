// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A graph compiled for one device: kernels chosen, temporaries laid out in one arena by lifetime,
 * command buffers recorded once. A step of sampling or training replays a plan with new inputs.
 */

#include <gio/gio.h>

#include "compute/device.h"
#include "compute/graph.h"

G_BEGIN_DECLS

typedef struct _PenPlan PenPlan;

/* Compiles `graph`, which the plan takes over even on failure. Nothing is allocated on the device
 * yet. Errors: the graph's own, an operation the device cannot do. */
PenPlan *pen_plan_new(PenDevice *device, PenGraph *graph, GError **error);
void pen_plan_free(PenPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenPlan, pen_plan_free)

/* Device memory that the plan takes while it is allocated, without parameters: known before. */
guint64 pen_plan_bytes(const PenPlan *plan);

/* Parameters the plan reads, in bytes. */
guint64 pen_plan_parameter_bytes(const PenPlan *plan);

/* Floating-point operations of one run (a multiply-add counts two). */
double pen_plan_flops(const PenPlan *plan);

guint pen_plan_dispatches(const PenPlan *plan);

/* Takes the memory and records the command buffers. pen_plan_run() does it when it was not done.
 * Out of memory says how much was needed and how much there is. */
gboolean pen_plan_allocate(PenPlan *plan, GError **error);

/* Gives the memory back; the plan can be allocated again. */
void pen_plan_release(PenPlan *plan);

/* Host values of an input (row-major NHWC float32, pen_shape_elements of its shape). They stay
 * until written again, also over a release. A name that the graph does not have is a programming error. */
void pen_plan_write(PenPlan *plan, const char *input, const float *values);

/* Called between chunks on the running thread with the share of the run's work that is done. */
typedef void (*PenPlanProgress)(double fraction, gpointer user_data);

/* Runs and waits. Submits chunks of about 50 ms, by the time they took before, so that the desktop
 * stays alive, and cuts dispatches that take longer on the device as it was measured; between chunks
 * calls `progress` (may be NULL) and honours `cancellable` (may be NULL; G_IO_ERROR_CANCELLED). */
gboolean pen_plan_run(PenPlan *plan, PenPlanProgress progress, gpointer user_data,
                      GCancellable *cancellable, GError **error);

/* Whether pen_plan_run() stops before a late input (pen_graph_late_input). Then outputs that were computed by
 * then can be read and late inputs written, and pen_plan_finish() runs the rest, under the same
 * conditions as pen_plan_run(). Nothing else may run on the plan in between. */
gboolean pen_plan_has_late_inputs(const PenPlan *plan);
gboolean pen_plan_finish(PenPlan *plan, PenPlanProgress progress, gpointer user_data,
                         GCancellable *cancellable, GError **error);

/* Seconds that the longest submission of the last run took, from the end of the one before it. */
double pen_plan_longest_submission(const PenPlan *plan);

/* Copies an output of the last run (row-major NHWC float32). */
void pen_plan_read(PenPlan *plan, const char *output, float *values);

PenShape pen_plan_input_shape(const PenPlan *plan, const char *input);

/* Seconds per kernel of one run (runs the plan once, each dispatch timed by the device). */
typedef struct {
    char *label;  /* operation and shape, e.g. "conv2d 320->320 3x3 64x64" */
    char *kernel; /* of its first dispatch: shader and specialization */
    guint count;
    double seconds, flops, bytes;
} PenPlanProfileRow;
void pen_plan_profile_row_free(PenPlanProfileRow *row);

/* Rows by label, slowest first (owned). NULL with an error when the run failed. */
GPtrArray *pen_plan_profile(PenPlan *plan, GError **error);

/* What the driver's compiler made of a kernel, without running it. */
typedef struct {
    char *name;  /* shader and its specialization */
    char *label; /* of the costliest dispatch */
    guint count; /* dispatches */
    double flops, most_flops; /* of all of them, and of that dispatch */
    GHashTable *statistics;   /* the driver's name of a number -> double*; empty where it tells none */
    GError *error;            /* or why it does not compile */
} PenPlanKernel;

/* A table of PenPlanKernel by name (owned), for pen_plan_examine(). */
GHashTable *pen_plan_kernels_new(void);

/* Compiles the kernels of the plan that are not in the table yet, and adds the plan's dispatches.
 * The plan need not be allocated, and its parameters may be abstract. */
void pen_plan_examine(PenPlan *plan, GHashTable *kernels);

G_END_DECLS
