// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The window that lists the keys. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

void pen_shortcuts_show(GtkWindow *parent);

G_END_DECLS
