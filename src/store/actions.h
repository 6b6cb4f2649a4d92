// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Undo. Picks, comparisons and what happens to styles are kept as a log of actions. Undoing takes
 * back the latest that is done; redoing does the one again that was undone last. A new action
 * discards those that could be redone. The log belongs to the store and outlives the process.
 */
typedef enum {
    PEN_ACTION_PICK,       /* pick, round */
    PEN_ACTION_RENAME,     /* style, old_name, new_name */
    PEN_ACTION_DELETE,     /* style */
    PEN_ACTION_RESTORE,    /* style */
    PEN_ACTION_VERSION,    /* style, old_version, new_version: taught, imported or chosen */
    PEN_ACTION_STRENGTH,   /* style, old_strength, new_strength */
    PEN_ACTION_COMPARISON, /* comparison */
    PEN_ACTION_RECIPE,     /* style, old_recipe, new_recipe */
} PenActionKind;

typedef enum {
    PEN_ACTION_DONE,
    PEN_ACTION_UNDONE,
    PEN_ACTION_DISCARDED, /* undone for good */
} PenActionState;

typedef struct {
    gint64 id;
    PenActionKind kind;
    gint64 created;
    PenActionState state;
    gint64 pick;
    gint64 style;
    char *old_name; /* NULL unless renamed */
    char *new_name;
    gint64 old_version; /* 0: the bare model */
    gint64 new_version;
    gint64 comparison;
    double old_strength;
    double new_strength;
    char *old_recipe; /* NULL: none */
    char *new_recipe;
    gint64 round;     /* of the pick */
    char *style_name; /* as the style is called now; NULL for a pick */
} PenAction;

PenAction *pen_action_copy(const PenAction *action);
void pen_action_free(PenAction *action);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenAction, pen_action_free)

/*
 * Both return the action, as it is afterwards, or NULL; NOTHING if there is none. An undone
 * rename or deletion whose name has been taken meanwhile gives the style a free name ("Ink 2"):
 * see style_name.
 */
PenAction *pen_store_undo(PenStore *store, GError **error);
PenAction *pen_store_redo(PenStore *store, GError **error);

/* The same among the actions of one place and a span of time: those of `scope` that came after the
 * action `after` (0: all). */
typedef enum {
    PEN_SCOPE_PICKS,
    PEN_SCOPE_STYLES,
    PEN_SCOPE_COMPARISONS,
} PenActionScope;

PenAction *pen_store_undo_in(PenStore *store, PenActionScope scope, gint64 after, GError **error);
PenAction *pen_store_redo_in(PenStore *store, PenActionScope scope, gint64 after, GError **error);
/* Whether there is something to undo, or to redo. */
gboolean pen_store_can_undo(PenStore *store, PenActionScope scope, gint64 after, gboolean redo);

/* PenAction, latest first, at most `limit`. */
GPtrArray *pen_store_list_actions(PenStore *store, int limit, GError **error);

G_END_DECLS
