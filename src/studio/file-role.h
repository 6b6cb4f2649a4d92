// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What a file or folder is to Penchant, told by its content and never by its name: for what is
 * dropped on the window. It reads names and headers, no weights.
 */

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
    PEN_FILE_NOTHING,  /* with an error that says what it is, if that can be told, and what would do
                        */
    PEN_FILE_SETTINGS, /* a picture that says how it was made (src/formats/picture-settings.h) */
    PEN_FILE_PICTURE,  /* a picture that does not */
    PEN_FILE_MODEL,    /* what pen_model_open() opens */
    PEN_FILE_ADAPTER, /* LoRA and its kin, also those that the reader then refuses by their names */
    PEN_FILE_STYLE,   /* an adapter that is a style of Penchant's (pen_studio_import_style()) */
    PEN_FILE_VAE,     /* a decoder by itself */
    PEN_FILE_PACK,    /* rounds and picks of another store (pack.h), or another tar archive */
    PEN_FILE_EMBEDDING, /* works from the models folder, by its name in a prompt */
} PenFileRole;

PenFileRole pen_file_role(const char *path, GError **error);

G_END_DECLS
