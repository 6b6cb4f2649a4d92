// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/learning/predictor.h"

#include <math.h>

struct _PenPredictor {
    gsize n;
    double *scale;   /* [n] 1 / s; 0 for a feature that is always the same */
    double *weights; /* [n], of features that were scaled */
};

void pen_predictor_free(PenPredictor *predictor)
{
    if (!predictor)
        return;
    g_free(predictor->scale);
    g_free(predictor->weights);
    g_free(predictor);
}

static gboolean all_finite(const float *values, gsize n)
{
    gboolean finite = TRUE;
    for (gsize i = 0; i < n; i++)
        finite = finite && isfinite(values[i]);
    return finite;
}

typedef struct {
    const float *better, *worse;
} Pair;

/* The pairs of the latest rounds, whole rounds until there are enough. */
static GArray *list_pairs(gsize n_features, const PenPredictorRound *rounds, guint n_rounds,
                          guint *n_used)
{
    GArray *pairs = g_array_new(FALSE, FALSE, sizeof(Pair));
    for (guint r = 0; r < n_rounds && pairs->len < PEN_PREDICTOR_MAX_PAIRS; r++) {
        const PenPredictorRound *round = &rounds[r];
        *n_used = r + 1;
        for (guint a = 0; a < round->n; a++)
            for (guint b = 0; b < round->n; b++) {
                Pair pair = { round->features[a], round->features[b] };
                if (round->ranks[a] > round->ranks[b] && all_finite(pair.better, n_features) &&
                    all_finite(pair.worse, n_features))
                    g_array_append_val(pairs, pair);
            }
    }
    g_array_set_size(pairs, MIN(pairs->len, PEN_PREDICTOR_MAX_PAIRS));
    return pairs;
}

/* 1 / s of each feature over the candidates of the rounds. */
static double *find_scale(gsize n_features, const PenPredictorRound *rounds, guint n_rounds)
{
    double *mean = g_new0(double, n_features), *square = g_new0(double, n_features), seen = 0;
    for (guint r = 0; r < n_rounds; r++)
        for (guint i = 0; i < rounds[r].n; i++) {
            const float *f = rounds[r].features[i];
            if (!all_finite(f, n_features))
                continue;
            seen++;
            for (gsize j = 0; j < n_features; j++) { /* Welford */
                double off = f[j] - mean[j];
                mean[j] += off / seen;
                square[j] += off * (f[j] - mean[j]);
            }
        }
    for (gsize j = 0; j < n_features; j++) {
        double deviation = sqrt(square[j] / seen);
        /* Less is the last bits of what is the same. */
        square[j] = deviation > 1e-5 * fabs(mean[j]) && deviation > 0 ? 1 / deviation : 0;
    }
    g_free(mean);
    return square;
}

/* Solves (K + ridge I) a = 1 for symmetric K[n, n], which is overwritten. */
static void solve(double *k, guint n, double ridge, double *a)
{
    for (guint j = 0; j < n; j++) {
        k[j * n + j] += ridge;
        for (guint i = j; i < n; i++) {
            double sum = k[i * n + j];
            for (guint m = 0; m < j; m++)
                sum -= k[i * n + m] * k[j * n + m];
            k[i * n + j] = i == j ? sqrt(sum) : sum / k[j * n + j];
        }
    }
    for (guint i = 0; i < n; i++) {
        a[i] = 1;
        for (guint m = 0; m < i; m++)
            a[i] -= k[i * n + m] * a[m];
        a[i] /= k[i * n + i];
    }
    for (guint i = n; i-- > 0;) {
        for (guint m = i + 1; m < n; m++)
            a[i] -= k[m * n + i] * a[m];
        a[i] /= k[i * n + i];
    }
}

