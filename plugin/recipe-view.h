// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A style's recipe on its card, folded: what the style brings to a round beside its adapter. What
 * is changed is kept in a moment, as a step that can be undone.
 */

#include "plugin/app.h"

G_BEGIN_DECLS

#define PEN_TYPE_RECIPE_VIEW (pen_recipe_view_get_type())
G_DECLARE_FINAL_TYPE(PenRecipeView, pen_recipe_view, PEN, RECIPE_VIEW, GtkBox)

GtkWidget *pen_recipe_view_new(PenApp *app);
void pen_recipe_view_show(PenRecipeView *view, const PenStyle *style);

G_END_DECLS
