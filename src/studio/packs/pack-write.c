// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/formats/archive.h"
#include "src/studio/job.h"
#include "src/studio/packs/pack-fields.h"
#include "src/studio/packs/pack.h"

/* A pack that is being put together. */
typedef struct {
    PenStore *store;
    PenPackKind kind;
    gboolean own;
    JsonArray *rounds, *picks;
    GPtrArray *files;     /* of the store, relative, */
    GPtrArray *names;     /* and what they are called in the pack */
    GHashTable *contents; /* of the rounds in it */
    GHashTable *wanted;   /* those that may be in it; NULL: all */
} Pack;

static void pack_clear(Pack *pack)
{
    g_clear_pointer(&pack->rounds, json_array_unref);
    g_clear_pointer(&pack->picks, json_array_unref);
    g_clear_pointer(&pack->files, g_ptr_array_unref);
    g_clear_pointer(&pack->names, g_ptr_array_unref);
    g_clear_pointer(&pack->contents, g_hash_table_unref);
    g_clear_pointer(&pack->wanted, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pack, pack_clear)

/* Lists a file of a round and puts its SHA-256 into `object`. */
static gboolean add_file(Pack *pack, const char *content, const char *file, const char *member,
                         JsonObject *object, GError **error)
{
    g_autoptr(GBytes) bytes = pen_store_read(pack->store, file, error);
    if (!bytes)
        return FALSE;
    g_autofree char *digest = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
    g_autofree char *base = g_path_get_basename(file);
    json_object_set_string_member(object, member, digest);
    g_ptr_array_add(pack->files, g_strdup(file));
    g_ptr_array_add(pack->names, g_strdup_printf("rounds/%s/%s", content, base));
    return TRUE;
}

static gboolean add_candidates(Pack *pack, const char *content, GPtrArray *candidates,
                               JsonArray *array, GError **error)
{
    for (guint i = 0; i < candidates->len; i++) {
        const PenCandidate *candidate = candidates->pdata[i];
        JsonObject *object = json_object_new();
        json_array_add_object_element(array, object);
        json_object_set_int_member(object, "seed", (gint64)candidate->seed);
        json_object_set_int_member(object, "state", candidate->state);
        for (guint k = 0; k < PEN_PACK_N_FILES; k++) {
            const PenPackFile *kind = &pen_pack_files[k];
            const char *file = G_STRUCT_MEMBER(char *, candidate, kind->offset);
            gboolean wanted =
                pack->kind == PEN_PACK_WHOLE || kind->offset == pen_pack_files[0].offset;
            if (file && wanted && !add_file(pack, content, file, kind->member, object, error))
                return FALSE;
        }
    }
    return TRUE;
}

static void add_style(Pack *pack, const PenRound *round, JsonObject *object)
{
    g_autoptr(PenStyleVersion) version =
        round->style_version ? pen_store_get_style_version(pack->store, round->style_version, NULL)
                             : NULL;
    gint64 id = round->style ? round->style : version ? version->style : 0;
    g_autoptr(PenStyle) style = id ? pen_store_get_style(pack->store, id, NULL) : NULL;
    if (!style)
        return;
    json_object_set_string_member(object, "style", style->name);
    json_object_set_string_member(object, "style_uuid", style->uuid);
    json_object_set_boolean_member(object, "teaches", round->style != 0);
    if (version && version->style == id)
        json_object_set_int_member(object, "style_number", version->number);
}

static gboolean add_picks(Pack *pack, const PenRound *round, const char *content, GError **error)
{
    g_autoptr(GPtrArray) picks = pen_store_list_round_picks(pack->store, round->id, error);
    for (guint i = 0; picks && i < picks->len; i++) {
        JsonObject *object = json_object_new();
        json_object_set_string_member(object, "content", content);
        json_object_set_int_member(object, "seed", (gint64)round->seed);
        pen_pack_write_pick(picks->pdata[i], object);
        json_array_add_object_element(pack->picks, object);
    }
    return picks != NULL;
}

static gboolean add_round(Pack *pack, const PenRound *round, GError **error)
{
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(pack->store, round->id, error);
    gboolean any = FALSE;
    for (guint i = 0; candidates && i < candidates->len; i++)
        any = any || ((PenCandidate *)candidates->pdata[i])->picture_file;
    if (!candidates || round->state == PEN_ROUND_RUNNING || !any)
        return candidates != NULL;
    g_autofree char *content = pen_store_get_content(pack->store, round->id, error);
    if (!content)
        return FALSE;
    if (pack->wanted && !g_hash_table_contains(pack->wanted, content))
        return TRUE;
    if (!add_picks(pack, round, content, error))
        return FALSE;
    /* The same pictures, made twice, are one round elsewhere. */
    if (!g_hash_table_add(pack->contents, g_strdup(content)) || pack->kind == PEN_PACK_PICKS)
        return TRUE;
    JsonObject *object = json_object_new();
    JsonArray *array = json_array_new();
    json_array_add_object_element(pack->rounds, object);
    json_object_set_string_member(object, "content", content);
    json_object_set_array_member(object, "candidates", array);
    pen_pack_write_settings(round, object);
    if (pack->own)
        json_object_set_string_member(object, "model_path", round->model_path);
    add_style(pack, round, object);
    return add_candidates(pack, content, candidates, array, error) &&
           (!round->start_file ||
            add_file(pack, content, round->start_file, "start_picture", object, error)) &&
           (!round->mask_file || add_file(pack, content, round->mask_file, "mask", object, error));
}

static GBytes *write_index(Pack *pack)
{
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    JsonObject *object = json_object_new();
    json_node_take_object(node, object);
    json_object_set_string_member(object, "format", PEN_PACK_FORMAT);
    json_object_set_int_member(object, "version", PEN_PACK_VERSION);
    json_object_set_array_member(object, "rounds", json_array_ref(pack->rounds));
    json_object_set_array_member(object, "picks", json_array_ref(pack->picks));
    char *text = json_to_string(node, TRUE);
    return g_bytes_new_take(text, strlen(text));
}

static gboolean write_archive(Pack *pack, const char *file, GError **error)
{
    g_autoptr(GBytes) index = write_index(pack);
    g_autoptr(PenArchiveWriter) archive = pen_archive_writer_new(file, error);
    if (!archive || !pen_archive_writer_add(archive, PEN_PACK_INDEX, index, error))
        return FALSE;
    for (guint i = 0; i < pack->files->len; i++) {
        g_autoptr(GBytes) bytes = pen_store_read(pack->store, pack->files->pdata[i], error);
        if (!bytes || !pen_archive_writer_add(archive, pack->names->pdata[i], bytes, error))
            return FALSE;
    }
    return pen_archive_writer_commit(archive, error);
}

static gboolean check_amount(const Pack *pack, GError **error)
{
    guint rounds = json_array_get_length(pack->rounds), picks = json_array_get_length(pack->picks);
    if (pack->kind == PEN_PACK_PICKS ? picks > 0 : rounds > 0) {
        if (g_hash_table_size(pack->contents) <= PEN_PACK_MAX_ROUNDS)
            return TRUE;
        return pen_studio_invalid(error,
                                  _("A pack has at most %d rounds: write several, with --rounds."),
                                  PEN_PACK_MAX_ROUNDS);
    }
    g_set_error_literal(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING,
                        pack->kind == PEN_PACK_PICKS
                            ? _("None of these rounds has been picked from.")
                            : _("There is no finished round among these."));
    return FALSE;
}

gboolean pen_studio_write_pack(PenStudio *studio, const PenPackSelection *selection,
                               const char *file, PenPackContent *content, GError **error)
{
    g_auto(Pack) pack = {
        .store = studio->store,
        .kind = selection->kind,
        .own = selection->own,
        .rounds = json_array_new(),
        .picks = json_array_new(),
        .files = g_ptr_array_new_with_free_func(g_free),
        .names = g_ptr_array_new_with_free_func(g_free),
        .contents = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
    };
    if (selection->of_pack && !(pack.wanted = pen_pack_list_contents(selection->of_pack, error)))
        return FALSE;
    g_autoptr(GPtrArray) rounds = pen_store_list_rounds(studio->store, 0, G_MAXINT, error);
    if (!rounds)
        return FALSE;
    for (guint i = rounds->len; i-- > 0;) {
        const PenRound *round = rounds->pdata[i];
        gboolean inside =
            round->id >= selection->first && (!selection->last || round->id <= selection->last);
        if (inside && !add_round(&pack, round, error))
            return FALSE;
    }
    *content =
        (PenPackContent){ json_array_get_length(pack.rounds), json_array_get_length(pack.picks) };
    return check_amount(&pack, error) && write_archive(&pack, file, error);
}
