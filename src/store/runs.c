// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/runs.h"

#include <glib/gi18n-lib.h>

#include "src/store/files.h"
#include "src/store/private.h"

static const char *const state_names[] = { "running", "paused",    "finished",
                                           "failed",  "abandoned", NULL };

#define SETTING(name, what) PEN_FIELD_AS(PenRun, d3po.name, what, #name)

static const PenField run_fields[] = {
    PEN_FIELD(PenRun, id, ID),
    PEN_FIELD(PenRun, style, ID),
    PEN_FIELD(PenRun, from_version, ID),
    PEN_FIELD(PenRun, to_version, ID),
    PEN_FIELD(PenRun, created, TIME),
    PEN_FIELD(PenRun, ended, TIME),
    SETTING(learning_rate, REAL),
    SETTING(weight_decay, REAL),
    SETTING(max_grad_norm, REAL),
    SETTING(beta, REAL),
    SETTING(clip, REAL),
    SETTING(loser_weight, REAL),
    SETTING(epochs, INT),
    SETTING(timestep_fraction, REAL),
    SETTING(timesteps_per_update, INT),
    SETTING(hindsight, INT),
    SETTING(guided, INT),
    SETTING(afresh, INT),
    SETTING(updates, INT),
    SETTING(falling_rate, INT),
    SETTING(one_pair, INT),
    SETTING(word, INT),
    PEN_FIELD_AS(PenRun, d3po.adapter_rank, INT, "rank"),
    PEN_FIELD(PenRun, seed, UINT64),
    PEN_FIELD_NAMED(PenRun, state, state_names),
    PEN_FIELD(PenRun, message, OPTION),
    PEN_FIELD(PenRun, steps_done, INT),
    PEN_FIELD(PenRun, steps_total, INT),
    PEN_FIELD(PenRun, checkpoint_file, OPTION),
};
PEN_DEFINE_ROW(PenRun, pen_run, "runs", N_("There is no training run %s."), run_fields)

static const PenField step_fields[] = {
    PEN_FIELD(PenTrainingStep, step, INT),       PEN_FIELD(PenTrainingStep, loss, REAL),
    PEN_FIELD(PenTrainingStep, margin, REAL),    PEN_FIELD(PenTrainingStep, agreement, REAL),
    PEN_FIELD(PenTrainingStep, grad_norm, REAL), PEN_FIELD(PenTrainingStep, seconds, REAL),
};
PEN_DEFINE_ROW(PenTrainingStep, pen_training_step, "training_steps",
               N_("There is no training step %s."), step_fields)

const char *pen_run_state_name(PenRunState state)
{
    return pen_enum_name(state_names, (int)state);
}

/* The run, which must be running here: one that was stopped meanwhile takes nothing any more. */
static PenRun *get_running(PenStore *store, gint64 id, GError **error)
{
    gint64 ours;
    g_autoptr(PenRun) run = pen_row_get(store->sql, &pen_run_type, id, error);
    if (!run || !pen_sql_int(store->sql, &ours, error,
                             "SELECT state = 'running' AND session = ?1 FROM runs WHERE id = ?2",
                             PEN_SQL_TEXT(store->session), PEN_SQL_INT(id)))
        return NULL;
    if (!ours) {
        g_set_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                    _("Training run %d is not running in this process (%s)."), (int)id,
                    pen_run_state_name(run->state));
        return NULL;
    }
    return g_steal_pointer(&run);
}

/* Nobody is teaching the style; a paused run of it is abandoned, its checkpoint garbage. */
static gboolean clear_way(PenStore *store, gint64 style, GError **error)
{
    gint64 running;
    if (!pen_session_recover(store, error) ||
        !pen_sql_int(store->sql, &running, error,
                     "SELECT COUNT(*) FROM runs WHERE style = ? AND state = 'running'",
                     PEN_SQL_INT(style)))
        return FALSE;
    if (running) {
        g_set_error_literal(error, PEN_STORE_ERROR, PEN_STORE_ERROR_BUSY,
                            _("This style is being taught already. Wait until that is finished, or "
                              "cancel it."));
        return FALSE;
    }
    return pen_sql_run(store->sql, error,
                       "UPDATE runs SET state = 'abandoned', checkpoint_file = NULL "
                       "WHERE style = ? AND state = 'paused'",
                       PEN_SQL_INT(style));
}

