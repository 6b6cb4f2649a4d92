// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/studio/guess.h"

#include <glib/gi18n-lib.h>

#include "src/engine/picture-features.h"
#include "src/formats/safetensors-writer.h"
#include "src/learning/ranking.h"

/* Rounds whose missing features a job computes; each costs about a tenth of a round. */
#define CATCH_UP 8

/* --- files ------------------------------------------------------------------------------------ */

static GBytes *save(const float *features, gsize count, GError **error)
{
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    pen_safetensors_writer_set_metadata(writer, "format", "penchant features 1");
    pen_safetensors_writer_add(writer, "features", PEN_SAFETENSOR_F32, 1, &count, features);
    return pen_safetensors_writer_to_bytes(writer, error);
}

/* NULL where there are none, or none that fit the model: they can be computed again. */
static float *load(PenStore *store, const PenCandidate *candidate, gsize count)
{
    if (!candidate->features_file)
        return NULL;
    g_autofree char *path = pen_store_path(store, candidate->features_file);
    g_autoptr(PenSafetensors) file = pen_safetensors_open(path, NULL);
    const PenSafetensor *tensor = file ? pen_safetensors_lookup(file, "features") : NULL;
    if (!tensor || tensor->n_elements != count)
        return NULL;
    g_autofree float *features = g_new(float, count);
    return pen_safetensor_to_f32(tensor, features, NULL) ? g_steal_pointer(&features) : NULL;
}

/* [n, count]; g_free(). */
static float *extract(PenJob *job, PenRuntime *runtime, guint n, guint32 height, guint32 width,
                      const float *const *latents, const float *condition, GError **error)
{
    g_autofree float *features = g_new(float, n *pen_features_count(pen_runtime_model(runtime)));
    g_autofree const float **conditions = condition ? g_new(const float *, n) : NULL;
    for (guint i = 0; conditions && i < n; i++)
        conditions[i] = condition;
    return pen_features_extract(runtime, n, height, width, latents, conditions, features,
                                job->cancellable, error)
               ? g_steal_pointer(&features)
               : NULL;
}

/* --- a picked round --------------------------------------------------------------------------- */

/* The features and ranks of its candidates that were finished and ranked. */
typedef struct {
    guint n;
    float **features;
    int *ranks;
} Example;

static void example_free(gpointer data)
{
    Example *example = data;
    for (guint i = 0; i < example->n; i++)
        g_free(example->features[i]);
    g_free(example->features);
    g_free(example->ranks);
    g_free(example);
}

typedef struct {
    PenJob *job;
    PenRuntime *runtime;
    gsize count;    /* of features */
    guint catch_up; /* rounds whose features may still be computed */
} Learning;

/* FALSE without an error where its trajectory cannot be read or is of another size than the model.
 */
static gboolean compute(Learning *l, const PenCandidate *candidate, float **features,
                        GError **error)
{
    PenStore *store = l->job->studio->store;
    const PenModel *model = pen_runtime_model(l->runtime);
    g_autofree char *path = pen_store_path(store, candidate->trajectory_file);
    g_autoptr(PenTrajectory) t = pen_trajectory_load(path, model->schedule, NULL);
    if (!t || t->channels != model->unet.out_channels ||
        t->condition_channels != model->condition_channels)
        return FALSE;
    const float *latents = pen_trajectory_latents(t, t->steps);
    *features = extract(l->job, l->runtime, 1, t->height, t->width, &latents, t->condition, error);
    g_autoptr(GBytes) file = *features ? save(*features, l->count, error) : NULL;
    return file && pen_store_set_features(store, candidate->id, file, error);
}

/* NULL without an error where the round has to be left out, or for another time. */
static Example *make_example(Learning *l, const PenPick *pick, GError **error)
{
    PenStore *store = l->job->studio->store;
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, pick->round, error);
    if (!candidates)
        return NULL;
    gboolean computed = FALSE, ok = TRUE;
    GError *failure = NULL;
    Example *example = g_new0(Example, 1);
    example->features = g_new0(float *, candidates->len);
    example->ranks = g_new0(int, candidates->len);
    for (guint i = 0; ok && i < MIN(candidates->len, (guint)pick->n); i++) {
        const PenCandidate *candidate = candidates->pdata[i];
        if (pick->ranks[i] == PEN_RANK_NONE)
            continue;
        float *features = load(store, candidate, l->count);
        if (!features) {
            ok = l->catch_up && candidate->trajectory_file &&
                 compute(l, candidate, &features, &failure);
            computed = TRUE;
        }
        example->features[example->n] = features;
        example->ranks[example->n++] = pick->ranks[i];
    }
    if (computed && l->catch_up)
        l->catch_up--;
    if (failure)
        g_propagate_error(error, failure);
    if (!ok)
        g_clear_pointer(&example, example_free);
    return example;
}

