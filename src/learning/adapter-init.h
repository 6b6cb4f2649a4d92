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

/**
 * A start that knows the picks (after LoRA-GA, Wang et al., arXiv:2407.05000, who take a singular
 * value decomposition of the whole gradient). With ten picks a random A of small rank catches little
 * of what they say. So let B be random and A zero: the adapter has no effect, and the gradient of A
 * is B^T G, a sketch of the whole layer's gradient G [out, in] (Halko et al., arXiv:0909.4061), for
 * one backward pass over the picks. A becomes the orthonormal basis of its rows, B zero.
 *
 * pen_adapter_init_sketch() fills B = `up[n]`, n = out * rank, with normal numbers.
 * pen_adapter_init_from_sketch() turns A's gradient, `down[rank, in]`, into A itself: the rows
 * orthogonal, each as long as one of pen_adapter_init_down() is on the average, sqrt(in) / rank. Rows
 * that add nothing (no gradient, or a rank above `in`) come from there, made orthogonal while that is
 * possible. `seed` and `name` as there.
 */
void pen_adapter_init_sketch(guint64 seed, const char *name, gsize n, float *up);
void pen_adapter_init_from_sketch(guint64 seed, const char *name, guint rank, guint in, float *down);
