// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>

#include "src/cli/cli.h"

static char *style_name;
static int limit = 20;

static const GOptionEntry entries[] = {
    { "style", 's', 0, G_OPTION_ARG_STRING, &style_name, N_("Only of this style"), N_("NAME") },
    { "limit", 0, 0, G_OPTION_ARG_INT, &limit, N_("At most so many entries (20); 0: all"), "N" },
    G_OPTION_ENTRY_NULL,
};

/* A round or a training run. */
typedef struct {
    gint64 created;
    PenRound *round;
    PenRun *run;
    const char *style; /* of the run */
} Entry;

static void entry_free(gpointer data)
{
    Entry *entry = data;
    pen_round_free(entry->round);
    pen_run_free(entry->run);
    g_free(entry);
}

static int latest_first(gconstpointer a, gconstpointer b)
{
    const Entry *x = *(const Entry *const *)a, *y = *(const Entry *const *)b;
    return x->created < y->created ? 1 : x->created > y->created ? -1 : 0;
}

static gboolean add_rounds(GPtrArray *entry_list, PenStore *store, gint64 style, int most,
                           GError **error)
{
    g_autoptr(GPtrArray) rounds = pen_store_list_rounds(store, style, most, error);
    for (guint i = 0; rounds && i < rounds->len; i++) {
        Entry *entry = g_new0(Entry, 1);
        entry->round = pen_round_copy(rounds->pdata[i]);
        entry->created = entry->round->created;
        g_ptr_array_add(entry_list, entry);
    }
    return rounds != NULL;
}

static gboolean add_runs(GPtrArray *entry_list, PenStore *store, const PenStyle *style,
                         GError **error)
{
    g_autoptr(GPtrArray) runs = pen_store_list_runs(store, style->id, error);
    for (guint i = 0; runs && i < runs->len; i++) {
        Entry *entry = g_new0(Entry, 1);
        entry->run = pen_run_copy(runs->pdata[i]);
        entry->created = entry->run->created;
        entry->style = style->name;
        g_ptr_array_add(entry_list, entry);
    }
    return runs != NULL;
}

static const char *name_of(GPtrArray *styles, gint64 id)
{
    for (guint i = 0; i < styles->len; i++) {
        const PenStyle *style = styles->pdata[i];
        if (style->id == id)
            return style->name;
    }
    return NULL;
}

/* "like": ROUND:PLACE. */
static void show_origin(PenCli *cli, JsonObject *object, gint64 candidate)
{
    g_autoptr(PenCandidate) origin =
        pen_store_get_candidate(pen_studio_store(cli->studio), candidate, NULL);
    if (!origin)
        return;
    g_autofree char *like =
        g_strdup_printf("%" G_GINT64_FORMAT ":%d", origin->round, origin->place);
    json_object_set_string_member(object, "like", like);
}

/* The picks of other artists, by name. */
static void show_others(PenCli *cli, JsonObject *object, gint64 round)
{
    g_autoptr(GPtrArray) picks =
        pen_store_list_round_picks(pen_studio_store(cli->studio), round, NULL);
    g_autofree char *own = pen_store_get_artist(pen_studio_store(cli->studio));
    JsonObject *others = json_object_new();
    for (guint i = 0; picks && i < picks->len; i++) {
        const PenPick *pick = picks->pdata[i];
        g_autofree char *order = pen_notation_write(pick->ranks, pick->n);
        if (g_str_equal(pick->artist, own))
            continue;
        pen_cli_print(cli, "  %s: %s", pick->artist, order);
        json_object_set_string_member(others, pick->artist, order);
    }
    json_object_set_object_member(object, "others", others);
}

