// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A text encoder: CLIPTextModel of transformers, or CLIPTextModelWithProjection, as a graph.
 *
 * Input   "embeddings" [batch, 1, tokens, hidden]: token plus position, which the host looks up
 * with pen_clip_text_embed(), since the table is large (151 MB in float32) and few rows are used
 * Outputs "hidden"     [batch, 1, tokens, hidden]: of the last layer that is not left out, after the
 *                      final norm if the configuration has it
 *         "pooled"     [batch, 1, tokens, projection]: only with a projection, of the very last layer
 *                      after the final norm. The row of the end token is the pooled text.
 */

#include "compute/graph.h"
#include "src/models/model-config.h"
#include "src/models/weights.h"

G_BEGIN_DECLS

PenGraph *pen_clip_text_new(const PenClipTextConfig *config, PenWeights *weights, guint32 batch,
                            guint32 tokens, GError **error);

/* ids[batch, tokens] -> embeddings[batch, tokens, hidden]. `tokens` is at most config->positions. The id
 * config->vocabulary + i stands for rows[n_rows, hidden]'s row i, an embedding's; `rows` may be NULL. */
gboolean pen_clip_text_embed(const PenClipTextConfig *config, PenWeights *weights,
                             const gint32 *ids, guint32 batch, guint32 tokens, const float *rows,
                             guint32 n_rows, float *embeddings, GError **error);

G_END_DECLS
