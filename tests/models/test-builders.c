// SPDX-License-Identifier: GPL-3.0-or-later
/* The graph builders against the golden tensors, evaluated by the slow reference on the CPU: what
 * is wrong here is wrong in a builder, not in a kernel. */
#include <string.h>

#include "compute/graph-private.h"
#include "compute/reference.h"
#include "src/models/clip-text.h"
#include "src/models/model.h"
#include "src/models/unet.h"
#include "src/models/vae.h"
#include "tests/models/golden.h"

static const char *const shapes[] = { "sd1", "sd2", "sdxl" };

static double *to_doubles(const float *values, gsize n)
{
    double *doubles = g_new(double, n);
    for (gsize i = 0; i < n; i++)
        doubles[i] = values[i];
    return doubles;
}

static void set_input(PenReference *reference, const char *name, const float *values, gsize n)
{
    g_autofree double *doubles = to_doubles(values, n);
    pen_reference_set_input(reference, name, doubles, n);
}

static void set_parameter(PenReference *reference, PenParameter *parameter, const float *values)
{
    gsize n = pen_shape_elements(pen_parameter_shape(parameter));
    g_autofree double *doubles = to_doubles(values, n);
    pen_reference_set_parameter(reference, parameter, doubles, n);
}

static void set_weights(PenReference *reference, PenGraph *graph, PenWeights *weights)
{
    for (guint i = 0; i < graph->tensors->len; i++) {
        PenTensor *tensor = graph->tensors->pdata[i];
        if (tensor->kind != PEN_TENSOR_PARAMETER)
            continue;
        g_autofree float *values = pen_weights_values(weights, tensor->parameter, NULL);
        if (values)
            set_parameter(reference, tensor->parameter, values);
    }
}

static float *value(PenReference *reference, const PenTensor *tensor)
{
    gsize n = pen_shape_elements(pen_tensor_shape(tensor));
    const double *doubles = pen_reference_value(reference, tensor);
    float *values = g_new(float, n);
    for (gsize i = 0; i < n; i++)
        values[i] = (float)doubles[i];
    return values;
}

static PenTensor *output(PenGraph *graph, const char *name)
{
    for (guint i = 0; i < graph->tensors->len; i++) {
        PenTensor *tensor = graph->tensors->pdata[i];
        if (tensor->is_output && strcmp(tensor->name, name) == 0)
            return tensor;
    }
    g_assert_not_reached();
}

static PenWeights *open_weights(const char *shape, const char *component)
{
    g_autofree char *path = golden_path(shape, component);
    return golden_weights(path);
}

static char *config_path(const char *shape, const char *component)
{
    g_autofree char *path = golden_path(shape, component);
    return g_build_filename(path, "config.json", NULL);
}

/* The hidden states of a text encoder, [batch, tokens, hidden]. */
static float *encode(const PenTextEncoder *encoder, const gint32 *ids, guint32 batch,
                     guint32 tokens)
{
    const PenClipTextConfig *config = &encoder->config;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenWeights) weights =
        pen_weights_new(NULL, encoder->weights, PEN_DTYPE_F32);
    gsize n = (gsize)batch * tokens * config->hidden;
    g_autofree float *embeddings = g_new(float, n);
    pen_clip_text_embed(config, weights, ids, batch, tokens, NULL, 0, embeddings, &error);
    g_assert_no_error(error);
    g_autoptr(PenGraph) graph = pen_clip_text_new(config, weights, batch, tokens, &error);
    g_assert_no_error(error);

    g_autoptr(PenReference) reference = pen_reference_new();
    set_weights(reference, graph, weights);
    set_input(reference, "embeddings", embeddings, n);
    return value(reference, output(graph, "hidden"));
}

static void test_text(gconstpointer data)
{
    static const char *const names[] = { "input_ids", "input_ids_2" };
    const char *shape = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenSafetensors) file = golden_open(shape, "text.safetensors");
    g_autofree char *folder = golden_path(shape, "model");
    g_autoptr(PenModel) model = pen_model_open(folder, &error);
    g_assert_no_error(error);

    g_autoptr(Golden) hidden = golden_new(file, "hidden");
    guint32 batch = (guint32)hidden->dims[0], tokens = (guint32)hidden->dims[1];
    g_autofree float *all = g_new(float, hidden->n);
    gsize column = 0, columns = hidden->dims[2];
    for (guint e = 0; e < model->n_encoders; e++) {
        gsize width = model->encoders[e].config.hidden;
        g_autofree gint32 *ids = golden_ids(file, names[e]);
        g_autofree float *own = encode(&model->encoders[e], ids, batch, tokens);
        for (gsize row = 0; row < (gsize)batch * tokens; row++)
            memcpy(all + row * columns + column, own + row * width, width * sizeof *own);
        column += width;
    }
    g_assert_cmpuint(column, ==, columns);
    golden_assert_max("hidden", all, hidden->values, hidden->n, 2e-4);
}

