// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A style's recipe: what of a round's settings it brings along beside its adapter. Each part may be
 * left open; a round then has what was asked for, or what suits the model.
 *
 * As text, in the store and in a style's file, it is a JSON object of which every member may be
 * missing:
 *
 *     {"prompt": "{prompt}, ink wash", "negative_prompt": "blurry", "sampler": "dpmpp-2m",
 *      "schedule": "karras", "steps": 12, "guidance": 4.5, "width": 64, "height": 96}
 */

#include "src/studio/studio.h"

G_BEGIN_DECLS

#define PEN_RECIPE_MAX_STEPS 150
#define PEN_RECIPE_MAX_GUIDANCE 30.0
#define PEN_RECIPE_MAX_TEXT 4000 /* characters */

typedef struct {
    char *prompt; /* a template, with PEN_RECIPE_PROMPT where the prompt stands; NULL: open */
    char *negative_prompt;    /* NULL: open */
    char *sampler, *schedule; /* ids (src/sampling/method.h); NULL: open */
    int steps;                /* 0: open */
    double guidance;          /* 0: open */
    int width, height;        /* both, in pixels; 0: open */
} PenRecipe;

#define PEN_RECIPE_PROMPT "{prompt}"

PenRecipe *pen_recipe_new(void);
PenRecipe *pen_recipe_copy(const PenRecipe *recipe);
void pen_recipe_free(PenRecipe *recipe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenRecipe, pen_recipe_free)

/*
 * Brings what a person wrote into the form above: text without space around it, "" for open, a
 * template without PEN_RECIPE_PROMPT behind the prompt, samplers and schedules by any of their
 * names. An error says which part cannot be.
 */
gboolean pen_recipe_normalize(PenRecipe *recipe, GError **error);

/* Reads and checks the text, which may come from anywhere; NULL is a recipe that leaves all open.
 */
PenRecipe *pen_recipe_parse(const char *text, GError **error);
/* NULL for a recipe that leaves all open. */
char *pen_recipe_to_text(const PenRecipe *recipe);

/* A style's recipe, and another one for it (checked as by pen_recipe_normalize()). */
PenRecipe *pen_studio_get_recipe(PenStudio *studio, gint64 style, GError **error);
gboolean pen_studio_set_recipe(PenStudio *studio, gint64 style, const PenRecipe *recipe,
                               GError **error);

/* The prompt in the template. One that is in it already stays as it is, so that a round's prompt
 * can be asked for again. */
char *pen_recipe_write_prompt(const PenRecipe *recipe, const char *prompt);
/* The other way: without the template around it. */
char *pen_recipe_read_prompt(const PenRecipe *recipe, const char *prompt);

/* What the recipe sets, in words: "“{prompt}, ink wash”, 12 steps"; NULL where it leaves all open.
 */
char *pen_recipe_describe(const PenRecipe *recipe);

/* Leaves sampler, schedule, steps and guidance open. */
void pen_recipe_open_sampling(PenRecipe *recipe);

/* Fills what the request leaves open; its strings are its own (g_free()). */
void pen_recipe_apply(const PenRecipe *recipe, PenRoundRequest *request);

G_END_DECLS
