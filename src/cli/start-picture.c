// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/cli/start-picture.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/formats/png.h"

#define MULTIPLE 8

static guint padded(guint side)
{
    return (side + MULTIPLE - 1) / MULTIPLE * MULTIPLE;
}

/* Over white, which is what a canvas without paint looks like. */
static guint8 over_white(guint8 value, guint8 alpha)
{
    return (guint8)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

/* The pixel of a picture that stands at (x, y) of the padded one. */
static const guint8 *pixel(const PenPng *png, guint x, guint y)
{
    gsize row = MIN(y, png->height - 1), column = MIN(x, png->width - 1);
    return png->rgba + 4 * (row * png->width + column);
}

static gboolean read_mask(PenStartPicture *start, PenRoundRequest *request, const char *file,
                          GError **error)
{
    g_autoptr(PenPng) white = pen_png_read(file, error);
    if (!white)
        return FALSE;
    if (white->width != start->width || white->height != start->height)
        return pen_cli_usage_error(
            error, _("%s is %ux%u pixels, and the picture %ux%u: the mask must have its size."),
            file, white->width, white->height, start->width, start->height);
    guint8 *to = start->mask = g_new(guint8, (gsize)request->width * request->height);
    for (guint y = 0; y < request->height; y++)
        for (guint x = 0; x < request->width; x++) {
            const guint8 *p = pixel(white, x, y);
            *to++ = (guint8)(p[0] * p[3] / 255);
        }
    request->start_mask = start->mask;
    return TRUE;
}

gboolean pen_start_picture_read(PenStartPicture *start, PenRoundRequest *request, const char *file,
                                const char *mask, GError **error)
{
    g_autoptr(PenPng) picture = pen_png_read(file, error);
    if (!picture)
        return FALSE;
    guint width = padded(picture->width), height = padded(picture->height);
    if ((request->width && request->width != width) ||
        (request->height && request->height != height))
        return pen_cli_usage_error(error,
                                   _("%s is %ux%u pixels: scale it to the size that is wanted, or "
                                     "leave --width and --height away."),
                                   file, picture->width, picture->height);
    start->width = picture->width;
    start->height = picture->height;
    request->width = width;
    request->height = height;
    guint8 *to = start->rgb = g_new(guint8, 3 * (gsize)width * height);
    for (guint y = 0; y < height; y++)
        for (guint x = 0; x < width; x++) {
            const guint8 *p = pixel(picture, x, y);
            for (guint c = 0; c < 3; c++)
                *to++ = over_white(p[c], p[3]);
        }
    request->start_rgb = start->rgb;
    return !mask || read_mask(start, request, mask, error);
}

void pen_start_picture_clear(PenStartPicture *start)
{
    g_clear_pointer(&start->rgb, g_free);
    g_clear_pointer(&start->mask, g_free);
}

/* The store's files are for the artist alone; a copy has the mode of any file made here. */
static gboolean copy_file(const char *source, const char *target, GError **error)
{
    g_autoptr(GBytes) content = pen_file_map(source, G_MAXUINT64, error);
    g_autoptr(PenFileWriter) file = content ? pen_file_writer_new(target, error) : NULL;
    return file &&
           pen_file_writer_write(file, g_bytes_get_data(content, NULL), g_bytes_get_size(content),
                                 error) &&
           pen_file_writer_commit(file, error);
}

static gboolean copy_cropped(const PenStartPicture *start, const char *source, const char *target,
                             GError **error)
{
    g_autoptr(PenPng) made = pen_png_read(source, error);
    if (!made)
        return FALSE;
    g_autofree guint8 *rgb = g_new(guint8, 3 * (gsize)start->width * start->height);
    guint8 *to = rgb;
    for (guint y = 0; y < start->height; y++)
        for (guint x = 0; x < start->width; x++, to += 3)
            memcpy(to, pixel(made, x, y), 3);
    return pen_png_write(target, rgb, start->width, start->height, 3, 0,
                         (const PenPngText *)(gpointer)made->texts->data, made->texts->len, error);
}

gboolean pen_start_picture_copy(const PenStartPicture *start, const char *source,
                                const char *target, GError **error)
{
    g_autoptr(GError) inner = NULL;
    gboolean whole = start->width == padded(start->width) && start->height == padded(start->height);
    if (whole ? copy_file(source, target, &inner) : copy_cropped(start, source, target, &inner))
        return TRUE;
    g_set_error(error, inner->domain, inner->code,
                _("%s could not be written (%s); the picture is kept in %s."), target,
                inner->message, source);
    return FALSE;
}
