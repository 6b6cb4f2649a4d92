// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* The few shapes that Penchant's own widgets are drawn with. Coordinates are logical pixels. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

extern const GdkRGBA PEN_PAINT_ACCENT; /* what the artist chose; white text reads well on it */
extern const GdkRGBA PEN_PAINT_SHADE;  /* behind white text on a picture */

/* Which point of a text or pill the given coordinates are. */
typedef enum {
    PEN_PAINT_TOP_LEFT,
    PEN_PAINT_BOTTOM_LEFT,
    PEN_PAINT_CENTRE,
    PEN_PAINT_TOP_RIGHT,
} PenPaintAnchor;

void pen_paint_rounded(cairo_t *cr, double x, double y, double w, double h, double radius);

/* A picture as it was drawn last; starts as zeros. Clear it when the picture changes. */
typedef struct {
    cairo_surface_t *surface;
    int w, h, factor;
} PenPaintCache;

/* Draws `picture` over the rectangle with round corners, sharp on HiDPI screens. */
void pen_paint_picture(GtkWidget *widget, cairo_t *cr, GdkPixbuf *picture, PenPaintCache *cache,
                       int x, int y, int w, int h, double radius);
void pen_paint_cache_clear(PenPaintCache *cache);

/* Text in the widget's font. */
void pen_paint_text(GtkWidget *widget, cairo_t *cr, const char *text, double x, double y,
                    PenPaintAnchor anchor, const GdkRGBA *colour);
/* White text on a pill. */
void pen_paint_pill(GtkWidget *widget, cairo_t *cr, const char *text, double x, double y,
                    PenPaintAnchor anchor, const GdkRGBA *colour);

G_END_DECLS
