// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/image.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <math.h>

#define NAME_MAX_CHARS 60

static void init(void)
{
    static gsize done;
    if (g_once_init_enter(&done)) {
        gegl_init(NULL, NULL);
        g_once_init_leave(&done, 1);
    }
}

void pen_spot_free(PenSpot *spot)
{
    if (!spot)
        return;
    g_free(spot->mask);
    g_free(spot);
}

/* GIMP's own message about the call that has just failed. */
static void set_gimp_error(GError **error)
{
    const char *message = gimp_pdb_get_last_error(gimp_get_pdb());
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, _("GIMP refused: %s"),
                message && *message ? message : _("the image may have been closed"));
}

/* Straight RGBA bytes in sRGB, whatever the buffer's own format is. */
static guint8 *read_rgba(GeglBuffer *buffer, const GeglRectangle *area)
{
    guint8 *rgba = g_malloc((gsize)area->width * area->height * 4);
    gegl_buffer_get(buffer, area, 1, babl_format("R'G'B'A u8"), rgba, GEGL_AUTO_ROWSTRIDE,
                    GEGL_ABYSS_NONE);
    return rgba;
}

/* The mask of a spot from the image's selection. */
static void read_mask(GimpImage *image, PenSpot *spot)
{
    init();
    GimpSelection *selection = gimp_image_get_selection(image);
    g_autoptr(GeglBuffer) buffer = gimp_drawable_get_buffer(GIMP_DRAWABLE(selection));
    GeglRectangle area = { spot->x, spot->y, spot->width, spot->height };
    spot->mask = g_malloc((gsize)spot->width * spot->height);
    gegl_buffer_get(buffer, &area, 1, babl_format("Y u8"), spot->mask, GEGL_AUTO_ROWSTRIDE,
                    GEGL_ABYSS_NONE);
}

PenSpot *pen_image_find_spot(GimpImage *image, PenFrom from, GError **error)
{
    g_autoptr(PenSpot) spot = g_new0(PenSpot, 1);
    spot->image = gimp_image_get_id(image);
    if (from == PEN_FROM_LAYER) {
        g_autofree GimpLayer **layers = gimp_image_get_selected_layers(image);
        if (!layers || !layers[0]) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        _("No layer is selected. Select one, or start from text alone."));
            return NULL;
        }
        GimpDrawable *drawable = GIMP_DRAWABLE(layers[0]);
        gimp_drawable_get_offsets(drawable, &spot->x, &spot->y);
        spot->width = gimp_drawable_get_width(drawable);
        spot->height = gimp_drawable_get_height(drawable);
        return g_steal_pointer(&spot);
    }

    gboolean selected = FALSE;
    int x1, y1, x2, y2;
    if (!gimp_selection_bounds(image, &selected, &x1, &y1, &x2, &y2)) {
        set_gimp_error(error);
        return NULL;
    }
    if (!selected) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    _("Nothing is selected. Select what should change, or start from text alone."));
        return NULL;
    }
    /* Half as much again on each side lets the model see what the change must fit to. */
    int width = gimp_image_get_width(image), height = gimp_image_get_height(image);
    int dx = (x2 - x1) / 2, dy = (y2 - y1) / 2;
    spot->x = MAX(x1 - dx, 0);
    spot->y = MAX(y1 - dy, 0);
    spot->width = MIN(x2 + dx, width) - spot->x;
    spot->height = MIN(y2 + dy, height) - spot->y;
    read_mask(image, spot);
    return g_steal_pointer(&spot);
}

