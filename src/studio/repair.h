// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * Finding out whether a store is sound, and rebuilding what a lost database held from the files
 * that lie in its folder: each picture says with which settings it was made. Rounds come back under
 * their old ids, with model, style and seeds as far as these are still here, and can be picked and
 * learnt from again. Picks, names of styles and the history of teaching were in the database alone.
 */

#include "src/studio/studio.h"

G_BEGIN_DECLS

typedef struct {
    char *moved_to;      /* the folder of the damaged database; NULL: it was sound */
    guint restored;      /* rounds */
    guint unreadable;    /* rounds whose pictures say nothing; they stay where they are */
    guint lost_adapters; /* of styles; "penchant style import FILE" makes styles of them */
    char **missing;      /* files that the database names and that are not there */
} PenRepair;

void pen_repair_free(PenRepair *repair);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenRepair, pen_repair_free)

/* Checks the database in `folder` (NULL: the default store), and moves it aside if it is damaged;
 * an error if it is sound but cannot be used. `*moved_to` gets the folder that it lies in now, or
 * NULL. */
gboolean pen_repair_database(const char *folder, char **moved_to, GError **error);

/* Records the lost rounds of the studio's store; or with `look` only counts them. */
PenRepair *pen_studio_repair(PenStudio *studio, gboolean look, GError **error);

G_END_DECLS
