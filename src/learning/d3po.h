// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

/**
 * D3PO: direct preference optimisation of the denoising policy (Yang et al., arXiv:2311.13231).
 *
 * A round has n candidates with ranks (higher is better). For every trained step j of the sampler,
 * candidate i has a log-ratio between the policy (adapter on) and the reference (adapter off):
 *
 *     d[i,j] = log_prob[i,j] - ref_log_prob[i,j]
 *     r[i,j] = log clamp(exp d[i,j], 1 - clip, 1 + clip)       (r = d if clip <= 0)
 *
 *     loss = mean over every j and every pair (w, l) with rank[w] > rank[l]
 *            of  -log sigmoid(beta (r[w,j] - loser_weight r[l,j]))
 *
 * With a loser_weight of 1 this is the published loss. What is liked is one place, what is not is
 * every other: a few picks name only some of those, and away from them all is often towards
 * something that was never shown. A smaller weight is a mixture with learning from the winners alone
 * (0), in the spirit of RPO (Liu et al., arXiv:2405.16436), whose regulariser is the likelihood of
 * the winners. In hindsight without guidance, where what winner and loser share is taken off by
 * regression (src/engine/hindsight.h), the losers are not needed for that, and 0 learns best.
 *
 * A step's terms meet only the log-ratios of that step, so d loss / d log_prob[i,j] is one number
 * for each candidate: its coefficient. One backward pass per candidate and step with this
 * coefficient gives the exact gradient over all pairs, where the published script runs one per
 * pair.
 *
 * Which step's log-probability. The published script takes the step that was sampled, mu + sd
 * noise. Its gradient points along that noise, most of which had no part in the picture that was
 * liked or not: a few picks teach a few dozen noises. With `hindsight` it is the mean step given the
 * finished latents x0, E[x' | x, x0] (pen_step_in_hindsight()). A preference depends on the picture
 * alone, so this is the conditional expectation of the same gradient, to the extent that the model's
 * trajectories are those of the forward process: less variance for hardly any bias (Rao-Blackwell).
 * Where the policy is not guided, what guidance and the drawing style did to all candidates alike is
 * taken off that step: src/engine/hindsight.h derives it.
 *
 * With `word` the latents are integrated out as well: a preference depends on x0 alone, and a step may be taken
 * anywhere that the forward process leads from it, x = sqrt(a) x0 + sqrt(1 - a) noise, with noise that is drawn
 * anew for each update (as Diffusion-DPO does, Wallace et al., arXiv:2311.12908). On its own trajectory a
 * picture's late steps follow from what the model that drew it had said there, which makes that model look
 * better than it is. The deviation sd of a step is then the bare model's own error there, so that log-ratios are
 * shares of that error, and every step counts alike.
 *
 * Whose log-probability. The published script's policy is the guided prediction that sampled, u +
 * guidance (c - u), c with the prompt and u without it. Its gradient goes into c `guidance` times
 * and into u 1 - guidance times: what was liked is unlearnt in u, and the pictures can leave the
 * range of the model. With `guided` off, c and u each are a policy, and take turns
 * (pen_curriculum_leaves_out_prompt()), as in classifier-free guidance's own training (Ho and
 * Salimans, arXiv:2207.12598); and a step costs one evaluation in place of two.
 *
 * Where clamp() is active a candidate's coefficient is 0: it is not pushed further. At the very
 * bound the derivative is 1, as in PyTorch.
 */

/**
 * What the published script (d3po-pytorch, config/base.py) trains with; PEN_D3PO_CONFIG_INIT is the
 * only place that holds these defaults.
 */
typedef struct {
    guint adapter_rank;   // of the adapter on each attention projection
    double learning_rate; // AdamW, see adamw.h
    double adam_beta1;
    double adam_beta2;
    double weight_decay;
    double adam_epsilon;
    double max_grad_norm; // the gradient is scaled down to this norm
    double beta;          // weight of the log-ratios: how closely the policy stays to the reference
    double clip;          // <= 0: no clipping; >= 1: bounds the ratio from above only
    double loser_weight;  // of what lost, against what won
    double timestep_fraction; // share of a trajectory's steps that an epoch trains on
    guint timesteps_per_update; // of a round, whose gradients make one AdamW step; 0: all of them
    guint epochs;             // passes over the rounds
    gboolean hindsight;       // the steps' mean given the finished picture, not their noise, counts
    gboolean guided;          // the policy is the guided prediction, not the two in it by turns
    gboolean afresh; // a lesson begins at the bare model, with an adapter made for its picks
    guint updates;   // that an epoch aims at, whatever the number of rounds; 0: each round's own
    gboolean falling_rate; // the learning rate rises in the lesson's first fifth, then falls to 0
    gboolean word;     // a new adapter is a word that the prompts could have had (src/engine/word.h)
    gboolean one_pair; // an update is about one pair of its round, drawn anew each time, not about all
} PenD3poConfig;

// The script's epoch count belongs to its thousands of pictures, so one pass is the default here.
#define PEN_D3PO_CONFIG_INIT                                                                       \
    {                                                                                              \
        .adapter_rank = 4, .learning_rate = 3e-5, .adam_beta1 = 0.9, .adam_beta2 = 0.999,          \
        .weight_decay = 1e-4, .adam_epsilon = 1e-8, .max_grad_norm = 1, .beta = 0.1, .clip = 0.1,  \
        .loser_weight = 1, .timestep_fraction = 1, .timesteps_per_update = 0, .epochs = 1,         \
        .guided = TRUE                                                                             \
    }

// Sums over terms (one term is one pair at one step), for reports. Start from zeros.
typedef struct {
    guint64 terms;
    guint64 agreeing;  // terms whose winner has the larger d
    double margin_sum; // of d[w] - d[l], unclipped, so that progress beyond the clamp is seen
    double loss_sum;   // of -log sigmoid(...)
} PenD3poStats;

/**
 * One step of one round. `total_terms` is the number of (pair, step) terms that the loss averages
 * over, normally pen_ranking_count_pairs() * trained steps (times the rounds of the batch).
 *
 * Returns this step's share of the loss, i.e. the sum of its terms / total_terms; the shares of all
 * steps add up to the loss. Fills coefficient[i] = d loss / d log_prob[i]. Adds to `stats` unless
 * it is NULL. Log-ratios of any size are safe; if an input is not finite, the result may be NaN,
 * and a caller must not train on it.
 */
double pen_d3po_step_loss(const PenD3poConfig *config, guint n, const double *log_prob,
                          const double *ref_log_prob, const int *rank, guint64 total_terms,
                          double *coefficient, PenD3poStats *stats);

/**
 * Whether candidate i's coefficient is 0 whatever the others' log-probabilities are, so that its backward
 * pass can be left out: clamp() is active, or it wins no pair and losing weighs nothing.
 */
gboolean pen_d3po_is_idle(const PenD3poConfig *config, guint n, const int *rank, guint i,
                          double log_prob, double ref_log_prob);

// Means over the terms; 0 without terms. Before any training: log 2, 0 and 0.
double pen_d3po_stats_get_loss(const PenD3poStats *stats);
double pen_d3po_stats_get_margin(const PenD3poStats *stats);
double pen_d3po_stats_get_agreement(const PenD3poStats *stats);