static void show_round(PenCli *cli, const PenRound *round, const char *style)
{
    PenStore *store = pen_studio_store(cli->studio);
    g_autoptr(PenPick) pick = pen_store_get_pick(store, round->id, NULL);
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, round->id, NULL);
    g_autofree char *order = pick ? pen_notation_write(pick->ranks, pick->n) : NULL;
    g_autofree char *when = pen_cli_time(round->created);
    pen_cli_print(cli, _("%s  round %" PRId64 "  %s  “%s”%s%s  %s"), when, round->id,
                  pen_round_state_name(round->state), round->prompt, style ? "  " : "",
                  style ? style : "", order ? order : _("not picked"));
    JsonObject *object = pen_cli_object("round");
    json_object_set_int_member(object, "round", round->id);
    json_object_set_int_member(object, "created", round->created);
    json_object_set_string_member(object, "state", pen_round_state_name(round->state));
    json_object_set_string_member(object, "prompt", round->prompt);
    json_object_set_string_member(object, "negative", round->negative_prompt);
    json_object_set_boolean_member(object, "words", round->words);
    json_object_set_int_member(object, "clip_skip", round->clip_skip);
    json_object_set_string_member(object, "style", style);
    json_object_set_string_member(object, "model", round->model_name);
    json_object_set_int_member(object, "width", round->width);
    json_object_set_int_member(object, "height", round->height);
    json_object_set_int_member(object, "steps", round->steps);
    pen_cli_set_number(object, "guidance", round->guidance);
    if (round->guidance_rescale >= 0)
        pen_cli_set_number(object, "guidance_rescale", round->guidance_rescale);
    json_object_set_string_member(object, "sampler", round->sampler);
    if (round->timesteps)
        json_object_set_string_member(object, "timesteps", round->timesteps);
    pen_cli_set_number(object, "eta", round->eta);
    json_object_set_int_member(object, "seed", (gint64)round->seed);
    json_object_set_string_member(object, "order", order);
    show_others(cli, object, round->id);
    int guess = candidates ? pen_candidates_get_guess(candidates) : -1;
    if (guess >= 0)
        json_object_set_int_member(object, "guess", guess);
    if (round->own_picture)
        json_object_set_boolean_member(object, "own_picture", TRUE);
    if (round->made)
        json_object_set_int_member(object, "made", round->made);
    if (round->origin)
        show_origin(cli, object, round->origin);
    JsonArray *files = json_array_new();
    for (guint i = 0; candidates && i < candidates->len; i++) {
        const PenCandidate *candidate = candidates->pdata[i];
        g_autofree char *path =
            candidate->picture_file ? pen_store_path(store, candidate->picture_file) : NULL;
        if (path)
            json_array_add_string_element(files, path);
        else
            json_array_add_null_element(files);
    }
    json_object_set_array_member(object, "files", files);
    pen_cli_emit(cli, object);
}

static void show_run(PenCli *cli, const PenRun *run, const char *style)
{
    g_autoptr(GPtrArray) curve =
        pen_store_list_training_steps(pen_studio_store(cli->studio), run->id, NULL);
    g_autofree char *when = pen_cli_time(run->created);
    const PenTrainingStep *last = curve && curve->len ? curve->pdata[curve->len - 1] : NULL;
    g_autofree char *loss =
        last ? g_strdup_printf(_(", loss %.5f, margin %+.5f"), last->loss, last->margin)
             : g_strdup("");
    pen_cli_print(cli, _("%s  taught “%s”: %s, %d of %d steps%s"), when, style,
                  pen_run_state_name(run->state), run->steps_done, run->steps_total, loss);
    JsonObject *object = pen_cli_object("run");
    json_object_set_int_member(object, "run", run->id);
    json_object_set_int_member(object, "created", run->created);
    json_object_set_string_member(object, "style", style);
    json_object_set_string_member(object, "state", pen_run_state_name(run->state));
    json_object_set_int_member(object, "steps_done", run->steps_done);
    json_object_set_int_member(object, "steps", run->steps_total);
    pen_cli_set_number(object, "learning_rate", run->d3po.learning_rate);
    pen_cli_set_number(object, "beta", run->d3po.beta);
    pen_cli_set_number(object, "clip", run->d3po.clip);
    pen_cli_set_number(object, "loser_weight", run->d3po.loser_weight);
    pen_cli_set_number(object, "timestep_fraction", run->d3po.timestep_fraction);
    json_object_set_int_member(object, "timesteps_per_update", run->d3po.timesteps_per_update);
    json_object_set_boolean_member(object, "hindsight", run->d3po.hindsight);
    json_object_set_boolean_member(object, "guided", run->d3po.guided);
    json_object_set_boolean_member(object, "afresh", run->d3po.afresh);
    json_object_set_int_member(object, "updates", run->d3po.updates);
    json_object_set_boolean_member(object, "falling_rate", run->d3po.falling_rate);
    json_object_set_boolean_member(object, "one_pair", run->d3po.one_pair);
    json_object_set_boolean_member(object, "word", run->d3po.word);
    json_object_set_int_member(object, "epochs", run->d3po.epochs);
    json_object_set_int_member(object, "seed", (gint64)run->seed);
    JsonArray *losses = json_array_new(), *margins = json_array_new();
    for (guint i = 0; curve && i < curve->len; i++) {
        const PenTrainingStep *step = curve->pdata[i];
        pen_cli_add_number(losses, step->loss);
        pen_cli_add_number(margins, step->margin);
    }
    json_object_set_array_member(object, "losses", losses);
    json_object_set_array_member(object, "margins", margins);
    pen_cli_emit(cli, object);
}

