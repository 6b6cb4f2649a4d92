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
    float *v; /* as strong as it is said */
    PenConditioning *texts[N_TEXTS], *nothing;
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
    pen_conditioning_free(distiller->nothing);
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
    PenPrompt *nothing = NULL;
    if (!pen_runtime_encode_prompts(runtime, &nothing, 1, 0, &d->nothing, NULL, cancellable, error))
        return NULL;
    d->v = g_new(float, d->nothing->channels);
    for (guint i = 0; i < d->nothing->channels; i++)
        d->v[i] = (float)PEN_DISTILLER_STRENGTH * v[i];
    for (guint i = 0; i < N_TEXTS; i++)
        if (!encode_random_text(d, lot, &d->texts[i], cancellable, error))
            return NULL;
    return g_steal_pointer(&d);
}

PenDistillerTexts pen_distiller_random_texts(const PenDistiller *distiller, guint number)
{
    return (PenDistillerTexts){ distiller->texts[number % N_TEXTS], distiller->nothing };
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
        if (!strstr(module->path, ".attn2."))
            continue;
        gsize n = (gsize)adapter->rank * module->in;
        gsize said = values[module->a] != 0 ? module->in : 0; /* the reader's row */
        g_autofree float *rows = g_new(float, n);
        pen_adapter_init_down(seed, module->path, adapter->rank, n, rows);
        for (gsize v = said; v < n; v++)
            values[module->a + v] = ROW_LENGTH * rows[v];
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

/* Adds the gradient of |answer to the text - target|^2 / scale. */
static gboolean add_turn(PenDistiller *d, const PenTrajectory *trajectory, guint k,
                         const PenConditioning *text, const float *target, double scale, float *sum,
                         double *loss, GCancellable *cancellable, GError **error)
{
    gsize n = pen_trajectory_elements(trajectory);
    float *cond, *uncond;
    double off = 0;
    g_autofree float *answer = g_new(float, n);
    if (!ask(d, trajectory, k, text, 1, answer, cancellable, error))
        return FALSE;
    pen_denoiser_output_gradients(d->denoiser, 0, &cond, &uncond);
    for (gsize i = 0; i < n; i++) {
        double difference = (double)answer[i] - target[i];
        off += difference * difference;
        cond[i] = (float)(2 * difference / scale);
    }
    if (!pen_denoiser_backward(d->denoiser, d->gradient, cancellable, error))
        return FALSE;
    for (gsize v = 0; v < d->adapter->n_values; v++)
        sum[v] += d->gradient[v];
    *loss += off / scale;
    return TRUE;
}

gboolean pen_distiller_add_gradient(PenDistiller *distiller, const PenTrajectory *trajectory, guint k,
                                    const PenDistillerTexts *texts, float *gradient, double *loss,
                                    GCancellable *cancellable, GError **error)
{
    if (!prepare(distiller, trajectory, texts->prompt->tokens, error))
        return FALSE;
    gsize n = pen_trajectory_elements(trajectory), n_values = distiller->adapter->n_values;
    g_autofree float *with = g_new(float, n), *without = g_new(float, n), *sum = g_new0(float, n_values);
    g_autoptr(PenConditioning) said = add_word(texts->prompt, distiller->v);
    double push = 0, off = 0;
    if (!ask(distiller, trajectory, k, said, 0, with, cancellable, error) ||
        !ask(distiller, trajectory, k, texts->nothing, 0, without, cancellable, error))
        return FALSE;
    for (gsize i = 0; i < n; i++)
        push += ((double)with[i] - without[i]) * ((double)with[i] - without[i]);
    push = MAX(push, 1e-12);
    if (!add_turn(distiller, trajectory, k, texts->prompt, with, push, sum, &off, cancellable, error) ||
        !add_turn(distiller, trajectory, k, texts->nothing, without, push, sum, &off, cancellable, error))
        return FALSE;
    for (gsize v = 0; v < n_values; v++)
        gradient[v] += sum[v];
    *loss += off;
    return TRUE;
}
