// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/curve.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "plugin/paint.h"
#include "plugin/ui.h"

/* A step sees only some of the picks: neighbours are averaged, so that the curve shows a trend. */
#define WINDOW 8

typedef struct {
    guint step;
    double agreement;
} Point;

struct _PenCurve {
    GtkDrawingArea parent;
    guint steps;
    GArray *points; /* Point */
};

G_DEFINE_FINAL_TYPE(PenCurve, pen_curve, GTK_TYPE_DRAWING_AREA)

static double level_at(PenCurve *curve, guint i)
{
    guint first = i + 1 > WINDOW ? i + 1 - WINDOW : 0;
    double sum = 0;
    for (guint j = first; j <= i; j++)
        sum += g_array_index(curve->points, Point, j).agreement;
    return sum / (i - first + 1);
}

static gboolean pen_curve_draw(GtkWidget *widget, cairo_t *cr)
{
    PenCurve *curve = PEN_CURVE(widget);
    double w = gtk_widget_get_allocated_width(widget), h = gtk_widget_get_allocated_height(widget);
    GdkRGBA text;
    gtk_style_context_get_color(gtk_widget_get_style_context(widget),
                                gtk_widget_get_state_flags(widget), &text);
    pen_paint_rounded(cr, 0.5, 0.5, w - 1, h - 1, 5);
    cairo_set_source_rgba(cr, text.red, text.green, text.blue, 0.07);
    cairo_fill(cr);

    /* Chance: half the pairs agree with a style that has learnt nothing. */
    double dashes[] = { 3, 3 };
    double top = 5, bottom = h - 5;
    cairo_set_source_rgba(cr, text.red, text.green, text.blue, 0.35);
    cairo_set_line_width(cr, 1);
    cairo_set_dash(cr, dashes, 2, 0);
    cairo_move_to(cr, 6, floor((top + bottom) / 2) + 0.5);
    cairo_line_to(cr, w - 6, floor((top + bottom) / 2) + 0.5);
    cairo_stroke(cr);
    cairo_set_dash(cr, NULL, 0, 0);

    guint n = curve->points->len;
    double x = 6, y = 0;
    for (guint i = 0; i < n; i++) {
        guint step = g_array_index(curve->points, Point, i).step;
        x = 6 + (w - 12) * (curve->steps > 1 ? (double)(step - 1) / (curve->steps - 1) : 1);
        y = bottom - (bottom - top) * level_at(curve, i);
        if (i == 0)
            cairo_move_to(cr, x, y);
        else
            cairo_line_to(cr, x, y);
    }
    if (n) {
        gdk_cairo_set_source_rgba(cr, &PEN_PAINT_ACCENT);
        cairo_set_line_width(cr, 2);
        cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
        cairo_stroke(cr);
        cairo_arc(cr, x, y, 3, 0, 2 * G_PI);
        cairo_fill(cr);
    }
    return FALSE;
}

static void pen_curve_finalize(GObject *object)
{
    g_array_unref(PEN_CURVE(object)->points);
    G_OBJECT_CLASS(pen_curve_parent_class)->finalize(object);
}

static void pen_curve_class_init(PenCurveClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_curve_finalize;
    GTK_WIDGET_CLASS(class)->draw = pen_curve_draw;
}

static void pen_curve_init(PenCurve *curve)
{
    curve->points = g_array_new(FALSE, FALSE, sizeof(Point));
    gtk_widget_set_size_request(GTK_WIDGET(curve), -1, 44);
    pen_ui_name(GTK_WIDGET(curve), _("Agreement with your picks while teaching"));
}

GtkWidget *pen_curve_new(void)
{
    return g_object_new(PEN_TYPE_CURVE, NULL);
}

void pen_curve_reset(PenCurve *curve)
{
    g_array_set_size(curve->points, 0);
    pen_curve_set_steps(curve, 0);
}

void pen_curve_set_steps(PenCurve *curve, guint steps)
{
    curve->steps = steps;
    gtk_widget_queue_draw(GTK_WIDGET(curve));
}

void pen_curve_add(PenCurve *curve, guint step, double agreement)
{
    if (isnan(agreement) || step == 0)
        return;
    Point point = { step, CLAMP(agreement, 0, 1) };
    g_array_append_val(curve->points, point);
    curve->steps = MAX(curve->steps, step);
    gtk_widget_queue_draw(GTK_WIDGET(curve));
}

double pen_curve_get_level(PenCurve *curve)
{
    return curve->points->len ? level_at(curve, curve->points->len - 1) : NAN;
}
