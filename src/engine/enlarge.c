// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/engine/enlarge.h"

#include <math.h>

/* One direction: lines of `length` pixels that are `step` floats apart. */
static void resample(const float *from, guint length, gsize step, float *to, guint to_length,
                     gsize to_step)
{
    for (guint i = 0; i < to_length; i++) {
        double at = (i + 0.5) * length / to_length - 0.5, whole = floor(at), t = at - whole;
        const double weights[4] = {
            ((-t + 2) * t - 1) * t / 2,
            ((3 * t - 5) * t * t + 2) / 2,
            ((-3 * t + 4) * t + 1) * t / 2,
            (t - 1) * t * t / 2,
        };
        for (int c = 0; c < 3; c++) {
            double sum = 0;
            for (int k = 0; k < 4; k++) {
                int j = CLAMP((int)whole + k - 1, 0, (int)length - 1);
                sum += weights[k] * from[(gsize)j * step + c];
            }
            to[(gsize)i * to_step + c] = (float)sum;
        }
    }
}

guint8 *pen_enlarge(const guint8 *rgb, guint width, guint height, guint to_width, guint to_height)
{
    gsize n = (gsize)to_width * to_height * 3;
    g_autofree float *row = g_new(float, (gsize)width * 3);
    g_autofree float *wide = g_new(float, (gsize)to_width *height * 3);
    g_autofree float *whole = g_new(float, n);
    for (guint y = 0; y < height; y++) {
        for (gsize i = 0; i < (gsize)width * 3; i++)
            row[i] = rgb[(gsize)y * width * 3 + i];
        resample(row, width, 3, wide + (gsize)y * to_width * 3, to_width, 3);
    }
    for (guint x = 0; x < to_width; x++)
        resample(wide + (gsize)x * 3, height, (gsize)to_width * 3, whole + (gsize)x * 3, to_height,
                 (gsize)to_width * 3);
    guint8 *pixels = g_new(guint8, n);
    for (gsize i = 0; i < n; i++)
        pixels[i] = (guint8)lroundf(CLAMP(whole[i], 0, 255));
    return pixels;
}
