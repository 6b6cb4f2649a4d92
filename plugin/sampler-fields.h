// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The choosers of sampler and schedule, side by side. Their entries have the ids of
 * src/sampling/method.h; "" leaves the choice open.
 */

#include <gtk/gtk.h>

G_BEGIN_DECLS

GtkWidget *pen_sampler_fields_new(GtkWidget **sampler, GtkWidget **schedule);

/* An id as one of these choosers shows it; NULL is "". */
void pen_sampler_fields_set(GtkWidget *combo, const char *id);

G_END_DECLS
