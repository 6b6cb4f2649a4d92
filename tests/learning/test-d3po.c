// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/safetensors.h"
#include "src/learning/d3po.h"
#include "src/learning/ranking.h"

#include <math.h>

static PenD3poConfig config_of(double beta, double clip)
{
    PenD3poConfig config = PEN_D3PO_CONFIG_INIT;
    config.beta = beta;
    config.clip = clip;
    return config;
}

// Five candidates, two of them tied, at one of three steps. Losses and gradients by torch 1.13
// autograd in float64 through the published script's formula.
static void test_reference(void)
{
    static const double log_prob[] = { 0.803, 0.175, 0.089, -0.614, 0.046 };
    static const double ref[] = { 0.833, -0.025, 0.169, -0.314, -0.004 };
    static const int rank[] = { 1, 3, 0, 1, 2 };
    static const struct {
        double beta, clip, loss, gradient[5];
    } cases[] = {
        { 0.1,
          0.1,
          0.229321064220723,
          { 0.00183747146134, 0, 0.00737685710621, 0, -0.00367406990453 } },
        { 2,
          0,
          0.184499407243665,
          { 0.0275592686507, -0.107039421344, 0.139421556384, -0.000555954188495,
            -0.0593854495026 } },
        { 1,
          10,
          0.205108389133913,
          { 0.0161207482122, -0.0634561757377, 0.0718622706776, 0.00874606869532,
            -0.0332729118475 } },
    };

    for (guint k = 0; k < G_N_ELEMENTS(cases); k++) {
        PenD3poConfig config = config_of(cases[k].beta, cases[k].clip);
        PenD3poStats stats = { 0 };
        double coefficient[5];
        double loss =
            pen_d3po_step_loss(&config, 5, log_prob, ref, rank, 3 * 9, coefficient, &stats);

        g_assert_cmpfloat_with_epsilon(loss, cases[k].loss, 1e-12);
        for (guint i = 0; i < 5; i++)
            g_assert_cmpfloat_with_epsilon(coefficient[i], cases[k].gradient[i], 1e-12);
        g_assert_cmpuint(stats.terms, ==, 9);
        g_assert_cmpfloat_with_epsilon(pen_d3po_stats_get_loss(&stats), 3 * loss, 1e-12);
    }
}

static double total_loss(const PenD3poConfig *config, guint n, guint steps, const double *log_prob,
                         const double *ref, const int *rank, double *coefficient)
{
    guint64 terms = pen_ranking_count_pairs(n, rank) * steps;
    double loss = 0;
    for (guint j = 0; j < steps; j++)
        loss += pen_d3po_step_loss(config, n, log_prob + j * n, ref + j * n, rank, terms,
                                   coefficient + j * n, NULL);
    return loss;
}

// The coefficients of all steps are the gradient of the whole loss.
static void test_finite_differences(void)
{
    enum { N = 7, STEPS = 3, TRIALS = 40 };
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);
    const double h = 1e-6;

    for (guint trial = 0; trial < TRIALS; trial++) {
        double clip = trial % 4 == 0 ? 0 : trial % 4 == 1 ? 0.1 : trial % 4 == 2 ? 0.4 : 3;
        PenD3poConfig config = config_of(g_rand_double_range(rand, 0.05, 5), clip);
        config.loser_weight = trial % 3 * 0.5;
        double log_prob[N * STEPS], ref[N * STEPS], coefficient[N * STEPS], unused[N * STEPS];
        int rank[N];

        for (guint i = 0; i < N; i++)
            rank[i] = i == 0 ? 5 : g_rand_int_range(rand, -2, 3);
        for (guint i = 0; i < N * STEPS; i++) {
            ref[i] = g_rand_double_range(rand, -3, 3);
            log_prob[i] = ref[i] + g_rand_double_range(rand, -0.5, 0.5);
        }
        total_loss(&config, N, STEPS, log_prob, ref, rank, coefficient);
        for (guint i = 0; i < N * STEPS; i++) {
            double d = log_prob[i] - ref[i];
            // The first candidate wins its pairs, with each of the others.
            gboolean idle =
                pen_d3po_is_idle(&config, N, rank, i % N, log_prob[i], ref[i]);
            g_assert_true(i % N == 0 || config.loser_weight > 0 ? idle == (coefficient[i] == 0)
                                                               : !idle || coefficient[i] == 0);
            if (clip > 0 && (fabs(d - log1p(clip)) < 1e-4 || fabs(exp(d) - 1 + clip) < 1e-4))
                continue; // no derivative there
            double at = log_prob[i];
            log_prob[i] = at + h;
            double above = total_loss(&config, N, STEPS, log_prob, ref, rank, unused);
            log_prob[i] = at - h;
            double below = total_loss(&config, N, STEPS, log_prob, ref, rank, unused);
            log_prob[i] = at;
            g_assert_cmpfloat_with_epsilon(coefficient[i], (above - below) / (2 * h), 1e-8);
        }
    }
}

