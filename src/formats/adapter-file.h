// SPDX-License-Identifier: GPL-3.0-or-later
//
// Adapters (LoRA, arXiv:2106.09685): small low-rank additions to the layers of a UNet and a text
// encoder, in .safetensors files.
//
// An adapted layer computes y = W x + (alpha / rank) up down x. Layers are known by the module path
// that diffusers uses, for example
// "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"; a text encoder's have
// "text_encoder." in front. Of an adapted convolution (LoCon) `down` is a convolution of the
// layer's kernel, kept as a matrix of in kh kw columns, and `up` one of 1x1.
//
// What files call them, src/formats/adapter-names.h says; what alpha is,
// src/formats/adapter-scale.h. Two forms are written:
//
//   kohya       lora_unet_down_blocks_0_..._attn1_to_out_0.lora_down.weight, .lora_up.weight,
//   .alpha diffusers   unet.down_blocks.0....attn1.to_out.0.lora_A.weight, .lora_B.weight; no
//   alpha: scale 1
#pragma once

#include "src/formats/adapter-names.h"
#include "src/formats/safetensors.h"

G_BEGIN_DECLS

typedef struct {
    char *path;
    gsize rank, n_in, n_out;
    float *down; // lora_A, [rank, n_in]
    float *up;   // lora_B, [n_out, rank]
    float alpha;
} PenAdapterLayer;

typedef struct {
    GPtrArray *layers; // PenAdapterLayer
} PenAdapter;

PenAdapter *pen_adapter_new(void);
void pen_adapter_free(PenAdapter *adapter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenAdapter, pen_adapter_free)

// Appends a layer whose matrices are zero and whose alpha is its rank.
PenAdapterLayer *pen_adapter_add(PenAdapter *adapter, const char *path, gsize rank, gsize n_in,
                                 gsize n_out);

PenAdapterLayer *pen_adapter_lookup(const PenAdapter *adapter, const char *path);

// How much of a file is used.
typedef struct {
    guint n_layers; // of the file
    guint n_unused; // of them; the model does not have these, or cannot have an adapter there
    char *example;  // the name of one of the unused
} PenAdapterReport;

// A sentence for the user about it, NULL if everything is used. Free with g_free().
char *pen_adapter_report_message(const PenAdapterReport *report);
void pen_adapter_report_add_unused(PenAdapterReport *report, const char *layer);
void pen_adapter_report_clear(PenAdapterReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PenAdapterReport, pen_adapter_report_clear)

// Reads an adapter: a .safetensors file, or the folder of one. `names` are the layers that the
// model has; the adapter's come in their order. What does not belong to them is counted in `report`
// (may be NULL). A file for another family of models, or of which most is none of the model's; with
// half a layer, with weights that are not finite, or of another kind (LoHa, LoKr, DoRA) is an
// error. Whether n_in and n_out fit the model is the caller's to check.
PenAdapter *pen_adapter_read(const char *file, const PenAdapterNames *names,
                             PenAdapterReport *report, GError **error);

// The file beside an adapter that says how strong it is (src/formats/adapter-scale.h), NULL if there
// is none or `tensors`, its content, says so itself. Free with g_free().
char *pen_adapter_settings_file(const char *file, const PenSafetensors *tensors);

typedef enum {
    PEN_ADAPTER_KOHYA,
    PEN_ADAPTER_DIFFUSERS, // has no place for alpha: the scale is multiplied into lora_B
} PenAdapterFormat;

// What the file says about itself; each may be NULL.
typedef struct {
    const char *title;
    const char *description;
    const char *architecture; // "stable-diffusion-v1", "stable-diffusion-v2-768-v", …
    const char *const *more;  // key, value, key, value, …, NULL
} PenAdapterInfo;

// Writes an adapter as PEN_SAFETENSOR_F32, _F16 or _BF16. Weights that are not finite, or too large
// for the type, are an error, and the old file stays. `info` may be NULL.
gboolean pen_adapter_write(const PenAdapter *adapter, const char *file, PenAdapterFormat format,
                           PenSafetensorType type, const PenAdapterInfo *info, GError **error);

// The same as bytes, for who stores them himself.
GBytes *pen_adapter_to_bytes(const PenAdapter *adapter, PenAdapterFormat format,
                             PenSafetensorType type, const PenAdapterInfo *info, GError **error);

G_END_DECLS
