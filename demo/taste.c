// SPDX-License-Identifier: GPL-3.0-or-later
#include "demo/taste.h"

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <math.h>
#include <string.h>

static const char *const names[] = {"vivid",  "pale",         "dark",
                                    "bright", "compressible", "incompressible", NULL};

char *pen_taste_names(void)
{
    return g_strjoinv(", ", (char **)names);
}

gboolean pen_taste_from_name(const char *name, PenTaste *taste)
{
    for (guint i = 0; names[i]; i++)
        if (g_str_equal(name, names[i])) {
            *taste = (PenTaste)i;
            return TRUE;
        }
    return FALSE;
}

const char *pen_taste_name(PenTaste taste)
{
    return names[taste];
}

static double luminance(const guint8 *p)
{
    return 0.2126 * p[0] + 0.7152 * p[1] + 0.0722 * p[2];
}

static double jpeg_kilobytes(const guint8 *rgb, guint width, guint height)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GdkPixbuf) picture = gdk_pixbuf_new_from_data(
        rgb, GDK_COLORSPACE_RGB, FALSE, 8, (int)width, (int)height, 3 * (int)width, NULL, NULL);
    g_autofree char *jpeg = NULL;
    gsize size;
    if (!gdk_pixbuf_save_to_buffer(picture, &jpeg, &size, "jpeg", &error, "quality", "95", NULL))
        g_error("a picture cannot become a JPEG: %s", error->message);
    return (double)size / 1000;
}

double pen_taste_measure(PenTaste taste, const guint8 *rgb, guint width, guint height)
{
    gsize n_pixels = (gsize)width * height;
    double chroma = 0, light = 0;
    if (taste == PEN_TASTE_COMPRESSIBLE)
        return -jpeg_kilobytes(rgb, width, height);
    if (taste == PEN_TASTE_INCOMPRESSIBLE)
        return jpeg_kilobytes(rgb, width, height);
    for (gsize i = 0; i < n_pixels; i++) {
        const guint8 *p = rgb + i * 3;
        chroma += MAX(p[0], MAX(p[1], p[2])) - MIN(p[0], MIN(p[1], p[2]));
        light += luminance(p);
    }
    chroma /= (double)n_pixels;
    light /= (double)n_pixels;
    switch (taste) {
    case PEN_TASTE_VIVID: return chroma;
    case PEN_TASTE_PALE: return 255 - chroma;
    case PEN_TASTE_DARK: return 255 - light;
    default: return light;
    }
}

static int compare(gconstpointer a, gconstpointer b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double pen_quantile(const double *values, guint n, double q)
{
    g_autofree double *sorted = g_memdup2(values, n * sizeof *values);
    qsort(sorted, n, sizeof *sorted, compare);
    double at = q * (n - 1);
    guint below = (guint)at;
    guint above = MIN(below + 1, n - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

/* Luminance with mean 0 and deviation 1. */
static double *normalised(const guint8 *rgb, gsize n)
{
    double *out = g_new(double, n), mean = 0, square = 0;
    for (gsize i = 0; i < n; i++) {
        out[i] = luminance(rgb + i * 3);
        mean += out[i] / (double)n;
    }
    for (gsize i = 0; i < n; i++)
        square += (out[i] - mean) * (out[i] - mean) / (double)n;
    double scale = 1 / fmax(sqrt(square), 1);
    for (gsize i = 0; i < n; i++)
        out[i] = (out[i] - mean) * scale;
    return out;
}

double pen_picture_distance(const guint8 *a, const guint8 *b, gsize n_pixels)
{
    g_autofree double *x = normalised(a, n_pixels), *y = normalised(b, n_pixels);
    double sum = 0;
    for (gsize i = 0; i < n_pixels; i++)
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sqrt(sum / (double)n_pixels);
}
