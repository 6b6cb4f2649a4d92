// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The shapes of published models, for measuring speed and memory without their weights (see
 * pen_weights_new_random()).
 */

#include "src/models/model.h"

G_BEGIN_DECLS

typedef struct {
    const char *name;  /* "sd15", "sd21", "sdxl" */
    const char *title; /* "Stable Diffusion 1.5" */
    guint32 size;      /* of the pictures it was trained for */
    PenUNetConfig unet;
    PenVaeConfig vae;
    guint n_encoders;
    PenClipTextConfig encoders[PEN_MODEL_MAX_ENCODERS];
} PenArchitecture;

/* NULL if there is none of that name; a NULL name is the first. */
const PenArchitecture *pen_architecture_find(const char *name);

/* The number of architectures, and one of them. */
guint pen_architecture_count(void);
const PenArchitecture *pen_architecture_nth(guint index);

G_END_DECLS
