// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A low-rank adapter (LoRA, arXiv:2106.09685) on every attention projection of a UNet: to_q, to_k,
 * to_v and to_out.0 of each attn1 and attn2. A layer y = W x + b becomes y = W x + b + s B (A x)
 * with A [rank, in], B [out, rank] and the adapter's scale s, an input of the graph.
 *
 * The values live on the host as one flat float32 array, the master copy that is trained and
 * stored: module by module in the order of the UNet's execution, A then B, each row-major. The
 * device has a copy of them in the precision of the graph, renewed by pen_unet_adapter_upload().
 */

#include "compute/parameter.h"
#include "src/formats/adapter-file.h"
#include "src/models/model-config.h"

G_BEGIN_DECLS

/* One projection with its adapter. */
typedef struct {
    char *path; /* e.g. "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0" */
    guint32 in, out;
    gsize a, b;              /* where A and B start in the flat array, in floats */
    PenParameter *down, *up; /* A as [1,1,rank,in], B as [1,1,out,rank]; NULL until allocated */
} PenUNetAdapterModule;

typedef struct {
    guint32 rank;
    guint n_modules;
    PenUNetAdapterModule *modules;
    gsize n_values;      /* floats in the flat array */
    GHashTable *by_path; /* path -> PenUNetAdapterModule */
} PenUNetAdapter;

/* The layout for a UNet; no device memory yet. `rank` is 1 to PEN_UNET_ADAPTER_MAX_RANK. */
#define PEN_UNET_ADAPTER_MAX_RANK 1024
PenUNetAdapter *pen_unet_adapter_new(const PenUNetConfig *unet, guint32 rank, GError **error);
void pen_unet_adapter_free(PenUNetAdapter *adapter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenUNetAdapter, pen_unet_adapter_free)

/* NULL if no projection has this path. */
PenUNetAdapterModule *pen_unet_adapter_find(const PenUNetAdapter *adapter, const char *path);

/* Makes the parameters (abstract ones without a device), whose contents are undefined until
 * uploaded. Does nothing the second time. */
gboolean pen_unet_adapter_allocate(PenUNetAdapter *adapter, PenDevice *device, PenDtype dtype,
                                   GError **error);

/* Copies values[n_values] to the device. No run that reads the adapter may be in flight. */
gboolean pen_unet_adapter_upload(PenUNetAdapter *adapter, const float *values, GError **error);

/* --- files --------------------------------------------------------------------------------- */

/* The rank that holds a file's layers on the projections of this UNet; 0: it has none there. */
guint32 pen_unet_adapter_file_rank(const PenUNetConfig *unet, const PenAdapter *file);

/* Puts a file's matrices into values[n_values], the factor alpha/rank multiplied into B. What the
 * file does not have (other modules, the rows of a larger rank) stays as it is: start from zeros,
 * or for further training from a new adapter's values, whose B is zero. An error if a layer has
 * other sizes than the UNet's or a larger rank than the adapter. */
gboolean pen_unet_adapter_import(const PenUNetAdapter *adapter, const PenAdapter *file,
                                 float *values, GError **error);

/* values[n_values] as a file's content, for pen_adapter_write(). */
PenAdapter *pen_unet_adapter_export(const PenUNetAdapter *adapter, const float *values);

G_END_DECLS
