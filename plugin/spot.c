// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/spot.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <math.h>

#include "plugin/image.h"
#include "plugin/mask.h"
#include "plugin/transfer.h"
#include "src/formats/png.h"
#include "src/store/files.h"
#include "src/store/rounds.h"

void pen_spot_free(PenSpot *spot)
{
    if (!spot)
        return;
    g_free(spot->place.image);
    g_free(spot->place.image_name);
    g_free(spot->place.mask_file);
    g_free(spot->mask);
    g_free(spot->mask_path);
    g_free(spot);
}

void pen_spot_start_free(PenSpotStart *start)
{
    if (!start)
        return;
    pen_spot_free(start->spot);
    g_free(start->rgb);
    g_free(start->mask);
    g_free(start);
}

/* --- finding --------------------------------------------------------------------------------- */

static GeglRectangle canvas_of(GimpImage *image)
{
    return (GeglRectangle){ 0, 0, gimp_image_get_width(image), gimp_image_get_height(image) };
}

static gboolean selection_bounds(GimpImage *image, GeglRectangle *bounds)
{
    gboolean selected = FALSE;
    int x1, y1, x2, y2;
    if (!gimp_selection_bounds(image, &selected, &x1, &y1, &x2, &y2) || !selected)
        return FALSE;
    *bounds = (GeglRectangle){ x1, y1, x2 - x1, y2 - y1 };
    return TRUE;
}

/* A span of `length` around the span from `start` on, moved into the limits if it fits there. */
static int centre_span(int start, int old_length, int length, int limit_start, int limit_length)
{
    int at = start + (old_length - length) / 2;
    if (length > limit_length)
        return limit_start + (limit_length - length) / 2;
    return CLAMP(at, limit_start, limit_start + limit_length - length);
}

/* Grows one side, so that the proportions are those of the picture. */
static void match_shape(GeglRectangle *place, const GeglRectangle *limits, guint width,
                        guint height)
{
    GeglRectangle old = *place;
    if ((gint64)place->width * height < (gint64)place->height * width)
        place->width = (int)lround((double)place->height * width / height);
    else
        place->height = (int)lround((double)place->width * height / width);
    place->x = centre_span(old.x, old.width, place->width, limits->x, limits->width);
    place->y = centre_span(old.y, old.height, place->height, limits->y, limits->height);
}

/* What the model sees around a selection: half as much again on each side, so that the change can
 * fit to it; not too little of it, and a square of it where the canvas has the room. */
static GeglRectangle context_of(const GeglRectangle *selection, const GeglRectangle *canvas,
                                const PenSpotWish *wish)
{
    int least = (int)wish->size / 4 + 2 * wish->grow;
    int width = MIN(MAX(2 * selection->width, least), canvas->width);
    int height = MIN(MAX(2 * selection->height, least), canvas->height);
    if (!wish->shape && !wish->width) {
        int side = MAX(width, height);
        width = MIN(side, canvas->width);
        height = MIN(side, canvas->height);
    }
    width = MAX(width, selection->width);
    height = MAX(height, selection->height);
    return (GeglRectangle){ centre_span(selection->x, selection->width, width, 0, canvas->width),
                            centre_span(selection->y, selection->height, height, 0, canvas->height),
                            width, height };
}

static PenSpot *new_spot(GimpImage *image, PenFrom from)
{
    PenSpot *spot = g_new0(PenSpot, 1);
    spot->from = from;
    spot->place.image = pen_image_identify(image);
    spot->place.image_name = pen_image_label(image);
    spot->bounds = canvas_of(image);
    return spot;
}

static void set_place(PenSpot *spot, const GeglRectangle *place)
{
    spot->place.x = place->x;
    spot->place.y = place->y;
    spot->place.width = place->width;
    spot->place.height = place->height;
}