gint64 pen_store_begin_run(PenStore *store, const PenRun *run, const gint64 *picks, guint n_picks,
                           GError **error)
{
    PenSql *sql = store->sql;
    if (n_picks == 0) {
        g_set_error_literal(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID,
                            _("There are no picks to learn from. Make a round and pick first."));
        return 0;
    }

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    PenRun entry = *run;
    if (!pen_sql_begin(&scope, sql, error))
        return 0;
    g_autoptr(PenStyle) style = pen_style_get_living(sql, run->style, error);
    if (!style || !pen_session_begin(store, error) || !clear_way(store, run->style, error))
        return 0;
    entry.from_version = style->current_version;
    entry.to_version = 0;
    entry.created = g_get_real_time();
    entry.ended = 0;
    entry.state = PEN_RUN_RUNNING;
    entry.message = NULL;
    entry.steps_done = 0;
    entry.checkpoint_file = NULL;
    gint64 id = pen_files_pass_folders(store, "runs", error)
                    ? pen_row_insert(sql, &pen_run_type, &entry, error)
                    : 0;
    if (!id || !pen_sql_run(sql, error, "UPDATE runs SET session = ? WHERE id = ?",
                            PEN_SQL_TEXT(store->session), PEN_SQL_INT(id)))
        return 0;
    for (guint i = 0; i < n_picks; i++) {
        if (!pen_sql_run(sql, error, "INSERT INTO run_picks (run, pick) VALUES (?, ?)",
                         PEN_SQL_INT(id), PEN_SQL_INT(picks[i])))
            return 0;
    }
    return pen_sql_commit(&scope, error) ? id : 0;
}

gboolean pen_store_add_training_step(PenStore *store, gint64 run, const PenTrainingStep *step,
                                     GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error))
        return FALSE;
    g_autoptr(PenRun) row = get_running(store, run, error);
    return row &&
           pen_sql_run(store->sql, error,
                       "INSERT OR REPLACE INTO training_steps "
                       "(run, step, loss, margin, agreement, grad_norm, seconds) "
                       "VALUES (?, ?, ?, ?, ?, ?, ?)",
                       PEN_SQL_INT(run), PEN_SQL_INT(step->step), PEN_SQL_REAL(step->loss),
                       PEN_SQL_REAL(step->margin), PEN_SQL_REAL(step->agreement),
                       PEN_SQL_REAL(step->grad_norm), PEN_SQL_REAL(step->seconds)) &&
           pen_sql_commit(&scope, error);
}

gboolean pen_store_checkpoint_run(PenStore *store, gint64 run, int steps_done, GBytes *checkpoint,
                                  GError **error)
{
    /* A file of its own for each step: the row names the one that fits its steps_done. */
    g_autofree char *file =
        g_strdup_printf("runs/%" G_GINT64_FORMAT "/step-%d.safetensors", run, steps_done);

    /* Outside the lock, as a round's files (rounds.c). */
    {
        g_auto(PenSqlScope) look = PEN_SQL_SCOPE_INIT;
        pen_sql_lock(&look, store->sql);
        g_autoptr(PenRun) running = get_running(store, run, error);
        if (!running)
            return FALSE;
    }
    if (!pen_store_write(store, file, checkpoint, error))
        return FALSE;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error))
        return FALSE;
    g_autoptr(PenRun) row = get_running(store, run, error);
    if (!row ||
        !pen_sql_run(store->sql, error,
                     "UPDATE runs SET steps_done = ?, checkpoint_file = ? WHERE id = ?",
                     PEN_SQL_INT(steps_done), PEN_SQL_TEXT(file), PEN_SQL_INT(run)) ||
        !pen_sql_commit(&scope, error))
        return FALSE;
    if (g_strcmp0(row->checkpoint_file, file) != 0)
        pen_files_forget(store, row->checkpoint_file);
    return TRUE;
}

