// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/transfer.h"

#define PIECE 256      /* pixels a side; GIMP's tiles are 64 or 128 */
#define BUDGET_US 8000 /* of transfer before input gets its turn */

typedef struct {
    GeglBuffer *from, *to;
    GeglRectangle area;
    GeglAbyssPolicy abyss;
    int x, y;
    int done_x, done_y; /* of area: the next piece's corner */
} Transfer;

static void transfer_free(gpointer data)
{
    Transfer *transfer = data;
    g_object_unref(transfer->from);
    g_object_unref(transfer->to);
    g_free(transfer);
}

static void copy_piece(Transfer *t)
{
    GeglRectangle from = { t->area.x + t->done_x, t->area.y + t->done_y,
                           MIN(PIECE, t->area.width - t->done_x),
                           MIN(PIECE, t->area.height - t->done_y) };
    GeglRectangle to = { t->x + t->done_x, t->y + t->done_y, from.width, from.height };
    gegl_buffer_copy(t->from, &from, t->abyss, t->to, &to);
    t->done_x += PIECE;
    if (t->done_x >= t->area.width) {
        t->done_x = 0;
        t->done_y += PIECE;
    }
}

static gboolean on_idle(gpointer data)
{
    GTask *task = data;
    Transfer *t = g_task_get_task_data(task);
    if (g_task_return_error_if_cancelled(task))
        return G_SOURCE_REMOVE;
    gint64 end = g_get_monotonic_time() + BUDGET_US;
    while (t->done_y < t->area.height && g_get_monotonic_time() < end) {
        copy_piece(t);
        /* Else everything would go to GIMP at once, in the end. */
        gegl_buffer_flush(t->to);
    }
    if (t->done_y < t->area.height)
        return G_SOURCE_CONTINUE;
    g_task_return_boolean(task, TRUE);
    return G_SOURCE_REMOVE;
}

void pen_transfer_async(GeglBuffer *from, const GeglRectangle *area, GeglAbyssPolicy abyss,
                        GeglBuffer *to, int x, int y, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer data)
{
    Transfer *t = g_new(Transfer, 1);
    *t = (Transfer){ g_object_ref(from), g_object_ref(to), *area, abyss, x, y, 0, 0 };
    GTask *task = g_task_new(NULL, cancellable, callback, data);
    g_task_set_task_data(task, t, transfer_free);
    /* After input and drawing. */
    g_idle_add_full(G_PRIORITY_DEFAULT_IDLE, on_idle, task, g_object_unref);
}

gboolean pen_transfer_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
