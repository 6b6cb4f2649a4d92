// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What a lesson has changed: one picture as the style drew it before and as it draws it now, of its
 * latest prompt and from the same noise, beside “Keep” and “Go Back”. It is drawn when the lesson ends,
 * and is out of sight otherwise. A click on a picture shows it larger.
 *
 *     changed()   it comes into sight, or goes
 */

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_LESSON_VIEW (pen_lesson_view_get_type())
G_DECLARE_FINAL_TYPE(PenLessonView, pen_lesson_view, PEN, LESSON_VIEW, GtkBox)

GtkWidget *pen_lesson_view_new(PenApp *app);

/* `before`: the version from which the style's current one was taught; 0: the bare model. */
void pen_lesson_view_begin(PenLessonView *view, gint64 style, gint64 before);
/* Takes it away; what is not drawn yet is left. */
void pen_lesson_view_end(PenLessonView *view);

gboolean pen_lesson_view_is_shown(PenLessonView *view);

G_END_DECLS
