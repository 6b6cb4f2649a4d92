// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A progress bar with the time left, on a terminal's last line. Where stderr is no terminal nothing
 * is shown.
 */

#include <glib.h>

G_BEGIN_DECLS

typedef struct _PenProgress PenProgress;

/* `shown` FALSE: never draws. */
PenProgress *pen_progress_new(gboolean shown);
void pen_progress_free(PenProgress *progress);

/* `seconds_left` is negative while unknown. */
void pen_progress_show(PenProgress *progress, const char *what, double fraction,
                       double seconds_left);

/* Wipes the bar, so that a line can be written; the next pen_progress_show() draws it again. */
void pen_progress_clear(PenProgress *progress);

G_END_DECLS