static void test_untrained(void)
{
    const double log_prob[] = { -1, 2, 0.5 };
    const int rank[] = { 0, 1, 0 };
    PenD3poConfig config = PEN_D3PO_CONFIG_INIT;
    PenD3poStats stats = { 0 };
    double coefficient[3];

    g_assert_cmpfloat(pen_d3po_stats_get_loss(&stats), ==, 0);
    g_assert_cmpfloat(pen_d3po_stats_get_margin(&stats), ==, 0);
    g_assert_cmpfloat(pen_d3po_stats_get_agreement(&stats), ==, 0);
    double loss = pen_d3po_step_loss(&config, 3, log_prob, log_prob, rank, 2, coefficient, &stats);
    g_assert_cmpfloat_with_epsilon(loss, G_LN2, 1e-15);
    g_assert_cmpfloat(pen_d3po_stats_get_margin(&stats), ==, 0);
    g_assert_cmpfloat(pen_d3po_stats_get_agreement(&stats), ==, 0);
    // The winner is pushed up, the losers down, equally.
    g_assert_cmpfloat_with_epsilon(coefficient[1], -0.05, 1e-15);
    g_assert_cmpfloat_with_epsilon(coefficient[0], 0.025, 1e-15);
    g_assert_cmpfloat_with_epsilon(coefficient[2], 0.025, 1e-15);
    // Losers of no weight are left alone, and the winner is learnt as before.
    config.loser_weight = 0;
    pen_d3po_step_loss(&config, 3, log_prob, log_prob, rank, 2, coefficient, &stats);
    g_assert_cmpfloat_with_epsilon(coefficient[1], -0.05, 1e-15);
    g_assert_true(coefficient[0] == 0 && coefficient[2] == 0);
}

static void test_stats(void)
{
    const double log_prob[] = { 1, 0, 0.5 }, ref[] = { 0, 0, 0 };
    const int rank[] = { 2, 1, 0 };
    PenD3poConfig config = PEN_D3PO_CONFIG_INIT;
    PenD3poStats stats = { 0 };
    double coefficient[3];

    // margins 1, 0.5 and -0.5, in spite of the clipping
    pen_d3po_step_loss(&config, 3, log_prob, ref, rank, 6, coefficient, &stats);
    pen_d3po_step_loss(&config, 3, log_prob, ref, rank, 6, coefficient, &stats);
    g_assert_cmpuint(stats.terms, ==, 6);
    g_assert_cmpfloat_with_epsilon(pen_d3po_stats_get_margin(&stats), 1.0 / 3, 1e-15);
    g_assert_cmpfloat_with_epsilon(pen_d3po_stats_get_agreement(&stats), 2.0 / 3, 1e-15);
}

static void test_all_tied(void)
{
    const double log_prob[] = { 1, 0 }, ref[] = { 0, 0 };
    const int rank[] = { 3, 3 };
    PenD3poConfig config = PEN_D3PO_CONFIG_INIT;
    double coefficient[2] = { 9, 9 };

    g_assert_cmpfloat(pen_d3po_step_loss(&config, 2, log_prob, ref, rank, 1, coefficient, NULL), ==,
                      0);
    g_assert_true(coefficient[0] == 0 && coefficient[1] == 0);
}

// Huge log-ratios, which exp() cannot hold.
static void test_extremes(void)
{
    static const double huge[] = { 50, 800, 1e6, 1e300 };
    const int rank[] = { 1, 0 };
    const double ref[] = { 0, 0 };
    double coefficient[2];

    for (guint i = 0; i < G_N_ELEMENTS(huge); i++) {
        const double right[] = { huge[i], -huge[i] }, wrong[] = { -huge[i], huge[i] };
        PenD3poConfig clipped = config_of(0.1, 0.1), free = config_of(1, 0);

        double loss = pen_d3po_step_loss(&clipped, 2, wrong, ref, rank, 1, coefficient, NULL);
        double z = 0.1 * (log(0.9) - log(1.1));
        g_assert_cmpfloat_with_epsilon(loss, log(1 + exp(-z)), 1e-14);
        g_assert_true(coefficient[0] == 0 && coefficient[1] == 0);

        loss = pen_d3po_step_loss(&free, 2, right, ref, rank, 1, coefficient, NULL);
        g_assert_cmpfloat(loss, >=, 0);
        g_assert_cmpfloat(loss, <, 1e-40);
        g_assert_cmpfloat_with_epsilon(coefficient[0], 0, 1e-40);

        loss = pen_d3po_step_loss(&free, 2, wrong, ref, rank, 1, coefficient, NULL);
        g_assert_cmpfloat(loss / (2 * huge[i]), ==, 1);
        g_assert_true(coefficient[0] == -1 && coefficient[1] == 1);
    }

    // A broken log-probability is seen, even behind the clamp.
    const double broken[] = { NAN, 0 };
    PenD3poConfig clipped = config_of(0.1, 0.1);
    g_assert_true(isnan(pen_d3po_step_loss(&clipped, 2, broken, ref, rank, 1, coefficient, NULL)));
}

