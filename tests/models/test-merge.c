// SPDX-License-Identifier: GPL-3.0-or-later
/* Adapters of other trainers, merged into weights, against the sums that define them. No device. */
#include <math.h>
#include <string.h>

#include "src/models/model-layers.h"
#include "src/models/weights.h"
#include "tests/models/checkpoints.h"

typedef struct {
    const char *path; /* PREFIX PATH of src/models/merge.h */
    const char *name; /* in the file, before ".lora_down.weight" */
    gsize rank;
    float alpha; /* 0: not in the file */
} Layer;

/* Of sd1: attention, feed-forward, transformer's convolution, resnets' convolutions, time
 * embedding, text encoder; ranks and alphas differ, most layers are missing. */
static const Layer layers[] = {
    { "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
      "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", 4, 2 },
    { "down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj",
      "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_ff_net_0_proj", 7, 7 },
    { "up_blocks.1.attentions.2.proj_in", "lora_unet_up_blocks_1_attentions_2_proj_in", 3, 1 },
    { "mid_block.resnets.1.conv1", "lora_unet_mid_block_resnets_1_conv1", 5, 0 },
    { "down_blocks.1.resnets.0.conv_shortcut", "lora_unet_down_blocks_1_resnets_0_conv_shortcut", 2,
      0.5f },
    { "down_blocks.1.downsamplers.0.conv", "lora_unet_down_blocks_1_downsamplers_0_conv", 1, 1 },
    { "time_embedding.linear_2", "lora_unet_time_embedding_linear_2", 2, 4 },
    { "text_encoder.text_model.encoder.layers.1.mlp.fc2",
      "lora_te_text_model_encoder_layers_1_mlp_fc2", 6, 3 },
    { "text_encoder.text_model.encoder.layers.0.self_attn.q_proj",
      "lora_te_text_model_encoder_layers_0_self_attn_q_proj", 4, 0 },
};

static float *random_values(GRand *rand, gsize n)
{
    float *values = g_new(float, n);
    for (gsize i = 0; i < n; i++)
        values[i] = (float)g_rand_double_range(rand, -0.5, 0.5);
    return values;
}

/* The tensor of the model that a layer adapts. */
static const PenSafetensor *adapted(const PenModel *model, const Layer *layer)
{
    gboolean text = g_str_has_prefix(layer->path, "text_encoder.");
    g_autofree char *name =
        g_strconcat(layer->path + (text ? strlen("text_encoder.") : 0), ".weight", NULL);
    const PenSafetensor *tensor =
        pen_safetensors_lookup(text ? model->encoders[0].weights : model->unet_weights, name);
    g_assert_nonnull(tensor);
    return tensor;
}

/* An adapter in kohya's naming, of the layers whose index has the bit set. `down` and `up` get its
 * matrices. */
static char *make_adapter(const PenModel *model, guint bits, guint32 seed, const char *name,
                          float **down, float **up)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    for (gsize i = 0; i < G_N_ELEMENTS(layers); i++) {
        const Layer *layer = &layers[i];
        if (!(bits >> i & 1))
            continue;
        const PenSafetensor *w = adapted(model, layer);
        gsize in = w->n_elements / w->dims[0];
        gsize down_dims[4] = { layer->rank, w->dims[1], w->n_dims > 2 ? w->dims[2] : 1,
                               w->n_dims > 2 ? w->dims[3] : 1 };
        gsize up_dims[4] = { w->dims[0], layer->rank, 1, 1 };
        guint n_dims = w->n_dims > 2 ? 4 : 2;
        down[i] = random_values(rand, layer->rank * in);
        up[i] = random_values(rand, layer->rank * w->dims[0]);
        g_autofree char *down_name = g_strconcat(layer->name, ".lora_down.weight", NULL);
        g_autofree char *up_name = g_strconcat(layer->name, ".lora_up.weight", NULL);
        g_autofree char *alpha_name = g_strconcat(layer->name, ".alpha", NULL);
        pen_safetensors_writer_add_floats(writer, down_name, PEN_SAFETENSOR_F32, n_dims, down_dims,
                                          down[i]);
        pen_safetensors_writer_add_floats(writer, up_name, PEN_SAFETENSOR_F32, n_dims, up_dims,
                                          up[i]);
        if (layer->alpha)
            pen_safetensors_writer_add_floats(writer, alpha_name, PEN_SAFETENSOR_F32, 0, NULL,
                                              &layer->alpha);
    }
    return save(writer, name);
}