gboolean pen_store_stop_run(PenStore *store, gint64 run, PenRunState state, const char *message,
                            GError **error)
{
    PenSql *sql = store->sql;
    g_return_val_if_fail(
        state == PEN_RUN_PAUSED || state == PEN_RUN_FAILED || state == PEN_RUN_ABANDONED, FALSE);

    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, sql, error) || !pen_session_recover(store, error))
        return FALSE;
    g_autoptr(PenRun) row = pen_row_get(sql, &pen_run_type, run, error);
    if (!row)
        return FALSE;
    if (row->state != PEN_RUN_PAUSED) {
        g_autoptr(PenRun) ours = get_running(store, run, error);
        if (!ours)
            return FALSE;
    }
    gboolean resumable = state == PEN_RUN_PAUSED;
    if (!pen_sql_run(sql, error,
                     "UPDATE runs SET state = ?, message = ?, ended = ?, session = NULL, "
                     "checkpoint_file = ? WHERE id = ?",
                     PEN_SQL_TEXT(pen_run_state_name(state)), PEN_SQL_TEXT(message),
                     PEN_SQL_INT(g_get_real_time()),
                     PEN_SQL_TEXT(resumable ? row->checkpoint_file : NULL), PEN_SQL_INT(run)) ||
        !pen_sql_commit(&scope, error))
        return FALSE;
    if (!resumable)
        pen_files_forget(store, row->checkpoint_file);
    return TRUE;
}

PenRun *pen_store_resume_run(PenStore *store, gint64 run, GError **error)
{
    PenSql *sql = store->sql;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, sql, error) || !pen_session_begin(store, error) ||
        !pen_session_recover(store, error))
        return NULL;
    g_autoptr(PenRun) row = pen_row_get(sql, &pen_run_type, run, error);
    if (!row)
        return NULL;
    if (row->state != PEN_RUN_PAUSED) {
        gboolean running = row->state == PEN_RUN_RUNNING;
        g_set_error(error, PEN_STORE_ERROR,
                    running ? PEN_STORE_ERROR_BUSY : PEN_STORE_ERROR_INVALID,
                    running ? _("Training run %d is going on already.")
                            : _("Training run %d is over and cannot be resumed."),
                    (int)run);
        return NULL;
    }
    if (!pen_sql_run(sql, error,
                     "UPDATE runs SET state = 'running', session = ?, ended = NULL, "
                     "message = NULL WHERE id = ?",
                     PEN_SQL_TEXT(store->session), PEN_SQL_INT(run)) ||
        !pen_sql_run(sql, error, "DELETE FROM training_steps WHERE run = ? AND step > ?",
                     PEN_SQL_INT(run), PEN_SQL_INT(row->steps_done)))
        return NULL;
    g_autoptr(PenRun) resumed = pen_row_get(sql, &pen_run_type, run, error);
    return resumed && pen_sql_commit(&scope, error) ? g_steal_pointer(&resumed) : NULL;
}

gint64 pen_store_finish_run(PenStore *store, gint64 run, GBytes *adapter, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    if (!pen_sql_begin(&scope, store->sql, error))
        return 0;
    g_autoptr(PenRun) row = get_running(store, run, error);
    if (!row)
        return 0;
    gint64 version =
        pen_style_add_version(store, row->style, row->from_version, run, adapter, error);
    if (!version ||
        !pen_sql_run(store->sql, error,
                     "UPDATE runs SET state = 'finished', to_version = ?, ended = ?, "
                     "steps_done = steps_total, checkpoint_file = NULL, session = NULL "
                     "WHERE id = ?",
                     PEN_SQL_INT(version), PEN_SQL_INT(g_get_real_time()), PEN_SQL_INT(run)) ||
        !pen_sql_commit(&scope, error))
        return 0;
    pen_files_forget(store, row->checkpoint_file);
    return version;
}

PenRun *pen_store_get_run(PenStore *store, gint64 run, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_row_get(store->sql, &pen_run_type, run, error);
}

PenRun *pen_store_find_unfinished_run(PenStore *store, gint64 style, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    g_autoptr(GPtrArray) rows =
        pen_row_list(store->sql, &pen_run_type, error,
                     "WHERE style = ? AND state IN ('running', 'paused')", PEN_SQL_INT(style));
    if (!rows)
        return NULL;
    if (rows->len == 0) {
        g_set_error_literal(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND,
                            _("This style has no unfinished training."));
        return NULL;
    }
    return g_ptr_array_steal_index(rows, 0);
}

GPtrArray *pen_store_list_runs(PenStore *store, gint64 style, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_row_list(store->sql, &pen_run_type, error, "WHERE style = ? ORDER BY id DESC",
                        PEN_SQL_INT(style));
}

GPtrArray *pen_store_list_training_steps(PenStore *store, gint64 run, GError **error)
{
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    return pen_row_list(store->sql, &pen_training_step_type, error, "WHERE run = ? ORDER BY step",
                        PEN_SQL_INT(run));
}
