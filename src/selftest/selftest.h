// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The self-test: whether a device with its driver computes what it should, and how fast.
 *
 * It runs the kernels that the device would use, in each precision that it has, on the shapes of
 * Stable Diffusion (kernel-case.h), and compares samples of their results with the processor's own
 * reference; then a step of the starter model and a D3PO gradient, which it compares with stored
 * numbers (model-check.c). Kernels with a wrong result are left out from then on, and the next ones
 * tested: a wrong driver costs speed, not pictures. What was found, with the report, is kept in a
 * file for this device and driver version (compute/findings.h); each self-test begins anew.
 */

#include <gio/gio.h>

#include "compute/device.h"
#include "src/selftest/kernel-case.h"

G_BEGIN_DECLS

typedef enum {
    PEN_SELFTEST_RIGHT,
    PEN_SELFTEST_WRONG,
    PEN_SELFTEST_NOT_RUN, /* too little memory, too little time */
} PenSelftestOutcome;

/* One result: of a kernel, or of the starter model. */
typedef struct {
    char *name; /* e.g. "conv3x3 320->320 64x64" */
    PenKernels kernels;
    PenDtype dtype;
    PenSelftestOutcome outcome;
    char *why;    /* it was not run, or failed; else NULL */
    double error; /* of the largest magnitude; of the model, relative L2. NaN: none was measured */
    double tolerance;
    PenKernelFigures figures; /* 0 where nothing was measured */
    double *projections;      /* of the model: what is stored; see checks.h */
    guint n_projections;
} PenSelftestRow;

typedef enum {
    PEN_SELFTEST_GOOD,
    PEN_SELFTEST_LEFT_OUT,   /* kernels were wrong; the device works without them */
    PEN_SELFTEST_UNUSABLE,   /* nothing that is left works */
    PEN_SELFTEST_INCOMPLETE, /* nothing was wrong, but not everything was run */
} PenSelftestVerdict;

typedef struct {
    PenDeviceInfo *info; /* as the device is used from now on */
    GPtrArray *rows;     /* PenSelftestRow */
    PenSelftestVerdict verdict;
    double seconds;
} PenSelftest;

/* Called before each test; `name` is that of its row. */
typedef void (*PenSelftestProgress)(double fraction, const char *name, gpointer user_data);
/* Called after it; may be NULL. */
typedef void (*PenSelftestResult)(const PenSelftestRow *row, gpointer user_data);

typedef struct {
    const char *device; /* as for pen_device_open() */
    gboolean quick;     /* without the cases that take long */
    PenSelftestProgress progress;
    PenSelftestResult result;
    gpointer user_data;
} PenSelftestOptions;

/* The device should not be open elsewhere in this process with memory that the tests need. NULL
 * with an error when nothing could be tested or the findings cannot be kept; then, and when it is
 * cancelled, those of an earlier self-test stay. */
PenSelftest *pen_selftest_run(const PenSelftestOptions *options, GCancellable *cancellable,
                              GError **error);
void pen_selftest_free(PenSelftest *selftest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenSelftest, pen_selftest_free)

/* One sentence for a person, translated. Free with g_free(). */
char *pen_selftest_verdict_text(const PenSelftest *selftest);

G_END_DECLS
