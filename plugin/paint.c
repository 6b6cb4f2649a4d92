// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/paint.h"

const GdkRGBA PEN_PAINT_ACCENT = { 0.776, 0.275, 0.0, 1.0 };
const GdkRGBA PEN_PAINT_SHADE = { 0.0, 0.0, 0.0, 0.6 };

void pen_paint_rounded(cairo_t *cr, double x, double y, double w, double h, double radius)
{
    double r = MIN(radius, MIN(w, h) / 2);
    cairo_new_sub_path(cr);
    cairo_arc(cr, x + w - r, y + r, r, -G_PI / 2, 0);
    cairo_arc(cr, x + w - r, y + h - r, r, 0, G_PI / 2);
    cairo_arc(cr, x + r, y + h - r, r, G_PI / 2, G_PI);
    cairo_arc(cr, x + r, y + r, r, G_PI, 1.5 * G_PI);
    cairo_close_path(cr);
}

/* The picture in device pixels with its corners cut, where the screen keeps its own pictures:
 * drawing it again then costs nearly nothing, which matters while cards are drawn ten times a
 * second. */
static cairo_surface_t *scale_picture(GtkWidget *widget, GdkPixbuf *picture, int w, int h,
                                      double radius)
{
    cairo_surface_t *full = gdk_cairo_surface_create_from_pixbuf(picture, 1, NULL);
    cairo_surface_t *scaled = gdk_window_create_similar_image_surface(
        gtk_widget_get_window(widget), CAIRO_FORMAT_ARGB32, w * gtk_widget_get_scale_factor(widget),
        h * gtk_widget_get_scale_factor(widget), gtk_widget_get_scale_factor(widget));
    cairo_t *to = cairo_create(scaled);
    pen_paint_rounded(to, 0, 0, w, h, radius);
    cairo_clip(to);
    cairo_scale(to, (double)w / gdk_pixbuf_get_width(picture),
                (double)h / gdk_pixbuf_get_height(picture));
    cairo_set_source_surface(to, full, 0, 0);
    cairo_pattern_set_extend(cairo_get_source(to), CAIRO_EXTEND_PAD);
    cairo_pattern_set_filter(cairo_get_source(to), CAIRO_FILTER_GOOD);
    cairo_paint(to);
    cairo_destroy(to);
    cairo_surface_destroy(full);

    cairo_surface_t *kept = gdk_window_create_similar_surface(gtk_widget_get_window(widget),
                                                              CAIRO_CONTENT_COLOR_ALPHA, w, h);
    to = cairo_create(kept);
    cairo_set_source_surface(to, scaled, 0, 0);
    cairo_paint(to);
    cairo_destroy(to);
    cairo_surface_destroy(scaled);
    return kept;
}

void pen_paint_picture(GtkWidget *widget, cairo_t *cr, GdkPixbuf *picture, PenPaintCache *cache,
                       int x, int y, int w, int h, double radius)
{
    int factor = gtk_widget_get_scale_factor(widget);
    if (cache->surface && (cache->w != w || cache->h != h || cache->factor != factor))
        pen_paint_cache_clear(cache);
    if (!cache->surface)
        *cache = (PenPaintCache){ scale_picture(widget, picture, w, h, radius), w, h, factor };
    cairo_set_source_surface(cr, cache->surface, x, y);
    cairo_paint(cr);
}

void pen_paint_cache_clear(PenPaintCache *cache)
{
    g_clear_pointer(&cache->surface, cairo_surface_destroy);
}

static void anchor_box(PenPaintAnchor anchor, double w, double h, double *x, double *y)
{
    switch (anchor) {
    case PEN_PAINT_TOP_LEFT:
        break;
    case PEN_PAINT_BOTTOM_LEFT:
        *y -= h;
        break;
    case PEN_PAINT_CENTRE:
        *x -= w / 2;
        *y -= h / 2;
        break;
    case PEN_PAINT_TOP_RIGHT:
        *x -= w;
        break;
    }
}

void pen_paint_text(GtkWidget *widget, cairo_t *cr, const char *text, double x, double y,
                    PenPaintAnchor anchor, const GdkRGBA *colour)
{
    g_autoptr(PangoLayout) layout = gtk_widget_create_pango_layout(widget, text);
    int w, h;
    pango_layout_get_pixel_size(layout, &w, &h);
    anchor_box(anchor, w, h, &x, &y);
    cairo_move_to(cr, x, y);
    gdk_cairo_set_source_rgba(cr, colour);
    pango_cairo_show_layout(cr, layout);
}

void pen_paint_pill(GtkWidget *widget, cairo_t *cr, const char *text, double x, double y,
                    PenPaintAnchor anchor, const GdkRGBA *colour)
{
    g_autoptr(PangoLayout) layout = gtk_widget_create_pango_layout(widget, NULL);
    g_autofree char *markup = g_markup_printf_escaped("<b>%s</b>", text);
    pango_layout_set_markup(layout, markup, -1);
    int w, h;
    pango_layout_get_pixel_size(layout, &w, &h);
    double height = h + 6, width = MAX(w + 16, height);
    anchor_box(anchor, width, height, &x, &y);
    pen_paint_rounded(cr, x, y, width, height, height / 2);
    gdk_cairo_set_source_rgba(cr, colour);
    cairo_fill(cr);
    cairo_move_to(cr, x + (width - w) / 2, y + (height - h) / 2);
    cairo_set_source_rgb(cr, 1, 1, 1);
    pango_cairo_show_layout(cr, layout);
}