GdkPixbuf *pen_image_read_spot(GimpImage *image, PenFrom from, const PenSpot *spot, int width,
                               int height, guint8 **mask, GError **error)
{
    init();
    *mask = NULL;
    guint8 *rgba = NULL;
    if (from == PEN_FROM_LAYER) {
        g_autofree GimpLayer **layers = gimp_image_get_selected_layers(image);
        if (!layers || !layers[0]) {
            set_gimp_error(error);
            return NULL;
        }
        g_autoptr(GeglBuffer) buffer = gimp_drawable_get_buffer(GIMP_DRAWABLE(layers[0]));
        rgba = read_rgba(buffer, GEGL_RECTANGLE(0, 0, spot->width, spot->height));
    } else {
        /* What is seen: a layer of its own, never inserted. */
        GimpLayer *visible = gimp_layer_new_from_visible(image, image, "Penchant");
        if (!visible) {
            set_gimp_error(error);
            return NULL;
        }
        int x, y;
        gimp_drawable_get_offsets(GIMP_DRAWABLE(visible), &x, &y);
        g_autoptr(GeglBuffer) buffer = gimp_drawable_get_buffer(GIMP_DRAWABLE(visible));
        rgba =
            read_rgba(buffer, GEGL_RECTANGLE(spot->x - x, spot->y - y, spot->width, spot->height));
        gimp_item_delete(GIMP_ITEM(visible));
    }

    /* Transparency becomes white: the model knows nothing else. */
    g_autoptr(GBytes) bytes = g_bytes_new_take(rgba, (gsize)spot->width * spot->height * 4);
    g_autoptr(GdkPixbuf) full = gdk_pixbuf_new_from_bytes(
        bytes, GDK_COLORSPACE_RGB, TRUE, 8, spot->width, spot->height, spot->width * 4);
    GdkPixbuf *scaled = gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, width, height);
    gdk_pixbuf_fill(scaled, 0xffffffff);
    gdk_pixbuf_composite(full, scaled, 0, 0, width, height, 0, 0, (double)width / spot->width,
                         (double)height / spot->height, GDK_INTERP_BILINEAR, 255);

    if (spot->mask) {
        g_autoptr(GdkPixbuf) grey =
            gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, spot->width, spot->height);
        guint8 *pixels = gdk_pixbuf_get_pixels(grey);
        int stride = gdk_pixbuf_get_rowstride(grey);
        for (int y = 0; y < spot->height; y++) {
            for (int x = 0; x < spot->width; x++)
                memset(pixels + (gsize)y * stride + x * 3, spot->mask[(gsize)y * spot->width + x],
                       3);
        }
        g_autoptr(GdkPixbuf) small =
            gdk_pixbuf_scale_simple(grey, width, height, GDK_INTERP_BILINEAR);
        pixels = gdk_pixbuf_get_pixels(small);
        stride = gdk_pixbuf_get_rowstride(small);
        *mask = g_malloc((gsize)width * height);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++)
                (*mask)[(gsize)y * width + x] = pixels[(gsize)y * stride + x * 3];
        }
    }
    return scaled;
}

void pen_image_fit(double width_over_height, guint size, guint multiple, guint *width,
                   guint *height)
{
    double shape = CLAMP(width_over_height, 0.25, 4);
    guint step = MAX(multiple, 1);
    *width = MAX((guint)lround(size * sqrt(shape) / step), 1) * step;
    *height = MAX((guint)lround(size / sqrt(shape) / step), 1) * step;
}

static GimpImageType layer_type(GimpImage *image)
{
    switch (gimp_image_get_base_type(image)) {
    case GIMP_GRAY:
        return GIMP_GRAYA_IMAGE;
    case GIMP_INDEXED:
        return GIMP_INDEXEDA_IMAGE;
    default:
        return GIMP_RGBA_IMAGE;
    }
}

/* `picture` as width x height pixels; where there is a mask, it becomes the alpha. Calls no GIMP.
 */