/* In eight sums, which a compiler may hold in one register. */
static double dot(const float *a, const float *b, gsize n)
{
    float sums[8] = { 0 };
    double sum = 0;
    gsize i = 0;
    for (; i + 8 <= n; i += 8)
        for (gsize j = 0; j < 8; j++)
            sums[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        sum += (double)a[i] * b[i];
    for (gsize j = 0; j < 8; j++)
        sum += sums[j];
    return sum;
}

PenPredictor *pen_predictor_new(gsize n_features, const PenPredictorRound *rounds, guint n_rounds)
{
    guint n_used = 0;
    g_autoptr(GArray) pairs = list_pairs(n_features, rounds, n_rounds, &n_used);
    guint n = pairs->len;
    if (n == 0)
        return NULL;
    g_autoptr(PenPredictor) p = g_new0(PenPredictor, 1);
    p->n = n_features;
    p->scale = find_scale(n_features, rounds, n_used);
    p->weights = g_new0(double, n_features);
    g_autofree float *x = g_new(float, n *n_features);
    for (guint i = 0; i < n; i++) {
        const Pair *pair = &g_array_index(pairs, Pair, i);
        for (gsize j = 0; j < n_features; j++)
            x[i * n_features + j] =
                (float)(((double)pair->better[j] - pair->worse[j]) * p->scale[j]);
    }
    g_autofree double *k = g_new(double, (gsize)n *n), *a = g_new(double, n);
    double trace = 0;
    for (guint i = 0; i < n; i++) {
        for (guint j = 0; j <= i; j++)
            k[i * n + j] = k[j * n + i] =
                dot(x + i * n_features, x + j * n_features, n_features) / (double)n_features;
        trace += k[i * n + i];
    }
    if (!(trace > 0 && isfinite(trace)))
        return NULL;
    solve(k, n, PEN_PREDICTOR_RIDGE, a);
    for (guint i = 0; i < n; i++)
        for (gsize j = 0; j < n_features; j++)
            p->weights[j] += a[i] * x[i * n_features + j] / (double)n_features;
    return g_steal_pointer(&p);
}

double pen_predictor_score(const PenPredictor *predictor, const float *features)
{
    double score = 0;
    for (gsize j = 0; j < predictor->n; j++)
        score += predictor->weights[j] * predictor->scale[j] * features[j];
    return isfinite(score) && all_finite(features, predictor->n) ? score : NAN;
}

/* The mean square of what differs, in standard deviations. */
static double distance(const PenPredictor *p, const float *a, const float *b)
{
    double sum = 0;
    for (gsize j = 0; j < p->n; j++) {
        double d = p->scale[j] * ((double)a[j] - b[j]);
        sum += d * d;
    }
    return isfinite(sum) ? sum : 0;
}

/* How far candidate i is from the nearest of those chosen. */
static double unlikeness(const PenPredictor *p, const float *const *features, guint i,
                         const guint *chosen, guint n_chosen)
{
    double least = G_MAXDOUBLE;
    for (guint c = 0; c < n_chosen; c++)
        least = MIN(least, distance(p, features[i], features[chosen[c]]));
    return least;
}

void pen_predictor_choose(const PenPredictor *predictor, guint n, const float *const *features,
                          guint count, guint *chosen)
{
    g_return_if_fail(count <= n);
    guint n_unlike = count == 1 ? 0 : count <= 5 ? 1 : 2;
    g_autofree gboolean *taken = g_new0(gboolean, n);
    g_autofree double *scores = g_new(double, n);
    for (guint i = 0; i < n; i++) {
        double score = pen_predictor_score(predictor, features[i]);
        scores[i] = isnan(score) ? -G_MAXDOUBLE : score;
    }
    for (guint c = 0; c < count; c++) {
        gboolean by_score = c < count - n_unlike;
        double most = -INFINITY;
        for (guint i = 0; i < n; i++) {
            if (taken[i])
                continue;
            double value = by_score ? scores[i] : unlikeness(predictor, features, i, chosen, c);
            if (value > most) {
                most = value;
                chosen[c] = i;
            }
        }
        taken[chosen[c]] = TRUE;
    }
}
