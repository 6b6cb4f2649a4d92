// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/insert.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <math.h>

#include "plugin/image.h"
#include "plugin/mask.h"
#include "plugin/transfer.h"

/* --- rendering ------------------------------------------------------------------------------- */

static GeglBuffer *new_source(GdkPixbuf *picture)
{
    const char *format = gdk_pixbuf_get_has_alpha(picture) ? "R'G'B'A u8" : "R'G'B' u8";
    GeglBuffer *source = gegl_buffer_new(
        GEGL_RECTANGLE(0, 0, gdk_pixbuf_get_width(picture), gdk_pixbuf_get_height(picture)),
        babl_format(format));
    gegl_buffer_set(source, NULL, 0, babl_format(format), gdk_pixbuf_get_pixels(picture),
                    gdk_pixbuf_get_rowstride(picture));
    return source;
}

/* `picture` as width x height pixels. */
static GeglBuffer *scale(GdkPixbuf *picture, int width, int height)
{
    g_autoptr(GeglBuffer) source = new_source(picture);
    int old_width = gdk_pixbuf_get_width(picture), old_height = gdk_pixbuf_get_height(picture);
    if (old_width == width && old_height == height)
        return g_steal_pointer(&source);
    gboolean larger = (gint64)width * height > (gint64)old_width * old_height;
    GeglBuffer *scaled =
        gegl_buffer_new(GEGL_RECTANGLE(0, 0, width, height), babl_format("RGB float"));
    g_autoptr(GeglNode) graph = gegl_node_new();
    GeglNode *in =
        gegl_node_new_child(graph, "operation", "gegl:buffer-source", "buffer", source, NULL);
    GeglNode *scale = gegl_node_new_child(
        graph, "operation", "gegl:scale-size", "x", (double)width, "y", (double)height, "sampler",
        larger ? GEGL_SAMPLER_NOHALO : GEGL_SAMPLER_LOHALO, "abyss-policy", GEGL_ABYSS_CLAMP, NULL);
    GeglNode *out =
        gegl_node_new_child(graph, "operation", "gegl:write-buffer", "buffer", scaled, NULL);
    gegl_node_link_many(in, scale, out, NULL);
    gegl_node_process(out);
    return scaled;
}

/* The colour that gives `seen` when it lies over white with that alpha. */
static float without_white(float seen, float alpha)
{
    return alpha > 0 ? CLAMP((seen - (1 - alpha)) / alpha, 0, 1) : seen;
}

/* A row at a time: colour from the picture, alpha from the mask. */
static void mask_rows(GeglBuffer *picture, const PenSpot *spot, const GeglRectangle *crop,
                      GeglBuffer *target)
{
    const Babl *format = babl_format("R'G'B'A float");
    g_autofree float *row = g_new(float, (gsize)crop->width * 4);
    for (int y = 0; y < crop->height; y++) {
        const GeglRectangle *line = GEGL_RECTANGLE(crop->x, crop->y + y, crop->width, 1);
        gegl_buffer_get(picture, line, 1, format, row, GEGL_AUTO_ROWSTRIDE, GEGL_ABYSS_NONE);
        const guint8 *mask = spot->mask + (gsize)(crop->y + y) * spot->place.width + crop->x;
        for (int x = 0; x < crop->width; x++) {
            float alpha = mask[x] / 255.0f;
            for (int c = 0; spot->matte && c < 3; c++)
                row[x * 4 + c] = without_white(row[x * 4 + c], alpha);
            row[x * 4 + 3] = alpha;
        }
        gegl_buffer_set(target, GEGL_RECTANGLE(0, y, crop->width, 1), 0, format, row,
                        GEGL_AUTO_ROWSTRIDE);
    }
}

GeglBuffer *pen_insert_render(PenSpot *spot, GdkPixbuf *picture, const Babl *format,
                              GeglRectangle *area, GError **error)
{
    if (!pen_spot_load_mask(spot, error))
        return NULL;
    const PenPlace *place = &spot->place;
    GeglRectangle whole = { place->x, place->y, place->width, place->height };
    GeglRectangle shown = whole;
    if (spot->mask) {
        shown = pen_mask_bounds(spot->mask, place->width, place->height);
        shown.x += place->x;
        shown.y += place->y;
    }
    if (!gegl_rectangle_intersect(area, &shown, &spot->bounds) || !area->width || !area->height) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    _("The picture's place lies outside the image, which has changed since. Choose "
                      "“A new image”, or open the picture as an image."));
        return NULL;
    }
    GeglRectangle crop = { area->x - place->x, area->y - place->y, area->width, area->height };
    g_autoptr(GeglBuffer) scaled = scale(picture, place->width, place->height);
    GeglBuffer *target = gegl_buffer_new(GEGL_RECTANGLE(0, 0, crop.width, crop.height), format);
    if (spot->mask)
        mask_rows(scaled, spot, &crop, target);
    else
        gegl_buffer_copy(scaled, &crop, GEGL_ABYSS_NONE, target,
                         GEGL_RECTANGLE(0, 0, crop.width, crop.height));
    return target;
}

