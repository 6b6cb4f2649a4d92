// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A model: a folder in the diffusers layout of Stable Diffusion 1.x and 2.x,
 *
 *     model_index.json                            may be missing
 *     unet/  vae/                                 config.json and .safetensors weights
 *     text_encoder/                               the same
 *     tokenizer/                                  vocab.json, merges.txt, tokenizer_config.json
 *     scheduler/scheduler_config.json
 *
 * Opening reads and checks everything but the weights' numbers; src/models/runtime.h runs the
 * model. Errors are PEN_MODEL_ERROR or those of src/formats, one sentence each.
 */

#include <gio/gio.h>

#include "src/formats/tokenizer.h"
#include "src/models/model-config.h"
#include "src/sampling/schedule.h"

G_BEGIN_DECLS

/* Read only. */
typedef struct {
    gint refs;
    char *folder;
    char *name;     /* for people: the folder's name */
    char *identity; /* pen_model_identity() */
    PenUNetConfig unet;
    PenVaeConfig vae;
    PenClipTextConfig text;
    PenTokenizer *tokenizer;
    PenSchedule *schedule;
    guint32 tokens; /* of an encoded prompt, padding included */
    guint32 factor; /* a picture is this many times as high and wide as its latents */
} PenModel;

PenModel *pen_model_open(const char *folder, GError **error);
PenModel *pen_model_ref(PenModel *model);
void pen_model_unref(PenModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenModel, pen_model_unref)

/*
 * What a model is, wherever it lies: a SHA-256 in hexadecimal over
 *   - the bytes of each config.json, vocab.json, merges.txt and scheduler_config.json
 *   - of each tensor, by component and in the order of names: name, type, shape, and 4 KiB from the
 *     middle of its data (all of it if it is smaller)
 * It does not depend on the folder's name or on how weights are split into files. It reads a few
 * megabytes of a model of several gigabytes: any training changes nearly every tensor everywhere.
 */
char *pen_model_identity(const char *folder, GError **error);

/* --- finding models (model-find.c) ---------------------------------------------------------- */

/*
 * The folder of a model that a person named: a path with a slash in it or of an existing folder;
 * else a name in the user's models (pen_model_user_folder()) or in the models that come with
 * Penchant. NULL means the starter model. Free with g_free().
 *
 * The models that come with Penchant lie in PENCHANT_MODELS if that environment variable is set,
 * else where Penchant is installed, else, before it is installed, in its source tree.
 */
char *pen_model_find(const char *wanted, GError **error);

/* Where the user's own models lie: "models" in PENCHANT_DATA, or "penchant/models" in the user's
 * data folder. Free with g_free(). */
char *pen_model_user_folder(void);

/* The names that pen_model_find() knows, sorted. Free with g_strfreev(). */
char **pen_model_names(void);

#define PEN_STARTER_MODEL "starter"

G_END_DECLS
