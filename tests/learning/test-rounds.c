// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/learning/adapter-init.h"
#include "src/learning/curriculum.h"
#include "src/learning/ranking.h"
#include "src/sampling/noise.h"

#include <math.h>
#include <string.h>

static void test_pairs(void)
{
    const int best[] = { 0, 0, 1, 0, 0, 0, 0 }, full[] = { 3, 1, 0, 2 }, tied[] = { 2, 2, 2 };
    const int levels[] = { 5, 5, 0, -5 };

    g_assert_cmpuint(pen_ranking_count_pairs(7, best), ==, 6);
    g_assert_cmpuint(pen_ranking_count_pairs(4, full), ==, 6);
    g_assert_cmpuint(pen_ranking_count_pairs(3, tied), ==, 0);
    g_assert_cmpuint(pen_ranking_count_pairs(4, levels), ==, 5);
    g_assert_cmpuint(pen_ranking_count_pairs(1, levels), ==, 0);
}

static void test_choose_steps(void)
{
    guint chosen[20], again[20], count[20] = { 0 };

    // All of them: nothing to choose.
    g_assert_cmpuint(pen_curriculum_choose_steps(1, 0, 0, 20, 1, NULL, chosen), ==, 20);
    for (guint i = 0; i < 20; i++)
        g_assert_cmpuint(chosen[i], ==, i);
    g_assert_cmpuint(pen_curriculum_choose_steps(1, 0, 0, 20, 0.5, NULL, chosen), ==, 10);
    g_assert_cmpuint(pen_curriculum_choose_steps(1, 0, 0, 20, 0.35, NULL, chosen), ==, 7);
    g_assert_cmpuint(pen_curriculum_choose_steps(1, 0, 0, 20, 0.349, NULL, chosen), ==, 6);
    g_assert_cmpuint(pen_curriculum_choose_steps(1, 0, 0, 20, 0, NULL, chosen), ==, 1);
    g_assert_cmpuint(pen_curriculum_choose_steps(1, 0, 0, 20, 9, NULL, chosen), ==, 20);

    // Rising, a function of its arguments, different by seed, epoch and round, and fair.
    gboolean differs[3] = { FALSE };
    for (guint round = 0; round < 4000; round++) {
        g_assert_cmpuint(pen_curriculum_choose_steps(7, 3, round, 20, 0.25, NULL, chosen), ==, 5);
        for (guint i = 0; i < 5; i++) {
            g_assert_cmpuint(chosen[i], <, 20);
            g_assert_true(i == 0 || chosen[i] > chosen[i - 1]);
            count[chosen[i]]++;
        }
        pen_curriculum_choose_steps(7, 3, round, 20, 0.25, NULL, again);
        g_assert_cmpmem(chosen, 5 * sizeof(guint), again, 5 * sizeof(guint));
        pen_curriculum_choose_steps(8, 3, round, 20, 0.25, NULL, again);
        differs[0] |= memcmp(chosen, again, 5 * sizeof(guint)) != 0;
        pen_curriculum_choose_steps(7, 4, round, 20, 0.25, NULL, again);
        differs[1] |= memcmp(chosen, again, 5 * sizeof(guint)) != 0;
        pen_curriculum_choose_steps(7, 3, round + 1, 20, 0.25, NULL, again);
        differs[2] |= memcmp(chosen, again, 5 * sizeof(guint)) != 0;
    }
    g_assert_true(differs[0] && differs[1] && differs[2]);
    for (guint i = 0; i < 20; i++) // 1000 expected, standard deviation 27
        g_assert_cmpint(ABS((int)count[i] - 1000), <, 4 * 28);
}

static void test_trainable_steps(void)
{
    gboolean trainable[10] = { FALSE };
    guint chosen[10];

    g_assert_cmpuint(pen_curriculum_choose_steps(1, 0, 0, 10, 1, trainable, chosen), ==, 0);
    trainable[2] = trainable[5] = trainable[9] = TRUE;
    g_assert_cmpuint(pen_curriculum_choose_steps(1, 0, 0, 10, 1, trainable, chosen), ==, 3);
    g_assert_cmpuint(chosen[0], ==, 2);
    g_assert_cmpuint(chosen[1], ==, 5);
    g_assert_cmpuint(chosen[2], ==, 9);
    g_assert_cmpuint(pen_curriculum_choose_steps(1, 0, 0, 10, 0.2, trainable, chosen), ==, 2);
    g_assert_true(trainable[chosen[0]] && trainable[chosen[1]]);
}

