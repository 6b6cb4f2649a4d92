// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Artists: whose a pick is. A store has one artist of its own, whose picks are made here; those of
 * others come from other stores (src/studio/packs/pack.h). Each has one valid pick of a round: two people
 * who pick from the same round give two rankings of it.
 */
#define PEN_ARTIST_NAME_MAX 100 /* characters */

/* The name of the store's own artist: the environment variable PENCHANT_ARTIST, else what was set,
 * else the name of the login. g_free(). */
char *pen_store_get_artist(PenStore *store);

/* Sets it, for the picks to come. INVALID if it is empty, too long, or holds a comma or control
 * characters. */
gboolean pen_store_set_artist(PenStore *store, const char *name, GError **error);
gboolean pen_artist_check_name(const char *name, GError **error);

typedef struct {
    char *name;
    int picks; /* that a style can learn */
} PenArtist;

void pen_artist_free(PenArtist *artist);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenArtist, pen_artist_free)

/* PenArtist: those whose picks teach the style, by name. */
GPtrArray *pen_store_list_artists(PenStore *store, gint64 style, GError **error);

/* pen_store_list_picks() lists, and lessons that are begun learn, the picks of these artists alone from now on;
 * `names` ends with NULL; NULL: of all. */
void pen_store_choose_artists(PenStore *store, const char *const *names);

/* Of the pairs of pictures that both prefer one of, in the style's rounds that both picked from:
 * how many they prefer alike. Chance makes that one half. */
typedef struct {
    int pairs, alike;
} PenAgreement;
gboolean pen_store_get_agreement(PenStore *store, gint64 style, const char *one, const char *other,
                                 PenAgreement *agreement, GError **error);

G_END_DECLS
