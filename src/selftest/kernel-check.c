// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <math.h>

#include "src/selftest/checks.h"

/* Rows of a result that are compared: the first, the last, and some between. */
#define SAMPLED_ROWS 8

#define REPEAT_SECONDS 0.3 /* of a kernel */

/* Shares of the largest magnitude. float32 sums in another order; float16 rounds each result, and
 * some kernels what they pass on within. */
static double tolerance(const PenKernelCase *c, PenDtype dtype)
{
    if (c->eight_bit)
        return 2e-2;
    return dtype == PEN_DTYPE_F16 ? 5e-3 : 5e-5;
}

/* The error of an output by its sampled rows; infinite where any number of it is none. */
static double compare(PenKernelWork *work, guint output)
{
    const PenTensor *tensor = work->outputs[output];
    PenShape shape = pen_tensor_shape(tensor);
    gsize n = pen_shape_elements(shape), rows = pen_shape_rows(shape);
    g_autofree char *name = g_strdup_printf("%u", output);
    g_autofree float *have = g_new(float, n);
    for (gsize i = 0; i < n; i++) /* what the kernel does not write is seen */
        have[i] = NAN;
    pen_plan_read(work->plan, name, have);
    for (gsize i = 0; i < n; i++)
        if (!isfinite(have[i]))
            return INFINITY;

    double worst = 0, largest = 0;
    guint sampled = (guint)MIN(rows, SAMPLED_ROWS);
    for (guint s = 0; s < sampled; s++) {
        gsize row = sampled < 2 ? 0 : s * (rows - 1) / (sampled - 1);
        for (gsize i = row * shape.c; i < (row + 1) * shape.c; i++) {
            double want = pen_reference_element(work->reference, tensor, i);
            largest = MAX(largest, fabs(want));
            worst = MAX(worst, fabs(have[i] - want));
        }
    }
    return largest > 0 ? worst / largest : worst;
}

gboolean pen_kernel_check(const PenKernelCase *kernel_case, PenDevice *device, PenDtype dtype,
                          PenSelftestRow *row, GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(PenKernelWork) work = pen_kernel_work_new(kernel_case, device, dtype, TRUE, &failure);
    row->tolerance = tolerance(kernel_case, dtype);
    if (!work || !pen_plan_run(work->plan, NULL, NULL, cancellable, &failure))
        return pen_selftest_row_fail(row, g_steal_pointer(&failure), error);
    row->error = 0;
    for (guint i = 0; i < work->n_outputs; i++)
        row->error = MAX(row->error, compare(work, i));
    row->outcome = row->error <= row->tolerance ? PEN_SELFTEST_RIGHT : PEN_SELFTEST_WRONG;
    /* Devices without a clock are right as well. */
    if (!pen_kernel_work_measure(work, REPEAT_SECONDS, &row->figures, &failure) &&
        !g_error_matches(failure, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED))
        return pen_selftest_row_fail(row, g_steal_pointer(&failure), error);
    return TRUE;
}
