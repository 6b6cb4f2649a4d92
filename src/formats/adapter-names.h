// SPDX-License-Identifier: GPL-3.0-or-later
//
// What trainers and tools have called the layers of adapters. A tensor's name is the layer's,
// behind prefixes for the component and for the program, and before an ending that says what it is
// there:
//
//   kohya           lora_unet_down_blocks_0_…_to_q.lora_down.weight, .lora_up.weight, .alpha
//                   lora_te_text_model_…; of two text encoders lora_te1_ and lora_te2_
//   LyCORIS         the same, also behind lycoris_; LoCon's third matrix is .lora_mid.weight
//   diffusers       unet.down_blocks.0.….to_q.lora_A.weight, text_encoder.text_model.…
//     older         unet.….to_q.lora.down.weight, ….q_proj.lora_linear_layer.down.weight
//     oldest        ….attn1.processor.to_q_lora.down.weight (and to_out for to_out.0),
//                   ….self_attn.to_q_lora.down.weight
//   PEFT            base_model.model.….to_q.lora_A.weight, or lora_A.NAME.weight with the adapter's
//                   name
//   original blocks diffusion_model.input_blocks.1.1.….to_q.lora_A.weight, also behind model. or in
//                   kohya's form, lora_unet_input_blocks_1_1_…
//   OneTrainer      unet.input_blocks.1.1.…, clip_l.text_model.…, clip_g.text_model.… (OMI's names)
//
// All agree once dots are underscores, so that is the form in which layers are compared.
#pragma once

#include "src/formats/adapter-family.h"

G_BEGIN_DECLS

// The paths of a text encoder's layers begin so; those of the UNet have nothing in front.
#define PEN_ADAPTER_TEXT "text_encoder."
#define PEN_ADAPTER_TEXT_2 "text_encoder_2."

// The layers of a model that adapters can have.
typedef struct _PenAdapterNames PenAdapterNames;

PenAdapterNames *pen_adapter_names_new(PenModelFamily family);
void pen_adapter_names_free(PenAdapterNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenAdapterNames, pen_adapter_names_free)

// `path` is the module path in diffusers' names, for example
// "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"; `original` the same module's in
// the programs that Stable Diffusion was trained with, NULL where it has none.
void pen_adapter_names_add(PenAdapterNames *names, const char *path, const char *original);

PenModelFamily pen_adapter_names_family(const PenAdapterNames *names);
guint pen_adapter_names_count(const PenAdapterNames *names);
const char *pen_adapter_names_path(const PenAdapterNames *names, guint place);

// What a tensor is to its layer.
typedef enum {
    PEN_ADAPTER_DOWN,
    PEN_ADAPTER_UP,
    PEN_ADAPTER_MID, // of a convolution in three parts: 1x1, kernel, 1x1
    PEN_ADAPTER_ALPHA,
    PEN_ADAPTER_FOREIGN, // a part of an adapter of another kind than LoRA
    PEN_ADAPTER_OTHER,   // no part of an adapter
} PenAdapterRole;

typedef struct {
    PenAdapterRole role;
    const char *kind; // FOREIGN: "DoRA", "LoHa", …
    char *layer;      // the name without what says the role
    int place;        // the layer in the names; -1: none of them
} PenAdapterName;

void pen_adapter_name_clear(PenAdapterName *name);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PenAdapterName, pen_adapter_name_clear)

PenAdapterName pen_adapter_names_read(const PenAdapterNames *names, const char *tensor);

// For messages: whose manner a layer's name is in.
const char *pen_adapter_naming(const char *layer);

G_END_DECLS
