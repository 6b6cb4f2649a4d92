// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Textual-inversion embeddings (arXiv:2208.01618): rows that stand in for the tokens of a name in a
 * prompt.
 *
 * They are small .safetensors files in the user's models folder or a folder in it. As trainers
 * write them:
 *
 *     emb_params [n, hidden]                    A1111, kohya, OneTrainer; known by the file's name
 *     NAME [hidden] or [n, hidden]              diffusers; known by NAME, and a single one by the
 * file's name clip_l [n, 768], clip_g [n, 1280]         SDXL, for its two text encoders; also
 * text_encoders_0 and _1
 */

#include <glib.h>

G_BEGIN_DECLS

#define PEN_EMBEDDING_ENCODERS 2

typedef struct {
    char *name;
    guint rows;  /* 0: it belongs to another kind of model */
    guint first; /* its first row in the tables */
} PenEmbedding;

typedef struct {
    GArray *list;                           /* PenEmbedding, by name */
    GArray *tables[PEN_EMBEDDING_ENCODERS]; /* float [all rows, hidden] of each text encoder */
} PenEmbeddings;

/* Reads the embeddings in `folder` and the folders in it, for text encoders of these widths. Files
 * that hold something else, or cannot be read, are passed over. */
PenEmbeddings *pen_embeddings_new(const char *folder, const guint32 *hidden, guint n_encoders);
void pen_embeddings_free(PenEmbeddings *embeddings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenEmbeddings, pen_embeddings_free)

/* The one of that name (NAME, or NAME.safetensors), whatever its case; or NULL. */
const PenEmbedding *pen_embeddings_lookup(const PenEmbeddings *embeddings, const char *name);

G_END_DECLS
