// SPDX-License-Identifier: GPL-3.0-or-later
//
// The settings a picture was made with, as the text that other programs read from a PNG's
// `parameters` chunk, or from the user's comment in the EXIF of a JPEG or WebP file (the form comes
// from the AUTOMATIC1111 web interface):
//
//     PROMPT
//     Negative prompt: NEGATIVE
//     Steps: 20, Sampler: DDIM, CFG scale: 5, Seed: 1, Size: 64x64, Model hash: 0123abcdef, Model:
//     NAME
//
// A value with a comma, a colon or a line break in it is written as a JSON string. The form is
// ambiguous by nature where a prompt has a line that looks like one of the following lines.
#pragma once

#include "src/formats/file.h"

G_BEGIN_DECLS

// The keyword of the text chunk.
#define PEN_PICTURE_SETTINGS_KEY "parameters"

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
} PenPictureSettings;

// New settings of which nothing is known.
PenPictureSettings *pen_picture_settings_new(void);
void pen_picture_settings_free(PenPictureSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenPictureSettings, pen_picture_settings_free)

char *pen_picture_settings_to_text(const PenPictureSettings *settings);

// Never fails: text without a line of settings is all prompt, and a JSON object, which is how some
// programs write theirs, says nothing.
PenPictureSettings *pen_picture_settings_from_text(const char *text);

// Whether there is anything to be taken over.
gboolean pen_picture_settings_say_something(const PenPictureSettings *settings);

// What a PNG, JPEG or WebP file says, if that is something; else NULL with an error. A picture that
// says nothing, or says it in another program's form, which is named then, is NOT_FOUND.
PenPictureSettings *pen_picture_settings_read(const char *path, GError **error);

G_END_DECLS
