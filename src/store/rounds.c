// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/rounds.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "src/store/files.h"
#include "src/store/private.h"

static const char *const state_names[] = { "running", "complete", "cancelled", "failed", NULL };
static const char *const start_names[] = { "text", "picture", "selection", NULL };

static const PenField round_fields[] = {
    PEN_FIELD(PenRound, id, ID),
    PEN_FIELD(PenRound, style, ID),
    PEN_FIELD(PenRound, style_version, ID),
    PEN_FIELD(PenRound, style_strength, REAL),
    PEN_FIELD(PenRound, prompt, TEXT),
    PEN_FIELD(PenRound, negative_prompt, OPTION),
    PEN_FIELD(PenRound, words, INT),
    PEN_FIELD(PenRound, clip_skip, INT),
    PEN_FIELD(PenRound, model_path, TEXT),
    PEN_FIELD(PenRound, model_name, TEXT),
    PEN_FIELD(PenRound, model_hash, TEXT),
    PEN_FIELD(PenRound, width, INT),
    PEN_FIELD(PenRound, height, INT),
    PEN_FIELD(PenRound, steps, INT),
    PEN_FIELD(PenRound, guidance, REAL),
    PEN_FIELD(PenRound, guidance_rescale, REAL),
    PEN_FIELD(PenRound, eta, REAL),
    PEN_FIELD(PenRound, seed, UINT64),
    PEN_FIELD(PenRound, sampler, TEXT),
    PEN_FIELD(PenRound, timesteps, OPTION),
    PEN_FIELD(PenRound, prediction_type, TEXT),
    PEN_FIELD(PenRound, device, OPTION),
    PEN_FIELD(PenRound, precision, OPTION),
    PEN_FIELD_NAMED(PenRound, start, start_names),
    PEN_FIELD(PenRound, start_strength, REAL),
    PEN_FIELD(PenRound, start_file, OPTION),
    PEN_FIELD(PenRound, mask_file, OPTION),
    PEN_FIELD(PenRound, made, INT),
    PEN_FIELD(PenRound, origin, ID),
    PEN_FIELD(PenRound, own_picture, OPTION),
    PEN_FIELD(PenRound, created, TIME),
    PEN_FIELD_NAMED(PenRound, state, state_names),
};
PEN_DEFINE_ROW(PenRound, pen_round, "rounds", N_("There is no round %s."), round_fields)

static const PenField candidate_fields[] = {
    PEN_FIELD(PenCandidate, id, ID),
    PEN_FIELD(PenCandidate, round, ID),
    PEN_FIELD(PenCandidate, place, INT),
    PEN_FIELD(PenCandidate, seed, UINT64),
    PEN_FIELD(PenCandidate, picture_file, OPTION),
    PEN_FIELD(PenCandidate, trajectory_file, OPTION),
    PEN_FIELD(PenCandidate, features_file, OPTION),
    PEN_FIELD(PenCandidate, score, REAL),
    PEN_FIELD_NAMED(PenCandidate, state, state_names),
};
PEN_DEFINE_ROW(PenCandidate, pen_candidate, "candidates", N_("There is no candidate %s."),
               candidate_fields)

gboolean pen_candidate_changed(PenSql *sql, gint64 candidate, GError **error)
{
    return pen_row_changed(sql, &pen_candidate_type, candidate, error);
}

const char *pen_round_state_name(PenRoundState state)
{
    return pen_enum_name(state_names, (int)state);
}

static gboolean check_style(PenSql *sql, const PenRound *round, GError **error)
{
    if (!round->style)
        return TRUE;
    g_autoptr(PenStyle) style = pen_style_get_living(sql, round->style, error);
    if (!style)
        return FALSE;
    if (g_strcmp0(style->model_hash, round->model_hash) == 0)
        return TRUE;
    g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                _("The style “%s” was made for another model (%s). Choose a style of this model, "
                  "or make a new one."),
                style->name, style->model_name);
    return FALSE;
}

gint64 pen_store_next_round(PenStore *store, GError **error)
{
    gint64 last = 0;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    return pen_sql_begin(&scope, store->sql, error) &&
                   pen_files_pass_folders(store, "rounds", error) &&
                   pen_sql_int(store->sql, &last, error,
                               "SELECT seq FROM sqlite_sequence WHERE name = 'rounds'") &&
                   pen_sql_commit(&scope, error)
               ? last + 1
               : 0;
}

