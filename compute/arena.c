// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/arena.h"

static guint64 align_up(guint64 size, guint64 alignment)
{
    return (size + alignment - 1) / alignment * alignment;
}

static int larger_first(gconstpointer a, gconstpointer b)
{
    const PenInterval *x = *(PenInterval *const *)a, *y = *(PenInterval *const *)b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return 0;
}

/* The first place from `offset` on that lies in one piece. */
static guint64 within_piece(guint64 offset, guint64 size, guint64 piece)
{
    return size && offset / piece != (offset + size - 1) / piece ? (offset / piece + 1) * piece
                                                                 : offset;
}

guint64 pen_arena_pack(PenInterval *intervals, guint n, guint64 alignment, guint64 piece)
{
    g_autoptr(GPtrArray) order = g_ptr_array_sized_new(n);
    for (guint i = 0; i < n; i++)
        g_ptr_array_add(order, &intervals[i]);
    g_ptr_array_sort(order, larger_first);

    g_autoptr(GPtrArray) placed = g_ptr_array_sized_new(n); /* by offset */
    guint64 total = 0;
    for (guint i = 0; i < n; i++) {
        PenInterval *item = order->pdata[i];
        guint64 size = align_up(item->size, alignment), offset = 0;
        guint at = 0;
        for (guint j = 0; j < placed->len; j++) {
            const PenInterval *other = placed->pdata[j];
            if (other->last < item->first || item->last < other->first)
                continue;
            if (other->offset >= offset + size)
                break;
            offset = within_piece(MAX(offset, other->offset + align_up(other->size, alignment)),
                                  size, piece);
        }
        item->offset = offset;
        while (at < placed->len && ((PenInterval *)placed->pdata[at])->offset < offset)
            at++;
        g_ptr_array_insert(placed, (int)at, item);
        total = MAX(total, offset + size);
    }
    return total;
}

guint64 pen_arena_lower_bound(const PenInterval *intervals, guint n, guint64 alignment)
{
    guint64 bound = 0;
    for (guint i = 0; i < n; i++) {
        /* The sum alive can only rise where something begins. */
        guint64 alive = 0;
        for (guint j = 0; j < n; j++)
            if (intervals[j].first <= intervals[i].first && intervals[i].first <= intervals[j].last)
                alive += align_up(intervals[j].size, alignment);
        bound = MAX(bound, alive);
    }
    return bound;
}
