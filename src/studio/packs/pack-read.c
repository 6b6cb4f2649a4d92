// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/formats/archive.h"
#include "src/studio/job.h"
#include "src/studio/packs/pack-fields.h"
#include "src/studio/packs/pack.h"

#define MAX_INDEX ((gsize)64 << 20)
#define MAX_FILE ((gsize)1 << 30)

/* A pack while it is taken in. Its files go to a folder of their own as they come; the store knows
 * nothing of it before all of it was found good. */
typedef struct {
    PenStudio *studio;
    PenArchiveReader *archive;
    const char *path;
    const gint64 *own; /* of pen_studio_merge_pack() */
    char *name; /* for messages */
    char *folder;
    GPtrArray *rounds;    /* PenIncomingRound */
    GPtrArray *picks;     /* PenIncomingPick */
    GHashTable *contents; /* of the rounds -> PenIncomingRound */
    GHashTable *files;    /* name in the pack -> SHA-256; those that have not come yet */
    GHashTable *specs;    /* model hash -> where that model is here, or its name */
} Merge;

static void merge_clear(Merge *merge)
{
    if (merge->folder)
        pen_store_remove_incoming(merge->studio->store, merge->folder);
    g_clear_pointer(&merge->folder, g_free);
    g_clear_pointer(&merge->archive, pen_archive_reader_free);
    g_clear_pointer(&merge->name, g_free);
    g_clear_pointer(&merge->rounds, g_ptr_array_unref);
    g_clear_pointer(&merge->picks, g_ptr_array_unref);
    g_clear_pointer(&merge->contents, g_hash_table_unref);
    g_clear_pointer(&merge->files, g_hash_table_unref);
    g_clear_pointer(&merge->specs, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Merge, merge_clear)

/* --- what it says ---------------------------------------------------------------------------- */

static gboolean check_format(const char *name, const PenJson *index, GError **error)
{
    g_autofree char *format = NULL;
    int version = 0;
    if (pen_json_is_object(index) && !pen_json_get_string(index, "format", &format, error))
        return FALSE;
    if (g_strcmp0(format, PEN_PACK_FORMAT) != 0)
        return pen_studio_invalid(error, _("“%s” is no pack of Penchant's."), name);
    if (!pen_json_get_int(index, "version", 1, G_MAXINT, &version, error))
        return FALSE;
    if (version > PEN_PACK_VERSION)
        return pen_studio_invalid(
            error,
            _("“%s” was written by a newer Penchant (version %d of packs; this one "
              "knows %d): install that one."),
            name, version, PEN_PACK_VERSION);
    return TRUE;
}

/* Elements of a list, each an object. */
static gboolean get_list(const char *name, const PenJson *index, const char *member, guint most,
                         PenJson **list, GError **error)
{
    if (!pen_json_require(index, error, member, NULL) ||
        !pen_json_get_array(index, member, list, error))
        return FALSE;
    guint n = pen_json_n_elements(*list);
    if (n > most)
        return pen_studio_invalid(
            error,
            _("“%s” says that it has %u %s; a pack has at most %u: have it written in parts."),
            name, n, member, most);
    for (guint i = 0; i < n; i++) {
        g_autoptr(PenJson) element = pen_json_element(*list, i);
        if (!pen_json_is_object(element)) {
            pen_json_set_error(element, NULL, error, _("an object is expected here."));
            return FALSE;
        }
    }
    return TRUE;
}

/* Expects a file that `json` names by its SHA-256; `*digest` is NULL if it names none. */
static gboolean expect_file(Merge *merge, const PenJson *json, const char *member,
                            const char *content, const char *base, char **digest, GError **error)
{
    if (!pen_pack_read_digest(json, member, digest, error))
        return FALSE;
    if (*digest)
        g_hash_table_insert(merge->files, g_strdup_printf("rounds/%s/%s", content, base),
                            g_strdup(*digest));
    return TRUE;
}

static gboolean read_candidate(Merge *merge, const PenJson *json, const char *content, int place,
                               PenIncomingRound *incoming, GPtrArray *pictures, GError **error)
{
    PenCandidate *candidate = g_new0(PenCandidate, 1);
    gint64 seed;
    int state = PEN_ROUND_FAILED;
    g_ptr_array_add(incoming->candidates, candidate);
    candidate->place = place;
    candidate->score = NAN;
    if (!pen_pack_read_int64(json, "seed", &seed, error) ||
        !pen_json_get_int(json, "state", PEN_ROUND_COMPLETE, PEN_ROUND_FAILED, &state, error))
        return FALSE;
    candidate->seed = (guint64)seed;
    candidate->state = (PenRoundState)state;
    for (guint k = 0; k < PEN_PACK_N_FILES; k++) {
        const PenPackFile *kind = &pen_pack_files[k];
        g_autofree char *base = g_strdup_printf("%d%s", place, kind->ending);
        char **file = &G_STRUCT_MEMBER(char *, candidate, kind->offset);
        if (!expect_file(merge, json, kind->member, content, base, file, error))
            return FALSE;
    }
    g_ptr_array_add(pictures, g_strdup(candidate->picture_file));
    if ((candidate->state == PEN_ROUND_COMPLETE) == (candidate->picture_file != NULL))
        return TRUE;
    pen_json_set_error(json, "picture", error, _("a finished candidate has one, and no other."));
    return FALSE;
}

/* The style of this store that the round teaches or was drawn with. */
static gboolean find_style(Merge *merge, const PenJson *json, PenRound *round, GError **error)
{
    PenStore *store = merge->studio->store;
    g_autofree char *name = NULL, *uuid = NULL;
    int number = 0;
    gboolean teaches = FALSE;
    if (!pen_json_get_string(json, "style", &name, error) ||
        !pen_json_get_string(json, "style_uuid", &uuid, error) ||
        !pen_json_get_bool(json, "teaches", &teaches, error) ||
        !pen_json_get_int(json, "style_number", 0, G_MAXINT, &number, error))
        return FALSE;
    g_autoptr(PenStyle) style = name ? pen_store_find_style(store, name, NULL) : NULL;
    g_autoptr(GPtrArray) styles = uuid ? pen_store_list_styles(store, FALSE, NULL) : NULL;
    gboolean same = FALSE;
    for (guint i = 0; styles && i < styles->len && !same; i++)
        if (g_str_equal(((PenStyle *)styles->pdata[i])->uuid, uuid)) {
            pen_style_free(style);
            style = pen_style_copy(styles->pdata[i]);
            same = TRUE;
        }
    if (style && teaches && g_str_equal(style->model_hash, round->model_hash))
        round->style = style->id;
    g_autoptr(GPtrArray) versions =
        same ? pen_store_list_style_versions(store, style->id, NULL) : NULL;
    for (guint i = 0; versions && i < versions->len; i++)
        if (((PenStyleVersion *)versions->pdata[i])->number == number)
            round->style_version = ((PenStyleVersion *)versions->pdata[i])->id;
    return TRUE;
}

/* Where the round's model is on this machine; its name if it is not here. */
static void find_model(Merge *merge, PenRound *round)
{
    char *spec = g_hash_table_lookup(merge->specs, round->model_hash);
    if (!spec) {
        PenStyle like = { .model_hash = round->model_hash };
        spec = pen_studio_search_model(merge->studio, &like);
        if (!spec)
            spec = g_strdup(round->model_name);
        g_hash_table_insert(merge->specs, g_strdup(round->model_hash), spec);
    }
    round->model_path = g_strdup(spec);
}

static gboolean read_files(Merge *merge, const PenJson *json, PenIncomingRound *incoming,
                           GError **error)
{
    const PenRound *round = incoming->round;
    g_autoptr(GPtrArray) pictures = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(PenJson) candidates = NULL;
    g_autofree char *start = NULL, *mask = NULL;
    gboolean all = TRUE;
    if (!get_list(merge->name, json, "candidates", PEN_ROUND_MAX, &candidates, error) ||
        !expect_file(merge, json, "start_picture", incoming->content, "start.png", &start, error) ||
        !expect_file(merge, json, "mask", incoming->content, "mask.png", &mask, error))
        return FALSE;
    for (guint i = 0; i < pen_json_n_elements(candidates); i++) {
        g_autoptr(PenJson) candidate = pen_json_element(candidates, i);
        if (!read_candidate(merge, candidate, incoming->content, (int)i, incoming, pictures, error))
            return FALSE;
        all = all && pictures->pdata[i];
    }
    g_autofree char *content = pen_content_work_out(round, (char **)pictures->pdata, pictures->len);
    if (pictures->len && g_str_equal(content, incoming->content) &&
        (all || round->state != PEN_ROUND_COMPLETE) &&
        (start != NULL) == (round->start != PEN_START_TEXT) &&
        (mask != NULL) == (round->start == PEN_START_SELECTION))
        return TRUE;
    pen_json_set_error(json, "content", error, _("these are not the files of that round."));
    return FALSE;
}

static gboolean read_round(Merge *merge, const PenJson *json, GError **error)
{
    PenIncomingRound *incoming = pen_incoming_round_new();
    g_ptr_array_add(merge->rounds, incoming);
    PenRound *round = incoming->round = g_new0(PenRound, 1);
    if (!pen_pack_read_settings(json, round, error) ||
        !pen_json_require(json, error, "content", NULL) ||
        !pen_pack_read_digest(json, "content", &incoming->content, error) ||
        !read_files(merge, json, incoming, error) || !find_style(merge, json, round, error))
        return FALSE;
    incoming->folder = g_strdup_printf("%s/%s", merge->folder, incoming->content);
    g_hash_table_insert(merge->contents, incoming->content, incoming);
    if (merge->own) {
        round->id = merge->rounds->len == 1 ? *merge->own : 0;
        if (!pen_json_get_string(json, "model_path", &round->model_path, error))
            return FALSE;
    }
    if (!round->model_path)
        find_model(merge, round);
    return pen_store_know_content(merge->studio->store, round->seed, error);
}

static gboolean read_pick(Merge *merge, const PenJson *json, GError **error)
{
    gint64 seed;
    PenIncomingPick *incoming = g_new0(PenIncomingPick, 1);
    g_ptr_array_add(merge->picks, incoming);
    incoming->pick = pen_pack_read_pick(json, error);
    return incoming->pick && pen_json_require(json, error, "content", NULL) &&
           pen_pack_read_digest(json, "content", &incoming->content, error) &&
           pen_pack_read_int64(json, "seed", &seed, error) &&
           pen_store_know_content(merge->studio->store, (guint64)seed, error);
}

static gboolean read_list(Merge *merge, const PenJson *index, const char *member, guint most,
                          gboolean (*read)(Merge *, const PenJson *, GError **), GError **error)
{
    g_autoptr(PenJson) list = NULL;
    if (!get_list(merge->name, index, member, most, &list, error))
        return FALSE;
    for (guint i = 0; i < pen_json_n_elements(list); i++) {
        g_autoptr(PenJson) element = pen_json_element(list, i);
        if (!read(merge, element, error))
            return FALSE;
    }
    return TRUE;
}

/* The pack's first file, of a format that is known. */
static PenJson *open_index(PenArchiveReader *archive, const char *file, const char *name,
                           GError **error)
{
    const char *entry;
    g_autoptr(GError) inner = NULL;
    if (!pen_archive_reader_next(archive, &entry, &inner) ||
        g_strcmp0(entry, PEN_PACK_INDEX) != 0) {
        if (inner && pen_archive_is_one(file))
            g_propagate_error(error, g_steal_pointer(&inner));
        else
            pen_studio_invalid(error, _("“%s” is no pack of Penchant's."), name);
        return NULL;
    }
    g_autoptr(GBytes) text = pen_archive_reader_read(archive, MAX_INDEX, error);
    g_autoptr(PenJson) index = text ? pen_json_parse(g_bytes_get_data(text, NULL),
                                                     g_bytes_get_size(text), name, NULL, error)
                                    : NULL;
    return index && check_format(name, index, error) ? g_steal_pointer(&index) : NULL;
}

static gboolean read_index(Merge *merge, GError **error)
{
    g_autoptr(PenJson) index = open_index(merge->archive, merge->path, merge->name, error);
    return index && read_list(merge, index, "rounds", PEN_PACK_MAX_ROUNDS, read_round, error) &&
           read_list(merge, index, "picks", PEN_PACK_MAX_ROUNDS * PEN_ROUND_MAX, read_pick, error);
}

GHashTable *pen_pack_list_contents(const char *file, GError **error)
{
    g_autofree char *name = g_filename_display_basename(file);
    g_autoptr(PenArchiveReader) archive = pen_archive_reader_new(file, error);
    g_autoptr(PenJson) index = archive ? open_index(archive, file, name, error) : NULL;
    g_autoptr(PenJson) rounds = NULL;
    g_autoptr(GHashTable) contents = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (!index || !get_list(name, index, "rounds", PEN_PACK_MAX_ROUNDS, &rounds, error))
        return NULL;
    for (guint i = 0; i < pen_json_n_elements(rounds); i++) {
        g_autoptr(PenJson) round = pen_json_element(rounds, i);
        char *content = NULL;
        if (!pen_pack_read_digest(round, "content", &content, error))
            return NULL;
        if (content)
            g_hash_table_add(contents, content);
    }
    return g_steal_pointer(&contents);
}

/* --- its files ------------------------------------------------------------------------------- */

/* A PNG of the size that the round says. */
static gboolean is_picture(const Merge *merge, const char *name, GBytes *bytes)
{
    static const guint8 start[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    g_autofree char *folder = g_path_get_dirname(name);
    g_autofree char *content = g_path_get_basename(folder);
    const PenIncomingRound *incoming = g_hash_table_lookup(merge->contents, content);
    if (!incoming || size < 24 || memcmp(data, start, sizeof start - 1) != 0)
        return FALSE;
    guint32 sides[2]; /* most significant byte first */
    memcpy(sides, data + 16, sizeof sides);
    return GUINT32_FROM_BE(sides[0]) == (guint32)incoming->round->width &&
           GUINT32_FROM_BE(sides[1]) == (guint32)incoming->round->height;
}

static gboolean take_file(Merge *merge, const char *name, GError **error)
{
    const char *expected = g_hash_table_lookup(merge->files, name);
    if (!expected)
        return pen_studio_invalid(error, _("“%s” holds “%s”, of which it says nothing."),
                                  merge->name, name);
    g_autoptr(GBytes) bytes = pen_archive_reader_read(merge->archive, MAX_FILE, error);
    if (!bytes)
        return FALSE;
    g_autofree char *digest = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
    if (!g_str_equal(digest, expected) ||
        (g_str_has_suffix(name, ".png") && !is_picture(merge, name, bytes)))
        return pen_studio_invalid(error, _("“%s” in “%s” is damaged: copy the pack again."), name,
                                  merge->name);
    g_autofree char *target = g_strconcat(merge->folder, name + strlen("rounds"), NULL);
    g_hash_table_remove(merge->files, name);
    return pen_store_write(merge->studio->store, target, bytes, error);
}

static gboolean take_files(Merge *merge, GError **error)
{
    for (;;) {
        const char *name;
        if (!pen_archive_reader_next(merge->archive, &name, error))
            return FALSE;
        if (!name)
            break;
        if (!take_file(merge, name, error))
            return FALSE;
    }
    if (g_hash_table_size(merge->files) == 0)
        return TRUE;
    return pen_studio_invalid(
        error,
        _("“%s” was not copied to its end: %u of its files are missing; copy it "
          "again."),
        merge->name, g_hash_table_size(merge->files));
}

gboolean pen_studio_merge_pack(PenStudio *studio, const char *file, const gint64 *own,
                               PenImported *imported, GError **error)
{
    g_auto(Merge) merge = {
        .studio = studio,
        .path = file,
        .own = own,
        .name = g_filename_display_basename(file),
        .archive = pen_archive_reader_new(file, error),
        .rounds = g_ptr_array_new_with_free_func((GDestroyNotify)pen_incoming_round_free),
        .picks = g_ptr_array_new_with_free_func((GDestroyNotify)pen_incoming_pick_free),
        .contents = g_hash_table_new(g_str_hash, g_str_equal),
        .files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
        .specs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
    };
    if (!merge.archive)
        return FALSE;
    merge.folder = pen_store_make_incoming(studio->store, error);
    return merge.folder && read_index(&merge, error) && take_files(&merge, error) &&
           pen_store_import(studio->store, merge.rounds, merge.picks, imported, error);
}
