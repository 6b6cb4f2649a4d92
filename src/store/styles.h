// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Styles: named tastes, each for one model, with the versions that teaching has made of them. The
 * current version is the one that samples and from which the next training starts; a style without
 * one is the bare model. Earlier versions stay and can be made current again. Renaming, deleting,
 * restoring, changing the version, the strength and the recipe can be undone (actions.h).
 */
typedef struct {
    gint64 id;
    char *uuid; /* names the style's folder */
    char *name; /* unique among the living, whatever the case */
    gint64 created;
    char *model_hash;
    char *model_name;
    char *model_path;       /* a spec (src/models/model-spec.h); NULL: not known */
    int rank;               /* adapter rank */
    double strength;        /* adapter scale when sampling; 1 is as taught */
    char *recipe;           /* what else it brings to a round (src/studio/recipe.h); NULL: nothing */
    gint64 deleted;         /* when; 0: living */
    gint64 current_version; /* a PenStyleVersion's id; 0: the bare model */
    int current_number;     /* and its number; 0: the bare model */
} PenStyle;

PenStyle *pen_style_copy(const PenStyle *style);
void pen_style_free(PenStyle *style);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenStyle, pen_style_free)

typedef struct {
    gint64 id;
    gint64 style;
    int number;         /* 1, 2, … in the style */
    gint64 parent;      /* the version that it was taught from; 0: the bare model */
    char *adapter_file; /* relative */
    gint64 created;
    gint64 run; /* the training run that made it; 0: imported or duplicated */
} PenStyleVersion;

PenStyleVersion *pen_style_version_copy(const PenStyleVersion *version);
void pen_style_version_free(PenStyleVersion *version);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenStyleVersion, pen_style_version_free)

/*
 * Makes a style without a version and with strength 1. `name` is stripped of space around it; it
 * must not be empty, longer than PEN_STYLE_NAME_MAX characters, or hold control characters
 * (INVALID), nor be borne by a living style (NAME_TAKEN).
 */
#define PEN_STYLE_NAME_MAX 100
gint64 pen_store_create_style(PenStore *store, const char *name, const char *model_hash,
                              const char *model_name, const char *model_path, int rank,
                              GError **error);

/* The same for a style that is known already, as from a file: takes its name, model_*, rank, strength
 * and recipe. */
gint64 pen_store_add_style(PenStore *store, const PenStyle *style, GError **error);

PenStyle *pen_store_get_style(PenStore *store, gint64 style, GError **error);
/* The living style of that name, whatever the case; NOT_FOUND if there is none. */
PenStyle *pen_store_find_style(PenStore *store, const char *name, GError **error);
/* PenStyle: the living ones by name, or the deleted ones, latest first. */
GPtrArray *pen_store_list_styles(PenStore *store, gboolean deleted, GError **error);

gboolean pen_store_rename_style(PenStore *store, gint64 style, const char *name, GError **error);

/*
 * Makes a style of its own from another one's current version. `name` may be NULL: a free name is
 * made ("Ink 2"). Picks stay with the original; what they have taught it is in the copy.
 */
gint64 pen_store_duplicate_style(PenStore *store, gint64 style, const char *name, GError **error);

/* Deleting only marks: everything is kept, and undo or restoring brings it back. If its name is
 * taken by then, the restored style gets a free one. */
gboolean pen_store_delete_style(PenStore *store, gint64 style, GError **error);
gboolean pen_store_restore_style(PenStore *store, gint64 style, GError **error);

/* Where the style's model lies now. */
gboolean pen_store_set_style_model_path(PenStore *store, gint64 style, const char *model_path,
                                        GError **error);

/* Turning it further right away is one action with the turning before. */
gboolean pen_store_set_style_strength(PenStore *store, gint64 style, double strength,
                                      GError **error);

/* `recipe` may be NULL: none. The text is the caller's to check. */
gboolean pen_store_set_style_recipe(PenStore *store, gint64 style, const char *recipe,
                                    GError **error);

/* PenStyleVersion, oldest first. */
GPtrArray *pen_store_list_style_versions(PenStore *store, gint64 style, GError **error);
PenStyleVersion *pen_store_get_style_version(PenStore *store, gint64 version, GError **error);

/*
 * Adds an adapter that was not taught here (an import) as the style's new current version.
 * `adapter` is the content of its file. Returns the version's id.
 */
gint64 pen_store_add_style_version(PenStore *store, gint64 style, GBytes *adapter, GError **error);

/* Makes one of the style's versions current again; 0: the bare model. */
gboolean pen_store_set_style_version(PenStore *store, gint64 style, gint64 version, GError **error);

G_END_DECLS
