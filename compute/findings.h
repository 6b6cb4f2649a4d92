// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What a self-test (src/selftest/selftest.h) found out about a device with its driver: a small file
 * in the user's cache folder, one for each device and driver version, with the report as further
 * groups for people to read. Kernels that it found wrong are not used from then on
 * (pen_device_info_choose_kernels()). Safe to delete: then nothing is known.
 */

#include "compute/device.h"
#include "compute/graph.h"

G_BEGIN_DECLS

/* Sets info->wrong_kernels from the file info->findings; a missing or damaged one says nothing. */
void pen_findings_read(PenDeviceInfo *info);

/* Writes the file anew with info->wrong_kernels; `report` (may be NULL) holds what else there is to
 * tell. */
gboolean pen_findings_write(const PenDeviceInfo *info, GKeyFile *report, GError **error);

/* "matrix.f16": kernels in a precision, as the file names them. Free with g_free(). */
char *pen_findings_name(PenKernels kernels, PenDtype dtype);

G_END_DECLS