gint64 pen_store_begin_round(PenStore *store, const PenRound *round, const guint64 *seeds,
                             guint n_candidates, GError **error)
{
    PenSql *sql = store->sql;
    if (!g_utf8_validate(round->prompt ? round->prompt : "", -1, NULL) ||
        !g_utf8_validate(round->negative_prompt ? round->negative_prompt : "", -1, NULL)) {
        g_set_error_literal(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                            _("The prompt is not valid text (UTF-8)."));
        return 0;
    }
    if (n_candidates == 0) {
        g_set_error_literal(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                            _("A round needs at least one candidate."));
        return 0;
    }
    PenRound entry = *round;
    entry.created = g_get_real_time();
    entry.state = PEN_ROUND_RUNNING;
    entry.start_file = entry.mask_file = NULL;

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, sql, error) || !pen_session_begin(store, error) ||
        !check_style(sql, &entry, error))
        return 0;
    gint64 id =
        pen_files_pass_folders(store, "rounds", error) ? pen_round_insert(sql, &entry, error) : 0;
    if (!id || !pen_sql_run(sql, error, "UPDATE rounds SET session = ? WHERE id = ?",
                            PEN_SQL_TEXT(store->session), PEN_SQL_INT(id)))
        return 0;
    for (guint i = 0; i < n_candidates; i++) {
        PenCandidate candidate = {
            .round = id, .place = (int)i, .seed = seeds[i], .score = NAN, .state = PEN_ROUND_RUNNING
        };
        if (!pen_row_insert(sql, &pen_candidate_type, &candidate, error))
            return 0;
    }
    return pen_sql_commit(&scope, error) ? id : 0;
}

gint64 pen_round_insert(PenSql *sql, const PenRound *round, GError **error)
{
    gint64 id = pen_row_insert(sql, &pen_round_type, round, error), taken = 0;
    if (!id || !round->id || id == round->id ||
        !pen_sql_int(sql, &taken, error, "SELECT COUNT(*) FROM rounds WHERE id = ?",
                     PEN_SQL_INT(round->id)) ||
        taken)
        return id;
    return pen_sql_run(sql, error, "UPDATE rounds SET id = ? WHERE id = ?", PEN_SQL_INT(round->id),
                       PEN_SQL_INT(id)) &&
                   pen_sql_run(sql, error,
                               "UPDATE sqlite_sequence SET seq = (SELECT MAX(id) FROM rounds) "
                               "WHERE name = 'rounds'")
               ? round->id
               : 0;
}

gint64 pen_candidate_insert(PenSql *sql, const PenCandidate *candidate, GError **error)
{
    return pen_row_insert(sql, &pen_candidate_type, candidate, error);
}

gboolean pen_round_insert_as(PenSql *sql, const PenRound *round, GError **error)
{
    gint64 id = pen_row_insert(sql, &pen_round_type, round, error);
    return id && pen_sql_run(sql, error, "UPDATE rounds SET id = ? WHERE id = ?",
                             PEN_SQL_INT(round->id), PEN_SQL_INT(id));
}

/*
 * A round's files are written before a row names them, and outside the lock, which the window's
 * calls take: to make files last takes long. Whoever writes them is the only one to do so, and
 * while the round is running nobody collects them (pen_store_collect_garbage()).
 */
gboolean pen_store_set_round_start(PenStore *store, gint64 round, GBytes *picture, GBytes *mask,
                                   GError **error)
{
    g_autofree char *start = g_strdup_printf("rounds/%" G_GINT64_FORMAT "/start.png", round);
    g_autofree char *where =
        mask ? g_strdup_printf("rounds/%" G_GINT64_FORMAT "/mask.png", round) : NULL;

    g_autoptr(PenRound) row = pen_store_get_round(store, round, error);
    if (!row || !pen_store_write(store, start, picture, error) ||
        (mask && !pen_store_write(store, where, mask, error)))
        return FALSE;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    return pen_sql_begin(&scope, store->sql, error) &&
           pen_sql_run(store->sql, error,
                       "UPDATE rounds SET start_file = ?, mask_file = ? WHERE id = ?",
                       PEN_SQL_TEXT(start), PEN_SQL_TEXT(where), PEN_SQL_INT(round)) &&
           pen_row_changed(store->sql, &pen_round_type, round, error) &&
           pen_sql_commit(&scope, error);
}

