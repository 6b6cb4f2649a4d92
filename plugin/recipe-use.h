// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What the recipe of the style in use (src/studio/recipe.h) does to the window's settings: they become
 * what it says, where it says something, and what was there before comes back when another style is
 * used, unless it was changed meanwhile. The template is no setting: it is put around the prompt when a
 * round is ordered.
 */

#include "plugin/settings.h"

G_BEGIN_DECLS

/* The settings' recipe is `recipe` from now on. FALSE: it is that already. */
gboolean pen_recipe_use(PenSettings *settings, const PenRecipe *recipe);

/* What the settings say now, of all but the template and a size that no recipe gave them. */
void pen_recipe_read_settings(PenRecipe *recipe, const PenSettings *settings);

G_END_DECLS
