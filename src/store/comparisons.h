// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Comparisons: which of two pictures of the same seed the artist chose without knowing which was
 * made with the style's version and which without. Recording one can be undone (actions.h).
 */
typedef enum {
    PEN_CHOICE_WITH,
    PEN_CHOICE_WITHOUT,
    PEN_CHOICE_NEITHER,
} PenChoice;

typedef struct {
    gint64 id;
    gint64 style_version;
    guint64 seed;
    char *prompt;
    PenChoice choice;
    gint64 created;
} PenComparison;

PenComparison *pen_comparison_copy(const PenComparison *comparison);
void pen_comparison_free(PenComparison *comparison);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenComparison, pen_comparison_free)

/* How often each was chosen; indexed by PenChoice. */
typedef struct {
    int count[3];
} PenTally;

/* Of `comparison`, id and created are ignored. Returns the comparison's id. */
gint64 pen_store_add_comparison(PenStore *store, const PenComparison *comparison, GError **error);
/* Both without those that were undone. PenComparison of one version, latest first. */
GPtrArray *pen_store_list_comparisons(PenStore *store, gint64 style_version, GError **error);
gboolean pen_store_get_tally(PenStore *store, gint64 style_version, PenTally *tally,
                             GError **error);

G_END_DECLS