/* An error unless the candidate waits for its picture. */
static gboolean check_waiting(PenSql *sql, gint64 round, int place, GError **error)
{
    gint64 waiting = 0;
    if (!pen_sql_int(sql, &waiting, error,
                     "SELECT COUNT(*) FROM candidates WHERE round = ? AND place = ? AND "
                     "state = 'running'",
                     PEN_SQL_INT(round), PEN_SQL_INT(place)))
        return FALSE;
    if (waiting)
        return TRUE;
    g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                _("Candidate %d of that round is not being made."), place);
    return FALSE;
}

gboolean pen_store_finish_candidate(PenStore *store, gint64 round, int place, GBytes *picture,
                                    GBytes *trajectory, GError **error)
{
    g_autofree char *stem = g_strdup_printf("rounds/%" G_GINT64_FORMAT "/%d", round, place);
    g_autofree char *picture_file = g_strconcat(stem, ".png", NULL);
    g_autofree char *trajectory_file = trajectory ? g_strconcat(stem, ".safetensors", NULL) : NULL;

    {
        g_auto(PenSqlScope) look = PEN_SQL_SCOPE_INIT;
        pen_sql_lock(&look, store->sql);
        if (!check_waiting(store->sql, round, place, error))
            return FALSE;
    }
    if (!pen_store_write(store, picture_file, picture, error) ||
        (trajectory && !pen_store_write(store, trajectory_file, trajectory, error)))
        return FALSE;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    return pen_sql_begin(&scope, store->sql, error) &&
           check_waiting(store->sql, round, place, error) &&
           pen_sql_run(store->sql, error,
                       "UPDATE candidates SET picture_file = ?, trajectory_file = ?, "
                       "state = 'complete' WHERE round = ? AND place = ?",
                       PEN_SQL_TEXT(picture_file), PEN_SQL_TEXT(trajectory_file),
                       PEN_SQL_INT(round), PEN_SQL_INT(place)) &&
           pen_sql_commit(&scope, error);
}

gboolean pen_store_end_round(PenStore *store, gint64 round, PenRoundState state, GError **error)
{
    PenSql *sql = store->sql;
    const char *name = pen_round_state_name(state);
    g_return_val_if_fail(name && state != PEN_ROUND_RUNNING, FALSE);

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, sql, error) ||
        !pen_sql_run(sql, error, "UPDATE rounds SET state = ?, session = NULL WHERE id = ?",
                     PEN_SQL_TEXT(name), PEN_SQL_INT(round)) ||
        !pen_row_changed(sql, &pen_round_type, round, error) ||
        !pen_sql_run(sql, error,
                     "UPDATE candidates SET state = ? WHERE round = ? AND state = 'running'",
                     PEN_SQL_TEXT(name), PEN_SQL_INT(round)))
        return FALSE;
    if (state == PEN_ROUND_COMPLETE && pen_sql_changes(sql) > 0) {
        g_set_error_literal(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                            _("A round cannot be complete while candidates are missing."));
        return FALSE;
    }
    return pen_sql_commit(&scope, error);
}

int pen_store_adopt_rounds(PenStore *store, gint64 style, GError **error)
{
    PenSql *sql = store->sql;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, sql, error))
        return -1;
    g_autoptr(PenStyle) row = pen_style_get_living(sql, style, error);
    if (!row || !pen_sql_run(sql, error, "UPDATE rounds SET style = ? WHERE " PEN_ROUNDS_ADOPTABLE,
                             PEN_SQL_INT(style), PEN_SQL_TEXT(row->model_hash)))
        return -1;
    int adopted = pen_sql_changes(sql);
    return pen_sql_commit(&scope, error) ? adopted : -1;
}

int pen_store_count_adoptable(PenStore *store, const char *model_hash, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    g_autoptr(GPtrArray) rounds =
        pen_row_list(store->sql, &pen_round_type, error, "WHERE " PEN_ROUNDS_ADOPTABLE,
                     PEN_SQL_TEXT(model_hash));
    return rounds ? (int)rounds->len : -1;
}

int pen_store_has_own_picture(PenStore *store, gint64 style, const char *own_picture,
                              GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    gint64 n = 0;
    if (!pen_sql_int(store->sql, &n, error,
                     "SELECT COUNT(*) FROM rounds WHERE own_picture = ? AND style = ? "
                     "AND id IN (SELECT round FROM valid_picks)",
                     PEN_SQL_TEXT(own_picture), PEN_SQL_INT(style)))
        return -1;
    return n > 0;
}

