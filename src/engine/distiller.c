// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/engine/distiller.h"

#include <string.h>

#include "src/engine/denoiser.h"
#include "src/learning/adapter-init.h"

#define N_TEXTS 64
#define MOST_WORDS 8 /* tokens of a random text, besides its start and end */

struct _PenDistiller {
    PenRuntime *runtime;
    PenUNetAdapter *adapter;
    float *v;
    PenConditioning *texts[N_TEXTS];
    PenDenoiser *denoiser; /* for latents and texts like the last ones */
    guint32 height, width, tokens;
    float *gradient; /* [n_values] of one evaluation */
};

void pen_distiller_free(PenDistiller *distiller)
{
    if (!distiller)
        return;
    for (guint i = 0; i < N_TEXTS; i++)
        pen_conditioning_free(distiller->texts[i]);
    pen_denoiser_free(distiller->denoiser);
    g_free(distiller->v);
    g_free(distiller->gradient);
    g_free(distiller);
}

/* --- texts ----------------------------------------------------------------------------------- */

/* No text, with random tokens after its start; the same ones for encoders of the same vocabulary. */
static void fill_ids(const PenTextEncoder *encoder, guint32 tokens, guint n_words, const double *words,
                     gint32 *ids)
{
    guint32 length = (guint32)pen_tokenizer_max_length(encoder->tokenizer);
    g_autofree gint32 *empty = g_new(gint32, length);
    pen_tokenizer_encode_padded(encoder->tokenizer, "", empty, NULL);
    for (guint32 t = 0; t < tokens; t++)
        ids[t] = t == 0         ? empty[0]
                 : t <= n_words ? (gint32)(words[t - 1] * encoder->config.vocabulary)
                                : empty[MIN(t - n_words, length - 1)];
}

static gboolean encode_random_text(PenDistiller *d, GRand *lot, PenConditioning **conditioning,
                                   GCancellable *cancellable, GError **error)
{
    const PenModel *model = pen_runtime_model(d->runtime);
    guint32 tokens = (guint32)pen_tokenizer_max_length(model->encoders[0].tokenizer);
    gint32 *ids[PEN_MODEL_MAX_ENCODERS] = { NULL };
    const gint32 *each[PEN_MODEL_MAX_ENCODERS] = { NULL };
    double words[MOST_WORDS];
    guint n_words = (guint)g_rand_int_range(lot, 1, (gint32)MIN(MOST_WORDS, tokens - 2) + 1);
    for (guint i = 0; i < n_words; i++)
        words[i] = g_rand_double(lot);
    for (guint e = 0; e < model->n_encoders; e++) {
        each[e] = ids[e] = g_new(gint32, tokens);
        fill_ids(&model->encoders[e], tokens, n_words, words, ids[e]);
    }
    gboolean ok = pen_runtime_encode_tokens(d->runtime, each, 1, tokens, NULL, conditioning,
                                            cancellable, error);
    for (guint e = 0; e < model->n_encoders; e++)
        g_free(ids[e]);
    return ok;
}

PenDistiller *pen_distiller_new(PenRuntime *runtime, PenUNetAdapter *adapter, const float *v,
                                guint64 seed, GCancellable *cancellable, GError **error)
{
    guint32 seeds[] = { (guint32)seed, (guint32)(seed >> 32) };
    g_autoptr(GRand) lot = g_rand_new_with_seed_array(seeds, G_N_ELEMENTS(seeds));
    g_autoptr(PenDistiller) d = g_new0(PenDistiller, 1);
    d->runtime = runtime;
    d->adapter = adapter;
    d->gradient = g_new(float, adapter->n_values);
    for (guint i = 0; i < N_TEXTS; i++)
        if (!encode_random_text(d, lot, &d->texts[i], cancellable, error))
            return NULL;
    d->v = g_memdup2(v, d->texts[0]->channels * sizeof *v);
    return g_steal_pointer(&d);
}

const PenConditioning *pen_distiller_text(const PenDistiller *distiller, guint number)
{
    return distiller->texts[number % N_TEXTS];
}

/* --- the adapter ----------------------------------------------------------------------------- */

/* A row at random, which says nothing yet. Longer than an ordinary adapter's would make the first steps wild:
 * what the word needs is small beside what the projections can do. */
#define ROW_LENGTH 0.3f

