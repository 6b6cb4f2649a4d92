// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Which tiles of matrix products and convolutions are fast is a matter of the device: a larger one
 * reads less, smaller ones occupy more of a GPU. It is measured once for a device and driver
 * version, in about a second, and kept with its findings (compute/findings.h).
 */

#include "compute/device.h"

G_BEGIN_DECLS

/* Measures what is not known of the kernels that the device uses, sets large_tiles_from of its
 * description, and keeps it. Nothing to do where the kernels leave no choice. Plans that are made
 * from then on follow it. Errors: the device's; UNSUPPORTED where it has no clock. What cannot be
 * kept is no error: it is measured again. */
gboolean pen_device_tune(PenDevice *device, GError **error);

G_END_DECLS
