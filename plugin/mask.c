// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/mask.h"

#include <math.h>
#include <string.h>

/* How far each pixel is from the nearest one that is not in the mask, or with `outside` from the
 * nearest one that is; what is more than half covered is in. */
static float *distances(const guint8 *mask, int width, int height, gboolean outside)
{
    const GeglRectangle area = { 0, 0, width, height };
    gsize n = (gsize)width * height;
    float *values = g_new(float, n);
    for (gsize i = 0; i < n; i++)
        values[i] = (mask[i] >= 128) != outside ? 1 : 0;
    g_autoptr(GeglBuffer) from = gegl_buffer_new(&area, babl_format("Y float"));
    gegl_buffer_set(from, NULL, 0, NULL, values, GEGL_AUTO_ROWSTRIDE);
    /* Edge handling 0: what lies beyond the array counts as more of the same. */
    g_autoptr(GeglBuffer) to =
        gegl_filter_op(from, "gegl:distance-transform", "metric", GEGL_DISTANCE_METRIC_EUCLIDEAN,
                       "edge-handling", 0, "threshold-lo", 0.5, "normalize", FALSE, NULL);
    gegl_buffer_get(to, &area, 1, babl_format("Y float"), values, GEGL_AUTO_ROWSTRIDE,
                    GEGL_ABYSS_NONE);
    return values;
}

static void grow_by(guint8 *mask, int width, int height, int grow)
{
    g_autofree float *away = distances(mask, width, height, TRUE);
    for (gsize i = 0; i < (gsize)width * height; i++) {
        double covered = CLAMP(grow + 1 - away[i], 0, 1);
        mask[i] = MAX(mask[i], (guint8)lround(covered * 255));
    }
}

/* The deepest distance within `soften` of each pixel would tell how wide the mask is there; the
 * deepest of the whole mask is good enough, and cheap. */
static void soften_by(guint8 *mask, int width, int height, int soften)
{
    g_autofree float *deep = distances(mask, width, height, FALSE);
    float deepest = 0;
    for (gsize i = 0; i < (gsize)width * height; i++)
        deepest = MAX(deepest, deep[i]);
    double fade = MIN(soften, deepest);
    if (fade < 1)
        return;
    for (gsize i = 0; i < (gsize)width * height; i++) {
        double inside = CLAMP((deep[i] - 0.5) / fade, 0, 1);
        mask[i] = MIN(mask[i], (guint8)lround(inside * 255));
    }
}

void pen_mask_shape(guint8 *mask, int width, int height, int grow, int soften)
{
    if (grow > 0)
        grow_by(mask, width, height, grow);
    if (soften > 0)
        soften_by(mask, width, height, soften);
}

GeglRectangle pen_mask_bounds(const guint8 *mask, int width, int height)
{
    int x1 = width, y1 = height, x2 = 0, y2 = 0;
    for (int y = 0; y < height; y++) {
        const guint8 *row = mask + (gsize)y * width;
        for (int x = 0; x < width; x++) {
            if (!row[x])
                continue;
            x1 = MIN(x1, x);
            x2 = MAX(x2, x + 1);
            y1 = MIN(y1, y);
            y2 = y + 1;
        }
    }
    return x2 ? (GeglRectangle){ x1, y1, x2 - x1, y2 - y1 } : (GeglRectangle){ 0 };
}

gboolean pen_mask_is_full(const guint8 *mask, int width, int height)
{
    for (gsize i = 0; i < (gsize)width * height; i++)
        if (mask[i] != 255)
            return FALSE;
    return TRUE;
}

guint8 *pen_mask_cover(const guint8 *mask, int width, int height, int to_width, int to_height)
{
    guint8 *cover = g_malloc0((gsize)to_width * to_height);
    for (int y = 0; y < to_height; y++) {
        int y1 = (int)((gint64)y * height / to_height);
        int y2 = MAX((int)(((gint64)(y + 1) * height + to_height - 1) / to_height), y1 + 1);
        for (int x = 0; x < to_width; x++) {
            int x1 = (int)((gint64)x * width / to_width);
            int x2 = MAX((int)(((gint64)(x + 1) * width + to_width - 1) / to_width), x1 + 1);
            gboolean any = FALSE;
            for (int v = y1; v < MIN(y2, height) && !any; v++)
                for (int u = x1; u < MIN(x2, width) && !any; u++)
                    any = mask[(gsize)v * width + u] != 0;
            cover[(gsize)y * to_width + x] = any ? 255 : 0;
        }
    }
    return cover;
}

guint8 *pen_mask_scale(const guint8 *mask, int width, int height, int to_width, int to_height)
{
    if (width == to_width && height == to_height)
        return g_memdup2(mask, (gsize)width * height);
    const GeglRectangle from = { 0, 0, width, height }, to = { 0, 0, to_width, to_height };
    guint8 *scaled = g_malloc((gsize)to_width * to_height);
    g_autoptr(GeglBuffer) source = gegl_buffer_new(&from, babl_format("Y float"));
    gegl_buffer_set(source, NULL, 0, babl_format("Y u8"), mask, GEGL_AUTO_ROWSTRIDE);
    g_autoptr(GeglBuffer) target =
        gegl_filter_op(source, "gegl:scale-size", "x", (double)to_width, "y", (double)to_height,
                       "sampler", GEGL_SAMPLER_LINEAR, "abyss-policy", GEGL_ABYSS_CLAMP, NULL);
    gegl_buffer_get(target, &to, 1, babl_format("Y u8"), scaled, GEGL_AUTO_ROWSTRIDE,
                    GEGL_ABYSS_NONE);
    return scaled;
}
