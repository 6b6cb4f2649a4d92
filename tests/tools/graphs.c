// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/tools/graphs.h"

#include "src/models/clip-text.h"
#include "src/models/unet.h"
#include "src/models/vae.h"

#define TOKENS 77
#define RANK 4

static void check(gboolean good, GError *error)
{
    if (!good)
        g_error("%s", error->message);
}

PenGraph *graph_text(const PenArchitecture *model, PenWeights *weights, guint encoder)
{
    g_autoptr(GError) error = NULL;
    PenGraph *graph = pen_clip_text_new(&model->encoders[encoder], weights, 1, TOKENS, &error);
    check(graph != NULL, error);
    return graph;
}

static void add_gradients(PenUNet *unet)
{
    PenTensor *dy = pen_graph_late_input(unet->graph, "dy", pen_tensor_shape(unet->out));
    g_autofree PenTensor **gradients = g_new0(PenTensor *, unet->n_adapter);
    pen_graph_gradient(unet->graph, unet->out, dy, unet->adapter, unet->n_adapter, gradients);
    for (guint i = 0; i < unet->n_adapter; i++) {
        g_autofree char *name = g_strdup_printf("gradient.%u", i);
        pen_graph_output(unet->graph, name, gradients[i]);
    }
}

PenGraph *graph_unet(const PenArchitecture *model, PenWeights *weights, gboolean teach)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenUNetAdapter) adapter = pen_unet_adapter_new(&model->unet, RANK, &error);
    check(adapter && pen_unet_adapter_allocate(adapter, NULL, pen_weights_dtype(weights), &error),
          error);
    guint32 size = model->size / pen_vae_config_factor(&model->vae);
    PenUNetOptions options = {
        .batch = 2,
        .height = size,
        .width = size,
        .tokens = TOKENS,
        .adapter = teach ? adapter : NULL,
    };
    g_autoptr(PenUNet) unet = pen_unet_new(&model->unet, weights, &options, &error);
    check(unet != NULL, error);
    if (teach)
        add_gradients(unet);
    return pen_unet_steal_graph(unet);
}

PenGraph *graph_decoder(const PenArchitecture *model, PenWeights *weights, guint32 size)
{
    g_autoptr(GError) error = NULL;
    guint32 factor = pen_vae_config_factor(&model->vae);
    PenGraph *graph =
        pen_vae_decoder_new(&model->vae, weights, 1, size / factor, size / factor, &error);
    check(graph != NULL, error);
    return graph;
}