static void test_vae_decode(gconstpointer data)
{
    const char *shape = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenSafetensors) file = golden_open(shape, "vae-decode.safetensors");
    g_autoptr(PenWeights) weights = open_weights(shape, "model/vae");
    g_autofree char *path = config_path(shape, "model/vae");
    PenVaeConfig config;
    pen_vae_config_load(&config, path, &error);
    g_assert_no_error(error);

    g_autoptr(Golden) latents = golden_new(file, "latents");
    g_autoptr(Golden) image = golden_new(file, "image");
    g_autoptr(PenGraph) graph =
        pen_vae_decoder_new(&config, weights, (guint32)latents->dims[0], (guint32)latents->dims[2],
                            (guint32)latents->dims[3], &error);
    g_assert_no_error(error);

    g_autoptr(PenReference) reference = pen_reference_new();
    set_weights(reference, graph, weights);
    set_input(reference, "latents", latents->values, latents->n);
    g_autofree float *out = value(reference, output(graph, "image"));
    golden_assert_max("image", out, image->values, image->n, 2e-4);
}

static void test_vae_encode(gconstpointer data)
{
    const char *shape = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenSafetensors) file = golden_open(shape, "vae-encode.safetensors");
    g_autoptr(PenWeights) weights = open_weights(shape, "model/vae");
    g_autofree char *path = config_path(shape, "model/vae");
    PenVaeConfig config;
    pen_vae_config_load(&config, path, &error);
    g_assert_no_error(error);

    g_autoptr(Golden) image = golden_new(file, "image");
    g_autoptr(Golden) mean = golden_new(file, "mean");
    g_autoptr(Golden) logvar = golden_new(file, "logvar");
    g_autoptr(PenGraph) graph =
        pen_vae_encoder_new(&config, weights, (guint32)image->dims[0], (guint32)image->dims[2],
                            (guint32)image->dims[3], &error);
    g_assert_no_error(error);

    g_autoptr(PenReference) reference = pen_reference_new();
    set_weights(reference, graph, weights);
    set_input(reference, "image", image->values, image->n);
    g_autofree float *moments = value(reference, output(graph, "moments"));
    g_autofree float *out_mean = g_new(float, mean->n);
    g_autofree float *out_logvar = g_new(float, mean->n);
    pen_vae_split_moments(&config, moments, mean->n / config.latent_channels, out_mean, out_logvar);
    golden_assert_max("mean", out_mean, mean->values, mean->n, 2e-4);
    golden_assert_max("logvar", out_logvar, logvar->values, logvar->n, 2e-4);
}

static PenUNet *golden_unet(const char *shape, PenSafetensors *file, PenWeights *weights,
                            PenUNetAdapter *adapter, const PenUNetConfig *config,
                            PenReference *reference)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Golden) sample = golden_new(file, "sample");
    g_autoptr(Golden) timestep = golden_new(file, "timestep");
    g_autoptr(Golden) context = golden_new(file, "context");
    PenUNetOptions options = {
        .batch = (guint32)sample->dims[0],
        .height = (guint32)sample->dims[2],
        .width = (guint32)sample->dims[3],
        .tokens = (guint32)context->dims[1],
        .adapter = adapter,
    };
    PenUNet *unet = pen_unet_new(config, weights, &options, &error);
    g_assert_no_error(error);

    gsize n = (gsize)options.batch * config->channels[0];
    g_autofree double *timesteps = to_doubles(timestep->values, timestep->n);
    g_autofree float *embedding = g_new(float, n);
    pen_unet_timestep_embedding(config, timesteps, timestep->n, embedding);
    set_weights(reference, unet->graph, weights);
    set_input(reference, "sample", sample->values, sample->n);
    set_input(reference, "timestep_embedding", embedding, n);
    set_input(reference, "context", context->values, context->n);
    if (config->added_channels) {
        g_autofree float *added = golden_added(file, config, timestep->n);
        set_input(reference, "added", added, timestep->n * config->added_channels);
    }
    return unet;
}

