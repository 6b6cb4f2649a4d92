// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What was found out about a device with its driver: a small file in the user's cache folder, one
 * for each device and driver version. Kernels that a self-test (src/selftest/selftest.h) found
 * wrong are not used from then on (pen_device_info_choose_kernels()); its report is in further
 * groups, for people to read. Which tiles are fast is measured at the first use (compute/tune.h).
 * Safe to delete: then nothing is known.
 */

#include "compute/device.h"
#include "compute/graph.h"

G_BEGIN_DECLS

/* Sets wrong_kernels and large_tiles_from of `info` from the file info->findings; a missing or
 * damaged one says nothing. */
void pen_findings_read(PenDeviceInfo *info);

/* Writes the file anew with wrong_kernels and large_tiles_from; `report` (may be NULL) holds what
 * else there is to tell. */
gboolean pen_findings_write(const PenDeviceInfo *info, GKeyFile *report, GError **error);

/* "matrix.f16": kernels in a precision, as the file names them. Free with g_free(). */
char *pen_findings_name(PenKernels kernels, PenDtype dtype);

G_END_DECLS
