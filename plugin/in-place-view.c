// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/in-place-view.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "plugin/image.h"
#include "plugin/insert.h"
#include "plugin/spot.h"
#include "plugin/transfer.h"
#include "plugin/ui.h"

#define ZOOM_STEP 1.25
#define ZOOM_MOST 16
#define LEVELS 8

/* A picture and its halves, quarters and so on, so that drawing a large one small takes no longer
 * than drawing what is seen; NULL where there is none. */
typedef cairo_surface_t *Levels[LEVELS];

struct _PenInPlaceView {
    GtkBox parent;
    PenApp *app;
    GtkWidget *area, *before;
    GtkWindow *window;  /* whose activity is listened to, or NULL */
    gint64 round;       /* that the picture is of */
    GdkPixbuf *picture; /* that is shown; NULL: none yet */
    GCancellable *composing;
    Levels without, with;  /* of the image around the place; none: nothing yet */
    double zoom;           /* 1: the whole fits */
    double x, y;           /* the point in the middle, 0 to 1 of the width and height */
    double drag_x, drag_y; /* x, y when a drag began */
};

G_DEFINE_FINAL_TYPE(PenInPlaceView, pen_in_place_view, GTK_TYPE_BOX)

/* --- levels ---------------------------------------------------------------------------------- */

static void levels_clear(Levels levels)
{
    for (int i = 0; i < LEVELS; i++)
        g_clear_pointer(&levels[i], cairo_surface_destroy);
}

static void levels_move(Levels to, Levels from)
{
    levels_clear(to);
    for (int i = 0; i < LEVELS; i++)
        to[i] = g_steal_pointer(&from[i]);
}

/* Each pixel is the mean of four. */
static cairo_surface_t *halve(cairo_surface_t *surface)
{
    int width = (cairo_image_surface_get_width(surface) + 1) / 2;
    int height = (cairo_image_surface_get_height(surface) + 1) / 2;
    cairo_surface_t *half = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, width, height);
    cairo_t *cr = cairo_create(half);
    cairo_scale(cr, 0.5, 0.5);
    cairo_set_source_surface(cr, surface, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_BILINEAR);
    cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
    cairo_paint(cr);
    cairo_destroy(cr);
    return half;
}

static void levels_build(Levels levels)
{
    for (int i = 1; i < LEVELS && cairo_image_surface_get_width(levels[i - 1]) > 1; i++)
        levels[i] = halve(levels[i - 1]);
}

/* The one with the fewest pixels that are no larger than the screen's, where the first is drawn at
 * `scale`. */
static int levels_find(Levels levels, double scale)
{
    int level = 0;
    while (level + 1 < LEVELS && levels[level + 1] && scale <= 0.5) {
        scale *= 2;
        level++;
    }
    return level;
}

/* --- composing ------------------------------------------------------------------------------- */

typedef struct {
    GimpImage *image;
    PenSpot *spot;
    GdkPixbuf *picture;
    GeglRectangle region; /* of the image */
    GimpLayer *seen;
    GeglBuffer *backdrop; /* R'G'B'A u8 of the region */
    Levels without, with;
} Composition;

static void composition_free(gpointer data)
{
    Composition *c = data;
    g_clear_pointer(&c->spot, pen_spot_free);
    g_object_unref(c->picture);
    g_clear_object(&c->backdrop);
    levels_clear(c->without);
    levels_clear(c->with);
    g_free(c);
}

static cairo_surface_t *to_surface(GeglBuffer *buffer)
{
    const GeglRectangle *extent = gegl_buffer_get_extent(buffer);
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_ARGB32, extent->width, extent->height);
    cairo_surface_flush(surface);
    gegl_buffer_get(buffer, extent, 1, babl_format("cairo-ARGB32"),
                    cairo_image_surface_get_data(surface), cairo_image_surface_get_stride(surface),
                    GEGL_ABYSS_NONE);
    cairo_surface_mark_dirty(surface);
    return surface;
}

