// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The demo's figures, as PNG files. */

#include <glib.h>

G_BEGIN_DECLS

/* Pictures in rows with a label each. rgb[n_rows * n_columns], row by row, each size x size pixels,
 * shown `zoom` times as large; `marked` pictures (may be NULL) get a frame. */
typedef struct {
    const char *title;
    const char *const *row_labels;
    guint n_rows, n_columns, size, zoom;
    guint8 *const *rgb;
    const gboolean *marked;
} PenSheet;

gboolean pen_sheet_write(const PenSheet *sheet, const char *path, GError **error);

/* Shares between 0 and 1 over rounds 0, 1, …, with a dashed line at `base`. */
typedef struct {
    const char *title, *x_label, *y_label;
    const double *x, *share;
    guint n;
    double base;
    const char *base_label;
} PenPlot;

gboolean pen_plot_write(const PenPlot *plot, const char *path, GError **error);

G_END_DECLS