/* --- warming up ------------------------------------------------------------------------------ */

/* babl looks for the best way between two formats when it first converts, which can take a second,
 * and GEGL loads its operations when it first needs one. Both remember. */
static gpointer warm(gpointer data)
{
    static const int sides[] = { 8, 16, 4 }; /* as it is, larger and smaller */
    g_autoptr(GdkPixbuf) picture = gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, 8, 8);
    gdk_pixbuf_fill(picture, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(sides); i++) {
        for (int masked = 0; masked < 2; masked++) {
            int side = sides[i];
            guint8 rgba[16 * 16 * 4];
            GeglRectangle area;
            PenSpot spot = { .place = { .width = side, .height = side },
                             .bounds = { 0, 0, side, side } };
            if (masked) {
                spot.mask = g_malloc((gsize)side * side);
                memset(spot.mask, 255, (gsize)side * side);
            }
            g_autoptr(GeglBuffer) buffer = pen_insert_render(&spot, picture, data, &area, NULL);
            gegl_buffer_get(buffer, &area, 1, babl_format("R'G'B'A u8"), rgba, GEGL_AUTO_ROWSTRIDE,
                            GEGL_ABYSS_NONE);
            g_free(spot.mask);
        }
    }
    return NULL;
}

void pen_insert_warm(GimpImage *image)
{
    static const Babl *warmed;
    if (!image || gimp_image_get_base_type(image) == GIMP_INDEXED)
        return;
    const Babl *format = pen_image_layer_format(image);
    if (!format || format == warmed)
        return;
    warmed = format;
    g_thread_unref(g_thread_new("penchant-warm", warm, (gpointer)format));
}

/* --- inserting ------------------------------------------------------------------------------- */

typedef struct {
    GimpImage *image;
    PenSpot *spot;
    GdkPixbuf *picture;
    char *name;
    const Babl *format;
    GeglBuffer *rendered;
    GeglRectangle area; /* of the image */
    GimpLayer *layer;   /* not yet in the image, or NULL */
} Insert;

static void insert_free(gpointer data)
{
    Insert *insert = data;
    if (insert->layer && gimp_item_is_valid(GIMP_ITEM(insert->layer)))
        gimp_item_delete(GIMP_ITEM(insert->layer));
    pen_spot_free(insert->spot);
    g_object_unref(insert->picture);
    g_free(insert->name);
    g_clear_object(&insert->rendered);
    g_free(insert);
}

static void fail(GTask *task)
{
    GError *error = NULL;
    pen_image_set_error(&error);
    g_task_return_error(task, error);
    g_object_unref(task);
}

/* Above which layer: NULL for the top. */
static GimpItem *find_below(const Insert *insert)
{
    GimpLayer *layer = NULL;
    if (insert->spot->place.layer)
        layer = gimp_image_get_layer_by_tattoo(insert->image, (guint)insert->spot->place.layer);
    g_autofree GimpLayer **selected = gimp_image_get_selected_layers(insert->image);
    if (!layer && selected)
        layer = selected[0];
    return layer ? GIMP_ITEM(layer) : NULL;
}

static void on_filled(GObject *source, GAsyncResult *result, gpointer data)
{
    GTask *task = data;
    Insert *insert = g_task_get_task_data(task);
    GError *error = NULL;
    if (!pen_transfer_finish(result, &error)) {
        g_task_return_error(task, error);
        g_object_unref(task);
        return;
    }
    if (!gimp_image_is_valid(insert->image)) {
        fail(task);
        return;
    }
    gimp_drawable_update(GIMP_DRAWABLE(insert->layer), 0, 0, insert->area.width,
                         insert->area.height);
    /* -1 with its parent would be the top, so ask for the position. */
    GimpItem *below = find_below(insert);
    GimpItem *parent = below ? gimp_item_get_parent(below) : NULL;
    int position = below ? gimp_image_get_item_position(insert->image, below) : 0;
    /* Placed first, so that nobody sees it elsewhere. */
    gboolean inserted = gimp_layer_set_offsets(insert->layer, insert->area.x, insert->area.y) &&
                        gimp_image_insert_layer(insert->image, insert->layer,
                                                parent ? GIMP_LAYER(parent) : NULL, position);
    if (!inserted) {
        fail(task);
        return;
    }
    gimp_displays_flush();
    g_task_return_pointer(task, g_steal_pointer(&insert->layer), NULL);
    g_object_unref(task);
}

