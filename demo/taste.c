// SPDX-License-Identifier: GPL-3.0-or-later
#include "demo/taste.h"

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <stdlib.h>

static const char *const names[] = { "vivid",        "pale",           "dark",  "bright",
                                     "compressible", "incompressible", "small", "blue",
                                     "random",       NULL };

#define BORDER 4      /* pixels that show the ground */
#define GROUND_NEAR 40 /* levels that a pixel of the ground may differ by */

char *pen_taste_names(const PenJudge *styles)
{
    g_autofree char *properties = g_strjoinv(", ", (char **)names);
    g_autofree char *classes = g_strjoinv(", ", (char **)pen_judge_classes(styles));
    return g_strdup_printf("%s, %s", properties, classes);
}

gboolean pen_taste_from_name(PenTaste *taste, const char *name, PenJudge *styles)
{
    for (guint i = 0; names[i]; i++)
        if (g_str_equal(name, names[i])) {
            *taste = (PenTaste){ .name = names[i], .kind = (PenTasteKind)i };
            return TRUE;
        }
    int style = pen_judge_class(styles, name);
    if (style < 0)
        return FALSE;
    *taste = (PenTaste){
        .name = pen_judge_classes(styles)[style],
        .kind = PEN_TASTE_STYLE,
        .judge = styles,
        .style = style,
    };
    return TRUE;
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

static double mean_chroma(const guint8 *rgb, gsize n_pixels)
{
    double sum = 0;
    for (gsize i = 0; i < n_pixels; i++) {
        const guint8 *p = rgb + i * 3;
        sum += MAX(p[0], MAX(p[1], p[2])) - MIN(p[0], MIN(p[1], p[2]));
    }
    return sum / (double)n_pixels;
}

static double mean_luminance(const guint8 *rgb, gsize n_pixels)
{
    double sum = 0;
    for (gsize i = 0; i < n_pixels; i++)
        sum += 0.2126 * rgb[i * 3] + 0.7152 * rgb[i * 3 + 1] + 0.0722 * rgb[i * 3 + 2];
    return sum / (double)n_pixels;
}

/* The median of each channel along the border. */
static void ground_colour(const guint8 *rgb, guint width, guint height, int colour[3])
{
    for (guint c = 0; c < 3; c++) {
        guint counts[256] = { 0 }, n = 0, below = 0;
        for (guint y = 0; y < height; y++)
            for (guint x = 0; x < width; x++)
                if (MIN(MIN(x, y), MIN(width - 1 - x, height - 1 - y)) < BORDER) {
                    counts[rgb[((gsize)y * width + x) * 3 + c]]++;
                    n++;
                }
        for (colour[c] = 0; below + counts[colour[c]] <= n / 2; colour[c]++)
            below += counts[colour[c]];
    }
}

static double ground_percent(const guint8 *rgb, guint width, guint height)
{
    gsize ground = 0, n = (gsize)width * height;
    int colour[3];
    ground_colour(rgb, width, height, colour);
    for (gsize i = 0; i < n; i++) {
        int far = 0;
        for (guint c = 0; c < 3; c++)
            far = MAX(far, ABS(rgb[i * 3 + c] - colour[c]));
        ground += far <= GROUND_NEAR;
    }
    return 100 * (double)ground / (double)n;
}

static double ground_blueness(const guint8 *rgb, guint width, guint height)
{
    int colour[3];
    ground_colour(rgb, width, height, colour);
    return colour[2] - MAX(colour[0], colour[1]);
}

/* A number that has nothing to do with how the picture looks. */
static double lot(const guint8 *rgb, gsize size)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static(rgb, size);
    return g_bytes_hash(bytes) % 1000 / 10.0;
}

gboolean pen_taste_measure(const PenTaste *taste, const guint8 *rgb, guint width, guint height,
                           double *value, GError **error)
{
    gsize n_pixels = (gsize)width * height;
    switch (taste->kind) {
    case PEN_TASTE_VIVID:
        *value = mean_chroma(rgb, n_pixels);
        break;
    case PEN_TASTE_PALE:
        *value = 255 - mean_chroma(rgb, n_pixels);
        break;
    case PEN_TASTE_DARK:
        *value = 255 - mean_luminance(rgb, n_pixels);
        break;
    case PEN_TASTE_BRIGHT:
        *value = mean_luminance(rgb, n_pixels);
        break;
    case PEN_TASTE_COMPRESSIBLE:
        *value = -jpeg_kilobytes(rgb, width, height);
        break;
    case PEN_TASTE_INCOMPRESSIBLE:
        *value = jpeg_kilobytes(rgb, width, height);
        break;
    case PEN_TASTE_SMALL:
        *value = ground_percent(rgb, width, height);
        break;
    case PEN_TASTE_BLUE:
        *value = ground_blueness(rgb, width, height);
        break;
    case PEN_TASTE_RANDOM:
        *value = lot(rgb, (gsize)width * height * 3);
        break;
    case PEN_TASTE_STYLE:
        if (!pen_judge_look_for(taste->judge, rgb, taste->style, value, error))
            return FALSE;
        *value *= 100;
        break;
    }
    return TRUE;
}

void pen_taste_rank(const double *values, guint n, int *ranks)
{
    for (guint i = 0; i < n; i++) {
        ranks[i] = 0;
        for (guint j = 0; j < n; j++)
            ranks[i] += values[j] < values[i];
    }
}

static int compare(gconstpointer a, gconstpointer b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The value that a share `q` of the n values lies below (linear interpolation between ranks). */
static double quantile(const double *values, guint n, double q)
{
    g_autofree double *sorted = g_memdup2(values, n * sizeof *values);
    qsort(sorted, n, sizeof *sorted, compare);
    double at = q * (n - 1);
    guint below = (guint)at;
    guint above = MIN(below + 1, n - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

double pen_taste_threshold(const PenTaste *taste, const double *values, guint n)
{
    return taste->kind == PEN_TASTE_STYLE ? 50 : quantile(values, n, 5.0 / 6);
}
