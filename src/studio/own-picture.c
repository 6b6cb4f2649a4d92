// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/own-picture.h"

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/formats/png.h"

/* Candidates of a picture's round: itself and those that lose to it. */
#define CANDIDATES 4

/* Larger pictures are refused before they are read. */
#define MAX_PIXELS (64 * 1000 * 1000)

/* Longer and narrower ones lose their ends. */
#define MAX_ASPECT 2.0

PenOwnPicture *pen_own_picture_new(const char *name, const char *prompt)
{
    PenOwnPicture *picture = g_new0(PenOwnPicture, 1);
    picture->name = g_strdup(name);
    picture->prompt = g_strdup(prompt);
    return picture;
}

void pen_own_picture_free(PenOwnPicture *picture)
{
    if (!picture)
        return;
    g_free(picture->name);
    g_free(picture->prompt);
    g_free(picture->rgb);
    g_free(picture);
}

/* --- a folder --------------------------------------------------------------------------------- */

static gboolean is_picture(const char *name)
{
    g_autofree char *type = g_content_type_guess(name, NULL, 0, NULL);
    g_autofree char *mime = type ? g_content_type_get_mime_type(type) : NULL;
    return *name != '.' && mime && g_str_has_prefix(mime, "image/");
}

static char *without_ending(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? g_strndup(name, (gsize)(dot - name)) : g_strdup(name);
}

/* One line without space around or doubled inside. */
static char *one_line(char *text)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \t\r\n", -1);
    g_autoptr(GString) line = g_string_new(NULL);
    for (char **word = words; *word; word++)
        if (**word)
            g_string_append_printf(line, "%s%s", line->len ? " " : "", *word);
    g_free(text);
    return g_string_free(g_steal_pointer(&line), FALSE);
}

static char *caption(const char *folder, const char *name)
{
    g_autofree char *stem = without_ending(name);
    g_autofree char *beside = g_strconcat(folder, G_DIR_SEPARATOR_S, stem, ".txt", NULL);
    char *text = NULL;
    if (g_file_get_contents(beside, &text, NULL, NULL)) {
        char *valid = g_utf8_make_valid(text, -1);
        g_free(text);
        return one_line(valid);
    }
    g_autofree char *display = g_filename_display_name(stem);
    return one_line(g_strdelimit(g_strdup(display), "_-.,()[]{}#0123456789", ' '));
}

static int by_name(gconstpointer a, gconstpointer b)
{
    const PenOwnPicture *x = *(const PenOwnPicture *const *)a,
                        *y = *(const PenOwnPicture *const *)b;
    return strcmp(x->name, y->name);
}

GPtrArray *pen_own_pictures_of_folder(const char *folder, const char *prompt, GError **error)
{
    g_autoptr(GError) inner = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &inner);
    g_autofree char *shown = g_filename_display_name(folder);
    if (!dir) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("The folder %s cannot be read: %s"), shown, inner->message);
        return NULL;
    }
    g_autoptr(GPtrArray) pictures =
        g_ptr_array_new_with_free_func((GDestroyNotify)pen_own_picture_free);
    const char *name;
    while ((name = g_dir_read_name(dir))) {
        if (!is_picture(name))
            continue;
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_autofree char *text = prompt ? g_strdup(prompt) : caption(folder, name);
        g_ptr_array_add(pictures, pen_own_picture_new(path, text));
    }
    if (!pictures->len) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING,
                    _("There are no pictures in %s. Put pictures that you like there, or choose "
                      "another folder."),
                    shown);
        return NULL;
    }
    g_ptr_array_sort(pictures, by_name);
    return g_steal_pointer(&pictures);
}

/* --- pixels ----------------------------------------------------------------------------------- */

static GdkPixbuf *read_png(const char *path, GError **error)
{
    g_autoptr(PenPng) png = pen_png_read(path, error);
    if (!png)
        return NULL;
    g_autoptr(GBytes) bytes =
        g_bytes_new_take(g_steal_pointer(&png->rgba), (gsize)png->width * png->height * 4);
    return gdk_pixbuf_new_from_bytes(bytes, GDK_COLORSPACE_RGB, TRUE, 8, (int)png->width,
                                     (int)png->height, (int)png->width * 4);
}

