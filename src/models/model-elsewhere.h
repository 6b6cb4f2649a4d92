// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * Models that other programs keep on this machine, by the usual places: ComfyUI,
 * stable-diffusion-webui (A1111) and its fork Forge, krita-ai-diffusion, and Hugging Face's cache.
 * Only names of files are looked at; whether Penchant can use a model is known when it is opened.
 */
typedef struct {
    char *path;
    char *name;          /* without folder and ending; Hugging Face's with its owner */
    const char *program; /* whose it is */
    guint64 bytes;       /* of a file; 0: a folder */
} PenModelElsewhere;

/* PenModelElsewhere, by program and name. `home`: the user's folder. */
GPtrArray *pen_models_elsewhere(const char *home);

G_END_DECLS