static void on_rendered(GObject *source, GAsyncResult *result, gpointer data)
{
    GTask *task = data;
    Insert *insert = g_task_get_task_data(task);
    GError *error = NULL;
    insert->rendered = g_task_propagate_pointer(G_TASK(result), &error);
    if (!insert->rendered) {
        g_task_return_error(task, error);
        g_object_unref(task);
        return;
    }
    if (gimp_image_is_valid(insert->image))
        insert->layer = gimp_layer_new(insert->image, insert->name, insert->area.width,
                                       insert->area.height, pen_image_layer_type(insert->image),
                                       100, gimp_image_get_default_new_layer_mode(insert->image));
    if (!insert->layer) {
        fail(task);
        return;
    }
    g_autoptr(GeglBuffer) target = gimp_drawable_get_buffer(GIMP_DRAWABLE(insert->layer));
    pen_transfer_async(insert->rendered, gegl_buffer_get_extent(insert->rendered), GEGL_ABYSS_NONE,
                       target, 0, 0, NULL, on_filled, task);
}

static void render(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Insert *insert = data;
    GError *error = NULL;
    GeglBuffer *rendered =
        pen_insert_render(insert->spot, insert->picture, insert->format, &insert->area, &error);
    if (rendered)
        g_task_return_pointer(task, rendered, g_object_unref);
    else
        g_task_return_error(task, error);
}

static void start_rendering(GTask *task)
{
    g_autoptr(GTask) thread = g_task_new(NULL, NULL, on_rendered, task);
    g_task_set_task_data(thread, g_task_get_task_data(task), NULL);
    g_task_run_in_thread(thread, render);
}

/* A place on the selection of now has a mask that must be read first. */
static void on_mask(GObject *source, GAsyncResult *result, gpointer data)
{
    GTask *task = data;
    Insert *insert = g_task_get_task_data(task);
    GError *error = NULL;
    g_autoptr(PenSpotStart) start = pen_spot_read_finish(result, &error);
    if (!start) {
        g_task_return_error(task, error);
        g_object_unref(task);
        return;
    }
    insert->spot = g_steal_pointer(&start->spot);
    start_rendering(task);
}

void pen_insert_async(GimpImage *image, PenSpot *spot, GdkPixbuf *picture, const char *name,
                      GAsyncReadyCallback callback, gpointer data)
{
    Insert *insert = g_new0(Insert, 1);
    insert->image = image;
    insert->spot = spot;
    insert->picture = g_object_ref(picture);
    insert->name = g_strdup(name);
    GTask *task = g_task_new(NULL, NULL, callback, data);
    g_task_set_task_data(task, insert, insert_free);
    insert->format = pen_image_layer_format(image);
    if (!insert->format) {
        fail(task);
        return;
    }
    if (pen_spot_needs_mask(spot))
        pen_spot_read_async(g_steal_pointer(&insert->spot), image, 0, 0, NULL, on_mask, task);
    else
        start_rendering(task);
}

GimpLayer *pen_insert_finish(GAsyncResult *result, PenSpot **spot, GError **error)
{
    Insert *insert = g_task_get_task_data(G_TASK(result));
    GimpLayer *layer = g_task_propagate_pointer(G_TASK(result), error);
    if (spot && layer)
        *spot = g_steal_pointer(&insert->spot);
    return layer;
}

/* --- as an image ----------------------------------------------------------------------------- */

static void on_inserted(GObject *source, GAsyncResult *result, gpointer data)
{
    GTask *task = data;
    GimpImage *image = g_task_get_task_data(task);
    GError *error = NULL;
    if (!pen_insert_finish(result, NULL, &error)) {
        gimp_image_delete(image);
        g_task_return_error(task, error);
    } else {
        gimp_image_undo_enable(image);
        g_task_return_pointer(task, image, NULL);
    }
    g_object_unref(task);
}

void pen_insert_as_image_async(GdkPixbuf *picture, const char *name, GAsyncReadyCallback callback,
                               gpointer data)
{
    int width = gdk_pixbuf_get_width(picture), height = gdk_pixbuf_get_height(picture);
    GTask *task = g_task_new(NULL, NULL, callback, data);
    GimpImage *image = gimp_image_new(width, height, GIMP_RGB);
    if (!image) {
        fail(task);
        return;
    }
    g_task_set_task_data(task, image, NULL);
    gimp_image_undo_disable(image);
    pen_insert_async(image, pen_spot_find_for_picture(image, width, height, PEN_FIT_OWN, 0, 0),
                     picture, name, on_inserted, task);
}

GimpImage *pen_insert_as_image_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