/* Our own reader knows what a PNG says of its colours; gdk-pixbuf knows the other formats. */
static GdkPixbuf *read_file(const char *path, GError **error)
{
    int width = 0, height = 0;
    GdkPixbufFormat *format = gdk_pixbuf_get_file_info(path, &width, &height);
    g_autofree char *name = format ? gdk_pixbuf_format_get_name(format) : NULL;
    if (g_strcmp0(name, "png") == 0)
        return read_png(path, error);
    if (format && (gint64)width * height > MAX_PIXELS) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("it has more than %d million pixels"), MAX_PIXELS / 1000000);
        return NULL;
    }
    g_autoptr(GdkPixbuf) pixbuf = gdk_pixbuf_new_from_file(path, error);
    return pixbuf ? gdk_pixbuf_apply_embedded_orientation(pixbuf) : NULL;
}

static GdkPixbuf *to_pixbuf(const PenOwnPicture *picture, GError **error)
{
    if (!picture->rgb)
        return read_file(picture->name, error);
    g_autoptr(GBytes) bytes =
        g_bytes_new(picture->rgb, (gsize)picture->width * picture->height * 3);
    return gdk_pixbuf_new_from_bytes(bytes, GDK_COLORSPACE_RGB, FALSE, 8, (int)picture->width,
                                     (int)picture->height, (int)picture->width * 3);
}

/* As many pixels as the model was trained on, in the picture's shape, as far as that is usual. */
static void find_size(const PenModelInfo *model, const GdkPixbuf *pixbuf, guint *width,
                      guint *height)
{
    double aspect = (double)gdk_pixbuf_get_width(pixbuf) / gdk_pixbuf_get_height(pixbuf);
    double root = sqrt(CLAMP(aspect, 1 / MAX_ASPECT, MAX_ASPECT));
    guint grid = MAX(model->multiple, model->size >= 256 ? 64 : model->multiple);
    *width = (guint)MAX(lround(model->size * root / grid), 1) * grid;
    *height = (guint)MAX(lround(model->size / root / grid), 1) * grid;
}

/* The middle of the picture, covering that size, over white. */
static guint8 *fit(const GdkPixbuf *pixbuf, guint width, guint height)
{
    int w = gdk_pixbuf_get_width(pixbuf), h = gdk_pixbuf_get_height(pixbuf);
    double scale = MAX((double)width / w, (double)height / h);
    g_autoptr(GdkPixbuf) page =
        gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, (int)width, (int)height);
    gdk_pixbuf_fill(page, 0xffffffff);
    gdk_pixbuf_composite(pixbuf, page, 0, 0, (int)width, (int)height, (width - w * scale) / 2,
                         (height - h * scale) / 2, scale, scale,
                         scale == 1 ? GDK_INTERP_NEAREST : GDK_INTERP_BILINEAR, 255);
    guint8 *rgb = g_new(guint8, (gsize)width * height * 3);
    for (guint y = 0; y < height; y++)
        memcpy(rgb + (gsize)y * width * 3,
               gdk_pixbuf_read_pixels(page) + (gsize)y * gdk_pixbuf_get_rowstride(page),
               (gsize)width * 3);
    return rgb;
}

char *pen_own_picture_hash(const guint8 *rgb, guint width, guint height, const char *prompt)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *head = g_strdup_printf("%ux%u %s", width, height, prompt);
    g_checksum_update(sum, (const guchar *)head, (gssize)strlen(head) + 1);
    g_checksum_update(sum, rgb, (gssize)width * height * 3);
    return g_strdup(g_checksum_get_string(sum));
}

/* --- the rounds ------------------------------------------------------------------------------- */

typedef struct {
    PenStudio *studio;
    gint64 style;
    GPtrArray *pictures;
    guint next;
    PenModelInfo *model;
    PenStudioEventFunc event;
    gpointer event_data;
    PenOwnPicturesResult done;
} Course;

static void course_free(gpointer data)
{
    Course *course = data;
    g_ptr_array_unref(course->pictures);
    pen_model_info_free(course->model);
    g_free(course);
}

static void go_on(GTask *task);

static void on_event(const PenStudioEvent *event, gpointer user_data)
{
    Course *course = g_task_get_task_data(user_data);
    PenStudioEvent whole = *event;
    if (event->kind == PEN_STUDIO_PROGRESS) {
        whole.fraction = (course->next - 1 + event->fraction) / course->pictures->len;
        whole.seconds_left = -1;
    }
    if (course->event)
        course->event(&whole, course->event_data);
}

