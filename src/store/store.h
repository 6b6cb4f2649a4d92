// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * The store: everything Penchant remembers, in one folder of the user.
 *
 *     penchant.db                     SQLite in WAL mode: styles, rounds, picks, training runs
 *     rounds/<id>/<n>.png             a candidate's picture
 *     rounds/<id>/<n>.safetensors     its trajectory; <n>-thin.safetensors once it was thinned (space.h)
 *     rounds/<id>/<n>-features.safetensors   what a predictor of picks goes by
 *     styles/<uuid>/v<n>.safetensors  the adapter of a style's version
 *     runs/<id>/step-<n>.safetensors  where an unfinished training run continues
 *     incoming/<uuid>/                what a pack of another store brings, while it is checked
 *     sessions/<uuid>                 locked by each process that is making a round or teaching
 *
 * This header opens and checks the store. The others are its chapters:
 * styles.h, rounds.h, places.h, picks.h (with notation.h for the notation), artists.h, guesses.h, runs.h,
 * comparisons.h, history.h, actions.h (undo), trash.h, space.h (how much it takes), repair.h, import.h (what
 * comes from other stores) and files.h.
 *
 * Promises
 *   - What a function has acknowledged by returning success survives kill -9 and a power cut:
 *     each call is one transaction, synced to disk (synchronous=FULL) before it returns; files are
 *     synced before the row that names them.
 *   - A call that fails changes nothing. The store stays usable after any error, so the caller may
 *     make room on a full disk and call again.
 *   - Several processes may use one store at once (command line and plug-in), and so may several
 *     threads share one PenStore. A call waits up to PEN_STORE_BUSY_MS for another's write.
 *   - Nothing is repaired, moved or overwritten silently.
 *
 * Conventions
 *   - Row ids are positive gint64; 0 means "none". Functions that make a row return its id, or 0
 *     with `error` set.
 *   - Times are microseconds since 1970 (g_get_real_time()).
 *   - File names in rows are relative to the folder; pen_store_path() makes them absolute.
 *   - Row structs are plain copies that the caller owns: pen_X_free() or g_autoptr(PenX), and lists
 *     are GPtrArrays that own their rows (g_ptr_array_unref(), g_autoptr(GPtrArray)). Structs that
 *     are passed in are only read; a function says which fields it ignores.
 *   - Text is UTF-8.
 */
typedef struct _PenStore PenStore;

#define PEN_STORE_FILE "penchant.db"
#define PEN_STORE_BUSY_MS 10000

#define PEN_STORE_ERROR (pen_store_error_quark())
GQuark pen_store_error_quark(void);

typedef enum {
    PEN_STORE_ERROR_FAILED,    /* anything else that the system refused */
    PEN_STORE_ERROR_NOT_FOUND, /* no such style, round, run… */
    PEN_STORE_ERROR_INVALID,   /* an argument that makes no sense; a ranking that cannot be read */
    PEN_STORE_ERROR_NAME_TAKEN,
    PEN_STORE_ERROR_NOTHING,   /* nothing to undo or redo */
    PEN_STORE_ERROR_BUSY,      /* another process holds what this call needs */
    PEN_STORE_ERROR_FULL,      /* the disk, or the user's share of it, is full */
    PEN_STORE_ERROR_READ_ONLY, /* the folder or a file in it cannot be written */
    PEN_STORE_ERROR_CORRUPT,   /* the database is damaged or not a database */
    PEN_STORE_ERROR_TOO_NEW,   /* written by a newer Penchant */
} PenStoreError;

/*
 * The folder that a store opened with NULL uses: the environment variable PENCHANT_DATA, or else
 * "penchant" in g_get_user_data_dir(). Free with g_free().
 */
char *pen_store_default_folder(void);

/*
 * Opens the store in `folder` (NULL: the default one). Makes folder and database when they are
 * missing, and brings an older schema up to date, all steps in one transaction. Rounds and
 * training runs that a process left behind when it died are marked (rounds as failed, runs as
 * paused). Errors: FULL, READ_ONLY, CORRUPT, TOO_NEW, BUSY, INVALID (the file is another
 * program's database).
 */
PenStore *pen_store_open(const char *folder, GError **error);

/* The version of the database's format that this program writes. It brings older ones up to it; an
 * older program refuses what a newer one has opened (TOO_NEW). docs/storage.md lists all formats. */
int pen_store_format(void);

/* Closes the store. No call may be under way in another thread. */
void pen_store_close(PenStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenStore, pen_store_close)

/* The absolute path of the store's folder; owned by the store. */
const char *pen_store_get_folder(PenStore *store);

/*
 * Reads the whole database and checks that it is sound (PRAGMA integrity_check and
 * foreign_key_check): CORRUPT with the first finding if not. Takes a while on a large store.
 */
gboolean pen_store_check(PenStore *store, GError **error);

/*
 * Moves the database of `folder` (NULL: the default one) out of the way, into a new folder
 * "damaged-<date>" beside it, so that the next pen_store_open() begins afresh. For a database that
 * gave CORRUPT, on the artist's explicit wish; no process may have the store open. Pictures and
 * adapters stay where they are. `*moved_to`, if not NULL, gets the new folder (g_free()).
 */
gboolean pen_store_move_aside(const char *folder, char **moved_to, GError **error);

G_END_DECLS
