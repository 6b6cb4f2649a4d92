// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/packs/pack-fields.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/store/artists.h"
#include "src/studio/studio.h"

const PenPackFile pen_pack_files[PEN_PACK_N_FILES] = {
    { "picture", ".png", G_STRUCT_OFFSET(PenCandidate, picture_file) },
    { "trajectory", ".safetensors", G_STRUCT_OFFSET(PenCandidate, trajectory_file) },
    { "features", "-features.safetensors", G_STRUCT_OFFSET(PenCandidate, features_file) },
};

typedef enum { TEXT, OPTION, INT, INT64, REAL } Kind;

/* The longest text. */
#define MAX_TEXT 100000

static const struct {
    const char *member;
    Kind kind;
    gsize offset;
    double min, max; /* of INT and REAL */
} fields[] = {
    { "style_strength", REAL, G_STRUCT_OFFSET(PenRound, style_strength), -100, 100 },
    { "prompt", TEXT, G_STRUCT_OFFSET(PenRound, prompt), 0, 0 },
    { "negative_prompt", OPTION, G_STRUCT_OFFSET(PenRound, negative_prompt), 0, 0 },
    { "words", INT, G_STRUCT_OFFSET(PenRound, words), 0, 1 },
    { "clip_skip", INT, G_STRUCT_OFFSET(PenRound, clip_skip), 1, 12 },
    { "model_name", TEXT, G_STRUCT_OFFSET(PenRound, model_name), 0, 0 },
    { "model_hash", TEXT, G_STRUCT_OFFSET(PenRound, model_hash), 0, 0 },
    { "width", INT, G_STRUCT_OFFSET(PenRound, width), 1, 4096 },
    { "height", INT, G_STRUCT_OFFSET(PenRound, height), 1, 4096 },
    { "steps", INT, G_STRUCT_OFFSET(PenRound, steps), 1, 1000 },
    { "guidance", REAL, G_STRUCT_OFFSET(PenRound, guidance), 0, 1e6 },
    { "guidance_rescale", REAL, G_STRUCT_OFFSET(PenRound, guidance_rescale), -1, 1 },
    { "eta", REAL, G_STRUCT_OFFSET(PenRound, eta), 0, 1 },
    { "seed", INT64, G_STRUCT_OFFSET(PenRound, seed), 0, 0 },
    { "sampler", TEXT, G_STRUCT_OFFSET(PenRound, sampler), 0, 0 },
    { "timesteps", OPTION, G_STRUCT_OFFSET(PenRound, timesteps), 0, 0 },
    { "prediction_type", TEXT, G_STRUCT_OFFSET(PenRound, prediction_type), 0, 0 },
    { "device", OPTION, G_STRUCT_OFFSET(PenRound, device), 0, 0 },
    { "precision", OPTION, G_STRUCT_OFFSET(PenRound, precision), 0, 0 },
    { "start", INT, G_STRUCT_OFFSET(PenRound, start), PEN_START_TEXT, PEN_START_SELECTION },
    { "start_strength", REAL, G_STRUCT_OFFSET(PenRound, start_strength), 0, 1 },
    { "made", INT, G_STRUCT_OFFSET(PenRound, made), 0, PEN_ROUND_WIDE_MAX },
    { "own_picture", OPTION, G_STRUCT_OFFSET(PenRound, own_picture), 0, 0 },
    { "created", INT64, G_STRUCT_OFFSET(PenRound, created), 0, 0 },
    { "state", INT, G_STRUCT_OFFSET(PenRound, state), PEN_ROUND_COMPLETE, PEN_ROUND_FAILED },
};

/* --- values ---------------------------------------------------------------------------------- */

gboolean pen_pack_read_int64(const PenJson *json, const char *member, gint64 *value, GError **error)
{
    JsonNode *node = json_object_get_member(json_node_get_object(pen_json_node(json)), member);
    if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64) {
        pen_json_set_error(json, member, error, _("a whole number is expected here."));
        return FALSE;
    }
    *value = json_node_get_int(node);
    return TRUE;
}

gboolean pen_pack_read_digest(const PenJson *json, const char *member, char **digest,
                              GError **error)
{
    g_autofree char *text = NULL;
    if (!pen_json_get_string(json, member, &text, error))
        return FALSE;
    if (text && (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)) {
        pen_json_set_error(json, member, error, _("a SHA-256 is expected here."));
        return FALSE;
    }
    *digest = g_steal_pointer(&text);
    return TRUE;
}

static gboolean read_text(const PenJson *json, const char *member, char **text, GError **error)
{
    if (!pen_json_get_string(json, member, text, error))
        return FALSE;
    if (!*text || strlen(*text) <= MAX_TEXT)
        return TRUE;
    pen_json_set_error(json, member, error, _("this text is too long."));
    return FALSE;
}

