// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * `penchant bench`: how fast the device does the kernels, and whole steps of a model.
 */

#include "compute/plan.h"
#include "src/cli/cli.h"

G_BEGIN_DECLS

/* One call. */
typedef struct {
    PenCli *cli;
    PenDevice *device;
    const char *arch;      /* an architecture's name, "starter", or NULL */
    const char *model;     /* a model's folder or name, or NULL */
    gboolean random;       /* weights need no files */
    gboolean eight_bit;    /* the UNet's matrices */
    guint32 width, height; /* pixels; 0: what the model was trained on */
    guint batch, steps;
    gboolean plan;         /* only plan the step, and say what it would take */
    gboolean profile;
} PenBench;

/* The kernels, in float32, float16 or both; beside each what PyTorch takes, where it is installed.
 */
gboolean pen_bench_kernels(PenBench *bench, gboolean f32, gboolean f16, GError **error);

typedef enum { PEN_BENCH_UNET, PEN_BENCH_TRAIN, PEN_BENCH_VAE } PenBenchStep;

/* The median of `steps` steps, and the first one, which compiles the kernels; or the memory of such a
 * step, as it is planned. */
gboolean pen_bench_step(PenBench *bench, PenBenchStep what, PenDtype dtype, GError **error);

/* The median; sorts `seconds`. */
double pen_bench_median(double *seconds, guint n);

G_END_DECLS
