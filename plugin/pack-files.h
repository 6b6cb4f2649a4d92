// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Packs of other stores (src/studio/packs/pack.h): their rounds come into the history, to be picked from,
 * and the picks go back as a small file. Each works in a thread, and tells in the bar what came of
 * it. */

#include "plugin/app.h"

G_BEGIN_DECLS

/* Takes a pack in. The bar then offers to save the picks of its rounds; it does so again when the
 * same pack is taken in again, which changes nothing else. */
void pen_pack_merge_file(PenApp *app, const char *path);

G_END_DECLS
