// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Order of picture-like arrays. Penchant keeps pictures, latents and noise channels last,
 * [n, h, w, c] (NHWC), everywhere: in graphs, in memory and in stored files. PyTorch, and so the
 * files that `penchant probe` reads and writes, has [n, c, h, w] (NCHW). These convert at that
 * border.
 */

#include <glib.h>

G_BEGIN_DECLS

/* in[n, c, h, w] -> out[n, h, w, c] and back; `in` and `out` do not overlap. */
void pen_nchw_to_nhwc(const float *in, float *out, gsize n, gsize c, gsize h, gsize w);
void pen_nhwc_to_nchw(const float *in, float *out, gsize n, gsize c, gsize h, gsize w);

G_END_DECLS
