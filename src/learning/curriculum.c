// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/learning/curriculum.h"

#include "src/learning/ranking.h"
#include "src/sampling/noise.h"

void pen_curriculum_order_rounds(guint64 seed, guint epoch, guint n, guint *order)
{
    pen_noise_permutation(seed, PEN_STREAM_ROUND_ORDER(epoch), n, order);
}

static guint count_wanted(guint steps, double fraction)
{
    // The tiny term keeps a product like 100 * 0.29 from losing a step to rounding.
    return MAX(1, (guint)(steps * CLAMP(fraction, 0.0, 1.0) + 1e-9));
}

guint pen_curriculum_choose_steps(guint64 seed, guint epoch, guint round, guint steps,
                                  double fraction, const gboolean *trainable, guint *chosen)
{
    guint wanted = count_wanted(steps, fraction);
    guint64 round_seed = pen_noise_derive_seed(seed, PEN_STREAM_TIMESTEPS(epoch), round);
    g_autofree guint *order = g_new(guint, steps);
    g_autofree gboolean *take = g_new0(gboolean, steps);
    guint n = 0;

    pen_noise_permutation(round_seed, PEN_STREAM_TIMESTEPS(epoch), steps, order);
    for (guint i = 0; i < steps && wanted > 0; i++) {
        if (!trainable || trainable[order[i]]) {
            take[order[i]] = TRUE;
            wanted--;
        }
    }
    for (guint i = 0; i < steps; i++)
        if (take[i])
            chosen[n++] = i;
    return n;
}

gboolean pen_curriculum_leaves_out_prompt(guint64 seed, guint epoch, guint round, guint update,
                                          guint n_updates)
{
    guint64 stream = PEN_STREAM_PROMPTS(epoch / 2);
    guint64 round_seed = pen_noise_derive_seed(seed, stream, round);
    g_autofree guint *order = g_new(guint, n_updates);
    pen_noise_permutation(round_seed, stream, n_updates, order);
    return (order[update] + epoch + round_seed) % 2 == 0;
}

gboolean pen_curriculum_choose_pair(guint64 seed, guint epoch, guint round, guint update, guint n,
                                    const int *ranks, guint *winner, guint *loser)
{
    guint64 round_seed = pen_noise_derive_seed(seed, PEN_STREAM_PAIRS(epoch), round);
    guint n_pairs = pen_ranking_count_pairs(n, ranks);
    if (!n_pairs)
        return FALSE;
    guint drawn = pen_noise_derive_seed(round_seed, PEN_STREAM_PAIRS(epoch), update) % n_pairs;
    for (guint w = 0; w < n; w++)
        for (guint l = 0; l < n; l++)
            if (ranks[w] > ranks[l] && drawn-- == 0) {
                *winner = w;
                *loser = l;
                return TRUE;
            }
    return FALSE;
}

guint pen_curriculum_count_updates(guint steps, double fraction, guint per_update)
{
    guint wanted = count_wanted(steps, fraction);
    return per_update ? (wanted + per_update - 1) / per_update : 1;
}

void pen_curriculum_pace(guint n, guint wanted, guint *passes, guint *together)
{
    *passes = wanted && n ? MAX(n <= PEN_CURRICULUM_TWICE * wanted ? 2 : 1, (wanted + n / 2) / n)
                           : 1;
    *together = wanted ? MAX(1, (n * *passes + wanted / 2) / wanted) : 1;
}

guint pen_curriculum_split_steps(const guint *chosen, guint n_chosen, guint update,
                                 guint n_updates, guint *mine)
{
    guint n = 0;
    for (guint i = update; i < n_chosen; i += n_updates)
        mine[n++] = chosen[i];
    return n;
}
