// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

/**
 * The start of a new low-rank adapter y = W x + B A x, with A [rank, in] ("down") and B [out, rank]
 * ("up").
 *
 * As in diffusers' LoRALinearLayer, which the published D3PO script uses, A is normal with standard
 * deviation 1 / rank and B is zero: the adapter begins without effect. (PEFT would draw A from
 * Kaiming's uniform distribution.)
 *
 * Fills A = `down[n]`, n = rank * in. The numbers follow from the seed and the tensor's `name`
 * alone, not from the order in which adapters are made.
 */
void pen_adapter_init_down(guint64 seed, const char *name, guint rank, gsize n, float *down);