static void test_clamp_bounds(void)
{
    const int rank[] = { 1, 0 };
    const double ref[] = { 0, 0 };
    PenD3poConfig config = config_of(1, 0.1);
    double coefficient[2];

    const double at[] = { log1p(0.1), log1p(-0.1) };
    pen_d3po_step_loss(&config, 2, at, ref, rank, 1, coefficient, NULL);
    g_assert_true(coefficient[0] < 0 && coefficient[1] > 0);
    const double beyond[] = { log1p(0.1) + 1e-9, log1p(-0.1) - 1e-9 };
    pen_d3po_step_loss(&config, 2, beyond, ref, rank, 1, coefficient, NULL);
    g_assert_true(coefficient[0] == 0 && coefficient[1] == 0);
    // A clip of one or more leaves small ratios alone.
    config.clip = 1;
    const double wide[] = { 0.5, -20 };
    pen_d3po_step_loss(&config, 2, wide, ref, rank, 1, coefficient, NULL);
    g_assert_true(coefficient[0] < 0 && coefficient[1] > 0);
}

static double *read_doubles(const PenSafetensors *file, const char *name, gsize expected)
{
    g_autoptr(GError) error = NULL;
    const PenSafetensor *tensor = pen_safetensors_require(file, name, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(tensor->n_elements, ==, expected);
    g_autofree float *floats = g_new(float, expected);
    pen_safetensor_to_f32(tensor, floats, &error);
    g_assert_no_error(error);
    double *values = g_new(double, expected);
    for (gsize i = 0; i < expected; i++)
        values[i] = floats[i];
    return values;
}

// The losses of tests/data/golden from their log-probabilities.
static void test_golden(gconstpointer name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(PEN_TEST_DATA, "golden", name, NULL);
    g_autoptr(PenSafetensors) file = pen_safetensors_open(path, &error);
    g_assert_no_error(error);
    const PenSafetensor *tensor = pen_safetensors_require(file, "log_prob", &error);
    g_assert_no_error(error);
    guint n = (guint)tensor->dims[0], steps = (guint)tensor->dims[1];

    g_autofree double *log_prob = read_doubles(file, "log_prob", n * steps);
    g_autofree double *ref = read_doubles(file, "ref_log_prob", n * steps);
    g_autofree double *loss = read_doubles(file, "loss", 1);
    g_autofree double *beta = read_doubles(file, "beta", 1);
    g_autofree double *clip = read_doubles(file, "clip", 1);
    g_autofree double *ranks = read_doubles(file, "rank", n);
    g_autofree double *of_step = g_new(double, 2 * n);
    g_autofree double *coefficient = g_new(double, n);
    g_autofree int *rank = g_new(int, n);
    PenD3poConfig config = config_of(*beta, *clip);
    PenD3poStats stats = { 0 };
    double total = 0;

    for (guint i = 0; i < n; i++)
        rank[i] = (int)ranks[i];
    guint64 terms = pen_ranking_count_pairs(n, rank) * steps;
    for (guint j = 0; j < steps; j++) {
        for (guint i = 0; i < n; i++) {
            of_step[i] = log_prob[i * steps + j];
            of_step[n + i] = ref[i * steps + j];
        }
        total +=
            pen_d3po_step_loss(&config, n, of_step, of_step + n, rank, terms, coefficient, &stats);
    }
    g_assert_cmpuint(stats.terms, ==, terms);
    g_assert_cmpfloat_with_epsilon(total, *loss, 2e-7);
}

static void test_published_defaults(void)
{
    PenD3poConfig config = PEN_D3PO_CONFIG_INIT;
    g_assert_cmpuint(config.adapter_rank, ==, 4);
    g_assert_cmpfloat(config.learning_rate, ==, 3e-5);
    g_assert_cmpfloat(config.adam_beta1, ==, 0.9);
    g_assert_cmpfloat(config.adam_beta2, ==, 0.999);
    g_assert_cmpfloat(config.weight_decay, ==, 1e-4);
    g_assert_cmpfloat(config.adam_epsilon, ==, 1e-8);
    g_assert_cmpfloat(config.max_grad_norm, ==, 1);
    g_assert_cmpfloat(config.beta, ==, 0.1);
    g_assert_cmpfloat(config.clip, ==, 0.1);
    g_assert_cmpfloat(config.timestep_fraction, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/d3po/reference", test_reference);
    g_test_add_func("/d3po/finite-differences", test_finite_differences);
    g_test_add_func("/d3po/untrained", test_untrained);
    g_test_add_func("/d3po/stats", test_stats);
    g_test_add_func("/d3po/all-tied", test_all_tied);
    g_test_add_func("/d3po/extremes", test_extremes);
    g_test_add_func("/d3po/clamp-bounds", test_clamp_bounds);
    g_test_add_data_func("/d3po/golden/sd1", "sd1/d3po.safetensors", test_golden);
    g_test_add_data_func("/d3po/golden/sd1-unclipped", "sd1/d3po-unclipped.safetensors",
                         test_golden);
    g_test_add_data_func("/d3po/golden/sd2", "sd2/d3po.safetensors", test_golden);
    g_test_add_data_func("/d3po/golden/sd2-unclipped", "sd2/d3po-unclipped.safetensors",
                         test_golden);
    g_test_add_func("/d3po/published-defaults", test_published_defaults);
    return g_test_run();
}
