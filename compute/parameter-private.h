// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "compute/device-private.h"
#include "compute/parameter.h"

G_BEGIN_DECLS

struct _PenParameter {
    gint refs;
    PenShape shape;
    PenDtype dtype;
    PenLayout layout;
    PenDevice *device; /* NULL for an abstract parameter */
    PenBuffer buffer;
};

G_END_DECLS