/* Row o, column c of what an adapter adds; columns as in the file, [in, kh, kw]. */
static double addition(const Layer *layer, const float *down, const float *up, gsize in, gsize o,
                       gsize c)
{
    double sum = 0;
    for (gsize r = 0; r < layer->rank; r++)
        sum += (double)up[o * layer->rank + r] * down[r * in + c];
    return sum * (layer->alpha ? layer->alpha / (double)layer->rank : 1);
}

/* The values of a layer as the device would get them, against W + s1 B1 A1 + s2 B2 A2. */
static void check_layer(const PenModel *model, PenMerge *merge, gsize i, float *const down[2],
                        float *const up[2], const double strengths[2])
{
    const Layer *layer = &layers[i];
    gboolean text = g_str_has_prefix(layer->path, "text_encoder.");
    const PenSafetensor *w = adapted(model, layer);
    gsize in = w->n_elements / w->dims[0], area = w->n_dims > 2 ? w->dims[2] * w->dims[3] : 1;
    g_autoptr(PenWeights) weights =
        pen_weights_new(NULL, text ? model->encoders[0].weights : model->unet_weights, PEN_DTYPE_F32);
    pen_weights_set_merge(weights, merge, text ? PEN_LAYERS_TEXT(0) : PEN_LAYERS_UNET);
    PenParameter *parameter =
        area > 1 ? pen_weights_conv(weights, w->name, (guint32)w->dims[0], (guint32)w->dims[2],
                                    (guint32)w->dims[1])
                 : pen_weights_linear(weights, w->name, (guint32)w->dims[0], (guint32)w->dims[1]);
    g_autofree float *values = pen_weights_values(weights, parameter, NULL);
    g_autofree float *before = g_new(float, w->n_elements);
    g_assert_true(pen_safetensor_to_f32(w, before, NULL));
    double largest = 0;
    for (gsize o = 0; o < w->dims[0]; o++)
        for (gsize c = 0; c < in; c++) {
            double expected = before[o * in + c];
            for (guint a = 0; a < 2; a++)
                if (down[a])
                    expected += strengths[a] * addition(layer, down[a], up[a], in, o, c);
            /* On the device channels come last. */
            gsize place = o * in + c % area * w->dims[1] + c / area;
            largest = MAX(largest, fabs(values[place] - expected));
        }
    g_test_message("%s: %g", layer->path, largest);
    g_assert_cmpfloat(largest, <, 2e-6);
}

