// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/studio/thinning.h"

#include "src/engine/trajectory.h"

static void bytes_unref(gpointer bytes)
{
    if (bytes)
        g_bytes_unref(bytes);
}

/* The thin files of a round's candidates by place; NULL if one of them cannot be read. */
static GPtrArray *make_thin(PenStore *store, gint64 round)
{
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, round, NULL);
    g_autoptr(GPtrArray) thin = g_ptr_array_new_with_free_func(bytes_unref);
    for (guint i = 0; candidates && i < candidates->len; i++) {
        const PenCandidate *candidate = candidates->pdata[i];
        GBytes *bytes = NULL;
        if (candidate->trajectory_file) {
            g_autofree char *path = pen_store_path(store, candidate->trajectory_file);
            bytes = pen_trajectory_thin(path, candidate->seed, NULL);
            if (!bytes)
                return NULL;
        }
        g_ptr_array_add(thin, bytes);
    }
    return candidates ? g_steal_pointer(&thin) : NULL;
}

gboolean pen_studio_thin(PenStudio *studio, guint64 budget, PenThinning *done, GError **error)
{
    PenStore *store = pen_studio_store(studio);
    PenSpace space;
    *done = (PenThinning){ 0 };
    if (!pen_store_measure(store, 0, &space, error))
        return FALSE;
    done->left = space.trajectories;
    if (done->left <= budget)
        return TRUE;
    g_autoptr(GArray) rounds = pen_store_list_thick_rounds(store, error);
    if (!rounds)
        return FALSE;
    for (guint i = 0; i < rounds->len && done->left > budget; i++) {
        gint64 round = g_array_index(rounds, gint64, i);
        PenSpace before, after;
        g_autoptr(GPtrArray) thin = make_thin(store, round);
        g_autoptr(GError) failure = NULL;
        if (!thin)
            continue;
        if (!pen_store_measure(store, round, &before, error))
            return FALSE;
        if (!pen_store_thin_round(store, round, thin, &failure)) {
            if (g_error_matches(failure, PEN_STORE_ERROR, PEN_STORE_ERROR_BUSY))
                continue;
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
        if (!pen_store_measure(store, round, &after, error))
            return FALSE;
        guint64 freed = before.trajectories - MIN(after.trajectories, before.trajectories);
        done->rounds++;
        done->freed += freed;
        done->left -= MIN(freed, done->left);
    }
    return TRUE;
}