void pen_distiller_start(PenDistiller *distiller, guint64 seed, float *values)
{
    const PenUNetAdapter *adapter = distiller->adapter;
    for (guint i = 0; i < adapter->n_modules; i++) {
        const PenUNetAdapterModule *module = &adapter->modules[i];
        gsize n = (gsize)adapter->rank * module->in;
        gsize said = values[module->a] != 0 ? module->in : 0; /* the reader's row */
        g_autofree float *rows = g_new(float, n);
        pen_adapter_init_down(seed, module->path, adapter->rank, n, rows);
        for (gsize v = said; v < n; v++)
            values[module->a + v] = ROW_LENGTH * rows[v];
    }
}

void pen_distiller_finish(const PenDistiller *distiller, float *values)
{
    const PenUNetAdapter *adapter = distiller->adapter;
    for (guint i = 0; i < adapter->n_modules; i++) {
        const PenUNetAdapterModule *module = &adapter->modules[i];
        for (gsize v = 0; v < (gsize)adapter->rank * module->out; v++)
            values[module->b + v] *= (float)PEN_DISTILLER_STRENGTH;
    }
}

/* --- the gradient ---------------------------------------------------------------------------- */

static gboolean prepare(PenDistiller *d, const PenTrajectory *trajectory, guint32 tokens, GError **error)
{
    if (!d->denoiser || d->height != trajectory->height || d->width != trajectory->width ||
        d->tokens != tokens) {
        PenDenoiserOptions options = {
            .height = trajectory->height,
            .width = trajectory->width,
            .pictures = 1,
            .tokens = tokens,
            .adapter = d->adapter,
            .gradient = TRUE,
            .shrinks = TRUE,
        };
        g_clear_pointer(&d->denoiser, pen_denoiser_free);
        d->denoiser = pen_denoiser_new(d->runtime, &options, error);
        if (!d->denoiser)
            return FALSE;
        d->height = trajectory->height;
        d->width = trajectory->width;
        d->tokens = tokens;
    }
    if (trajectory->condition)
        pen_denoiser_set_condition(d->denoiser, 0, trajectory->condition);
    return TRUE;
}

static PenConditioning *add_word(const PenConditioning *text, const float *v)
{
    PenConditioning *with = pen_conditioning_copy(text);
    for (gsize t = 0; t < with->tokens; t++)
        for (gsize i = 0; i < with->channels; i++)
            with->hidden[t * with->channels + i] += v[i];
    return with;
}

/* What is answered to a text, into answer[elements]. */
static gboolean ask(PenDistiller *d, const PenTrajectory *trajectory, guint k, const PenConditioning *text,
                    double scale, float *answer, GCancellable *cancellable, GError **error)
{
    PenModelOutput output;
    pen_denoiser_set_conditioning(d->denoiser, text, NULL);
    if (!pen_denoiser_run(d->denoiser, pen_trajectory_latents(trajectory, k), trajectory->table[k].timestep,
                          scale, 1, &output, cancellable, error))
        return FALSE;
    memcpy(answer, output.cond, pen_trajectory_elements(trajectory) * sizeof *answer);
    return TRUE;
}

gboolean pen_distiller_add_gradient(PenDistiller *distiller, const PenTrajectory *trajectory, guint k,
                                    const PenConditioning *text, double guidance, float *gradient,
                                    double *loss, GCancellable *cancellable, GError **error)
{
    if (!prepare(distiller, trajectory, text->tokens, error))
        return FALSE;
    gsize n = pen_trajectory_elements(trajectory);
    g_autofree float *bare = g_new(float, n), *said = g_new(float, n), *answer = g_new(float, n);
    g_autoptr(PenConditioning) with = add_word(text, distiller->v);
    if (!ask(distiller, trajectory, k, with, 0, said, cancellable, error) ||
        !ask(distiller, trajectory, k, text, 0, bare, cancellable, error) ||
        !ask(distiller, trajectory, k, text, 1, answer, cancellable, error))
        return FALSE;
    double push = 0, off = 0;
    for (gsize i = 0; i < n; i++) {
        double shift = guidance * ((double)said[i] - bare[i]);
        push += shift * shift;
    }
    push = MAX(push, 1e-12);
    float *cond, *uncond;
    pen_denoiser_output_gradients(distiller->denoiser, 0, &cond, &uncond);
    for (gsize i = 0; i < n; i++) {
        double difference = answer[i] - (bare[i] + guidance * ((double)said[i] - bare[i]));
        off += difference * difference;
        cond[i] = (float)(2 * difference / push);
    }
    if (!pen_denoiser_backward(distiller->denoiser, distiller->gradient, cancellable, error))
        return FALSE;
    for (gsize v = 0; v < distiller->adapter->n_values; v++)
        gradient[v] += distiller->gradient[v];
    *loss += off / push;
    return TRUE;
}
