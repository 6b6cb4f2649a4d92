// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "src/store/actions.h"
#include "src/store/comparisons.h"
#include "src/store/files.h"
#include "src/store/guesses.h"
#include "src/store/picks.h"
#include "src/store/places.h"
#include "src/store/rounds.h"
#include "src/store/runs.h"
#include "src/store/store.h"
#include "src/store/styles.h"

G_BEGIN_DECLS

/* What the store's tests share: a folder of their own, and rows to play with. */

/* A new, empty folder below the temporary one, that any user may enter. g_free(). */
char *fixture_folder(void);
/* Removes a folder with all that is in it. */
void fixture_remove(const char *folder);

/* Opens, or fails the test. */
PenStore *fixture_open(const char *folder);

/* A store in a folder of its own; with a style "Ink" where it was set up so. */
typedef struct {
    char *folder;
    PenStore *store;
    gint64 style;
} Fixture;

/* For g_test_add(). */
void fixture_set_up(Fixture *fixture, gconstpointer data);
void fixture_set_up_style(Fixture *fixture, gconstpointer data);
/* Fails the test where rows refer to what is not there. */
void fixture_tear_down(Fixture *fixture, gconstpointer data);

/* A style "Ink", or another name, of the model "hash". */
gint64 fixture_style(PenStore *store, const char *name);
/* What a round of that model looks like; static strings, nothing to free. */
PenRound fixture_round(gint64 style, const char *prompt);
/* A complete round of `n` candidates, with pictures and trajectories; or 0 with `error`. */
gint64 fixture_complete_round(PenStore *store, gint64 style, int n, GError **error);
/* A run of the style on its new picks. */
gint64 fixture_begin_run(PenStore *store, gint64 style, GError **error);
/* Picks `best` of `n`. */
gint64 fixture_pick(PenStore *store, gint64 round, int best, int n, GError **error);

/* Fails the test unless the round's valid pick reads so; NULL: it has none. */
void fixture_assert_pick(PenStore *store, gint64 round, const char *order);

/* Content of a few hundred bytes that follows from the number. */
GBytes *fixture_content(guint number);

G_END_DECLS
