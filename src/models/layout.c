// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/layout.h"

/* in[n][rows][columns] -> out[n][columns][rows] */
static void transpose(const float *in, float *out, gsize n, gsize rows, gsize columns)
{
    for (gsize i = 0; i < n; i++, in += rows * columns, out += rows * columns)
        for (gsize r = 0; r < rows; r++)
            for (gsize c = 0; c < columns; c++)
                out[c * rows + r] = in[r * columns + c];
}

void pen_nchw_to_nhwc(const float *in, float *out, gsize n, gsize c, gsize h, gsize w)
{
    transpose(in, out, n, c, h * w);
}

void pen_nhwc_to_nchw(const float *in, float *out, gsize n, gsize c, gsize h, gsize w)
{
    transpose(in, out, n, h * w, c);
}
