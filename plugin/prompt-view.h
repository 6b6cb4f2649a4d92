// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Where the prompt is written: a few lines, Enter generates (Shift+Enter begins a new line), Up in
 * the first line and Down in the last recall earlier prompts, and a button lists them. It counts how
 * many words still fit, and of a model that knows few words it says which.
 *
 *     activate()  Enter was pressed
 *     changed()   the text was changed
 */

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_PROMPT_VIEW (pen_prompt_view_get_type())
G_DECLARE_FINAL_TYPE(PenPromptView, pen_prompt_view, PEN, PROMPT_VIEW, GtkBox)

GtkWidget *pen_prompt_view_new(PenApp *app);
char *pen_prompt_view_get_text(PenPromptView *view); /* without space around it; g_free() */
void pen_prompt_view_set_text(PenPromptView *view, const char *text);
void pen_prompt_view_focus(PenPromptView *view);

G_END_DECLS
