// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * What a pack's first file says, for src/studio/packs/pack-*.c:
 *
 *     { "format": "penchant pack", "version": 1,
 *       "rounds": [ { "content", "style", "style_uuid", "style_number", settings…, "candidates":
 *                     [ { "seed", "state", "picture", "trajectory", "features" } ],
 *                     "start_picture", "mask" } ],
 *       "picks":  [ { "content", "seed", "artist", "created", "ranks": [ 1, 0, null ] } ] }
 *
 * Files are named by their SHA-256; what is missing is not there.
 */

#include "src/formats/json.h"
#include "src/store/import.h"

G_BEGIN_DECLS

#define PEN_PACK_FORMAT "penchant pack"
#define PEN_PACK_VERSION 1
#define PEN_PACK_INDEX "penchant-pack.json"

/* The files of a candidate, in the order of their members. */
typedef struct {
    const char *member, *ending;
    gsize offset; /* of the file's name in PenCandidate */
} PenPackFile;
#define PEN_PACK_N_FILES 3
extern const PenPackFile pen_pack_files[PEN_PACK_N_FILES];

/* All of a round's settings but for style, model path and files. */
void pen_pack_write_settings(const PenRound *round, JsonObject *object);
gboolean pen_pack_read_settings(const PenJson *json, PenRound *round, GError **error);

void pen_pack_write_pick(const PenPick *pick, JsonObject *object);
/* A pick of a round with at most PEN_ROUND_MAX candidates. */
PenPick *pen_pack_read_pick(const PenJson *json, GError **error);

/* A whole number of 64 bits; it has to be there. */
gboolean pen_pack_read_int64(const PenJson *json, const char *member, gint64 *value,
                             GError **error);

/* A SHA-256 in hexadecimal; `*digest` stays NULL where the member is missing. */
gboolean pen_pack_read_digest(const PenJson *json, const char *member, char **digest,
                              GError **error);

G_END_DECLS
