// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

/**
 * Noise that means the same on every machine: a seed is a picture.
 *
 * The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011). It is counter-based: every number is a pure function of (seed, stream, index), so any
 * element can be computed alone, in any order, and nothing has to be saved to resume.
 *
 *     key     = seed                      (low word, high word)
 *     counter = index of the block of four numbers (low, high), stream (low, high)
 *
 * Normal numbers come from Box and Muller's transform of the block's words w0 … w3:
 *
 *     u = (w0 + 1/2) / 2^32     v = (w1 + 1/2) / 2^32     r = sqrt(-2 log u)
 *     n0 = r cos(2 pi v)        n1 = r sin(2 pi v)        n2, n3 likewise from w2, w3
 *
 * They reach ±6.8. Libraries differ in the last bits of log, sin and cos, and compilers may or may
 * not fuse a product and a sum. So the functions are power series here, evaluated in double after
 * an exact integer range reduction, with fma() wherever a product meets a sum; with IEEE 754
 * doubles and rounding to nearest, the floats are the same bit for bit everywhere.
 *
 * Seeds and streams of a round
 *
 *     round seed R          what the user sees and may choose
 *     candidate i's seed    C_i = pen_noise_derive_seed(R, PEN_STREAM_CANDIDATE, i)
 *     initial noise         seed C_i, stream PEN_STREAM_INITIAL; seed R where all candidates share it
 *     noise of step k       seed C_i, stream pen_noise_step_stream(k)
 *
 * k counts steps from 0 at the noisy end over all `steps`, also where image to image leaves the
 * first ones out. The index of an element is its place in the latents, channels last:
 * (y * width + x) * channels + c.
 */

// The upper half of a stream id says what it is for, the lower half counts. Never reuse a number:
// old seeds would mean other pictures.
#define PEN_STREAM(purpose, count) ((guint64)(purpose) << 32 | (guint32)(count))
#define PEN_STREAM_INITIAL PEN_STREAM(1, 0)
#define PEN_STREAM_CANDIDATE PEN_STREAM(2, 0)
#define PEN_STREAM_ADAPTER PEN_STREAM(4, 0)
#define PEN_STREAM_ROUND_ORDER(epoch) PEN_STREAM(5, epoch)
#define PEN_STREAM_TIMESTEPS(epoch) PEN_STREAM(6, epoch)
#define PEN_STREAM_PROMPTS(pair) PEN_STREAM(7, pair)
#define PEN_STREAM_FEATURES PEN_STREAM(8, 0)
#define PEN_STREAM_SKETCH PEN_STREAM(9, 0)
#define PEN_STREAM_PAIRS(epoch) PEN_STREAM(10, epoch)
#define PEN_STREAM_PROMPT_LIST PEN_STREAM(11, 0)

static inline guint64 pen_noise_step_stream(guint step)
{
    return PEN_STREAM(3, step);
}

// One block: four words from four words of counter and two of key.
void pen_philox(const guint32 counter[4], const guint32 key[2], guint32 out[4]);

// `n` standard normal numbers: those of the indices first_index … first_index + n - 1.
void pen_noise_fill(guint64 seed, guint64 stream, guint64 first_index, gsize n, float *out);

/**
 * A seed that follows from another one: the lower 53 bits of the first two words of block `index`,
 * so that it passes unharmed through SQLite, JSON and a double.
 */
guint64 pen_noise_derive_seed(guint64 seed, guint64 stream, guint64 index);

/**
 * Fills `order[n]` with a random permutation of 0 … n-1: Fisher and Yates's shuffle from the end,
 * where position i changes places with the number of block i (first two words) modulo i + 1.
 */
void pen_noise_permutation(guint64 seed, guint64 stream, guint n, guint *order);
