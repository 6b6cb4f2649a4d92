// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/image.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <math.h>

#define NAME_MAX_CHARS 60
#define PARASITE "penchant-image"

void pen_image_init(void)
{
    static gsize done;
    if (g_once_init_enter(&done)) {
        gegl_init(NULL, NULL);
        g_once_init_leave(&done, 1);
    }
}

void pen_image_set_error(GError **error)
{
    const char *message = gimp_pdb_get_last_error(gimp_get_pdb());
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, _("GIMP refused: %s"),
                message && *message ? message : _("the image may have been closed"));
}

char *pen_image_find_identity(GimpImage *image)
{
    GimpParasite *parasite =
        gimp_image_is_valid(image) ? gimp_image_get_parasite(image, PARASITE) : NULL;
    if (!parasite)
        return NULL;
    guint32 size;
    const char *text = gimp_parasite_get_data(parasite, &size);
    g_autofree char *id = g_strndup(text, size);
    gimp_parasite_free(parasite);
    return g_uuid_string_is_valid(id) ? g_steal_pointer(&id) : NULL;
}

char *pen_image_identify(GimpImage *image)
{
    if (!gimp_image_is_valid(image)) /* closed meanwhile */
        return NULL;
    char *id = pen_image_find_identity(image);
    if (id)
        return id;
    id = g_uuid_string_random();
    GimpParasite *parasite =
        gimp_parasite_new(PARASITE, GIMP_PARASITE_PERSISTENT, (guint32)strlen(id) + 1, id);
    /* No step of undo holds a parasite, so the history is none the wiser for missing this one. */
    gboolean changed = gimp_image_is_dirty(image);
    gimp_image_undo_freeze(image);
    gimp_image_attach_parasite(image, parasite);
    gimp_image_undo_thaw(image);
    gimp_parasite_free(parasite);
    if (!changed)
        gimp_image_clean_all(image);
    return id;
}

char *pen_image_label(GimpImage *image)
{
    g_autofree char *name = gimp_image_get_name(image);
    return g_strdup_printf("%s-%d", name ? name : "", gimp_image_get_id(image));
}

GeglRectangle pen_image_layer_bounds(GimpLayer *layer)
{
    GeglRectangle bounds;
    gimp_drawable_get_offsets(GIMP_DRAWABLE(layer), &bounds.x, &bounds.y);
    bounds.width = gimp_drawable_get_width(GIMP_DRAWABLE(layer));
    bounds.height = gimp_drawable_get_height(GIMP_DRAWABLE(layer));
    return bounds;
}

GimpImageType pen_image_layer_type(GimpImage *image)
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

const Babl *pen_image_layer_format(GimpImage *image)
{
    pen_image_init();
    GimpLayer *layer = gimp_layer_new(image, "Penchant", 1, 1, pen_image_layer_type(image), 100,
                                      GIMP_LAYER_MODE_NORMAL);
    if (!layer)
        return NULL;
    const Babl *format = gimp_drawable_get_format(GIMP_DRAWABLE(layer));
    gimp_item_delete(GIMP_ITEM(layer));
    return format;
}

void pen_image_fit(double width_over_height, guint size, guint multiple, guint *width,
                   guint *height)
{
    double shape = CLAMP(width_over_height, 0.25, 4);
    guint step = MAX(multiple, 1);
    *width = MAX((guint)lround(size * sqrt(shape) / step), 1) * step;
    *height = MAX((guint)lround(size / sqrt(shape) / step), 1) * step;
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