static void leave_out(Course *course, const PenOwnPicture *picture, const GError *why)
{
    g_autofree char *shown = g_filename_display_name(picture->name);
    g_autofree char *text =
        g_strdup_printf(_("%s was left out, since it cannot be read: %s"), shown, why->message);
    course->done.failed++;
    if (course->event)
        course->event(&(PenStudioEvent){ .kind = PEN_STUDIO_WARNING, .text = text },
                      course->event_data);
}

static void on_round(GObject *source G_GNUC_UNUSED, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Course *course = g_task_get_task_data(task);
    GError *error = NULL;
    g_autoptr(PenRoundResult) made = pen_studio_generate_finish(course->studio, result, &error);
    const int ranks[CANDIDATES] = { 1 };
    if (!made || !pen_store_add_pick(pen_studio_store(course->studio), made->round, ranks,
                                     CANDIDATES, &error)) {
        g_task_return_error(task, error);
        return;
    }
    course->done.learnt++;
    go_on(g_steal_pointer(&task));
}

/* TRUE where its round is being made, or the task has failed; FALSE: on to the next. */
static gboolean begin(GTask *task, const PenOwnPicture *picture)
{
    Course *course = g_task_get_task_data(task);
    g_autoptr(GError) why = NULL;
    g_autoptr(GdkPixbuf) pixbuf = to_pixbuf(picture, &why);
    if (!pixbuf) {
        leave_out(course, picture, why);
        return FALSE;
    }
    PenRoundRequest request = PEN_ROUND_REQUEST_INIT;
    request.prompt = picture->prompt;
    request.as_is = TRUE;
    request.words = TRUE; /* a caption is no notation */
    request.style = course->style;
    request.without_style = TRUE;
    request.count = CANDIDATES;
    find_size(course->model, pixbuf, &request.width, &request.height);
    g_autofree guint8 *rgb = fit(pixbuf, request.width, request.height);
    request.own_rgb = rgb;
    g_autofree char *hash =
        pen_own_picture_hash(rgb, request.width, request.height, picture->prompt);
    /* The same picture is learnt against the same others. */
    g_autofree char *digits = g_strndup(hash, 13);
    request.has_seed = TRUE;
    request.seed = g_ascii_strtoull(digits, NULL, 16);
    GError *error = NULL;
    int known =
        pen_store_has_own_picture(pen_studio_store(course->studio), course->style, hash, &error);
    if (known < 0) {
        g_task_return_error(task, error);
        return TRUE;
    }
    if (known) {
        course->done.known++;
        return FALSE;
    }
    pen_studio_generate_async(course->studio, &request, on_event, task,
                              g_task_get_cancellable(task), on_round, g_object_ref(task));
    return TRUE;
}

/* Takes the task over. */
static void go_on(GTask *task)
{
    g_autoptr(GTask) held = task;
    Course *course = g_task_get_task_data(task);
    while (course->next < course->pictures->len) {
        if (g_task_return_error_if_cancelled(task) ||
            begin(task, course->pictures->pdata[course->next++]))
            return;
    }
    if (course->done.failed == course->pictures->len)
        g_task_return_new_error(task, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING,
                                _("None of the pictures could be read, so nothing was learnt."));
    else
        g_task_return_boolean(task, TRUE);
}

void pen_studio_learn_pictures_async(PenStudio *studio, gint64 style, GPtrArray *pictures,
                                     PenStudioEventFunc event, gpointer event_data,
                                     GCancellable *cancellable, GAsyncReadyCallback callback,
                                     gpointer user_data)
{
    GTask *task = g_task_new(NULL, cancellable, callback, user_data);
    Course *course = g_new0(Course, 1);
    g_task_set_source_tag(task, pen_studio_learn_pictures_async);
    g_task_set_task_data(task, course, course_free);
    course->studio = studio;
    course->style = style;
    course->pictures = g_ptr_array_ref(pictures);
    course->event = event;
    course->event_data = event_data;
    GError *error = NULL;
    course->model = pen_studio_model_info(studio, NULL, style, &error);
    if (course->model) {
        go_on(task);
        return;
    }
    g_task_return_error(task, error);
    g_object_unref(task);
}

gboolean pen_studio_learn_pictures_finish(PenStudio *studio G_GNUC_UNUSED, GAsyncResult *result,
                                          PenOwnPicturesResult *done, GError **error)
{
    *done = ((Course *)g_task_get_task_data(G_TASK(result)))->done;
    return g_task_propagate_boolean(G_TASK(result), error);
}