static GeglBuffer *render(GdkPixbuf *picture, const guint8 *mask, int width, int height,
                          const Babl *format)
{
    int pw = gdk_pixbuf_get_width(picture), ph = gdk_pixbuf_get_height(picture);
    g_autoptr(GeglBuffer) source =
        gegl_buffer_new(GEGL_RECTANGLE(0, 0, pw, ph), babl_format("R'G'B' u8"));
    gegl_buffer_set(source, NULL, 0, babl_format("R'G'B' u8"), gdk_pixbuf_get_pixels(picture),
                    gdk_pixbuf_get_rowstride(picture));

    g_autoptr(GeglBuffer) scaled = NULL;
    if (pw == width && ph == height) {
        scaled = g_object_ref(source);
    } else {
        scaled = gegl_buffer_new(GEGL_RECTANGLE(0, 0, width, height), babl_format("RGB float"));
        GeglNode *graph = gegl_node_new();
        GeglNode *in =
            gegl_node_new_child(graph, "operation", "gegl:buffer-source", "buffer", source, NULL);
        GeglNode *scale = gegl_node_new_child(
            graph, "operation", "gegl:scale-size", "x", (double)width, "y", (double)height,
            "sampler", GEGL_SAMPLER_CUBIC, "abyss-policy", GEGL_ABYSS_CLAMP, NULL);
        GeglNode *out =
            gegl_node_new_child(graph, "operation", "gegl:write-buffer", "buffer", scaled, NULL);
        gegl_node_link_many(in, scale, out, NULL);
        gegl_node_process(out);
        g_object_unref(graph);
    }

    GeglBuffer *target = gegl_buffer_new(GEGL_RECTANGLE(0, 0, width, height), format);
    if (!mask) {
        gegl_buffer_copy(scaled, NULL, GEGL_ABYSS_NONE, target, NULL);
        return target;
    }
    /* A row at a time: colour from the picture, alpha from the mask. */
    g_autofree float *row = g_new(float, (gsize)width * 4);
    for (int y = 0; y < height; y++) {
        const GeglRectangle *line = GEGL_RECTANGLE(0, y, width, 1);
        gegl_buffer_get(scaled, line, 1, babl_format("RGBA float"), row, GEGL_AUTO_ROWSTRIDE,
                        GEGL_ABYSS_NONE);
        for (int x = 0; x < width; x++)
            row[x * 4 + 3] = mask[(gsize)y * width + x] / 255.0f;
        gegl_buffer_set(target, line, 0, babl_format("RGBA float"), row, GEGL_AUTO_ROWSTRIDE);
    }
    return target;
}

static void fill_layer(GimpLayer *layer, GdkPixbuf *picture, const guint8 *mask, int width,
                       int height)
{
    init();
    g_autoptr(GeglBuffer) rendered =
        render(picture, mask, width, height, gimp_drawable_get_format(GIMP_DRAWABLE(layer)));
    g_autoptr(GeglBuffer) target = gimp_drawable_get_buffer(GIMP_DRAWABLE(layer));
    gegl_buffer_copy(rendered, NULL, GEGL_ABYSS_NONE, target, NULL);
    gegl_buffer_flush(target);
    gimp_drawable_update(GIMP_DRAWABLE(layer), 0, 0, width, height);
}

/* --- warming up ------------------------------------------------------------------------------ */

/* babl looks for the best way between two formats when it first converts, which can take a second,
 * and GEGL loads its operations when it first needs one. Both remember. */
static gpointer warm(gpointer data)
{
    const Babl *format = data;
    guint8 mask[16 * 16] = { 0 }, rgba[16 * 16 * 4];
    g_autoptr(GdkPixbuf) picture = gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, 8, 8);
    gdk_pixbuf_fill(picture, 0);
    g_autoptr(GeglBuffer) masked = render(picture, mask, 16, 16, format);
    g_autoptr(GeglBuffer) scaled = render(picture, NULL, 16, 16, format);
    g_autoptr(GeglBuffer) whole = render(picture, NULL, 8, 8, format);
    gegl_buffer_get(masked, GEGL_RECTANGLE(0, 0, 16, 16), 1, babl_format("R'G'B'A u8"), rgba,
                    GEGL_AUTO_ROWSTRIDE, GEGL_ABYSS_NONE);
    return NULL;
}

void pen_image_warm(GimpImage *image)
{
    static const Babl *warmed;
    init();
    if (!image)
        return;
    GimpLayer *layer =
        gimp_layer_new(image, "Penchant", 1, 1, layer_type(image), 100, GIMP_LAYER_MODE_NORMAL);
    if (!layer)
        return;
    const Babl *format = gimp_drawable_get_format(GIMP_DRAWABLE(layer));
    gimp_item_delete(GIMP_ITEM(layer));
    if (format == warmed || gimp_image_get_base_type(image) == GIMP_INDEXED)
        return;
    warmed = format;
    g_thread_unref(g_thread_new("penchant-warm", warm, (gpointer)format));
}

