// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/picture.h"

GdkPixbuf *pen_picture_new(const guint8 *rgb, int width, int height)
{
    g_autoptr(GBytes) bytes = g_bytes_new(rgb, (gsize)width * height * 3);
    return gdk_pixbuf_new_from_bytes(bytes, GDK_COLORSPACE_RGB, FALSE, 8, width, height, width * 3);
}

static void picture_free(gpointer picture)
{
    if (picture)
        g_object_unref(picture);
}

GPtrArray *pen_pictures_new(void)
{
    return g_ptr_array_new_with_free_func(picture_free);
}

GPtrArray *pen_pictures_of_round(PenStore *store, gint64 round, GError **error)
{
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, round, error);
    if (!candidates)
        return NULL;
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < candidates->len; i++) {
        const char *file = ((PenCandidate *)candidates->pdata[i])->picture_file;
        g_ptr_array_add(paths, file ? pen_store_path(store, file) : NULL);
    }
    return paths;
}

/* --- reading --------------------------------------------------------------------------------- */

typedef struct {
    GPtrArray *paths;
    int side;
    PenPicturesLoaded loaded;
    gpointer data;
    GDestroyNotify data_free;
} Load;

static void load_free(gpointer data)
{
    Load *load = data;
    g_ptr_array_unref(load->paths);
    if (load->data_free)
        load->data_free(load->data);
    g_free(load);
}

static void run(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Load *load = data;
    GPtrArray *pictures = pen_pictures_new();
    for (guint i = 0; i < load->paths->len && !g_cancellable_is_cancelled(cancellable); i++) {
        const char *path = load->paths->pdata[i];
        GdkPixbuf *picture = NULL;
        if (path && load->side)
            picture = gdk_pixbuf_new_from_file_at_size(path, load->side, load->side, NULL);
        else if (path)
            picture = gdk_pixbuf_new_from_file(path, NULL);
        g_ptr_array_add(pictures, picture);
    }
    g_task_return_pointer(task, pictures, (GDestroyNotify)g_ptr_array_unref);
}

static void on_run(GObject *source, GAsyncResult *result, gpointer unused)
{
    Load *load = g_task_get_task_data(G_TASK(result));
    /* NULL when it was cancelled, even after the last picture. */
    g_autoptr(GPtrArray) pictures = g_task_propagate_pointer(G_TASK(result), NULL);
    if (pictures)
        load->loaded(pictures, load->data);
}

void pen_pictures_load(GPtrArray *paths, int side, GCancellable *cancellable,
                       PenPicturesLoaded loaded, gpointer data, GDestroyNotify data_free)
{
    Load *load = g_new(Load, 1);
    *load = (Load){ g_ptr_array_ref(paths), side, loaded, data, data_free };
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, on_run, NULL);
    g_task_set_task_data(task, load, load_free);
    g_task_run_in_thread(task, run);
}
