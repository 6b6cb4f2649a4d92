// SPDX-License-Identifier: GPL-3.0-or-later
//
// PNG pictures with text in them: 8 bits a channel, sRGB. Text of Latin-1 characters goes into tEXt
// chunks, which every reader knows, other text as UTF-8 into iTXt chunks.
#pragma once

#include "src/formats/file.h"

G_BEGIN_DECLS

// A keyword of 1 to 79 printable ASCII characters, and its text in UTF-8.
typedef struct {
    const char *key;
    const char *text;
} PenPngText;

// A picture that was read: rows of `width` pixels of R, G, B, A from the top, without padding.
// Alpha is not multiplied into the colours.
typedef struct {
    guint width, height;
    guint8 *rgba;
    GArray *texts; // PenPngText, in the order of the file; owns the strings
} PenPng;

// Writes width x height pixels of `channels` bytes (1: grey, 3: RGB, 4: RGBA), rows `stride` bytes apart; a
// stride of 0 is width * channels. Replaces the file in one step (see PenFileWriter).
gboolean pen_png_write(const char *path, const guint8 *pixels, guint width, guint height,
                       guint channels, gsize stride, const PenPngText *texts, gsize n_texts,
                       GError **error);

// The same as bytes, for who stores them himself.
GBytes *pen_png_to_bytes(const guint8 *pixels, guint width, guint height, guint channels,
                         gsize stride, const PenPngText *texts, gsize n_texts, GError **error);

// Reads a PNG of any kind as 8-bit sRGB with alpha; what it says of its colours is heeded
// (src/formats/png-colour.h). At most 64 million pixels. Damaged files are an error.
PenPng *pen_png_read(const char *path, GError **error);

// The text of that keyword alone, without the pixels where that is possible; NOT_FOUND if there is none.
char *pen_png_read_text(const char *path, const char *key, GError **error);

void pen_png_free(PenPng *png);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenPng, pen_png_free)

// The first text with that keyword, or NULL.
const char *pen_png_text(const PenPng *png, const char *key);

G_END_DECLS
