// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a file is that was taken for another: downloads that brought something else, and formats
// that Penchant does not read.
#pragma once

#include "src/formats/file.h"

G_BEGIN_DECLS

// Sets an error that names what the content is and what to do about it, and returns TRUE, where its
// first bytes tell; else FALSE.
gboolean pen_file_kind_explain(const char *name, const void *content, gsize size, GError **error);

G_END_DECLS
