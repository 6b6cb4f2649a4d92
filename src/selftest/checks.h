// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The self-test's parts, for selftest.c alone. */

#include "src/selftest/kernel-case.h"
#include "src/selftest/selftest.h"

G_BEGIN_DECLS

PenSelftestRow *pen_selftest_row_new(PenDevice *device, PenDtype dtype, const char *name);
void pen_selftest_row_free(PenSelftestRow *row);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenSelftestRow, pen_selftest_row_free)

/* Takes over what went wrong in a test: a lack of memory is no fault of the kernels, everything
 * else is. FALSE, and passed on, where it ends the self-test: it was cancelled. */
gboolean pen_selftest_row_fail(PenSelftestRow *row, GError *failure, GError **error);

/* Runs a case (kernel-check.c). */
gboolean pen_kernel_check(const PenKernelCase *kernel_case, PenDevice *device, PenDtype dtype,
                          PenSelftestRow *row, GCancellable *cancellable, GError **error);

/* What the starter model is compared in (model-check.c). */
typedef enum { PEN_MODEL_CHECK_UNET, PEN_MODEL_CHECK_VAE, PEN_MODEL_CHECK_GRADIENT } PenModelCheck;
#define PEN_N_MODEL_CHECKS 3
const char *pen_model_check_name(PenModelCheck check);

/* The numbers kept of a result v[n]: its projections on so many random directions g_j, which have
 * E (d g_j)^2 = |d|^2 for any difference d, and behind them |v|. */
#define PEN_MODEL_PROJECTIONS 8

gboolean pen_model_check(PenModelCheck check, PenDevice *device, PenDtype dtype,
                         PenSelftestRow *row, GCancellable *cancellable, GError **error);

G_END_DECLS
