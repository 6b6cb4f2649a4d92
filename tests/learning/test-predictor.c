// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/learning/predictor.h"

#include <math.h>

enum { F = 6, N = 4, ROUNDS = 5 };

typedef struct {
    float values[ROUNDS][N][F];
    const float *rows[ROUNDS][N];
    int ranks[ROUNDS][N];
    PenPredictorRound rounds[ROUNDS];
} Fixture;

/* Rounds whose best candidate has most of feature 1, on scales that differ by a thousand; feature 4
 * is the same everywhere. */
static void set_up(Fixture *f)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    for (guint r = 0; r < ROUNDS; r++) {
        guint best = 0;
        for (guint i = 0; i < N; i++) {
            for (guint j = 0; j < F; j++)
                f->values[r][i][j] =
                    j == 4 ? 7 : (float)(g_rand_double_range(random, -1, 1) * pow(10, j % 4));
            f->rows[r][i] = f->values[r][i];
            if (f->values[r][i][1] > f->values[r][best][1])
                best = i;
        }
        for (guint i = 0; i < N; i++)
            f->ranks[r][i] = i == best;
        f->rounds[r] = (PenPredictorRound){ N, f->rows[r], f->ranks[r] };
    }
}

/* The weights by the book: (X^T X + lambda F I) w = X^T 1, by elimination. s[F] gets the
 * deviations. */
static void reference(const Fixture *f, double w[F], double s[F])
{
    double a[F][F + 1] = { { 0 } };
    for (guint j = 0; j < F; j++) {
        double mean = 0, square = 0;
        for (guint i = 0; i < ROUNDS * N; i++)
            mean += f->values[i / N][i % N][j] / (double)(ROUNDS * N);
        for (guint i = 0; i < ROUNDS * N; i++)
            square += pow(f->values[i / N][i % N][j] - mean, 2) / (ROUNDS * N);
        s[j] = sqrt(square);
    }
    for (guint r = 0; r < ROUNDS; r++)
        for (guint b = 0; b < N * N; b++) {
            guint better = b / N, worse = b % N;
            if (f->ranks[r][better] <= f->ranks[r][worse])
                continue;
            double x[F];
            for (guint j = 0; j < F; j++)
                x[j] = s[j] > 1e-9
                           ? (f->values[r][better][j] - (double)f->values[r][worse][j]) / s[j]
                           : 0;
            for (guint j = 0; j < F; j++) {
                for (guint k = 0; k < F; k++)
                    a[j][k] += x[j] * x[k];
                a[j][F] += x[j];
            }
        }
    for (guint j = 0; j < F; j++)
        a[j][j] += PEN_PREDICTOR_RIDGE * F;
    for (guint j = 0; j < F; j++)
        for (guint i = 0; i < F; i++)
            for (guint k = F + 1; i != j && k-- > j;)
                a[i][k] -= a[i][j] / a[j][j] * a[j][k];
    for (guint j = 0; j < F; j++)
        w[j] = a[j][F] / a[j][j];
}

static void test_reference(void)
{
    Fixture f;
    double w[F], s[F];
    set_up(&f);
    reference(&f, w, s);
    g_autoptr(PenPredictor) predictor = pen_predictor_new(F, f.rounds, ROUNDS);
    guint right = 0;
    for (guint r = 0; r < ROUNDS; r++)
        for (guint i = 0; i < N; i++) {
            double expected = 0;
            for (guint j = 0; j < F; j++)
                expected += s[j] > 1e-9 ? w[j] / s[j] * f.values[r][i][j] : 0;
            double score = pen_predictor_score(predictor, f.values[r][i]);
            g_assert_cmpfloat_with_epsilon(score, expected, 1e-5);
            guint first;
            pen_predictor_choose(predictor, N, f.rows[r], 1, &first);
            right += f.ranks[r][i] && first == i;
        }
    g_assert_cmpuint(right, ==, ROUNDS);
}

/* One pick is enough to prefer what it preferred. */
static void test_one_pick(void)
{
    Fixture f;
    set_up(&f);
    g_autoptr(PenPredictor) predictor = pen_predictor_new(F, f.rounds, 1);
    for (guint i = 0; i < N; i++)
        for (guint j = 0; j < N; j++)
            if (f.ranks[0][i] > f.ranks[0][j])
                g_assert_cmpfloat(pen_predictor_score(predictor, f.values[0][i]), >,
                                  pen_predictor_score(predictor, f.values[0][j]));
}