static void test_updates(void)
{
    guint chosen[20], mine[20], seen[20] = { 0 };
    gboolean trainable[20];

    g_assert_cmpuint(pen_curriculum_count_updates(20, 1, 0), ==, 1);
    g_assert_cmpuint(pen_curriculum_count_updates(20, 1, 3), ==, 7);
    g_assert_cmpuint(pen_curriculum_count_updates(20, 0.3, 3), ==, 2);
    g_assert_cmpuint(pen_curriculum_count_updates(20, 0.01, 3), ==, 1);
    for (guint i = 0; i < 20; i++)
        trainable[i] = i < 18;
    guint n = pen_curriculum_choose_steps(1, 0, 0, 20, 1, trainable, chosen);
    for (guint update = 0; update < 7; update++) { // each step in one update, none above three
        guint k = pen_curriculum_split_steps(chosen, n, update, 7, mine);
        g_assert_cmpuint(k, >=, 2);
        g_assert_cmpuint(k, <=, 3);
        for (guint i = 0; i < k; i++)
            seen[mine[i]]++;
    }
    for (guint i = 0; i < 20; i++)
        g_assert_cmpuint(seen[i], ==, trainable[i]);
    g_assert_cmpuint(pen_curriculum_split_steps(chosen, 2, 5, 7, mine), ==, 0);
}

static void test_leave_out_prompt(void)
{
    guint without = 0, alone = 0, differs = 0;

    for (guint round = 0; round < 1000; round++) {
        guint n = 0;
        for (guint update = 0; update < 7; update++) {
            gboolean even = pen_curriculum_leaves_out_prompt(1, 2, round, update, 7);
            n += even;
            g_assert_true(pen_curriculum_leaves_out_prompt(1, 2, round, update, 7) == even);
            g_assert_true(pen_curriculum_leaves_out_prompt(1, 3, round, update, 7) != even);
            differs += pen_curriculum_leaves_out_prompt(1, 4, round, update, 7) != even;
        }
        g_assert_cmpuint(n, >=, 3);
        g_assert_cmpuint(n, <=, 4);
        without += n;
        alone += pen_curriculum_leaves_out_prompt(1, 0, round, 0, 1);
    }
    // Means and standard deviations 3500 and 16, 500 and 16, about 3500 and 42.
    g_assert_cmpint(ABS((int)without - 3500), <, 4 * 16);
    g_assert_cmpint(ABS((int)alone - 500), <, 4 * 16);
    g_assert_cmpint(ABS((int)differs - 3500), <, 8 * 42);
}

static void test_choose_pair(void)
{
    const int ranks[] = { 1, 0, 2, 1 }; // pairs: 0 > 1, 2 > 0, 2 > 1, 2 > 3, 3 > 1
    guint winner, loser, drawn[4][4] = { 0 };

    for (guint update = 0; update < 5000; update++) {
        guint w, l;
        g_assert_true(pen_curriculum_choose_pair(1, update / 7, 3, update % 7, 4, ranks, &winner, &loser));
        g_assert_true(pen_curriculum_choose_pair(1, update / 7, 3, update % 7, 4, ranks, &w, &l));
        g_assert_true(w == winner && l == loser);
        g_assert_cmpint(ranks[winner], >, ranks[loser]);
        drawn[winner][loser]++;
    }
    // Mean and standard deviation 1000 and 28.
    for (guint w = 0; w < 4; w++)
        for (guint l = 0; l < 4; l++)
            if (ranks[w] > ranks[l])
                g_assert_cmpint(ABS((int)drawn[w][l] - 1000), <, 4 * 28);
    g_assert_false(pen_curriculum_choose_pair(1, 0, 0, 0, 2, (const int[]){ 1, 1 }, &winner, &loser));
}

static void test_order_rounds(void)
{
    guint first[50], second[50], again[50];

    pen_curriculum_order_rounds(3, 0, 50, first);
    pen_curriculum_order_rounds(3, 1, 50, second);
    pen_curriculum_order_rounds(3, 0, 50, again);
    g_assert_cmpmem(first, sizeof first, again, sizeof again);
    g_assert_cmpint(memcmp(first, second, sizeof first), !=, 0);
    pen_curriculum_order_rounds(4, 0, 50, second);
    g_assert_cmpint(memcmp(first, second, sizeof first), !=, 0);
}

