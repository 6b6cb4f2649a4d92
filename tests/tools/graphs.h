// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The graphs of a well-known model whose kernels tests look at; nothing of them is ever run.
 * Weights are abstract. A mistake ends the program. */

#include "compute/graph.h"
#include "src/models/architecture.h"
#include "src/models/weights.h"

/* `encoder` is below model->n_encoders. */
PenGraph *graph_text(const PenArchitecture *model, PenWeights *weights, guint encoder);

/* One picture with guidance; with `teach`, the gradient of an adapter too. */
PenGraph *graph_unet(const PenArchitecture *model, PenWeights *weights, gboolean teach);

/* Of a picture of `size`. */
PenGraph *graph_decoder(const PenArchitecture *model, PenWeights *weights, guint32 size);
