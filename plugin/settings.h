// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What the window remembers from one session to the next: its own size and the artist's settings.
 * Kept in "penchant.ini" in GIMP's folder of the user. Everything that teaches is in the store
 * instead; losing this file loses no work.
 */

#include <glib.h>

#include "src/models/model-spec.h"
#include "src/studio/recipe.h"

G_BEGIN_DECLS

typedef enum {
    PEN_FROM_TEXT,
    PEN_FROM_LAYER,
    PEN_FROM_SELECTION,
} PenFrom;

typedef enum {
    PEN_SHAPE_IMAGE, /* the proportions of the image, the layer or the selection */
    PEN_SHAPE_SQUARE,
    PEN_SHAPE_PORTRAIT,
    PEN_SHAPE_LANDSCAPE,
    PEN_SHAPE_STYLE, /* the size of the style's recipe; only while it has one */
} PenShape;

#define PEN_MAX_GROW 500 /* pixels */

/* How a picture that was made from text lies on the selection or the canvas. */
typedef enum {
    PEN_FIT_OWN,     /* in the middle, at its own size */
    PEN_FIT_CONTAIN, /* as large as there is room for the whole of it */
    PEN_FIT_FILL,    /* as large as leaves no gap; what juts out is cut off */
} PenFit;

typedef struct {
    char *prompt;          /* "" where there is none */
    char *negative_prompt; /* the same */
    char *model;          /* name; NULL: the starter model */
    PenModelSpec *extras; /* VAE and adapters that go on top of any model; names no model */
    char *device;         /* part of a device's name; NULL: chosen by itself */
    gint64 style;         /* 0: none */
    PenRecipe *recipe;    /* of the style in use (recipe-use.h), */
    PenRecipe *replaced;  /* and what its settings were without it */
    PenShape replaced_shape;
    PenFrom from;
    double start_strength;
    PenShape shape;
    PenFit fit;
    int grow, soften; /* of a selection, in pixels of the image */
    int count;
    gboolean wide; /* more candidates are begun, and those shown that the votes speak for */
    char *sampler, *schedule; /* ids (src/sampling/method.h); NULL: as suits the model */
    PenSpeed speed;
    int steps;       /* 0: what suits the model */
    double guidance; /* 0: what suits the model */
    double eta;      /* 1: what suits the model, which is mostly 1 */
    gboolean words; /* the prompts' brackets are characters, not weights */
    int clip_skip;  /* 1: none */
    gboolean fixed_seed;
    guint64 seed;
    gboolean advanced; /* the advanced settings are unfolded */
    int width, height; /* of the window; 0: not yet known */
    int x, y;          /* and where it was; -1: not yet known */
    int panel;         /* width of the panel; 0: as wide as its words */
    gboolean maximized;
} PenSettings;

/* Reads the file; a setting that is missing or out of range has its default. Never fails. */
PenSettings *pen_settings_load(void);

/* Has a round read and drawn as set: brackets, clip skip, sampler and what goes with it. The request's strings
 * are the settings' own. */
void pen_settings_ask(const PenSettings *settings, PenRoundRequest *request);

gboolean pen_settings_save(const PenSettings *settings, GError **error);
void pen_settings_free(PenSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenSettings, pen_settings_free)

G_END_DECLS
