// SPDX-License-Identifier: GPL-3.0-or-later
#include "demo/figures.h"

#include <cairo.h>
#include <gio/gio.h>

#define FONT "sans-serif"
#define GAP 6
#define LABEL_WIDTH 90
#define HEAD 44

static cairo_t *begin(cairo_surface_t *surface)
{
    cairo_t *cr = cairo_create(surface);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    cairo_set_source_rgb(cr, 0.1, 0.1, 0.12);
    cairo_select_font_face(cr, FONT, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    return cr;
}

static gboolean end(cairo_t *cr, cairo_surface_t *surface, const char *path, GError **error)
{
    cairo_destroy(cr);
    cairo_status_t status = cairo_surface_write_to_png(surface, path);
    cairo_surface_destroy(surface);
    if (status == CAIRO_STATUS_SUCCESS)
        return TRUE;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "“%s” cannot be written: %s.", path,
                cairo_status_to_string(status));
    return FALSE;
}

static void text(cairo_t *cr, double x, double y, double size, const char *string)
{
    cairo_set_font_size(cr, size);
    cairo_move_to(cr, x, y);
    cairo_show_text(cr, string);
}

static void text_centred(cairo_t *cr, double x, double y, double size, const char *string)
{
    cairo_text_extents_t extents;
    cairo_set_font_size(cr, size);
    cairo_text_extents(cr, string, &extents);
    cairo_move_to(cr, x - extents.x_advance / 2, y);
    cairo_show_text(cr, string);
}

static void paint_picture(cairo_t *cr, double x, double y, guint zoom, guint size,
                          const guint8 *rgb)
{
    cairo_surface_t *picture = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)size, (int)size);
    int stride = cairo_image_surface_get_stride(picture) / 4;
    guint32 *pixels = (guint32 *)(gpointer)cairo_image_surface_get_data(picture);
    for (guint row = 0; row < size; row++)
        for (guint column = 0; column < size; column++) {
            const guint8 *p = rgb + ((gsize)row * size + column) * 3;
            pixels[row * (guint)stride + column] = (guint32)p[0] << 16 | (guint32)p[1] << 8 | p[2];
        }
    cairo_surface_mark_dirty(picture);
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_scale(cr, zoom, zoom);
    cairo_set_source_surface(cr, picture, 0, 0);
    cairo_paint(cr);
    cairo_restore(cr);
    cairo_surface_destroy(picture);
}

gboolean pen_sheet_write(const PenSheet *sheet, const char *path, GError **error)
{
    guint cell = sheet->size * sheet->zoom + GAP;
    cairo_surface_t *surface = cairo_image_surface_create(
        CAIRO_FORMAT_RGB24, (int)(LABEL_WIDTH + sheet->n_columns * cell + GAP),
        (int)(HEAD + sheet->n_rows * cell + GAP));
    cairo_t *cr = begin(surface);
    text(cr, 2 * GAP, 28, 17, sheet->title);
    for (guint i = 0; i < sheet->n_rows * sheet->n_columns; i++) {
        guint row = i / sheet->n_columns, column = i % sheet->n_columns;
        double x = LABEL_WIDTH + column * cell, y = HEAD + row * cell;
        if (column == 0)
            text(cr, 2 * GAP, y + cell / 2.0, 14, sheet->row_labels[row]);
        paint_picture(cr, x, y, sheet->zoom, sheet->size, sheet->rgb[i]);
        if (sheet->marked && sheet->marked[i]) {
            cairo_set_source_rgb(cr, 0.85, 0.25, 0.1);
            cairo_set_line_width(cr, 3);
            cairo_rectangle(cr, x - 1.5, y - 1.5, cell - GAP + 3, cell - GAP + 3);
            cairo_stroke(cr);
        }
        cairo_set_source_rgb(cr, 0.1, 0.1, 0.12);
    }
    return end(cr, surface, path, error);
}

gboolean pen_plot_write(const PenPlot *plot, const char *path, GError **error)
{
    const double width = 640, height = 400, left = 70, right = 20, top = 50, bottom = 60;
    const double w = width - left - right, h = height - top - bottom;
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
    cairo_t *cr = begin(surface);
    double last = plot->x[plot->n - 1] > 0 ? plot->x[plot->n - 1] : 1;
    text(cr, left, 28, 16, plot->title);
    for (guint i = 0; i <= 4; i++) {
        double y = top + h * (1 - i / 4.0);
        g_autofree char *label = g_strdup_printf("%u %%", i * 25);
        cairo_set_source_rgb(cr, 0.85, 0.85, 0.87);
        cairo_set_line_width(cr, 1);
        cairo_move_to(cr, left, y);
        cairo_line_to(cr, left + w, y);
        cairo_stroke(cr);
        cairo_set_source_rgb(cr, 0.1, 0.1, 0.12);
        text_centred(cr, left - 28, y + 4, 12, label);
    }
    cairo_save(cr);
    cairo_set_dash(cr, (double[]){ 6, 5 }, 2, 0);
    cairo_set_source_rgb(cr, 0.45, 0.45, 0.5);
    cairo_move_to(cr, left, top + h * (1 - plot->base));
    cairo_line_to(cr, left + w, top + h * (1 - plot->base));
    cairo_stroke(cr);
    cairo_restore(cr);
    cairo_set_source_rgb(cr, 0.35, 0.35, 0.4);
    text(cr, left + w - 100, top + h * (1 - plot->base) + 16, 12, plot->base_label);
    cairo_new_path(cr); /* a text leaves a current point */

    cairo_set_source_rgb(cr, 0.85, 0.25, 0.1);
    cairo_set_line_width(cr, 2.5);
    for (guint i = 0; i < plot->n; i++)
        cairo_line_to(cr, left + w * plot->x[i] / last, top + h * (1 - plot->share[i]));
    cairo_stroke(cr);
    for (guint i = 0; i < plot->n; i++) {
        double x = left + w * plot->x[i] / last, y = top + h * (1 - plot->share[i]);
        g_autofree char *tick = g_strdup_printf("%g", plot->x[i]);
        cairo_set_source_rgb(cr, 0.85, 0.25, 0.1);
        cairo_arc(cr, x, y, 4, 0, 2 * G_PI);
        cairo_fill(cr);
        cairo_set_source_rgb(cr, 0.1, 0.1, 0.12);
        text_centred(cr, x, top + h + 18, 12, tick);
    }
    text_centred(cr, left + w / 2, height - 14, 13, plot->x_label);
    cairo_save(cr);
    cairo_translate(cr, 18, top + h / 2);
    cairo_rotate(cr, -G_PI / 2);
    text_centred(cr, 0, 0, 13, plot->y_label);
    cairo_restore(cr);
    return end(cr, surface, path, error);
}