/* In a thread. */
static void compose(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Composition *c = data;
    GError *error = NULL;
    GeglRectangle area;
    g_autoptr(GeglBuffer) over =
        pen_insert_render(c->spot, c->picture, babl_format("R'G'B'A u8"), &area, &error);
    if (!over) {
        g_task_return_error(task, error);
        return;
    }
    c->without[0] = to_surface(c->backdrop);
    c->with[0] = to_surface(c->backdrop);
    cairo_surface_t *picture = to_surface(over);
    cairo_t *cr = cairo_create(c->with[0]);
    cairo_set_source_surface(cr, picture, area.x - c->region.x, area.y - c->region.y);
    cairo_paint(cr);
    cairo_destroy(cr);
    cairo_surface_destroy(picture);
    levels_build(c->without);
    levels_build(c->with);
    g_task_return_boolean(task, TRUE);
}

static void on_composed(GObject *source, GAsyncResult *result, gpointer data)
{
    PenInPlaceView *view = PEN_IN_PLACE_VIEW(source);
    Composition *c = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;
    if (!g_task_propagate_boolean(G_TASK(result), &error)) {
        pen_app_report(view->app, error);
        return;
    }
    levels_move(view->without, c->without);
    levels_move(view->with, c->with);
    gtk_widget_queue_draw(view->area);
}

static void on_backdrop(GObject *source, GAsyncResult *result, gpointer data)
{
    GTask *task = data;
    Composition *c = g_task_get_task_data(task);
    GError *error = NULL;
    /* Here, where GIMP may be called: what the thread has is freed anywhere. */
    if (gimp_item_is_valid(GIMP_ITEM(c->seen)))
        gimp_item_delete(GIMP_ITEM(c->seen));
    if (pen_transfer_finish(result, &error))
        g_task_run_in_thread(task, compose);
    else
        g_task_return_error(task, error);
    g_object_unref(task);
}

/* The place and half as much again on each side, as far as the canvas goes. */
static GeglRectangle region_of(const PenSpot *spot, GimpImage *image)
{
    const PenPlace *place = &spot->place;
    int dx = place->width / 2, dy = place->height / 2;
    GeglRectangle wide = { place->x - dx, place->y - dy, place->width + 2 * dx,
                           place->height + 2 * dy };
    GeglRectangle canvas = { 0, 0, gimp_image_get_width(image), gimp_image_get_height(image) };
    GeglRectangle region;
    return gegl_rectangle_intersect(&region, &wide, &canvas) ? region : canvas;
}

static void fetch_backdrop(GTask *task)
{
    Composition *c = g_task_get_task_data(task);
    c->region = region_of(c->spot, c->image);
    c->seen = gimp_layer_new_from_visible(c->image, c->image, "Penchant");
    if (!c->seen) {
        GError *error = NULL;
        pen_image_set_error(&error);
        g_task_return_error(task, error);
        g_object_unref(task);
        return;
    }
    c->backdrop = gegl_buffer_new(GEGL_RECTANGLE(0, 0, c->region.width, c->region.height),
                                  babl_format("R'G'B'A u8"));
    int x, y;
    gimp_drawable_get_offsets(GIMP_DRAWABLE(c->seen), &x, &y);
    GeglRectangle area = { c->region.x - x, c->region.y - y, c->region.width, c->region.height };
    g_autoptr(GeglBuffer) from = gimp_drawable_get_buffer(GIMP_DRAWABLE(c->seen));
    pen_transfer_async(from, &area, GEGL_ABYSS_NONE, c->backdrop, 0, 0,
                       g_task_get_cancellable(task), on_backdrop, task);
}

static void on_mask(GObject *source, GAsyncResult *result, gpointer data)
{
    GTask *task = data;
    Composition *c = g_task_get_task_data(task);
    GError *error = NULL;
    g_autoptr(PenSpotStart) start = pen_spot_read_finish(result, &error);
    if (!start) {
        g_task_return_error(task, error);
        g_object_unref(task);
        return;
    }
    c->spot = g_steal_pointer(&start->spot);
    fetch_backdrop(task);
}

