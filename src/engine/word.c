// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/engine/word.h"

#include <math.h>
#include <string.h>

/* The reader is fitted to the tokens of no text and of so many that are drawn by lot from the
 * vocabulary: times the unknowns. */
#define TOKENS_PER_UNKNOWN 3
#define DAMPING 1e-8 /* of the least squares, against the mean of what it is added to */

void pen_word_free(PenWord *word)
{
    if (!word)
        return;
    g_free(word->reader);
    g_free(word);
}

/* Solves (L L^T) x = x for the Cholesky factor L of matrix[n, n], whose lower half it takes the
 * place of. */
static void solve(double *matrix, gsize n, double *x)
{
    for (gsize i = 0; i < n; i++)
        for (gsize j = 0; j <= i; j++) {
            double sum = matrix[i * n + j];
            for (gsize k = 0; k < j; k++)
                sum -= matrix[i * n + k] * matrix[j * n + k];
            matrix[i * n + j] = i == j ? sqrt(MAX(sum, G_MINDOUBLE)) : sum / matrix[j * n + j];
        }
    for (gsize i = 0; i < n; i++) {
        for (gsize k = 0; k < i; k++)
            x[i] -= matrix[i * n + k] * x[k];
        x[i] /= matrix[i * n + i];
    }
    for (gsize i = n; i-- > 0;) {
        for (gsize k = i + 1; k < n; k++)
            x[i] -= matrix[k * n + i] * x[k];
        x[i] /= matrix[i * n + i];
    }
}

/* Least squares of h reader = 1 over all tokens h that were added. */
typedef struct {
    gsize width, n;
    double *products; /* [width, width], the lower half: sum of h h^T */
    double *sums;     /* [width]: sum of h */
} Fit;

static void add_tokens(Fit *fit, const PenConditioning *conditioning)
{
    for (gsize t = 0; t < conditioning->tokens; t++) {
        const float *h = conditioning->hidden + t * fit->width;
        for (gsize i = 0; i < fit->width; i++) {
            fit->sums[i] += h[i];
            for (gsize j = 0; j <= i; j++)
                fit->products[i * fit->width + j] += (double)h[i] * h[j];
        }
        fit->n++;
    }
}

static void take_reader(Fit *fit, PenWord *word)
{
    double trace = 0;
    for (gsize i = 0; i < fit->width; i++)
        trace += fit->products[i * fit->width + i];
    word->unit = sqrt(trace / ((double)fit->n * (double)fit->width));
    for (gsize i = 0; i < fit->width; i++)
        fit->products[i * fit->width + i] += DAMPING * trace / (double)fit->width;
    solve(fit->products, fit->width, fit->sums);
    word->reader = g_new(float, fit->width);
    for (gsize i = 0; i < fit->width; i++)
        word->reader[i] = (float)fit->sums[i];
}

/* The tokens of texts that say nothing that anybody would, and anything that anybody could. */
static gboolean add_random_texts(Fit *fit, PenRuntime *runtime, guint32 tokens,
                                 GCancellable *cancellable, GError **error)
{
    const PenModel *model = pen_runtime_model(runtime);
    g_autoptr(GRand) lot = g_rand_new_with_seed(1); /* the same reader for the same model */
    guint n = (guint)(TOKENS_PER_UNKNOWN * fit->width / tokens + 1);
    for (guint i = 0; i < n; i++) {
        gint32 *ids[PEN_MODEL_MAX_ENCODERS] = { NULL };
        const gint32 *each[PEN_MODEL_MAX_ENCODERS] = { NULL };
        PenConditioning *conditioning;
        for (guint e = 0; e < model->n_encoders; e++) {
            ids[e] = g_new(gint32, tokens);
            for (guint t = 0; t < tokens; t++)
                ids[e][t] = g_rand_int_range(lot, 0, (gint32)model->encoders[e].config.vocabulary);
            each[e] = ids[e];
        }
        gboolean ok = pen_runtime_encode_tokens(runtime, each, 1, tokens, NULL, &conditioning,
                                                cancellable, error);
        for (guint e = 0; e < model->n_encoders; e++)
            g_free(ids[e]);
        if (!ok)
            return FALSE;
        add_tokens(fit, conditioning);
        pen_conditioning_free(conditioning);
    }
    return TRUE;
}

PenWord *pen_word_new(PenRuntime *runtime, const PenUNetAdapter *adapter, GCancellable *cancellable,
                      GError **error)
{
    const char *const nothing = "";
    PenConditioning *empty;
    if (!pen_runtime_encode_texts(runtime, &nothing, 1, &empty, NULL, cancellable, error))
        return NULL;
    gsize width = empty->channels;
    guint32 tokens = empty->tokens;
    Fit fit = { .width = width,
                .products = g_new0(double, width *width),
                .sums = g_new0(double, width) };
    add_tokens(&fit, empty);
    pen_conditioning_free(empty);
    PenWord *word = NULL;
    if (add_random_texts(&fit, runtime, tokens, cancellable, error)) {
        word = g_new0(PenWord, 1);
        word->runtime = runtime;
        word->adapter = adapter;
        word->width = (guint32)width;
        take_reader(&fit, word);
    }
    g_free(fit.products);
    g_free(fit.sums);
    return word;
}

/* A projection that reads the text, a key's or value's of the cross-attention, from *place on; NULL
 * at the end. */
static const PenUNetAdapterModule *next_reading(const PenWord *word, guint *place)
{
    while (*place < word->adapter->n_modules) {
        const PenUNetAdapterModule *module = &word->adapter->modules[(*place)++];
        if (g_str_has_suffix(module->path, ".attn2.to_k") ||
            g_str_has_suffix(module->path, ".attn2.to_v"))
            return module;
    }
    return NULL;
}

/* The matrices are read from the model's file each time: those of a large model would take more
 * memory than its lesson. */
static float *matrix(const PenWord *word, const PenUNetAdapterModule *module, GError **error)
{
    return pen_runtime_unet_matrix(word->runtime, module->path, module->out, module->in, error);
}

gboolean pen_word_write(const PenWord *word, const float *v, double strength, float *values,
                        GError **error)
{
    guint32 rank = word->adapter->rank;
    const PenUNetAdapterModule *module;
    memset(values, 0, word->adapter->n_values * sizeof *values);
    for (guint place = 0; (module = next_reading(word, &place));) {
        g_autofree float *w = matrix(word, module, error);
        if (!w)
            return FALSE;
        memcpy(values + module->a, word->reader, word->width * sizeof *values);
        for (gsize o = 0; o < module->out; o++) {
            double sum = 0;
            for (gsize i = 0; i < word->width; i++)
                sum += (double)w[o * word->width + i] * v[i];
            values[module->b + o * rank] = (float)(strength * sum);
        }
    }
    return TRUE;
}

gboolean pen_word_gradient(const PenWord *word, const float *gradient, float *v_gradient,
                           GError **error)
{
    guint32 rank = word->adapter->rank;
    const PenUNetAdapterModule *module;
    g_autofree double *sum = g_new0(double, word->width);
    for (guint place = 0; (module = next_reading(word, &place));) {
        g_autofree float *w = matrix(word, module, error);
        if (!w)
            return FALSE;
        for (gsize o = 0; o < module->out; o++) {
            double g = gradient[module->b + o * rank];
            for (gsize i = 0; i < word->width; i++)
                sum[i] += g * w[o * word->width + i];
        }
    }
    for (gsize i = 0; i < word->width; i++)
        v_gradient[i] = (float)sum[i];
    return TRUE;
}
