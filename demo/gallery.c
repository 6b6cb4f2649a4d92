// SPDX-License-Identifier: GPL-3.0-or-later
#include "demo/gallery.h"

#include <math.h>

#include "demo/figures.h"

#define SMALL 16 /* places a side that pictures are compared by */

PenGallery *pen_gallery_new(const char *const *motifs, guint n_motifs, guint each)
{
    guint n = n_motifs * each;
    PenGallery *gallery = g_new0(PenGallery, 1);
    *gallery = (PenGallery){
        .motifs = motifs,
        .n_motifs = n_motifs,
        .each = each,
        .rgb = g_new0(guint8 *, n),
        .value = g_new0(double, n),
        .recognised = g_new0(gboolean, n),
        .style = g_new0(int, n),
    };
    return gallery;
}

void pen_gallery_free(PenGallery *gallery)
{
    if (!gallery)
        return;
    for (guint i = 0; i < gallery->n; i++)
        g_free(gallery->rgb[i]);
    g_free(gallery->rgb);
    g_free(gallery->value);
    g_free(gallery->recognised);
    g_free(gallery->style);
    g_free(gallery);
}

gboolean pen_gallery_add(PenGallery *gallery, guint8 *rgb, const PenTaste *taste, PenJudge *motifs,
                         PenJudge *styles, GError **error)
{
    guint i = gallery->n++;
    gallery->rgb[i] = rgb;
    if (!pen_taste_measure(taste, rgb, PEN_JUDGE_SIZE, PEN_JUDGE_SIZE, &gallery->value[i], error))
        return FALSE;
    int seen = pen_judge_decide(motifs, rgb, error);
    if (seen < 0)
        return FALSE;
    gallery->recognised[i] = seen == pen_judge_class(motifs, gallery->motifs[i / gallery->each]);
    gallery->style[i] = pen_judge_decide(styles, rgb, error);
    return gallery->style[i] >= 0;
}

double pen_gallery_share_above(const PenGallery *gallery, double threshold)
{
    guint above = 0;
    for (guint i = 0; i < gallery->n; i++)
        above += gallery->value[i] > threshold;
    return (double)above / gallery->n;
}

double pen_gallery_motif_accuracy(const PenGallery *gallery)
{
    guint recognised = 0;
    for (guint i = 0; i < gallery->n; i++)
        recognised += (guint)gallery->recognised[i];
    return (double)recognised / gallery->n;
}

double pen_gallery_style_share(const PenGallery *gallery, int style)
{
    guint n = 0;
    for (guint i = 0; i < gallery->n; i++)
        n += gallery->style[i] == style;
    return (double)n / gallery->n;
}

double pen_gallery_mean(const PenGallery *gallery)
{
    double sum = 0;
    for (guint i = 0; i < gallery->n; i++)
        sum += gallery->value[i];
    return sum / gallery->n;
}

/* The mean of channel c in a block of the picture. */
static double block_mean(const guint8 *rgb, guint row, guint column, guint c)
{
    const guint side = PEN_JUDGE_SIZE / SMALL;
    double sum = 0;
    for (guint y = row * side; y < (row + 1) * side; y++)
        for (guint x = column * side; x < (column + 1) * side; x++)
            sum += rgb[(y * PEN_JUDGE_SIZE + x) * 3 + c];
    return sum / (side * side);
}

static double picture_distance(const guint8 *a, const guint8 *b)
{
    double sum = 0;
    for (guint y = 0; y < SMALL; y++)
        for (guint x = 0; x < SMALL; x++)
            for (guint c = 0; c < 3; c++) {
                double difference = block_mean(a, y, x, c) - block_mean(b, y, x, c);
                sum += difference * difference;
            }
    return sqrt(sum / (SMALL * SMALL * 3));
}

double pen_gallery_distance(const PenGallery *gallery)
{
    guint pairs = 0;
    double sum = 0;
    for (guint i = 0; i < gallery->n; i++)
        for (guint j = i - i % gallery->each; j < i; j++, pairs++)
            sum += picture_distance(gallery->rgb[i], gallery->rgb[j]);
    return pairs ? sum / pairs : 0;
}

gboolean pen_gallery_write(const PenGallery *gallery, const char *title, double threshold,
                           const char *path, GError **error)
{
    g_autofree gboolean *marked = g_new0(gboolean, gallery->n);
    for (guint i = 0; i < gallery->n; i++)
        marked[i] = gallery->value[i] > threshold;
    PenSheet sheet = {
        .title = title,
        .row_labels = gallery->motifs,
        .n_rows = gallery->n_motifs,
        .n_columns = gallery->each,
        .size = PEN_JUDGE_SIZE,
        .zoom = 2,
        .rgb = gallery->rgb,
        .marked = marked,
    };
    return pen_sheet_write(&sheet, path, error);
}