/* --- rounds ---------------------------------------------------------------------------------- */

void pen_pack_write_settings(const PenRound *round, JsonObject *object)
{
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
        const char *member = fields[i].member;
        gsize at = fields[i].offset;
        switch (fields[i].kind) {
        case TEXT:
        case OPTION:
            if (G_STRUCT_MEMBER(char *, round, at))
                json_object_set_string_member(object, member, G_STRUCT_MEMBER(char *, round, at));
            break;
        case INT:
            json_object_set_int_member(object, member, G_STRUCT_MEMBER(int, round, at));
            break;
        case INT64:
            json_object_set_int_member(object, member, G_STRUCT_MEMBER(gint64, round, at));
            break;
        case REAL:
            json_object_set_double_member(object, member, G_STRUCT_MEMBER(double, round, at));
            break;
        }
    }
}

static gboolean read_field(const PenJson *json, gsize i, PenRound *round, GError **error)
{
    const char *member = fields[i].member;
    gsize at = fields[i].offset;
    switch (fields[i].kind) {
    case TEXT:
    case OPTION:
        return read_text(json, member, &G_STRUCT_MEMBER(char *, round, at), error);
    case INT:
        return pen_json_get_int(json, member, (gint64)fields[i].min, (gint64)fields[i].max,
                                &G_STRUCT_MEMBER(int, round, at), error);
    case INT64:
        return pen_pack_read_int64(json, member, &G_STRUCT_MEMBER(gint64, round, at), error);
    case REAL:
        if (!pen_json_get_double(json, member, &G_STRUCT_MEMBER(double, round, at), error))
            return FALSE;
        if (G_STRUCT_MEMBER(double, round, at) >= fields[i].min &&
            G_STRUCT_MEMBER(double, round, at) <= fields[i].max)
            return TRUE;
        pen_json_set_error(json, member, error, _("a number from %g to %g is expected here."),
                           fields[i].min, fields[i].max);
        return FALSE;
    }
    g_return_val_if_reached(FALSE);
}

gboolean pen_pack_read_settings(const PenJson *json, PenRound *round, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        if ((fields[i].kind != OPTION && !pen_json_require(json, error, fields[i].member, NULL)) ||
            !read_field(json, i, round, error))
            return FALSE;
    return TRUE;
}

/* --- picks ----------------------------------------------------------------------------------- */

void pen_pack_write_pick(const PenPick *pick, JsonObject *object)
{
    json_object_set_string_member(object, "artist", pick->artist);
    json_object_set_int_member(object, "created", pick->created);
    JsonArray *ranks = json_array_new();
    for (int i = 0; i < pick->n; i++)
        if (pick->ranks[i] == PEN_RANK_NONE)
            json_array_add_null_element(ranks);
        else
            json_array_add_int_element(ranks, pick->ranks[i]);
    json_object_set_array_member(object, "ranks", ranks);
}

static gboolean read_ranks(const PenJson *json, PenPick *pick, GError **error)
{
    JsonNode *node = json_object_get_member(json_node_get_object(pen_json_node(json)), "ranks");
    JsonArray *ranks = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    guint n = ranks ? json_array_get_length(ranks) : 0;
    gboolean ok = n > 0 && n <= PEN_ROUND_MAX;
    pick->n = ok ? (int)n : 0;
    pick->ranks = g_new0(int, pick->n);
    for (int i = 0; i < pick->n && ok; i++) {
        JsonNode *rank = json_array_get_element(ranks, (guint)i);
        gboolean number = JSON_NODE_HOLDS_VALUE(rank) &&
                          json_node_get_value_type(rank) == G_TYPE_INT64 &&
                          json_node_get_int(rank) >= -1000 && json_node_get_int(rank) <= 1000;
        ok = number || JSON_NODE_HOLDS_NULL(rank);
        pick->ranks[i] = number ? (int)json_node_get_int(rank) : PEN_RANK_NONE;
    }
    if (!ok)
        pen_json_set_error(json, "ranks", error,
                           _("the ranks of a round's pictures are expected here."));
    return ok;
}

PenPick *pen_pack_read_pick(const PenJson *json, GError **error)
{
    g_autoptr(PenPick) pick = g_new0(PenPick, 1);
    return pen_json_require(json, error, "artist", "ranks", NULL) &&
                   pen_json_get_string(json, "artist", &pick->artist, error) &&
                   pen_artist_check_name(pick->artist, error) &&
                   pen_pack_read_int64(json, "created", &pick->created, error) &&
                   read_ranks(json, pick, error)
               ? g_steal_pointer(&pick)
               : NULL;
}
