// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Lets the artist test whether the graphics card computes what it should, and tells what was found
 * and where the report lies. A test that runs is stopped when the view is closed. */

#include "plugin/app.h"

G_BEGIN_DECLS

GtkWidget *pen_device_test_view_new(PenApp *app);

G_END_DECLS
