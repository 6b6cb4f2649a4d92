// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "src/store/actions.h"
#include "src/store/picks.h"
#include "src/store/rounds.h"
#include "src/store/row.h"
#include "src/store/store.h"
#include "src/store/styles.h"

G_BEGIN_DECLS

/*
 * Internal: what the store's chapters share. Functions that take a PenSql expect the caller to hold
 * its lock, and, if they write, a transaction.
 */
struct _PenStore {
    char *folder; /* absolute */
    PenSql *sql;
    char *session;  /* name of our session, once there is one (session.c) */
    int session_fd; /* its locked file, or -1 */
    char **artists; /* whose picks are listed; NULL: all */
};

/* schema.c: PRAGMA application_id of our databases, and the scripts that lead from version i to
 * version i + 1; NULL at the end. */
#define PEN_STORE_APPLICATION_ID 0x50654e43
extern const char *const pen_store_migrations[];

/* pen_store_open() with other migrations, for the tests. */
PenStore *pen_store_open_with_migrations(const char *folder, const char *const *migrations,
                                         GError **error);

/*
 * session.c: who is alive. A row of rounds or runs in state 'running' names the session that works
 * on it. A session is a file that its process keeps locked, so it ends with the process, however
 * that dies.
 */
gboolean pen_session_begin(PenStore *store, GError **error);
/* In a transaction: rounds of dead sessions become failed, their training runs paused. */
gboolean pen_session_recover(PenStore *store, GError **error);
void pen_session_end(PenStore *store);

/* Whether somebody still works under that name. Deletes the file of a session that is dead. */
gboolean pen_session_is_alive(PenStore *store, const char *session);

/* files.c */
/* Makes folders that were moved to rounds/ last. */
gboolean pen_files_sync_rounds(PenStore *store, GError **error);
gboolean pen_files_make_folder(const char *path, GError **error);

/* An error where the folder's file system has no locks, without which SQLite would wait in vain and
 * a database could be damaged. */
gboolean pen_files_check_locks(const char *folder, GError **error);
/* In a transaction, before a row of `table` ("rounds", "runs") is added, whose id names its folder:
 * ids go on behind the folders that lie there. There may be some that no row knows, of a database
 * that was moved aside or of one that a backup has replaced. */
gboolean pen_files_pass_folders(PenStore *store, const char *table, GError **error);
/* The id that a folder is named after, or 0. */
gint64 pen_files_folder_id(const char *name);
/* What a thin trajectory's file is called by, behind the candidate's place (space.h). */
#define PEN_FILES_THIN "-thin.safetensors"
/* Selects the relative names of all files that rows name. */
#define PEN_FILES_NAMED                                                                            \
    "SELECT picture_file FROM candidates WHERE picture_file IS NOT NULL "                          \
    "UNION SELECT trajectory_file FROM candidates "                                                \
    "WHERE trajectory_file IS NOT NULL "                                                           \
    "UNION SELECT features_file FROM candidates WHERE features_file IS NOT NULL "                  \
    "UNION SELECT start_file FROM rounds WHERE start_file IS NOT NULL "                            \
    "UNION SELECT mask_file FROM rounds WHERE mask_file IS NOT NULL "                              \
    "UNION SELECT mask_file FROM places WHERE mask_file IS NOT NULL "                              \
    "UNION SELECT adapter_file FROM style_versions "                                               \
    "UNION SELECT checkpoint_file FROM runs WHERE checkpoint_file IS NOT NULL"
/* Deletes a file (or NULL: nothing), after the commit that no longer names it. Should it stay, it
 * is garbage to collect. */
void pen_files_forget(PenStore *store, const char *relative);

/* artists.c: pen_store_get_artist(). */
char *pen_artist_read(PenSql *sql);

/* actions.c: adds a done action; of `action`, id, created and state are ignored. */
gboolean pen_action_log(PenSql *sql, const PenAction *action, GError **error);

/* picks.c: adds a pick (artist, created, ranks) after checking that it fits its round, without an
 * action; its id, or 0. */
gint64 pen_pick_insert(PenSql *sql, gint64 round, const PenPick *pick, GError **error);

/* rounds.c: add rows as they are; their ids, or 0. */
gint64 pen_round_insert(PenSql *sql, const PenRound *round, GError **error);
gint64 pen_candidate_insert(PenSql *sql, const PenCandidate *candidate, GError **error);
/* The same under the round's own id. */
gboolean pen_round_insert_as(PenSql *sql, const PenRound *round, GError **error);
/* Which rounds a style of that model would adopt: those whose pick prefers anything. */
#define PEN_ROUNDS_ADOPTABLE                                                                       \
    "style IS NULL AND model_hash = ? AND id IN (SELECT round FROM valid_picks p WHERE "           \
    "(SELECT MIN(rank) < MAX(rank) FROM pick_ranks WHERE pick = p.id))"

/* rounds.c: NOT_FOUND unless the last UPDATE changed the candidate with that id. */
gboolean pen_candidate_changed(PenSql *sql, gint64 candidate, GError **error);

/* styles.c: the style, or NOT_FOUND if it is deleted. */
PenStyle *pen_style_get_living(PenSql *sql, gint64 style, GError **error);
/* A new version with the content of its adapter file; becomes the current one. */
gint64 pen_style_add_version(PenStore *store, gint64 style, gint64 parent, gint64 run,
                             GBytes *adapter, GError **error);
/* Renames, deletes (or restores), sets the version, the strength or the recipe, without logging. A
 * name that a living style bears is varied ("Ink 2"). */
gboolean pen_style_set_name(PenSql *sql, gint64 style, const char *name, GError **error);
gboolean pen_style_set_deleted(PenSql *sql, gint64 style, gboolean deleted, GError **error);
gboolean pen_style_set_version(PenSql *sql, gint64 style, gint64 version, GError **error);
gboolean pen_style_write_strength(PenSql *sql, gint64 style, double strength, GError **error);
gboolean pen_style_write_recipe(PenSql *sql, gint64 style, const char *recipe, GError **error);

G_END_DECLS