/* "history delete ROUND…", "history restore ROUND…" */
static gboolean change(PenCli *cli, char **arguments, GError **error)
{
    gboolean delete = g_str_equal(arguments[0], "delete");
    if ((!delete && !g_str_equal(arguments[0], "restore")) || !arguments[1])
        return pen_cli_usage_error(
            error,
            _("“history” lists rounds; “history delete ROUND…” throws some away, and “history "
              "restore ROUND…” brings them back."));
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio)
        return FALSE;
    for (char **word = arguments + 1; *word; word++) {
        guint64 round;
        if (!g_ascii_string_to_unsigned(*word, 10, 1, G_MAXINT64, &round, NULL))
            return pen_cli_usage_error(
                error, _("“%s” is not a round's id; “penchant history” lists the rounds."), *word);
        if (!(delete ? pen_store_delete_round : pen_store_undelete_round)(pen_studio_store(studio),
                                                                          (gint64)round, error))
            return FALSE;
        if (delete)
            pen_cli_print(cli, _("Round %d is deleted; its files stay for %d days."), (int)round,
                          PEN_STORE_TRASH_DAYS);
        else
            pen_cli_print(cli, _("Round %d is back."), (int)round);
        JsonObject *object = pen_cli_object("result");
        json_object_set_int_member(object, delete ? "deleted" : "restored", (gint64)round);
        pen_cli_emit(cli, object);
    }
    return TRUE;
}

static gboolean run(PenCli *cli, char **arguments, GError **error)
{
    if (arguments[0])
        return change(cli, arguments, error);
    if (limit < 0)
        return pen_cli_usage_error(error, _("--limit is a number of entries, or 0 for all."));
    guint most = limit ? (guint)limit : G_MAXINT;
    PenStudio *studio = pen_cli_studio(cli, error);
    if (!studio)
        return FALSE;
    PenStore *store = pen_studio_store(studio);
    g_autoptr(PenStyle) only = style_name ? pen_cli_find_style(cli, style_name, error) : NULL;
    g_autoptr(GPtrArray) styles = pen_store_list_styles(store, FALSE, error);
    if (!styles || (style_name && !only))
        return FALSE;
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(entry_free);
    if (!add_rounds(list, store, only ? only->id : 0, (int)most, error))
        return FALSE;
    for (guint i = 0; i < styles->len; i++) {
        const PenStyle *style = styles->pdata[i];
        if ((!only || style->id == only->id) && !add_runs(list, store, style, error))
            return FALSE;
    }
    g_ptr_array_sort(list, latest_first);
    for (guint i = 0; i < MIN(list->len, most); i++) {
        const Entry *entry = list->pdata[i];
        if (entry->round)
            show_round(cli, entry->round, name_of(styles, entry->round->style));
        else
            show_run(cli, entry->run, entry->style);
    }
    return TRUE;
}

const PenCommand pen_command_history = {
    .name = "history",
    .arguments = N_("[delete|restore ROUND…]"),
    .summary = N_("List past rounds, their picks, and teachings, latest first; throw rounds away"),
    .max_arguments = G_MAXUINT,
    .entries = entries,
    .run = run,
};