static void test_merge(void)
{
    static const double strengths[2] = { 0.75, -0.5 };
    static const guint bits[2] = { 0x1ff, 0x0a9 }; /* the second one has fewer layers */
    float *down[2][G_N_ELEMENTS(layers)] = { 0 }, *up[2][G_N_ELEMENTS(layers)] = { 0 };
    g_autoptr(GError) error = NULL;
    g_autoptr(PenModel) model = open_model(ldm_file("sd1"));
    g_autofree char *first = make_adapter(model, bits[0], 1, "first.safetensors", down[0], up[0]);
    g_autofree char *second = make_adapter(model, bits[1], 2, "second.safetensors", down[1], up[1]);
    g_autoptr(PenModelSpec) spec = pen_model_spec_new(ldm_file("sd1"));
    pen_model_spec_add_lora(spec, first, strengths[0]);
    pen_model_spec_add_lora(spec, second, strengths[1]);
    g_autofree char *text = pen_model_spec_to_text(spec);
    g_autoptr(PenModel) merged = open_model(text);
    g_assert_null(merged->notice);
    g_autoptr(PenMerge) merge = pen_merge_new(merged, NULL, &error);
    g_assert_no_error(error);
    for (gsize i = 0; i < G_N_ELEMENTS(layers); i++) {
        float *const d[2] = { down[0][i], down[1][i] }, *const u[2] = { up[0][i], up[1][i] };
        check_layer(model, merge, i, d, u, strengths);
    }
    /* A layer that no adapter has stays what it is. */
    g_autofree float *row = g_new0(float, 16);
    pen_merge_add(merge, PEN_LAYERS_UNET, "conv_in", 0, 1, 16, row);
    for (guint i = 0; i < 16; i++)
        g_assert_cmpfloat(row[i], ==, 0);

    /* The model with both is another model, but what was made for fewer can draw with it. */
    g_assert_cmpstr(merged->identity, !=, model->identity);
    g_assert_cmpuint(g_strv_length(merged->identities), ==, 3);
    g_assert_true(pen_model_includes(merged, model->identity));
    g_assert_false(pen_model_includes(model, merged->identity));
    for (gsize i = 0; i < G_N_ELEMENTS(layers); i++)
        for (guint a = 0; a < 2; a++) {
            g_free(down[a][i]);
            g_free(up[a][i]);
        }
}

/* What cannot be merged says so. */
static void test_merge_refused(void)
{
    static const struct {
        const char *name;
        const char *said; /* NULL: opens, and the notice is not empty */
    } cases[] = {
        { "lora_unet_mid_block_resnets_1_conv1.lora_mid.weight", "do not fit each other" },
        { "lora_unet_mid_block_resnets_1_conv1.hada_w1_a", "LoHa" },
        { "lora_unet_mid_block_resnets_1_conv1.dora_scale", "DoRA" },
        { "lora_unet_mid_block_resnets_0_conv1.lora_up.weight", "half of a layer" },
        { "lora_unet_no_such_layer.lora_up.weight", NULL },
    };
    float *down[G_N_ELEMENTS(layers)] = { 0 }, *up[G_N_ELEMENTS(layers)] = { 0 };
    g_autoptr(PenModel) model = open_model(ldm_file("sd1"));
    g_autofree char *good = make_adapter(model, 0x1ff, 3, "good.safetensors", down, up);
    g_autoptr(PenSafetensors) file = pen_safetensors_open(good, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const float value = 1;
        g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
        add_all(writer, file, NULL, NULL);
        pen_safetensors_writer_add(writer, cases[i].name, PEN_SAFETENSOR_F32, 2, (gsize[]){ 1, 1 },
                                   &value);
        g_autofree char *path = save(writer, "refused.safetensors");
        g_autoptr(PenModelSpec) spec = pen_model_spec_new(ldm_file("sd1"));
        pen_model_spec_add_lora(spec, path, 1);
        g_autofree char *text = pen_model_spec_to_text(spec);
        if (cases[i].said) {
            assert_fails(text, cases[i].said);
            continue;
        }
        g_autoptr(PenModel) opened = open_model(text);
        g_assert_nonnull(strstr(opened->notice, "no_such_layer"));
    }
    /* An adapter of another model. */
    g_autoptr(PenModelSpec) spec = pen_model_spec_new(ldm_file("sd2"));
    pen_model_spec_add_lora(spec, good, 1);
    g_autofree char *text = pen_model_spec_to_text(spec);
    assert_fails(text, "belongs to another model");
    for (gsize i = 0; i < G_N_ELEMENTS(layers); i++) {
        g_free(down[i]);
        g_free(up[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/merge/sums", test_merge);
    g_test_add_func("/merge/refused", test_merge_refused);
    return run_in_scratch();
}
