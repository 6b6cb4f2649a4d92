// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What a kernel asks of a device, read off its SPIR-V for given specialization constants: nothing
 * here is kept by hand, so that a kernel that changes is checked as it is (compute/check.c).
 */

#include <glib.h>

#include "shaders/pen-shaders.h"

G_BEGIN_DECLS

typedef struct {
    guint32 workgroup[3];        /* invocations */
    guint64 shared;              /* bytes of its shared arrays */
    gboolean float16_storage;    /* reads and writes it */
    gboolean float16_arithmetic; /* computes in it, or has variables of it */
    gboolean matrix;             /* multiplies cooperative matrices */
    gboolean addresses;          /* reads at addresses, with 64-bit integers */
    gboolean shuffles;           /* exchanges values within a subgroup */
    guint32 other;               /* a capability of SPIR-V that is none of these; 0: none */
} PenKernelNeeds;

/* FALSE where the module is none that can be read: damaged, or with a size that depends on an
 * operation that is not known here. */
gboolean pen_kernel_read_needs(const PenShader *shader, const guint32 *spec, guint n_spec,
                               PenKernelNeeds *needs);

G_END_DECLS
