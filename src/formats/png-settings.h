// SPDX-License-Identifier: GPL-3.0-or-later
//
// The settings a picture was made with, as the text that other programs read from a PNG's
// `parameters` chunk (the form comes from the AUTOMATIC1111 web interface):
//
//     PROMPT
//     Negative prompt: NEGATIVE
//     Steps: 20, Sampler: DDIM, CFG scale: 5, Seed: 1, Size: 64x64, Model hash: 0123abcdef, Model:
//     NAME
//
// A value with a comma, a colon or a line break in it is written as a JSON string. The form is
// ambiguous by nature where a prompt has a line that looks like one of the following lines.
#pragma once

#include <glib.h>

G_BEGIN_DECLS

// The keyword of the text chunk.
#define PEN_PNG_SETTINGS_KEY "parameters"

// What is not known is NULL, 0, or negative for eta and candidate; it is left out of the text.
typedef struct {
    char *prompt;
    char *negative;
    int steps;
    char *sampler; // "DDIM"; also with the schedule, "DPM++ 2M Karras"
    double guidance;
    double eta;
    gboolean has_seed;
    guint64 seed;
    guint width, height;
    char *model_hash;
    char *model;
    char *style;   // the adapter
    int candidate; // which one of the round that the seed makes, from 0
    double style_strength;
    char *adapters; // others, "NAME:STRENGTH, NAME:STRENGTH"
    char *vae;
    int clip_skip;
    gboolean words; // the prompt's brackets are characters (src/formats/prompt.h)
    double guidance_rescale;
    char *timesteps; // of the steps, "999 749 499 249"
    char *others;    // on reading: what has no place here, "KEY: VALUE, KEY: VALUE"
    char *schedule;  // on reading: what stands apart from the sampler, "Karras"
} PenPngSettings;

// New settings of which nothing is known.
PenPngSettings *pen_png_settings_new(void);
void pen_png_settings_free(PenPngSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenPngSettings, pen_png_settings_free)

char *pen_png_settings_to_text(const PenPngSettings *settings);

// Never fails: text without a line of settings is all prompt, and a JSON object, which is how some
// programs write theirs, says nothing.
PenPngSettings *pen_png_settings_from_text(const char *text);

// Whether there is anything to be taken over.
gboolean pen_png_settings_say_something(const PenPngSettings *settings);

G_END_DECLS
