// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/lessons.h"

#include <glib/gi18n-lib.h>

#include "src/studio/studio.h"

static void unload(PenLesson *lesson)
{
    g_clear_pointer(&lesson->trajectories, g_ptr_array_unref);
    g_clear_pointer(&lesson->ranks, g_array_unref);
    g_clear_pointer(&lesson->files, g_ptr_array_unref);
}

static void lesson_free(gpointer data)
{
    PenLesson *lesson = data;
    unload(lesson);
    pen_pick_free(lesson->pick);
    pen_round_free(lesson->round);
    pen_conditioning_free(lesson->cond);
    pen_conditioning_free(lesson->uncond);
    g_free(lesson);
}

PenLessons *pen_lessons_new(PenStore *store)
{
    PenLessons *lessons = g_new0(PenLessons, 1);
    lessons->store = store;
    lessons->list = g_ptr_array_new_with_free_func(lesson_free);
    return lessons;
}

void pen_lessons_free(PenLessons *lessons)
{
    if (!lessons)
        return;
    g_ptr_array_unref(lessons->list);
    g_free(lessons);
}

gboolean pen_lessons_add(PenLessons *lessons, const PenPick *pick, GError **error)
{
    PenRound *round = pen_store_get_round(lessons->store, pick->round, error);
    if (!round)
        return FALSE;
    PenLesson *lesson = g_new0(PenLesson, 1);
    lesson->pick = pen_pick_copy(pick);
    lesson->round = round;
    g_ptr_array_add(lessons->list, lesson);
    return TRUE;
}

PenLesson *pen_lessons_get(const PenLessons *lessons, guint index)
{
    return lessons->list->pdata[index];
}

void pen_lessons_remove(PenLessons *lessons, guint index)
{
    g_ptr_array_remove_index(lessons->list, index);
}

PenTrainerRound pen_lesson_round(const PenLesson *lesson)
{
    return (PenTrainerRound){
        .n = lesson->trajectories->len,
        .trajectories = (PenTrajectory **)lesson->trajectories->pdata,
        .ranks = (const int *)(gpointer)lesson->ranks->data,
        .cond = lesson->cond,
        .uncond = lesson->uncond,
    };
}

/* --- trajectories ---------------------------------------------------------------------------- */

static gsize bytes_of(const PenLesson *lesson)
{
    gsize bytes = 0;
    for (guint i = 0; lesson->trajectories && i < lesson->trajectories->len; i++)
        bytes += pen_trajectory_bytes(lesson->trajectories->pdata[i]);
    return bytes;
}

/* Unloads what was not used for longest while there is too much. */
static void make_room(PenLessons *lessons)
{
    gsize bytes = 0;
    for (guint i = 0; i < lessons->list->len; i++)
        bytes += bytes_of(pen_lessons_get(lessons, i));
    while (bytes > PEN_LESSONS_BYTES) {
        PenLesson *oldest = NULL;
        for (guint i = 0; i < lessons->list->len; i++) {
            PenLesson *lesson = pen_lessons_get(lessons, i);
            if (lesson->trajectories && lesson->used + PEN_LESSONS_KEPT <= lessons->uses &&
                (!oldest || lesson->used < oldest->used))
                oldest = lesson;
        }
        if (!oldest)
            return;
        bytes -= bytes_of(oldest);
        unload(oldest);
    }
}

/* All candidates of a round are evaluated by one plan, step by step. */
static gboolean check_alike(const PenLesson *lesson, GError **error)
{
    const PenTrajectory *first = lesson->trajectories->len ? lesson->trajectories->pdata[0] : NULL;
    for (guint i = 1; i < lesson->trajectories->len; i++) {
        const PenTrajectory *t = lesson->trajectories->pdata[i];
        gboolean alike = t->height == first->height && t->width == first->width &&
                         t->channels == first->channels && t->steps == first->steps &&
                         t->first == first->first && t->guidance == first->guidance &&
                         t->condition_channels == first->condition_channels &&
                         memcmp(t->table, first->table, t->steps * sizeof *t->table) == 0;
        if (!alike) {
            g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                        _("The candidates of round %d were not made alike, so they cannot be "
                          "compared."),
                        (int)lesson->round->id);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean load(PenLessons *lessons, PenLesson *lesson, const PenSchedule *schedule,
                     GError **error)
{
    g_autoptr(GPtrArray) list =
        pen_store_list_candidates(lessons->store, lesson->round->id, error);
    if (!list)
        return FALSE;
    lesson->trajectories = g_ptr_array_new_with_free_func((GDestroyNotify)pen_trajectory_free);
    lesson->ranks = g_array_new(FALSE, FALSE, sizeof(int));
    lesson->files = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < list->len; i++) {
        const PenCandidate *candidate = list->pdata[i];
        int rank = (int)i < lesson->pick->n ? lesson->pick->ranks[i] : PEN_RANK_NONE;
        if (rank == PEN_RANK_NONE || !candidate->trajectory_file)
            continue;
        g_autofree char *path = pen_store_path(lessons->store, candidate->trajectory_file);
        PenTrajectory *trajectory = pen_trajectory_load(path, schedule, error);
        if (!trajectory)
            return FALSE;
        g_ptr_array_add(lesson->trajectories, trajectory);
        g_array_append_val(lesson->ranks, rank);
        g_ptr_array_add(lesson->files, g_strdup(candidate->trajectory_file));
    }
    return check_alike(lesson, error);
}

gboolean pen_lessons_load(PenLessons *lessons, PenLesson *lesson, const PenSchedule *schedule,
                          GError **error)
{
    lesson->used = ++lessons->uses;
    if (lesson->trajectories)
        return TRUE;
    if (!load(lessons, lesson, schedule, error)) {
        unload(lesson);
        return FALSE;
    }
    make_room(lessons);
    return TRUE;
}
