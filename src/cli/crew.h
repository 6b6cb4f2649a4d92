// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A crew: several processes that do one job, each on a device of its own. The first, of rank 0, owns the
 * store; the others work on a copy of what they need. How bytes get from one to another is the business of
 * who makes the crew (src/mpi); a process that cannot go on ends the whole job, so that nobody waits in vain.
 */

#include "src/studio/studio.h"

G_BEGIN_DECLS

typedef struct _PenCrew PenCrew;

struct _PenCrew {
    guint rank, size;
    const char *device; /* of this process; NULL: chosen as by a process that is alone */
    /* Gives everybody what rank 0 has in `data`. */
    void (*broadcast)(PenCrew *crew, gpointer data, gsize size);
    void (*send)(PenCrew *crew, guint to, gconstpointer data, gsize size);
    GBytes *(*receive)(PenCrew *crew, guint from);
    /* Whether a message waits to be received, and from whom. */
    gboolean (*waits)(PenCrew *crew, guint *from);
};

/*
 * Rank 0 gives the others its store as far as drawing with a style (0: none) needs it. They get the folder of
 * their copy in `*folder`, to be deleted in the end; rank 0 gets NULL. `store` is NULL but in rank 0.
 */
gboolean pen_crew_share_store(PenCrew *crew, PenStore *store, gint64 style, char **folder,
                              GError **error);

G_END_DECLS
