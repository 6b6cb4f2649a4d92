// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/clip-text.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/models/layers.h"

static PenTensor *self_attention(const PenLayers *l, const PenClipTextConfig *config, PenTensor *x,
                                 guint32 i)
{
    guint32 c = config->hidden;

    PenTensor *q =
        pen_layer_linear(l, x, c, TRUE, "text_model.encoder.layers.%u.self_attn.q_proj", i);
    PenTensor *k =
        pen_layer_linear(l, x, c, TRUE, "text_model.encoder.layers.%u.self_attn.k_proj", i);
    PenTensor *v =
        pen_layer_linear(l, x, c, TRUE, "text_model.encoder.layers.%u.self_attn.v_proj", i);
    PenTensor *o = pen_graph_attention(l->graph, q, k, v, config->heads, TRUE);
    return pen_layer_linear(l, o, c, TRUE, "text_model.encoder.layers.%u.self_attn.out_proj", i);
}

static PenTensor *feed_forward(const PenLayers *l, const PenClipTextConfig *config, PenTensor *x,
                               guint32 i)
{
    x = pen_layer_linear(l, x, config->intermediate, TRUE, "text_model.encoder.layers.%u.mlp.fc1",
                         i);
    x = pen_graph_activation(l->graph, x,
                             config->quick_gelu ? PEN_ACTIVATION_QUICK_GELU : PEN_ACTIVATION_GELU);
    return pen_layer_linear(l, x, config->hidden, TRUE, "text_model.encoder.layers.%u.mlp.fc2", i);
}

static PenTensor *final_norm(const PenLayers *l, const PenClipTextConfig *config, PenTensor *x)
{
    return pen_layer_layer_norm(l, x, config->norm_epsilon, "text_model.final_layer_norm");
}

PenGraph *pen_clip_text_new(const PenClipTextConfig *config, PenWeights *weights, guint32 batch,
                            guint32 tokens, GError **error)
{
    g_autoptr(PenGraph) graph = pen_graph_new(pen_weights_dtype(weights));
    PenLayers l = { graph, weights };

    PenTensor *x =
        pen_graph_input(graph, "embeddings", PEN_SHAPE(batch, 1, tokens, config->hidden));
    PenTensor *hidden = NULL;
    for (guint32 i = 0; i < config->layers; i++) {
        if (i + config->layers_left_out == config->layers)
            hidden = x;
        if (hidden && !config->projection)
            break;
        PenTensor *h = pen_layer_layer_norm(&l, x, config->norm_epsilon,
                                            "text_model.encoder.layers.%u.layer_norm1", i);
        x = pen_graph_add(graph, self_attention(&l, config, h, i), x);
        h = pen_layer_layer_norm(&l, x, config->norm_epsilon,
                                 "text_model.encoder.layers.%u.layer_norm2", i);
        x = pen_graph_add(graph, feed_forward(&l, config, h, i), x);
    }
    if (!hidden)
        hidden = x;
    PenTensor *normed = NULL;
    if (config->projection)
        normed = final_norm(&l, config, x);
    if (config->final_norm)
        hidden = normed && hidden == x ? normed : final_norm(&l, config, hidden);
    pen_graph_output(graph, "hidden", hidden);
    if (config->projection)
        pen_graph_output(graph, "pooled",
                         pen_layer_linear(&l, normed, config->projection, FALSE,
                                          "text_projection"));
    return pen_layers_check(&l, error) ? g_steal_pointer(&graph) : NULL;
}

gboolean pen_clip_text_embed(const PenClipTextConfig *config, PenWeights *weights,
                             const gint32 *ids, guint32 batch, guint32 tokens, const float *rows,
                             guint32 n_rows, float *embeddings, GError **error)
{
    if (tokens > config->positions) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("%u tokens are more than the text encoder's %u."), tokens, config->positions);
        return FALSE;
    }
    gsize row = (gsize)tokens * config->hidden;
    g_autofree gint32 *order = g_new(gint32, tokens);
    g_autofree float *positions = g_new(float, row);
    for (guint32 i = 0; i < tokens; i++)
        order[i] = (gint32)i;
    gsize n_ids = (gsize)batch * tokens, hidden = config->hidden;
    g_autofree gint32 *plain = g_memdup2(ids, n_ids * sizeof *ids);
    for (gsize i = 0; i < n_ids; i++)
        if (ids[i] >= (gint32)config->vocabulary && ids[i] - config->vocabulary < n_rows)
            plain[i] = 0;

    if (!pen_weights_gather(weights, "text_model.embeddings.position_embedding.weight",
                            config->positions, config->hidden, order, tokens, positions, error) ||
        !pen_weights_gather(weights, "text_model.embeddings.token_embedding.weight",
                            config->vocabulary, config->hidden, plain, n_ids,
                            embeddings, error))
        return FALSE;
    for (gsize i = 0; i < n_ids; i++)
        if (plain[i] != ids[i])
            memcpy(embeddings + i * hidden, rows + (ids[i] - config->vocabulary) * hidden,
                   hidden * sizeof *rows);
    for (guint32 n = 0; n < batch; n++)
        for (gsize i = 0; i < row; i++)
            embeddings[n * row + i] += positions[i];
    return TRUE;
}
