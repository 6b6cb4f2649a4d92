// SPDX-License-Identifier: GPL-3.0-or-later
//
// The texts in the EXIF block of a JPEG or WebP file, whose format is TIFF's: entries of 12 bytes
// in directories, in either order of bytes. What is damaged says nothing.
#pragma once

#include <glib.h>

G_BEGIN_DECLS

// Tags that hold text, in the first directory or in EXIF's own.
typedef enum {
    PEN_EXIF_MAKE = 0x010f,
    PEN_EXIF_MODEL = 0x0110,
    PEN_EXIF_USER_COMMENT = 0x9286, // begins with 8 bytes that name its encoding
} PenExifTag;

// The text with that tag, as UTF-8; NULL where there is none. `file` is the whole file. Free with
// g_free().
char *pen_exif_text(const void *file, gsize size, PenExifTag tag);

G_END_DECLS