/* The corner of a picture that is centred on the selection, or else on the canvas. */
static void centre(GimpImage *image, int width, int height, int *x, int *y)
{
    gboolean selected = FALSE;
    int x1 = 0, y1 = 0, x2 = 0, y2 = 0;
    gimp_selection_bounds(image, &selected, &x1, &y1, &x2, &y2);
    if (!selected) {
        x1 = y1 = 0;
        x2 = gimp_image_get_width(image);
        y2 = gimp_image_get_height(image);
    }
    *x = x1 + (x2 - x1 - width) / 2;
    *y = y1 + (y2 - y1 - height) / 2;
}

GimpLayer *pen_image_insert(GimpImage *image, const PenSpot *spot, GdkPixbuf *picture,
                            const char *name, GError **error)
{
    if (spot && spot->image != gimp_image_get_id(image))
        spot = NULL;
    int width = spot ? spot->width : gdk_pixbuf_get_width(picture);
    int height = spot ? spot->height : gdk_pixbuf_get_height(picture);
    int x, y;
    if (spot) {
        x = spot->x;
        y = spot->y;
    } else {
        centre(image, width, height, &x, &y);
    }

    if (!gimp_image_undo_group_start(image)) {
        set_gimp_error(error);
        return NULL;
    }
    GimpLayer *layer = gimp_layer_new(image, name, width, height, layer_type(image), 100,
                                      gimp_image_get_default_new_layer_mode(image));
    gboolean inserted = FALSE;
    if (layer) {
        fill_layer(layer, picture, spot ? spot->mask : NULL, width, height);
        /* Above the selected layer: -1 with its parent would be the top, so ask for the position.
         */
        g_autofree GimpLayer **selected = gimp_image_get_selected_layers(image);
        GimpItem *above = selected && selected[0] ? GIMP_ITEM(selected[0]) : NULL;
        GimpItem *parent = above ? gimp_item_get_parent(above) : NULL;
        int position = above ? gimp_image_get_item_position(image, above) : 0;
        /* Placed first, so that nobody sees it elsewhere. */
        inserted =
            gimp_layer_set_offsets(layer, x, y) &&
            gimp_image_insert_layer(image, layer, parent ? GIMP_LAYER(parent) : NULL, position);
        if (!inserted)
            gimp_item_delete(GIMP_ITEM(layer));
    }
    if (!inserted)
        set_gimp_error(error);
    gimp_image_undo_group_end(image);
    gimp_displays_flush();
    return inserted ? layer : NULL;
}

GimpImage *pen_image_new(GdkPixbuf *picture, const char *name, GError **error)
{
    int width = gdk_pixbuf_get_width(picture), height = gdk_pixbuf_get_height(picture);
    GimpImage *image = gimp_image_new(width, height, GIMP_RGB);
    if (!image) {
        set_gimp_error(error);
        return NULL;
    }
    gimp_image_undo_disable(image);
    GimpLayer *layer = gimp_layer_new(image, name, width, height, GIMP_RGB_IMAGE, 100,
                                      gimp_image_get_default_new_layer_mode(image));
    if (!layer || !gimp_image_insert_layer(image, layer, NULL, 0)) {
        set_gimp_error(error);
        gimp_image_delete(image);
        return NULL;
    }
    fill_layer(layer, picture, NULL, width, height);
    gimp_image_undo_enable(image);
    return image;
}

char *pen_image_layer_name(const char *prompt)
{
    g_autofree char *line = g_strdup(prompt ? prompt : "");
    g_strdelimit(line, "\n\r\t", ' ');
    g_strstrip(line);
    if (!*line)
        return g_strdup("Penchant");
    if (g_utf8_strlen(line, -1) <= NAME_MAX_CHARS)
        return g_steal_pointer(&line);
    g_autofree char *start = g_utf8_substring(line, 0, NAME_MAX_CHARS - 1);
    return g_strconcat(g_strchomp(start), "…", NULL);
}