static gboolean learn(PenJob *job, PenRuntime *runtime, gint64 style, PenPredictor **predictor,
                      GError **error)
{
    PenStore *store = job->studio->store;
    const PenModel *model = pen_runtime_model(runtime);
    *predictor = NULL;
    g_autoptr(GPtrArray) picks =
        style ? pen_store_list_picks(store, style, FALSE, error)
              : pen_store_list_adoptable_picks(store, model->identity, error);
    if (!picks)
        return FALSE;
    g_autofree char *artist = pen_store_get_artist(store);
    pen_picks_keep_artists(picks, (const char *const[]){ artist, NULL }); /* it guesses theirs */
    Learning l = {
        .job = job,
        .runtime = runtime,
        .count = pen_features_count(model),
        .catch_up = CATCH_UP,
    };
    g_autoptr(GPtrArray) examples = g_ptr_array_new_with_free_func(example_free);
    g_autoptr(GArray) rounds = g_array_new(FALSE, FALSE, sizeof(PenPredictorRound));
    guint64 pairs = 0;
    for (guint i = picks->len;
         i-- > 0 && picks->len >= PEN_GUESS_MIN_PICKS && pairs < PEN_PREDICTOR_MAX_PAIRS;) {
        GError *failure = NULL;
        Example *example = make_example(&l, picks->pdata[i], &failure);
        if (failure) {
            g_propagate_error(error, failure);
            return FALSE;
        }
        if (!example)
            continue;
        g_ptr_array_add(examples, example);
        PenPredictorRound round = {
            .n = example->n,
            .features = (const float *const *)example->features,
            .ranks = example->ranks,
        };
        g_array_append_val(rounds, round);
        pairs += pen_ranking_count_pairs(example->n, example->ranks);
    }
    if (rounds->len >= PEN_GUESS_MIN_PICKS)
        *predictor = pen_predictor_new(l.count, (const PenPredictorRound *)(gpointer)rounds->data,
                                       rounds->len);
    return TRUE;
}

gboolean pen_guess_learn(PenGuess *guess, gint64 style, guint wide, GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (!learn(guess->job, guess->runtime, style, &guess->predictor, &failure) &&
        (wide || g_error_matches(failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (wide && guess->predictor)
        guess->made = wide;
    else if (wide)
        pen_job_notice(guess->job, _("There are too few picks yet to choose by: all pictures that "
                                     "are made are shown."));
    return TRUE;
}

/* --- a round ---------------------------------------------------------------------------------- */

void pen_guess_clear(PenGuess *guess)
{
    g_clear_pointer(&guess->predictor, pen_predictor_free);
}

gboolean pen_guess_is_wide(const PenGuess *guess)
{
    return guess->made > guess->count;
}

gboolean pen_guess_choose(PenGuess *guess, const float *const *latents, GError **error)
{
    if (guess->has_chosen) /* the round begins again, in other numbers */
        return TRUE;
    gsize count = pen_features_count(pen_runtime_model(guess->runtime));
    g_autofree float *features = extract(guess->job, guess->runtime, guess->made, guess->height,
                                         guess->width, latents, guess->condition, error);
    if (!features)
        return FALSE;
    const float *rows[PEN_ROUND_WIDE_MAX];
    for (guint i = 0; i < guess->made; i++)
        rows[i] = features + i * count;
    pen_predictor_choose(guess->predictor, guess->made, rows, guess->count, guess->chosen);
    guess->has_chosen = TRUE;
    return TRUE;
}

static gboolean keep_features(PenGuess *guess, GPtrArray *candidates, const float *features,
                              GError **error)
{
    gsize count = pen_features_count(pen_runtime_model(guess->runtime));
    for (guint i = 0; i < guess->count; i++) {
        const PenCandidate *candidate = candidates->pdata[i];
        g_autoptr(GBytes) file = save(features + i * count, count, error);
        if (!file || !pen_store_set_features(guess->job->studio->store, candidate->id, file, error))
            return FALSE;
    }
    return TRUE;
}

gboolean pen_guess_best(PenGuess *guess, gint64 round, const float *const *latents, int *best,
                        GError **error)
{
    PenStore *store = guess->job->studio->store;
    gsize count = pen_features_count(pen_runtime_model(guess->runtime));
    *best = -1;
    if (!guess->predictor)
        return TRUE;
    g_autofree float *features = extract(guess->job, guess->runtime, guess->count, guess->height,
                                         guess->width, latents, guess->condition, NULL);
    if (g_cancellable_set_error_if_cancelled(guess->job->cancellable, error))
        return FALSE;
    if (!features)
        return TRUE;
    g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, round, error);
    if (!candidates || !keep_features(guess, candidates, features, error))
        return FALSE;
    double scores[PEN_ROUND_MAX];
    for (guint i = 0; i < guess->count; i++) {
        scores[i] = pen_predictor_score(guess->predictor, features + i * count);
        ((PenCandidate *)candidates->pdata[i])->score = scores[i];
    }
    *best = pen_candidates_get_guess(candidates);
    return pen_store_set_scores(store, round, scores, (int)guess->count, error);
}