static void test_nothing_to_learn(void)
{
    Fixture f;
    set_up(&f);
    g_assert_null(pen_predictor_new(F, f.rounds, 0));
    const int tied[N] = { 1, 1, 1, 1 };
    PenPredictorRound round = { N, f.rows[0], tied };
    g_assert_null(pen_predictor_new(F, &round, 1));
    /* All alike. */
    const float *same[N] = { f.values[0][0], f.values[0][0], f.values[0][0], f.values[0][0] };
    round = (PenPredictorRound){ N, same, f.ranks[0] };
    g_assert_null(pen_predictor_new(F, &round, 1));
    round.n = 1;
    g_assert_null(pen_predictor_new(F, &round, 1));
}

/* A candidate of which a number is missing neither teaches nor is chosen before others. */
static void test_not_finite(void)
{
    Fixture f, sound;
    set_up(&f);
    set_up(&sound);
    f.values[0][0][2] = NAN;
    f.values[1][3][0] = INFINITY;
    g_autoptr(PenPredictor) predictor = pen_predictor_new(F, f.rounds, ROUNDS);
    g_assert_true(isnan(pen_predictor_score(predictor, f.values[0][0])));
    for (guint i = 0; i < N; i++)
        g_assert_true(isfinite(pen_predictor_score(predictor, sound.values[0][i])));
    guint chosen[N];
    pen_predictor_choose(predictor, N, f.rows[0], N, chosen);
    guint seen = 0;
    for (guint i = 0; i < N; i++)
        seen |= 1U << chosen[i];
    g_assert_cmpuint(seen, ==, (1U << N) - 1);
    g_assert_cmpuint(chosen[0], !=, 0);
    for (guint r = 0; r < ROUNDS; r++)
        for (guint i = 0; i < N; i++)
            f.values[r][i][0] = NAN;
    g_assert_null(pen_predictor_new(F, f.rounds, ROUNDS));
}

/* The best first, and at the end who is far from those. */
static void test_choose(void)
{
    Fixture f;
    set_up(&f);
    g_autoptr(PenPredictor) predictor = pen_predictor_new(F, f.rounds, ROUNDS);
    float values[7][F] = { { 0 } };
    const float *rows[7];
    for (guint i = 0; i < 7; i++) {
        for (guint j = 0; j < F; j++)
            values[i][j] = f.values[0][0][j];
        values[i][1] = (float)i;
        rows[i] = values[i];
    }
    values[0][3] = 5000; /* unlike */
    guint chosen[7];
    pen_predictor_choose(predictor, 7, rows, 4, chosen);
    g_assert_cmpuint(chosen[0], ==, 6);
    g_assert_cmpuint(chosen[1], ==, 5);
    g_assert_cmpuint(chosen[2], ==, 4);
    g_assert_cmpuint(chosen[3], ==, 0);
}

/* Thousands of features and more pairs than are used: the latest rounds count. */
static void test_large(void)
{
    enum { many = 3000, rounds = 200 };
    g_autoptr(GRand) random = g_rand_new_with_seed(8);
    g_autofree float *values = g_new(float, rounds *N *many);
    g_autofree const float **rows = g_new(const float *, rounds *N);
    g_autofree PenPredictorRound *list = g_new(PenPredictorRound, rounds);
    const int ranks[N] = { 0, 0, 1, 0 };
    for (guint r = 0; r < rounds; r++) {
        for (guint i = 0; i < N; i++) {
            float *row = values + (r * N + i) * many;
            rows[r * N + i] = row;
            for (guint j = 0; j < many; j++)
                row[j] = (float)g_rand_double_range(random, -1, 1);
            /* What is liked now, and what was liked long ago. */
            row[r < 171 ? 10 : 20] += i == 2 ? 6 : 0;
        }
        list[r] = (PenPredictorRound){ N, &rows[r * N], ranks };
    }
    g_autoptr(PenPredictor) predictor = pen_predictor_new(many, list, rounds);
    g_autofree float *probe = g_new0(float, many);
    double none = pen_predictor_score(predictor, probe);
    probe[20] = 6;
    double long_ago = pen_predictor_score(predictor, probe) - none;
    probe[20] = 0;
    probe[10] = 6;
    double now = pen_predictor_score(predictor, probe) - none;
    g_assert_cmpfloat(now, >, 0.1);
    g_assert_cmpfloat(now, >, 5 * fabs(long_ago));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/predictor/reference", test_reference);
    g_test_add_func("/predictor/one-pick", test_one_pick);
    g_test_add_func("/predictor/nothing-to-learn", test_nothing_to_learn);
    g_test_add_func("/predictor/not-finite", test_not_finite);
    g_test_add_func("/predictor/choose", test_choose);
    g_test_add_func("/predictor/large", test_large);
    return g_test_run();
}