static void test_unet(gconstpointer data)
{
    const char *shape = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenSafetensors) file = golden_open(shape, "unet.safetensors");
    g_autoptr(PenWeights) weights = open_weights(shape, "model/unet");
    g_autofree char *path = config_path(shape, "model/unet");
    PenUNetConfig config;
    pen_unet_config_load(&config, path, &error);
    g_assert_no_error(error);

    g_autoptr(PenReference) reference = pen_reference_new();
    g_autoptr(PenUNet) unet = golden_unet(shape, file, weights, NULL, &config, reference);
    g_autoptr(Golden) expected = golden_new(file, "out");
    g_autofree float *out = value(reference, unet->out);
    golden_assert_max("out", out, expected->values, expected->n, 2e-4);
}

static void test_unet_gradient(gconstpointer data)
{
    const char *shape = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenSafetensors) file = golden_open(shape, "unet-lora-grad.safetensors");
    g_autoptr(PenSafetensors) lora = golden_open(shape, "lora.safetensors");
    g_autoptr(PenWeights) weights = open_weights(shape, "model/unet");
    g_autofree char *path = config_path(shape, "model/unet");
    PenUNetConfig config;
    pen_unet_config_load(&config, path, &error);
    g_assert_no_error(error);

    guint32 rank = (guint32)pen_safetensors_nth(lora, 0)->dims[0];
    g_autoptr(PenUNetAdapter) adapter = pen_unet_adapter_new(&config, rank, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(2 * adapter->n_modules, ==, pen_safetensors_n_tensors(lora));
    g_assert_true(pen_unet_adapter_allocate(adapter, NULL, PEN_DTYPE_F32, &error));
    g_autofree float *values = golden_adapter(lora, "", adapter);
    g_autofree float *expected = golden_adapter(file, "grad.", adapter);

    g_autoptr(PenReference) reference = pen_reference_new();
    g_autoptr(PenUNet) unet = golden_unet(shape, file, weights, adapter, &config, reference);
    for (guint i = 0; i < adapter->n_modules; i++) {
        set_parameter(reference, adapter->modules[i].down, values + adapter->modules[i].a);
        set_parameter(reference, adapter->modules[i].up, values + adapter->modules[i].b);
    }
    const float scale = 1;
    set_input(reference, "adapter_scale", &scale, 1);
    g_autoptr(Golden) grad_out = golden_new(file, "grad_out");
    set_input(reference, "grad_out", grad_out->values, grad_out->n);

    PenTensor *seed = pen_graph_input(unet->graph, "grad_out", pen_tensor_shape(unet->out));
    g_autofree PenTensor **targets = g_new(PenTensor *, unet->n_adapter + 1);
    g_autofree PenTensor **gradients = g_new(PenTensor *, unet->n_adapter + 1);
    targets[0] = unet->sample;
    memcpy(targets + 1, unet->adapter, unet->n_adapter * sizeof(PenTensor *));
    if (!pen_graph_gradient(unet->graph, unet->out, seed, targets, unet->n_adapter + 1, gradients))
        pen_graph_check(unet->graph, &error);
    g_assert_no_error(error);

    g_autoptr(Golden) out = golden_new(file, "out");
    g_autofree float *actual_out = value(reference, unet->out);
    golden_assert_max("out", actual_out, out->values, out->n, 2e-4);
    g_autoptr(Golden) grad_sample = golden_new(file, "grad_sample");
    g_autofree float *actual_grad = value(reference, gradients[0]);
    golden_assert_l2("grad_sample", actual_grad, grad_sample->values, grad_sample->n, 1e-3);
    g_autofree float *actual = g_new(float, adapter->n_values);
    for (guint i = 0; i < unet->n_adapter; i++) {
        const PenUNetAdapterModule *m = &adapter->modules[i / 2];
        gsize n = pen_shape_elements(pen_tensor_shape(gradients[1 + i]));
        g_autofree float *gradient = value(reference, gradients[1 + i]);
        memcpy(actual + (i % 2 ? m->b : m->a), gradient, n * sizeof(float));
    }
    golden_assert_adapter(adapter, actual, expected, 1e-3);
}

int main(int argc, char **argv)
{
    const struct {
        const char *name;
        GTestDataFunc function;
    } tests[] = {
        { "text", test_text },
        { "vae-decode", test_vae_decode },
        { "vae-encode", test_vae_encode },
        { "unet", test_unet },
        { "unet-lora-grad", test_unet_gradient },
    };

    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        for (gsize k = 0; k < G_N_ELEMENTS(shapes); k++) {
            g_autofree char *path = g_strdup_printf("/builders/%s/%s", shapes[k], tests[i].name);
            g_test_add_data_func(path, shapes[k], tests[i].function);
        }
    return g_test_run();
}
