// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/places.h"

#include <glib/gi18n-lib.h>

#include "src/store/files.h"
#include "src/store/private.h"

static const PenField place_fields[] = {
    PEN_FIELD(PenPlace, id, ID),      PEN_FIELD(PenPlace, round, ID),
    PEN_FIELD(PenPlace, image, TEXT), PEN_FIELD(PenPlace, image_name, TEXT),
    PEN_FIELD(PenPlace, layer, INT),  PEN_FIELD(PenPlace, x, INT),
    PEN_FIELD(PenPlace, y, INT),      PEN_FIELD(PenPlace, width, INT),
    PEN_FIELD(PenPlace, height, INT), PEN_FIELD(PenPlace, mask_file, OPTION),
};
PEN_DEFINE_ROW(PenPlace, pen_place, "places", N_("Round %s belongs to no image."), place_fields)

gboolean pen_store_set_place(PenStore *store, gint64 round, const PenPlace *place, GBytes *mask,
                             GError **error)
{
    g_autofree char *file =
        mask ? g_strdup_printf("rounds/%" G_GINT64_FORMAT "/place.png", round) : NULL;
    PenPlace entry = *place;
    entry.round = round;
    entry.mask_file = file;

    /* As the round's other files: rounds.c. */
    g_autoptr(PenRound) row = pen_store_get_round(store, round, error);
    if (!row || (mask && !pen_store_write(store, file, mask, error)))
        return FALSE;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    return pen_sql_begin(&scope, store->sql, error) &&
           pen_row_insert(store->sql, &pen_place_type, &entry, error) &&
           pen_sql_commit(&scope, error);
}

PenPlace *pen_store_get_place(PenStore *store, gint64 round, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    g_autoptr(GPtrArray) rows =
        pen_row_list(store->sql, &pen_place_type, error, "WHERE round = ?", PEN_SQL_INT(round));
    if (rows && rows->len == 0)
        pen_row_set_not_found(&pen_place_type, round, error);
    return rows && rows->len ? pen_place_copy(rows->pdata[0]) : NULL;
}

gint64 pen_store_get_latest_round_of_image(PenStore *store, const char *image, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    gint64 round = 0;
    return pen_sql_int(store->sql, &round, error,
                       "SELECT IFNULL(MAX(round), 0) FROM places WHERE image = ? "
                       "AND round IN (SELECT id FROM rounds WHERE deleted IS NULL)",
                       PEN_SQL_TEXT(image))
               ? round
               : 0;
}
