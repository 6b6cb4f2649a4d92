// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The layers of a model that adapters can have: every linear layer and convolution of the UNet, and
 * the linear layers of the text encoders' blocks, under the names of diffusers and of the programs
 * that Stable Diffusion was trained with.
 */

#include "src/formats/adapter-names.h"
#include "src/models/model.h"

G_BEGIN_DECLS

/* How the layers of the components are named here: those of the UNet, and of text encoder i. */
#define PEN_LAYERS_UNET ""
#define PEN_LAYERS_TEXT(i) ((i) == 0 ? PEN_ADAPTER_TEXT : PEN_ADAPTER_TEXT_2)

/* For pen_adapter_read(). `tensors` (may be NULL) gets the weight of each layer, by its place. */
PenAdapterNames *pen_model_layers(const PenModel *model, GPtrArray *tensors);

G_END_DECLS
