// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The settings of a picture that Penchant or a program with A1111's settings text made, as far as
 * they can be used here: its model and adapters are looked for among the user's, its style in the
 * store.
 */

#include "src/formats/picture-settings.h"
#include "src/studio/studio.h"

G_BEGIN_DECLS

typedef struct {
    PenPictureSettings *settings; /* as the picture says them */
    char *model;              /* spec, also one of adapters alone; NULL: nothing of that is here */
    gint64 style;             /* 0: none, or not here */
    char *notice;             /* a sentence for people about what was not taken over, or NULL */
} PenTakenSettings;

/* NOT_FOUND of PEN_FORMAT_ERROR for a picture that says nothing. */
PenTakenSettings *pen_studio_take_settings(PenStudio *studio, const char *file, GError **error);
void pen_taken_settings_free(PenTakenSettings *taken);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenTakenSettings, pen_taken_settings_free)

G_END_DECLS
