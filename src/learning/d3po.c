// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/learning/d3po.h"

#include <math.h>

// -log sigmoid(z) = log(1 + exp(-z)), without overflow.
static double minus_log_sigmoid(double z)
{
    return z > 0 ? log1p(exp(-z)) : log1p(exp(z)) - z;
}

// sigmoid(-z) = -d/dz of the above.
static double sigmoid_of_minus(double z)
{
    double e = exp(-fabs(z));
    return (z > 0 ? e : 1) / (1 + e);
}

/*
 * log clamp(exp d, 1 - clip, 1 + clip) taken in the log domain, where a large d cannot overflow.
 * `slope` becomes its derivative. NaN passes through.
 */
static double clamp_log_ratio(double d, double clip, double *slope)
{
    double low = clip > 0 && clip < 1 ? log1p(-clip) : -INFINITY;
    double high = clip > 0 ? log1p(clip) : INFINITY;

    *slope = !(d < low || d > high);
    return d < low ? low : d > high ? high : d;
}

double pen_d3po_step_loss(const PenD3poConfig *config, guint n, const double *log_prob,
                          const double *ref_log_prob, const int *rank, guint64 total_terms,
                          double *coefficient, PenD3poStats *stats)
{
    g_return_val_if_fail(n > 0 && total_terms > 0, 0);

    g_autofree double *ratio = g_new(double, n);
    g_autofree double *slope = g_new(double, n);
    PenD3poStats step = { 0 };

    for (guint i = 0; i < n; i++) {
        ratio[i] = clamp_log_ratio(log_prob[i] - ref_log_prob[i], config->clip, &slope[i]);
        coefficient[i] = 0;
    }
    for (guint w = 0; w < n; w++) {
        for (guint l = 0; l < n; l++) {
            if (rank[w] <= rank[l])
                continue;
            double z = config->beta * (ratio[w] - config->loser_weight * ratio[l]);
            double pull = config->beta * sigmoid_of_minus(z);
            double margin = (log_prob[w] - ref_log_prob[w]) - (log_prob[l] - ref_log_prob[l]);
            coefficient[w] -= pull;
            coefficient[l] += config->loser_weight * pull;
            step.terms++;
            step.agreeing += margin > 0;
            step.margin_sum += margin;
            step.loss_sum += minus_log_sigmoid(z);
        }
    }
    for (guint i = 0; i < n; i++)
        coefficient[i] *= slope[i] / (double)total_terms;
    if (stats) {
        stats->terms += step.terms;
        stats->agreeing += step.agreeing;
        stats->margin_sum += step.margin_sum;
        stats->loss_sum += step.loss_sum;
    }
    return step.loss_sum / (double)total_terms;
}

gboolean pen_d3po_is_idle(const PenD3poConfig *config, guint n, const int *rank, guint i,
                          double log_prob, double ref_log_prob)
{
    gboolean wins = FALSE;
    double slope;

    clamp_log_ratio(log_prob - ref_log_prob, config->clip, &slope);
    for (guint l = 0; l < n; l++)
        wins = wins || rank[i] > rank[l];
    return slope == 0 || (!wins && config->loser_weight == 0);
}

static double per_term(const PenD3poStats *stats, double sum)
{
    return stats->terms ? sum / (double)stats->terms : 0;
}

double pen_d3po_stats_get_loss(const PenD3poStats *stats)
{
    return per_term(stats, stats->loss_sum);
}

double pen_d3po_stats_get_margin(const PenD3poStats *stats)
{
    return per_term(stats, stats->margin_sum);
}

double pen_d3po_stats_get_agreement(const PenD3poStats *stats)
{
    return per_term(stats, (double)stats->agreeing);
}