PenSpot *pen_spot_find(GimpImage *image, PenFrom from, const PenSpotWish *wish, guint *width,
                       guint *height, GError **error)
{
    GeglRectangle place = { 0, 0, 1, 1 };
    GimpLayer *layer = NULL;
    switch (from) {
    case PEN_FROM_TEXT:
        if (image && (wish->fit == PEN_FIT_OWN || !selection_bounds(image, &place)))
            place = canvas_of(image);
        break;
    case PEN_FROM_LAYER: {
        g_autofree GimpLayer **layers = gimp_image_get_selected_layers(image);
        layer = layers ? layers[0] : NULL;
        if (!layer) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        _("No layer is selected. Select one, or start from text alone."));
            return NULL;
        }
        place = pen_image_layer_bounds(layer);
        break;
    }
    case PEN_FROM_SELECTION:
        if (!selection_bounds(image, &place)) {
            g_set_error(
                error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                _("Nothing is selected. Select what should change, or start from text alone."));
            return NULL;
        }
        GeglRectangle canvas = canvas_of(image);
        place = context_of(&place, &canvas, wish);
        break;
    }
    *width = wish->width;
    *height = wish->height;
    if (!wish->width)
        pen_image_fit(wish->shape ? wish->shape : (double)place.width / place.height, wish->size,
                      wish->multiple, width, height);
    if (!image)
        return NULL;

    PenSpot *spot = new_spot(image, from);
    if (!spot->bounds.width || !spot->bounds.height) { /* closed meanwhile */
        pen_spot_free(spot);
        return NULL;
    }
    if (from == PEN_FROM_TEXT)
        return spot;
    if (layer) {
        spot->bounds = place;
        spot->place.layer = (int)gimp_item_get_tattoo(GIMP_ITEM(layer));
    }
    match_shape(&place, &spot->bounds, *width, *height);
    set_place(spot, &place);
    spot->grow = wish->grow;
    spot->soften = wish->soften;
    return spot;
}

PenSpot *pen_spot_find_for_picture(GimpImage *image, int width, int height, PenFit fit, int grow,
                                   int soften)
{
    PenSpot *spot = new_spot(image, PEN_FROM_TEXT);
    GeglRectangle region = spot->bounds;
    gboolean selected = selection_bounds(image, &region);
    double x_scale = (double)region.width / width, y_scale = (double)region.height / height;
    double scale = fit == PEN_FIT_OWN       ? 1
                   : fit == PEN_FIT_CONTAIN ? MIN(x_scale, y_scale)
                                            : MAX(x_scale, y_scale);
    GeglRectangle place = { 0, 0, MAX((int)lround(width * scale), 1),
                            MAX((int)lround(height * scale), 1) };
    place.x = region.x + (region.width - place.width) / 2;
    place.y = region.y + (region.height - place.height) / 2;
    set_place(spot, &place);
    spot->own_size = fit == PEN_FIT_OWN;
    if (fit == PEN_FIT_FILL && selected) {
        spot->from = PEN_FROM_SELECTION;
        spot->grow = grow;
        spot->soften = soften;
    } else if (fit != PEN_FIT_FILL) {
        spot->bounds = place; /* at its own size it may reach beyond the canvas */
    }
    return spot;
}

PenSpot *pen_spot_load(PenStore *store, gint64 round, GimpImage *image)
{
    g_autoptr(PenPlace) place = pen_store_get_place(store, round, NULL);
    g_autoptr(PenRound) row = pen_store_get_round(store, round, NULL);
    g_autofree char *id = pen_image_find_identity(image);
    if (!place || !row || !place->width || g_strcmp0(place->image, id))
        return NULL;
    PenSpot *spot =
        new_spot(image, row->start == PEN_START_SELECTION ? PEN_FROM_SELECTION : PEN_FROM_LAYER);
    spot->place.round = round;
    spot->place.layer = place->layer;
    set_place(spot, &(GeglRectangle){ place->x, place->y, place->width, place->height });
    if (place->mask_file)
        spot->mask_path = pen_store_path(store, place->mask_file);
    if (spot->from == PEN_FROM_SELECTION)
        return spot;
    spot->matte = place->mask_file != NULL;
    GimpLayer *layer = gimp_image_get_layer_by_tattoo(image, (guint)place->layer);
    spot->bounds = (GeglRectangle){ place->x, place->y, place->width, place->height };
    if (layer) {
        /* The layer lies in the middle of its place: match_shape(). */
        GeglRectangle now = pen_image_layer_bounds(layer);
        GeglRectangle centred = now;
        centred.width = place->width;
        centred.height = place->height;
        centred.x = centre_span(now.x, now.width, place->width, now.x, now.width);
        centred.y = centre_span(now.y, now.height, place->height, now.y, now.height);
        set_place(spot, &centred);
        spot->bounds = centred;
    }
    return spot;
}

