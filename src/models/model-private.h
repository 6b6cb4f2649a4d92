// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* What model.c, which opens a model, and model-identity.c, which says what it is, share. */

#include "src/models/model.h"

G_BEGIN_DECLS

/* The parts of a folder: those of text encoder i and its tokenizer, and where a part is configured.
 */
extern const char *const pen_model_encoder_folders[PEN_MODEL_MAX_ENCODERS];
extern const char *const pen_model_tokenizer_folders[PEN_MODEL_MAX_ENCODERS];
char *pen_model_config_file(const char *folder, const char *component);

/* Fill in `identity` and `identities` of a model whose parts are loaded. */
gboolean pen_model_identify_folder(PenModel *model, GError **error);
gboolean pen_model_identify_file(PenModel *model, GError **error);

G_END_DECLS