static void start(PenInPlaceView *view)
{
    g_cancellable_cancel(view->composing);
    g_clear_object(&view->composing);
    GimpImage *image = pen_app_image(view->app);
    if (!image || !view->picture)
        return;
    pen_image_init();
    view->composing = g_cancellable_new();
    Composition *c = g_new0(Composition, 1);
    c->image = image;
    c->picture = g_object_ref(view->picture);
    c->spot = pen_spot_for_insert(pen_app_store(view->app), view->round, image, view->picture,
                                  pen_app_settings(view->app));
    GTask *task = g_task_new(view, view->composing, on_composed, NULL);
    g_task_set_task_data(task, c, composition_free);
    if (pen_spot_needs_mask(c->spot))
        pen_spot_read_async(g_steal_pointer(&c->spot), image, 0, 0, view->composing, on_mask, task);
    else
        fetch_backdrop(task);
}

void pen_in_place_view_show(PenInPlaceView *view, gint64 round, GdkPixbuf *picture)
{
    view->round = round;
    g_set_object(&view->picture, picture);
    start(view);
}

/* What lies below the picture, or where it lies, may be another by now. */
static void refresh(PenInPlaceView *view)
{
    if (gtk_widget_get_mapped(GTK_WIDGET(view)))
        start(view);
}

/* Back from GIMP. */
static void on_active(PenInPlaceView *view)
{
    if (gtk_window_is_active(view->window))
        refresh(view);
}

static void pen_in_place_view_hierarchy_changed(GtkWidget *widget, GtkWidget *before)
{
    PenInPlaceView *view = PEN_IN_PLACE_VIEW(widget);
    GtkWidget *top = gtk_widget_get_toplevel(widget);
    if (view->window)
        g_signal_handlers_disconnect_by_data(view->window, view);
    view->window = GTK_IS_WINDOW(top) ? GTK_WINDOW(top) : NULL;
    if (view->window)
        g_signal_connect_object(view->window, "notify::is-active", G_CALLBACK(on_active), view,
                                G_CONNECT_SWAPPED);
}

/* --- looking --------------------------------------------------------------------------------- */

static gboolean on_draw(GtkWidget *area, cairo_t *cr, PenInPlaceView *view)
{
    gboolean before = gtk_toggle_button_get_active(GTK_TOGGLE_BUTTON(view->before));
    Levels *levels = before ? &view->without : &view->with;
    cairo_surface_t *surface = (*levels)[0];
    if (!surface)
        return FALSE;
    double width = gtk_widget_get_allocated_width(area);
    double height = gtk_widget_get_allocated_height(area);
    double own_width = cairo_image_surface_get_width(surface);
    double own_height = cairo_image_surface_get_height(surface);
    double scale = MIN(width / own_width, height / own_height) * view->zoom;
    cairo_translate(cr, width / 2 - view->x * own_width * scale,
                    height / 2 - view->y * own_height * scale);
    int level = levels_find(*levels, scale * gtk_widget_get_scale_factor(area));
    cairo_scale(cr, scale * (1 << level), scale * (1 << level));
    cairo_set_source_surface(cr, (*levels)[level], 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cr),
                             scale > 2 ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_BILINEAR);
    cairo_paint(cr);
    return FALSE;
}

static void zoom_by(PenInPlaceView *view, double factor)
{
    view->zoom = CLAMP(view->zoom * factor, 1, ZOOM_MOST);
    if (view->zoom == 1)
        view->x = view->y = 0.5;
    gtk_widget_queue_draw(view->area);
}

static gboolean on_scroll(GtkWidget *area, GdkEventScroll *event, PenInPlaceView *view)
{
    if (event->direction == GDK_SCROLL_UP)
        zoom_by(view, ZOOM_STEP);
    else if (event->direction == GDK_SCROLL_DOWN)
        zoom_by(view, 1 / ZOOM_STEP);
    return TRUE;
}

static void on_drag_begin(GtkGestureDrag *drag, double x, double y, PenInPlaceView *view)
{
    view->drag_x = view->x;
    view->drag_y = view->y;
}

static void on_drag_update(GtkGestureDrag *drag, double dx, double dy, PenInPlaceView *view)
{
    if (view->zoom == 1)
        return;
    view->x =
        CLAMP(view->drag_x - dx / (gtk_widget_get_allocated_width(view->area) * view->zoom), 0, 1);
    view->y =
        CLAMP(view->drag_y - dy / (gtk_widget_get_allocated_height(view->area) * view->zoom), 0, 1);
    gtk_widget_queue_draw(view->area);
}