PenSpot *pen_spot_for_insert(PenStore *store, gint64 round, GimpImage *image,
                             const GdkPixbuf *picture, const PenSettings *settings)
{
    PenSpot *spot = pen_spot_load(store, round, image);
    return spot ? spot
                : pen_spot_find_for_picture(image, gdk_pixbuf_get_width(picture),
                                            gdk_pixbuf_get_height(picture), settings->fit,
                                            settings->grow, settings->soften);
}

/* Whether a layer of the size of `area` has become `now` by scaling: its proportions are the same.
 */
static gboolean is_scaled(const GeglRectangle *area, const GeglRectangle *now)
{
    double wanted = (double)area->height * now->width / area->width;
    return fabs(wanted - now->height) <= 1;
}

/* The place within `area` as it is within `now`. */
static GeglRectangle carry(const PenPlace *place, const GeglRectangle *area,
                           const GeglRectangle *now)
{
    double x_scale = (double)now->width / area->width;
    double y_scale = (double)now->height / area->height;
    return (GeglRectangle){ now->x + (int)lround((place->x - area->x) * x_scale),
                            now->y + (int)lround((place->y - area->y) * y_scale),
                            MAX((int)lround(place->width * x_scale), 1),
                            MAX((int)lround(place->height * y_scale), 1) };
}

PenSpot *pen_spot_follow(const PenSpot *spot, const GeglRectangle *area, GimpLayer *layer,
                         int width, int height)
{
    GeglRectangle now = pen_image_layer_bounds(layer);
    if (!is_scaled(area, &now))
        now = *area;
    PenSpot *follower = new_spot(gimp_item_get_image(GIMP_ITEM(layer)), PEN_FROM_LAYER);
    GeglRectangle place = carry(&spot->place, area, &now);
    follower->bounds = now;
    follower->matte = spot->matte;
    follower->own_size = spot->own_size;
    follower->place.layer = (int)gimp_item_get_tattoo(GIMP_ITEM(layer));
    if (spot->own_size) {
        place.x += (place.width - width) / 2;
        place.y += (place.height - height) / 2;
        place.width = width;
        place.height = height;
        follower->bounds = place;
    }
    set_place(follower, &place);
    if (spot->mask) {
        follower->mask_width = spot->place.width;
        follower->mask_height = spot->place.height;
        follower->mask =
            g_memdup2(spot->mask, (gsize)spot->place.width * (gsize)spot->place.height);
    }
    return follower;
}

gboolean pen_spot_needs_mask(const PenSpot *spot)
{
    return spot->from == PEN_FROM_SELECTION && !spot->mask && !spot->mask_path &&
           !spot->place.round;
}

gboolean pen_spot_load_mask(PenSpot *spot, GError **error)
{
    if (spot->mask_width) {
        guint8 *scaled = pen_mask_scale(spot->mask, spot->mask_width, spot->mask_height,
                                        spot->place.width, spot->place.height);
        g_free(spot->mask);
        spot->mask = scaled;
        spot->mask_width = spot->mask_height = 0;
    }
    if (spot->mask || !spot->mask_path)
        return TRUE;
    g_autoptr(PenPng) png = pen_png_read(spot->mask_path, error);
    if (!png)
        return FALSE;
    if ((int)png->width != spot->place.width || (int)png->height != spot->place.height) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    _("“%s” is not the mask of this round. Make the round again."),
                    spot->mask_path);
        return FALSE;
    }
    gsize n = (gsize)png->width * png->height;
    spot->mask = g_malloc(n);
    for (gsize i = 0; i < n; i++)
        spot->mask[i] = png->rgba[i * 4];
    return TRUE;
}

/* --- reading --------------------------------------------------------------------------------- */

typedef struct {
    PenSpotStart *start; /* its spot, and what becomes of the rest */
    GimpImage *image;
    int width, height;
    GimpLayer *seen;    /* all that is seen, as a layer that is in no image; or NULL */
    GeglBuffer *pixels; /* R'G'B'A u8 of the place, or NULL */
    GeglBuffer *mask;   /* Y u8 of the place: selection or layer mask, or NULL */
} Read;

static void read_free(gpointer data)
{
    Read *read = data;
    if (read->seen && gimp_item_is_valid(GIMP_ITEM(read->seen)))
        gimp_item_delete(GIMP_ITEM(read->seen));
    pen_spot_start_free(read->start);
    g_clear_object(&read->pixels);
    g_clear_object(&read->mask);
    g_free(read);
}

static void fail(GTask *task)
{
    GError *error = NULL;
    pen_image_set_error(&error);
    g_task_return_error(task, error);
    g_object_unref(task);
}

