// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The help page, in a window of its own, in the artist's language and without a network. */

#include "plugin/app.h"

G_BEGIN_DECLS

void pen_help_show(PenApp *app, GtkWindow *parent);

G_END_DECLS