void pen_in_place_view_toggle(PenInPlaceView *view)
{
    GtkToggleButton *before = GTK_TOGGLE_BUTTON(view->before);
    gtk_toggle_button_set_active(before, !gtk_toggle_button_get_active(before));
}

void pen_in_place_view_focus(PenInPlaceView *view)
{
    gtk_widget_grab_focus(view->area);
}

gboolean pen_in_place_view_has_focus(PenInPlaceView *view)
{
    return gtk_widget_is_focus(view->area);
}

static void on_zoom_in(GtkButton *button, PenInPlaceView *view)
{
    zoom_by(view, ZOOM_STEP);
}

static void on_zoom_out(GtkButton *button, PenInPlaceView *view)
{
    zoom_by(view, 1 / ZOOM_STEP);
}

static void pen_in_place_view_finalize(GObject *object)
{
    PenInPlaceView *view = PEN_IN_PLACE_VIEW(object);
    g_cancellable_cancel(view->composing);
    g_clear_object(&view->composing);
    g_clear_object(&view->picture);
    levels_clear(view->without);
    levels_clear(view->with);
    G_OBJECT_CLASS(pen_in_place_view_parent_class)->finalize(object);
}

static void pen_in_place_view_class_init(PenInPlaceViewClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_in_place_view_finalize;
    GTK_WIDGET_CLASS(class)->hierarchy_changed = pen_in_place_view_hierarchy_changed;
}

static void pen_in_place_view_init(PenInPlaceView *view)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(view), GTK_ORIENTATION_VERTICAL);
    view->zoom = 1;
    view->x = view->y = 0.5;
    view->area = pen_ui_name(gtk_drawing_area_new(), _("The picture at its place"));
    gtk_widget_set_can_focus(view->area, TRUE);
    gtk_widget_add_events(view->area, GDK_SCROLL_MASK | GDK_BUTTON_PRESS_MASK |
                                          GDK_BUTTON_RELEASE_MASK | GDK_POINTER_MOTION_MASK);
    g_signal_connect(view->area, "draw", G_CALLBACK(on_draw), view);
    g_signal_connect(view->area, "scroll-event", G_CALLBACK(on_scroll), view);
    GtkGesture *drag = gtk_gesture_drag_new(view->area);
    g_object_set_data_full(G_OBJECT(view->area), "drag", drag, g_object_unref);
    g_signal_connect(drag, "drag-begin", G_CALLBACK(on_drag_begin), view);
    g_signal_connect(drag, "drag-update", G_CALLBACK(on_drag_update), view);
    gtk_box_pack_start(GTK_BOX(view), view->area, TRUE, TRUE, 0);

    GtkWidget *bar = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_widget_set_halign(bar, GTK_ALIGN_CENTER);
    gtk_widget_set_margin_top(bar, 6);
    GtkWidget *out = pen_ui_icon_button("zoom-out-symbolic", _("Smaller"));
    g_signal_connect(out, "clicked", G_CALLBACK(on_zoom_out), view);
    GtkWidget *in = pen_ui_icon_button("zoom-in-symbolic", _("Larger"));
    g_signal_connect(in, "clicked", G_CALLBACK(on_zoom_in), view);
    view->before = gtk_toggle_button_new_with_label(_("Before"));
    gtk_widget_set_tooltip_text(view->before, _("The image without the picture"));
    g_signal_connect_swapped(view->before, "toggled", G_CALLBACK(gtk_widget_queue_draw),
                             view->area);
    gtk_box_pack_start(GTK_BOX(bar), out, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bar), view->before, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(bar), in, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), bar, FALSE, FALSE, 0);
    gtk_widget_show_all(GTK_WIDGET(view));
}

GtkWidget *pen_in_place_view_new(PenApp *app)
{
    PenInPlaceView *view = g_object_new(PEN_TYPE_IN_PLACE_VIEW, NULL);
    view->app = app;
    static const char *const causes[] = { "image-changed", "placing-changed" };
    for (guint i = 0; i < G_N_ELEMENTS(causes); i++)
        g_signal_connect_object(app, causes[i], G_CALLBACK(refresh), view, G_CONNECT_SWAPPED);
    return GTK_WIDGET(view);
}