static GeglRectangle place_of(const PenSpot *spot)
{
    return (GeglRectangle){ spot->place.x, spot->place.y, spot->place.width, spot->place.height };
}

/* Copies the place from a drawable whose corner lies at x, y of the image. */
static GeglBuffer *fetch(GTask *task, GimpDrawable *drawable, int x, int y, GeglAbyssPolicy abyss,
                         const char *format, GAsyncReadyCallback next)
{
    Read *read = g_task_get_task_data(task);
    GeglRectangle area = place_of(read->start->spot);
    GeglBuffer *to =
        gegl_buffer_new(GEGL_RECTANGLE(0, 0, area.width, area.height), babl_format(format));
    g_autoptr(GeglBuffer) from = gimp_drawable_get_buffer(drawable);
    area.x -= x;
    area.y -= y;
    pen_transfer_async(from, &area, abyss, to, 0, 0, g_task_get_cancellable(task), next, task);
    return to;
}

/* Over white, in place: the model knows no transparency. TRUE if there was any. */
static gboolean flatten(guint8 *rgba, gsize n)
{
    gboolean any = FALSE;
    for (gsize i = 0; i < n; i++, rgba += 4) {
        guint alpha = rgba[3];
        if (alpha == 255)
            continue;
        any = TRUE;
        for (int c = 0; c < 3; c++)
            rgba[c] = (guint8)((rgba[c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    return any;
}

static guint8 *read_all(GeglBuffer *buffer, const char *format, int channels)
{
    const GeglRectangle *extent = gegl_buffer_get_extent(buffer);
    guint8 *bytes = g_malloc((gsize)extent->width * extent->height * channels);
    gegl_buffer_get(buffer, extent, 1, babl_format(format), bytes, GEGL_AUTO_ROWSTRIDE,
                    GEGL_ABYSS_NONE);
    return bytes;
}

/* The mask of a layer's place: its alpha, times its own mask, and nothing beyond its borders. */
static guint8 *layer_mask(const PenSpot *spot, const guint8 *rgba, const guint8 *own)
{
    int width = spot->place.width, height = spot->place.height;
    guint8 *mask = g_malloc((gsize)width * height);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            gsize i = (gsize)y * width + x;
            int u = spot->place.x + x - spot->bounds.x, v = spot->place.y + y - spot->bounds.y;
            gboolean inside = u >= 0 && v >= 0 && u < spot->bounds.width && v < spot->bounds.height;
            guint alpha = rgba[i * 4 + 3] * (own ? own[i] : 255u);
            mask[i] = inside ? (guint8)((alpha + 127) / 255) : 0;
        }
    }
    return mask;
}

static guint8 *scale(guint8 *rgba, int width, int height, int to_width, int to_height)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static(rgba, (gsize)width * height * 4);
    g_autoptr(GdkPixbuf) full =
        gdk_pixbuf_new_from_bytes(bytes, GDK_COLORSPACE_RGB, TRUE, 8, width, height, width * 4);
    g_autoptr(GdkPixbuf) scaled =
        gdk_pixbuf_scale_simple(full, to_width, to_height, GDK_INTERP_BILINEAR);
    const guint8 *pixels = gdk_pixbuf_get_pixels(scaled);
    int stride = gdk_pixbuf_get_rowstride(scaled);
    guint8 *rgb = g_malloc((gsize)to_width * to_height * 3);
    for (int y = 0; y < to_height; y++)
        for (int x = 0; x < to_width; x++)
            for (int c = 0; c < 3; c++)
                rgb[((gsize)y * to_width + x) * 3 + c] = pixels[(gsize)y * stride + x * 4 + c];
    return rgb;
}

/* In a thread: what becomes of the pixels. */
static void convert(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Read *read = data;
    PenSpotStart *start = read->start;
    PenSpot *spot = start->spot;
    int width = spot->place.width, height = spot->place.height;
    g_autofree guint8 *rgba = read->pixels ? read_all(read->pixels, "R'G'B'A u8", 4) : NULL;
    g_autofree guint8 *own = read->mask ? read_all(read->mask, "Y u8", 1) : NULL;
    if (spot->from == PEN_FROM_SELECTION) {
        spot->mask = g_steal_pointer(&own);
        pen_mask_shape(spot->mask, width, height, spot->grow, spot->soften);
    } else if (spot->from == PEN_FROM_LAYER) {
        spot->mask = layer_mask(spot, rgba, own);
        if (!pen_mask_bounds(spot->mask, width, height).width) {
            g_task_return_new_error(
                task, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                _("The layer is empty: there is nothing to start from. Select another layer, or "
                  "start from text alone."));
            return;
        }
        spot->matte = TRUE;
    }
    if (spot->mask && pen_mask_is_full(spot->mask, width, height)) {
        g_clear_pointer(&spot->mask, g_free);
        spot->matte = FALSE;
    }
    if (rgba) {
        flatten(rgba, (gsize)width * height);
        for (gsize i = 0; i < (gsize)width * height; i++)
            rgba[i * 4 + 3] = 255;
        start->rgb = scale(rgba, width, height, read->width, read->height);
        /* All that shows in the end must be free to change: the soft edge is for the insert. */
        if (spot->mask && spot->from == PEN_FROM_SELECTION)
            start->mask = pen_mask_cover(spot->mask, width, height, read->width, read->height);
    }
    g_task_return_pointer(task, g_steal_pointer(&read->start), (GDestroyNotify)pen_spot_start_free);
}

static void on_mask(GObject *source, GAsyncResult *result, gpointer data)
{
    GTask *task = data;
    GError *error = NULL;
    if (pen_transfer_finish(result, &error))
        g_task_run_in_thread(task, convert);
    else
        g_task_return_error(task, error);
    g_object_unref(task);
}

static void read_mask(GTask *task)
{
    Read *read = g_task_get_task_data(task);
    PenSpot *spot = read->start->spot;
    if (!gimp_image_is_valid(read->image)) {
        fail(task);
        return;
    }
    if (spot->from == PEN_FROM_SELECTION) {
        GimpSelection *selection = gimp_image_get_selection(read->image);
        read->mask = fetch(task, GIMP_DRAWABLE(selection), 0, 0, GEGL_ABYSS_NONE, "Y u8", on_mask);
        return;
    }
    GimpLayer *layer = gimp_image_get_layer_by_tattoo(read->image, (guint)spot->place.layer);
    GimpLayerMask *mask =
        layer && gimp_layer_get_apply_mask(layer) ? gimp_layer_get_mask(layer) : NULL;
    if (mask) {
        read->mask = fetch(task, GIMP_DRAWABLE(mask), spot->bounds.x, spot->bounds.y,
                           GEGL_ABYSS_NONE, "Y u8", on_mask);
        return;
    }
    g_task_run_in_thread(task, convert);
    g_object_unref(task);
}

static void on_pixels(GObject *source, GAsyncResult *result, gpointer data)
{
    GTask *task = data;
    Read *read = g_task_get_task_data(task);
    GError *error = NULL;
    if (!pen_transfer_finish(result, &error)) {
        g_task_return_error(task, error);
        g_object_unref(task);
        return;
    }
    if (read->seen)
        gimp_item_delete(GIMP_ITEM(g_steal_pointer(&read->seen)));
    read_mask(task);
}

void pen_spot_read_async(PenSpot *spot, GimpImage *image, int width, int height,
                         GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
    pen_image_init();
    Read *read = g_new0(Read, 1);
    read->start = g_new0(PenSpotStart, 1);
    read->start->spot = spot;
    read->image = image;
    read->width = width;
    read->height = height;
    GTask *task = g_task_new(NULL, cancellable, callback, data);
    g_task_set_task_data(task, read, read_free);
    if (spot->from == PEN_FROM_TEXT) {
        g_task_return_pointer(task, g_steal_pointer(&read->start),
                              (GDestroyNotify)pen_spot_start_free);
        g_object_unref(task);
        return;
    }
    if (!width) {
        read_mask(task);
        return;
    }
    GimpLayer *layer;
    if (spot->from == PEN_FROM_LAYER)
        layer = gimp_image_get_layer_by_tattoo(image, (guint)spot->place.layer);
    else
        layer = read->seen = gimp_layer_new_from_visible(image, image, "Penchant");
    if (!layer) {
        fail(task);
        return;
    }
    GeglRectangle bounds = pen_image_layer_bounds(layer);
    read->pixels = fetch(task, GIMP_DRAWABLE(layer), bounds.x, bounds.y, GEGL_ABYSS_CLAMP,
                         "R'G'B'A u8", on_pixels);
}

PenSpotStart *pen_spot_read_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