gboolean pen_store_find_same_round(PenStore *store, const PenRound *like, guint n_candidates,
                                   gint64 *round, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_sql_int(
        store->sql, round, error,
        "SELECT MIN(id) FROM rounds WHERE seed = ? AND prompt = ? AND negative_prompt IS ? "
        "AND model_path = ? AND model_hash = ? AND style IS ? AND style_version IS ? "
        "AND style_strength = ? AND words = ? AND clip_skip = ? AND width = ? AND height = ? "
        "AND steps = ? AND guidance = ? AND guidance_rescale = ? AND eta = ? AND sampler = ? "
        "AND timesteps IS ? AND start = 'text' AND origin IS NULL AND own_picture IS NULL "
        "AND state = 'complete' AND deleted IS NULL "
        "AND (SELECT COUNT(*) FROM candidates WHERE round = rounds.id) = ?",
        PEN_SQL_INT((gint64)like->seed), PEN_SQL_TEXT(like->prompt),
        PEN_SQL_TEXT(like->negative_prompt), PEN_SQL_TEXT(like->model_path),
        PEN_SQL_TEXT(like->model_hash), PEN_SQL_ID(like->style), PEN_SQL_ID(like->style_version),
        PEN_SQL_REAL(like->style_strength), PEN_SQL_INT(like->words), PEN_SQL_INT(like->clip_skip),
        PEN_SQL_INT(like->width), PEN_SQL_INT(like->height), PEN_SQL_INT(like->steps),
        PEN_SQL_REAL(like->guidance), PEN_SQL_REAL(like->guidance_rescale), PEN_SQL_REAL(like->eta),
        PEN_SQL_TEXT(like->sampler), PEN_SQL_TEXT(like->timesteps), PEN_SQL_INT(n_candidates));
}

PenRound *pen_store_get_round(PenStore *store, gint64 round, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_row_get(store->sql, &pen_round_type, round, error);
}

GPtrArray *pen_store_list_rounds(PenStore *store, gint64 style, int limit, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_row_list(store->sql, &pen_round_type, error,
                        "WHERE deleted IS NULL AND (?1 IS NULL OR style = ?1) "
                        "ORDER BY id DESC LIMIT ?2",
                        PEN_SQL_ID(style), PEN_SQL_INT(limit));
}

gint64 pen_store_find_neighbour(PenStore *store, gint64 round, int direction)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    gint64 id = 0;
    if (direction > 0)
        pen_sql_int(store->sql, &id, NULL,
                    "SELECT MIN(id) FROM rounds WHERE deleted IS NULL AND id > ? AND ?",
                    PEN_SQL_INT(round), PEN_SQL_INT(round != 0));
    else
        pen_sql_int(store->sql, &id, NULL,
                    "SELECT MAX(id) FROM rounds WHERE deleted IS NULL AND id < ?",
                    PEN_SQL_INT(round ? round : G_MAXINT64));
    return id;
}

PenCandidate *pen_store_get_candidate(PenStore *store, gint64 candidate, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_row_get(store->sql, &pen_candidate_type, candidate, error);
}

GPtrArray *pen_store_list_candidates(PenStore *store, gint64 round, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    g_autoptr(GPtrArray) rows = pen_row_list(store->sql, &pen_candidate_type, error,
                                             "WHERE round = ? ORDER BY place", PEN_SQL_INT(round));
    /* Every round has candidates. */
    if (rows && rows->len == 0) {
        pen_row_set_not_found(&pen_round_type, round, error);
        return NULL;
    }
    return g_steal_pointer(&rows);
}

char **pen_store_list_prompts(PenStore *store, int limit, GError **error)
{
    g_autoptr(GPtrArray) prompts = g_ptr_array_new_null_terminated(1, g_free, TRUE);
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_sql_read_texts(store->sql,
                              "SELECT prompt FROM rounds WHERE prompt <> '' AND deleted IS NULL "
                              "GROUP BY prompt ORDER BY MAX(id) DESC LIMIT ?",
                              PEN_SQL_VALUES(PEN_SQL_INT(limit)), prompts, error)
               ? (char **)g_ptr_array_steal(prompts, NULL)
               : NULL;
}