static void test_adapter_init(void)
{
    enum { RANK = 4, N = RANK * 5000 };
    static float down[N], other[N];
    double sum = 0, squares = 0;

    pen_adapter_init_down(1, "a.to_q.lora_A", RANK, N, down);
    for (guint i = 0; i < N; i++) {
        sum += down[i];
        squares += (double)down[i] * down[i];
    }
    g_assert_cmpfloat_with_epsilon(sum / N, 0, 4 * 0.25 / sqrt(N));
    g_assert_cmpfloat_with_epsilon(sqrt(squares / N), 1.0 / RANK, 4 * 0.25 / sqrt(2 * N));

    pen_adapter_init_down(1, "a.to_q.lora_A", RANK, N, other);
    g_assert_cmpmem(down, sizeof down, other, sizeof other);
    pen_adapter_init_down(2, "a.to_q.lora_A", RANK, N, other);
    g_assert_true(down[0] != other[0]);
    pen_adapter_init_down(1, "a.to_k.lora_A", RANK, N, other);
    g_assert_true(down[0] != other[0]);
}

// Few rounds often, many rounds together: about as many changes of the adapter.
static void test_pace(void)
{
    static const struct {
        guint n, wanted, passes, together;
    } cases[] = {
        { 35, 70, 2, 1 },    { 70, 70, 2, 2 }, { 7, 70, 10, 1 }, { 280, 70, 2, 8 },
        { 2100, 70, 1, 30 }, { 50, 70, 2, 1 }, { 1, 0, 1, 1 },   { 100, 0, 1, 1 },
        { 0, 70, 1, 1 },     { 21, 60, 3, 1 },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        guint passes, together;
        pen_curriculum_pace(cases[i].n, cases[i].wanted, &passes, &together);
        g_assert_cmpuint(passes, ==, cases[i].passes);
        g_assert_cmpuint(together, ==, cases[i].together);
    }
}

// The rows span what the gradient's rows spanned, and stand at right angles.
static void test_sketch(void)
{
    enum { RANK = 4, IN = 24 };
    float gradient[RANK * IN], down[RANK * IN];
    pen_noise_fill(3, PEN_STREAM_INITIAL, 0, RANK * IN, gradient);
    for (guint i = 0; i < IN; i++)
        gradient[3 * IN + i] = gradient[i] - 2 * gradient[IN + i]; // says nothing new
    for (guint i = 0; i < RANK * IN; i++)
        gradient[i] *= 1e-30f; // and its size does not matter
    memcpy(down, gradient, sizeof down);
    pen_adapter_init_from_sketch(5, "a", RANK, IN, down);
    double square = (double)IN / (RANK * RANK);
    for (guint r = 0; r < RANK; r++)
        for (guint k = 0; k <= r; k++) {
            double dot = 0;
            for (guint i = 0; i < IN; i++)
                dot += (double)down[r * IN + i] * down[k * IN + i];
            g_assert_cmpfloat_with_epsilon(dot, r == k ? square : 0, 1e-5);
        }
    // The first three rows hold the gradient's.
    for (guint r = 0; r < 3; r++) {
        double size = 0, held = 0;
        for (guint i = 0; i < IN; i++)
            size += pow(1e30 * (double)gradient[r * IN + i], 2);
        for (guint k = 0; k < 3; k++) {
            double dot = 0;
            for (guint i = 0; i < IN; i++)
                dot += 1e30 * (double)gradient[r * IN + i] * down[k * IN + i];
            held += dot * dot / square;
        }
        g_assert_cmpfloat_with_epsilon(held / size, 1, 1e-5);
    }
}

// Nothing to span, not finite, or more rows than room: a start all the same.
static void test_sketch_degenerate(void)
{
    float down[6 * 4] = { 0 };
    pen_adapter_init_from_sketch(5, "a", 6, 4, down);
    for (guint r = 0; r < 6; r++) {
        double size = 0;
        for (guint i = 0; i < 4; i++)
            size += fabs(down[r * 4 + i]);
        g_assert_cmpfloat(size, >, 0);
    }
    down[0] = NAN;
    down[5] = INFINITY;
    pen_adapter_init_from_sketch(5, "a", 2, 4, down);
    for (guint i = 0; i < 8; i++)
        g_assert_true(isfinite(down[i]));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ranking/pairs", test_pairs);
    g_test_add_func("/curriculum/choose-steps", test_choose_steps);
    g_test_add_func("/curriculum/trainable-steps", test_trainable_steps);
    g_test_add_func("/curriculum/updates", test_updates);
    g_test_add_func("/curriculum/pair", test_choose_pair);
    g_test_add_func("/curriculum/leave-out-prompt", test_leave_out_prompt);
    g_test_add_func("/curriculum/order-rounds", test_order_rounds);
    g_test_add_func("/curriculum/pace", test_pace);
    g_test_add_func("/adapter-init", test_adapter_init);
    g_test_add_func("/adapter-init/sketch", test_sketch);
    g_test_add_func("/adapter-init/sketch-degenerate", test_sketch_degenerate);
    return g_test_run();
}
