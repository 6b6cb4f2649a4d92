// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A component's weights: parameters on the device, by name, from safetensors files.
 *
 * A graph builder asks for each weight by name and by the shape that the configuration implies. It
 * gets a PenParameter whose contents are still undefined; when the graph is built,
 * pen_weights_load() fills all that were asked for. A weight asked for twice is the same parameter,
 * so that the graphs of one component share their weights.
 *
 * Files hold float32, float16, bfloat16 or float64; the device holds the dtype given at opening.
 * Convolution kernels are [out, in, h, w] in files and [out, h, w, in] on the device. Conversion
 * goes parameter by parameter: the host never holds the whole model.
 *
 * The first mistake (a weight that is missing or has another shape or type) is kept; the getters
 * return NULL from then on, and pen_weights_check() reports it. This is the manner of
 * compute/graph.h, so that a builder is written without a check behind each line.
 */

#include <gio/gio.h>

#include "compute/parameter.h"
#include "compute/plan.h"
#include "src/formats/safetensors.h"
#include "src/models/merge.h"

G_BEGIN_DECLS

typedef struct _PenWeights PenWeights;

/* Of an open file, which is kept. Without a device the parameters are abstract: good for planning, and for
 * pen_weights_values(). */
PenWeights *pen_weights_new(PenDevice *device, PenSafetensors *file, PenDtype dtype);

/* Adapters to merge into what is loaded from now on; `prefix` is the component's in
 * src/models/model-layers.h. */
void pen_weights_set_merge(PenWeights *weights, PenMerge *merge, const char *prefix);

/* Keeps matrices in 8 bits from now on (compute/parameter.h): half of float16's memory, for about
 * half a percent of each weight. What was handed out is forgotten, as by pen_weights_release(). */
void pen_weights_set_eight_bits(PenWeights *weights);
gboolean pen_weights_eight_bits(const PenWeights *weights);

/* Another dtype from now on. What was handed out is forgotten, as by pen_weights_release(). */
void pen_weights_set_dtype(PenWeights *weights, PenDtype dtype);

/* Weights of any component with random numbers in the range that keeps activations in theirs, the
 * same for the same seed: for measuring speed and memory without a model. */
PenWeights *pen_weights_new_random(PenDevice *device, PenDtype dtype, guint32 seed);

PenWeights *pen_weights_ref(PenWeights *weights);
void pen_weights_unref(PenWeights *weights);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenWeights, pen_weights_unref)

PenDtype pen_weights_dtype(const PenWeights *weights);

/* The parameter of the tensor `name` (in full, with ".weight"), owned by `weights`:
 *   linear   [1,1,out,in], from [out,in] or the 1x1 convolution [out,in,1,1]
 *   conv     [out,kernel,kernel,in], from [out,in,kernel,kernel]
 *   vector   [1,1,1,n], from [n]
 * The projections of a VAE's attention are also found under their old names (query, key, value,
 * proj_attn). */
PenParameter *pen_weights_linear(PenWeights *weights, const char *name, guint32 out, guint32 in);
PenParameter *pen_weights_conv(PenWeights *weights, const char *name, guint32 out, guint32 kernel,
                               guint32 in);
PenParameter *pen_weights_vector(PenWeights *weights, const char *name, guint32 n);

/* FALSE and the mistake, if there was one, which is then forgotten: a device that was out of memory
 * may have some the next time. */
gboolean pen_weights_check(PenWeights *weights, GError **error);

/* Fills the parameters that were asked for and are not filled yet. `progress` (may be NULL) is
 * called with the share that is done. After a cancellation or an error it can be called again. */
gboolean pen_weights_load(PenWeights *weights, PenPlanProgress progress, gpointer user_data,
                          GCancellable *cancellable, GError **error);

/* The values of a parameter handed out here, row-major in its shape. Free with g_free(). NULL if
 * `parameter` is not one of these weights. */
float *pen_weights_values(PenWeights *weights, const PenParameter *parameter, GError **error);

/* Copies rows of the table `name` [n_rows, columns] to out[n, columns]; on the host, since only
 * a few rows of a large table are needed (an embedding). Every index must be below n_rows. */
gboolean pen_weights_gather(PenWeights *weights, const char *name, guint32 n_rows, guint32 columns,
                            const gint32 *rows, gsize n, float *out, GError **error);

/* The name of a tensor in the files that was not asked for, or NULL. */
const char *pen_weights_find_unused(const PenWeights *weights);

/* Device bytes of the parameters handed out, and of all tensors in the files if they were. (Random
 * weights have no files: what was handed out.) */
guint64 pen_weights_bytes(const PenWeights *weights);
guint64 pen_weights_total_bytes(const PenWeights *weights);

/* Forgets the parameters; their memory goes when no graph or plan uses them. */
void pen_weights_release(PenWeights *weights);

G_END_DECLS
