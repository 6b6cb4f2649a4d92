// SPDX-License-Identifier: GPL-3.0-or-later
/* Models as single files, exchanged VAEs and merged adapters, and broken ones of each. No device. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "src/formats/adapter-file.h"
#include "src/formats/safetensors-writer.h"
#include "src/models/checkpoint.h"
#include "src/models/model.h"
#include "src/models/weights.h"
#include "tests/models/golden.h"

static char *scratch; /* a folder of this run */

static char *in_scratch(const char *name)
{
    return g_build_filename(scratch, name, NULL);
}

static const char *ldm_file(const char *shape)
{
    return g_str_equal(shape, "sd1") ? PEN_TEST_LDM "/sd1.safetensors"
                                     : PEN_TEST_LDM "/sd2.safetensors";
}

static PenModel *open_model(const char *text)
{
    g_autoptr(GError) error = NULL;
    PenModel *model = pen_model_open(text, &error);
    g_assert_no_error(error);
    return model;
}

static void assert_fails(const char *text, const char *said)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenModel) model = pen_model_open(text, &error);
    g_assert_null(model);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, said));
    g_assert_null(strchr(error->message, '\n'));
}

/* --- changed copies of a file ---------------------------------------------------------------- */

/* What becomes of a tensor: FALSE leaves it out. */
typedef gboolean (*Change)(PenSafetensor *tensor, gpointer data);

static void add_all(PenSafetensorsWriter *writer, const PenSafetensors *file, Change change,
                    gpointer data)
{
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++) {
        PenSafetensor tensor = *pen_safetensors_nth(file, i);
        if (!change || change(&tensor, data))
            pen_safetensors_writer_add(writer, tensor.name, tensor.type, tensor.n_dims, tensor.dims,
                                       tensor.data);
    }
}

static char *save(PenSafetensorsWriter *writer, const char *name)
{
    g_autoptr(GError) error = NULL;
    char *path = in_scratch(name);
    pen_safetensors_writer_save(writer, path, &error);
    g_assert_no_error(error);
    return path;
}

static char *changed_file(const char *shape, Change change, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenSafetensors) file = pen_safetensors_open(ldm_file(shape), &error);
    g_assert_no_error(error);
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    add_all(writer, file, change, data);
    return save(writer, "changed.safetensors");
}

static gboolean without(PenSafetensor *tensor, gpointer part)
{
    return !strstr(tensor->name, part);
}

/* --- what a file is -------------------------------------------------------------------------- */

/* What a file tells is what the folder's configurations say, but for heads and groups. */
static void test_infer(void)
{
    static const char *const shapes[] = { "sd1", "sd2" };
    for (gsize i = 0; i < G_N_ELEMENTS(shapes); i++) {
        g_autofree char *path = golden_path(shapes[i], "model");
        g_autoptr(PenModel) folder = open_model(path);
        g_autoptr(PenModel) file = open_model(ldm_file(shapes[i]));
        const PenUNetConfig *a = &file->unet, *b = &folder->unet;
        g_assert_cmpuint(a->in_channels, ==, b->in_channels);
        g_assert_cmpuint(a->out_channels, ==, b->out_channels);
        g_assert_cmpuint(a->levels, ==, b->levels);
        g_assert_cmpuint(a->context_channels, ==, b->context_channels);
        g_assert_cmpfloat(a->norm_epsilon, ==, b->norm_epsilon);
        g_assert_cmpint(a->flip_sin_to_cos, ==, b->flip_sin_to_cos);
        for (guint level = 0; level < b->levels; level++) {
            g_assert_cmpuint(a->channels[level], ==, b->channels[level]);
            g_assert_cmpuint(a->layers[level], ==, b->layers[level]);
            g_assert_cmpuint(a->transformer_layers[level], ==, b->transformer_layers[level]);
            g_assert_cmpint(a->down_attention[level], ==, b->down_attention[level]);
            g_assert_cmpint(a->up_attention[level], ==, b->up_attention[level]);
            /* 1.x: eight heads; 2.x: heads of 64 channels. */
            g_assert_cmpuint(a->heads[level], ==, i == 0 ? 8 : MAX(a->channels[level] / 64, 1));
        }
        g_assert_cmpuint(a->sample_size, ==, i == 0 ? 64 : 96);
        g_assert_cmpuint(file->vae.levels, ==, folder->vae.levels);
        g_assert_cmpuint(file->vae.layers, ==, folder->vae.layers);
        g_assert_cmpuint(file->vae.channels[1], ==, folder->vae.channels[1]);
        g_assert_cmpuint(file->vae.latent_channels, ==, 4);
        g_assert_true(file->vae.quant_conv && file->vae.post_quant_conv && file->vae.mid_attention);
        g_assert_cmpfloat(file->vae.scaling_factor, ==, folder->vae.scaling_factor);
        g_assert_cmpuint(file->text.layers, ==, folder->text.layers);
        g_assert_cmpuint(file->text.intermediate, ==, folder->text.intermediate);
        g_assert_cmpuint(file->text.vocabulary, ==, 49408);
        g_assert_cmpint(file->text.quick_gelu, ==, folder->text.quick_gelu);
        g_assert_cmpint(pen_schedule_get_prediction(file->schedule), ==,
                        pen_schedule_get_prediction(folder->schedule));
        for (int t = 0; t < 1000; t += 111)
            g_assert_cmpfloat(pen_schedule_get_alpha_cumprod(file->schedule, t), ==,
                              pen_schedule_get_alpha_cumprod(folder->schedule, t));
        g_assert_cmpint(pen_tokenizer_pad(file->tokenizer), ==, i == 0 ? 49407 : 0);
        g_assert_cmpuint(file->tokens, ==, 77);
        g_assert_cmpuint(file->factor, ==, 8);
        g_assert_cmpuint(file->condition_channels, ==, 0);
        g_assert_cmpstr(file->name, ==, shapes[i]);
    }
}

static PenPrediction prediction_of(const char *text)
{
    g_autoptr(PenModel) model = open_model(text);
    return pen_schedule_get_prediction(model->schedule);
}

/* sd2 with one tensor or one line of metadata more. */
static PenPrediction prediction_with(const char *tensor, gint64 value, const char *key,
                                     const char *text)
{
    g_autoptr(PenSafetensors) file = pen_safetensors_open(ldm_file("sd2"), NULL);
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    add_all(writer, file, NULL, NULL);
    if (tensor)
        pen_safetensors_writer_add(writer, tensor, PEN_SAFETENSOR_I64, 0, NULL, &value);
    if (key)
        pen_safetensors_writer_set_metadata(writer, key, text);
    g_autofree char *path = save(writer, "prediction.safetensors");
    return prediction_of(path);
}

static void test_prediction(void)
{
    g_assert_cmpint(prediction_with(NULL, 0, NULL, NULL), ==, PEN_PREDICTION_V);
    g_assert_cmpint(prediction_with("global_step", 875000, NULL, NULL), ==, PEN_PREDICTION_EPSILON);
    g_assert_cmpint(prediction_with("global_step", 140000, NULL, NULL), ==, PEN_PREDICTION_V);
    g_assert_cmpint(prediction_with(NULL, 0, "modelspec.prediction_type", "epsilon"), ==,
                    PEN_PREDICTION_EPSILON);
    g_assert_cmpint(prediction_with("global_step", 875000, "modelspec.prediction_type", "v"), ==,
                    PEN_PREDICTION_V);
    g_assert_cmpint(prediction_with(NULL, 0, "modelspec.architecture", "stable-diffusion-v2-512"),
                    ==, PEN_PREDICTION_EPSILON);

    g_autoptr(PenModelSpec) spec = pen_model_spec_new(ldm_file("sd2"));
    spec->prediction = g_strdup("epsilon");
    g_autofree char *text = pen_model_spec_to_text(spec);
    g_assert_cmpint(prediction_of(text), ==, PEN_PREDICTION_EPSILON);
    g_autoptr(PenModel) usual = open_model(ldm_file("sd2"));
    g_autoptr(PenModel) told = open_model(text);
    g_assert_cmpstr(usual->identity, !=, told->identity);
    g_assert_cmpuint(told->unet.sample_size, ==, 64);
}

/* The identity is that of the weights that are used, wherever the file lies. */
static void test_identity(void)
{
    g_autoptr(PenModel) model = open_model(ldm_file("sd1"));
    g_autofree char *same_path = changed_file("sd1", without, (gpointer) "model_ema.");
    g_autoptr(PenModel) same = open_model(same_path);
    g_assert_cmpstr(model->identity, ==, same->identity);
    g_assert_cmpuint(strlen(model->identity), ==, 64);

    g_autofree char *data = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(same_path, &data, &size, NULL));
    g_autoptr(PenSafetensors) file = pen_safetensors_open(same_path, NULL);
    const PenSafetensor *out = pen_safetensors_lookup(file, "model.diffusion_model.out.2.bias");
    const char *start = pen_safetensors_nth(file, 0)->data;
    gsize header = size;
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++)
        header -= pen_safetensors_nth(file, i)->size;
    data[header + (gsize)((const char *)out->data - start) + 1] ^= 1;
    g_autofree char *other_path = in_scratch("other.safetensors");
    g_assert_true(g_file_set_contents(other_path, data, (gssize)size, NULL));
    g_autoptr(PenModel) other = open_model(other_path);
    g_assert_cmpstr(model->identity, !=, other->identity);
}

static void test_names(void)
{
    g_autofree char *models = in_scratch("models");
    g_autofree char *link = g_build_filename(models, "painter.safetensors", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(g_mkdir(models, 0700), ==, 0);
    g_autoptr(GFile) to = g_file_new_for_path(link);
    g_assert_true(g_file_make_symbolic_link(to, ldm_file("sd1"), NULL, NULL));
    g_setenv("PENCHANT_DATA", scratch, TRUE);

    g_auto(GStrv) names = pen_model_names();
    g_assert_true(g_strv_contains((const char *const *)names, "painter"));
    static const char *const wanted[] = { "painter", "painter.safetensors" };
    for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_autofree char *found = pen_model_find(wanted[i], &error);
        g_assert_no_error(error);
        g_assert_cmpstr(found, ==, link);
    }
    g_autoptr(PenModel) model = open_model(link);
    g_assert_cmpstr(model->name, ==, "painter");
    g_unlink(link);
    g_rmdir(models);
}

/* --- hostile files --------------------------------------------------------------------------- */

static gboolean flatten_conv_in(PenSafetensor *tensor, gpointer data)
{
    if (g_str_equal(tensor->name, "model.diffusion_model.input_blocks.0.0.weight")) {
        tensor->dims[0] = tensor->n_elements;
        tensor->n_dims = 1;
    }
    return TRUE;
}

static gboolean empty_fused(PenSafetensor *tensor, gpointer data)
{
    if (g_str_has_suffix(tensor->name, "resblocks.0.attn.in_proj_weight")) {
        tensor->dims[1] = tensor->n_elements / 64; /* 64 rows are no three projections */
        tensor->dims[0] = 64;
    }
    return TRUE;
}

static gboolean rename_tensor(PenSafetensor *tensor, gpointer data)
{
    const char *const *names = data;
    if (g_str_equal(tensor->name, names[0]))
        tensor->name = names[1];
    return TRUE;
}

static void test_hostile(void)
{
    static const struct {
        const char *shape, *part, *said;
    } missing[] = {
        { "sd1", "input_blocks.0.0.", "cannot be used as a model" },
        { "sd1", "cond_stage_model.", "text encoder" },
        { "sd1", "first_stage_model.", "--vae" },
        { "sd1", "first_stage_model.encoder.conv_in", "encoder.conv_in.weight" },
        { "sd1", "middle_block.1.", "mid_block.attentions.0" },
        { "sd1", "model.diffusion_model.input_blocks.1.", "no levels" },
        { "sd2", "token_embedding.weight", "token_embedding" },
        { "sd2", "resblocks.0.mlp", "mlp.fc1" },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(missing); i++) {
        g_autofree char *path = changed_file(missing[i].shape, without, (gpointer)missing[i].part);
        assert_fails(path, missing[i].said);
    }
    g_autofree char *flat = changed_file("sd1", flatten_conv_in, NULL);
    assert_fails(flat, "impossible shape");
    g_autofree char *fused = changed_file("sd2", empty_fused, NULL);
    assert_fails(fused, "three projections");
    const char *sdxl[] = { "betas", "conditioner.embedders.0.weight" };
    g_autofree char *xl = changed_file("sd1", rename_tensor, sdxl);
    assert_fails(xl, "SDXL");
    const char *classes[] = { "betas", "model.diffusion_model.label_emb.0.0.weight" };
    g_autofree char *upscaler = changed_file("sd1", rename_tensor, classes);
    assert_fails(upscaler, "classes");
    /* OpenCLIP's table where CLIP's is, too: two tensors of one name. */
    const char *twice[] = { "betas",
                            "cond_stage_model.transformer.embeddings.token_embedding.weight" };
    g_autofree char *two = changed_file("sd1", rename_tensor, twice);
    assert_fails(two, "two names");

    g_autofree char *unet = golden_path("sd1", "model/unet/diffusion_pytorch_model.safetensors");
    g_autofree char *vae = golden_path("sd1", "model/vae/diffusion_pytorch_model.safetensors");
    g_autofree char *lora = golden_path("sd1", "lora.safetensors");
    assert_fails(unet, "UNet alone");
    assert_fails(vae, "--vae");
    assert_fails(lora, "--lora");
    assert_fails("/nonexistent/model.safetensors", "does not exist");
    assert_fails("{\"model\": 3}", "model");
    assert_fails("{\"loras\": [\"a\"]}", "described");
    assert_fails("{}", "Which model");
}

/* Random damage to the header's text, whose length stays. */
static void test_damaged(void)
{
    g_autofree char *data = NULL;
    gsize size;
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    g_assert_true(g_file_get_contents(ldm_file("sd1"), &data, &size, NULL));
    guint64 header;
    memcpy(&header, data, sizeof header);
    g_autofree char *path = in_scratch("damaged.safetensors");
    for (guint i = 0; i < 40; i++) {
        g_autofree char *copy = g_memdup2(data, size);
        for (guint k = 0; k < 3; k++) {
            gsize at = 8 + g_rand_int(rand) % header;
            copy[at] = (char)g_rand_int_range(rand, ' ', '~');
        }
        g_assert_true(g_file_set_contents(path, copy, (gssize)size, NULL));
        g_autoptr(GError) error = NULL;
        g_autoptr(PenModel) model = pen_model_open(path, &error);
        g_assert_true(!model == !!error);
    }
}

/* --- VAEs ------------------------------------------------------------------------------------ */

static char *with_vae(const char *model, const char *vae)
{
    g_autoptr(PenModelSpec) spec = pen_model_spec_new(model);
    spec->vae = g_strdup(vae);
    return pen_model_spec_to_text(spec);
}

static gboolean only_vae(PenSafetensor *tensor, gpointer prefix_kept)
{
    if (!g_str_has_prefix(tensor->name, "first_stage_model."))
        return FALSE;
    if (!prefix_kept)
        tensor->name += strlen("first_stage_model.");
    return TRUE;
}

/* The same VAE in each of its forms. */
static void test_vae(void)
{
    g_autofree char *own = golden_path("sd1", "model");
    g_autofree char *folder = golden_path("sd2", "model/vae");
    g_autofree char *model = golden_path("sd2", "model");
    g_autofree char *file = golden_path("sd2", "model/vae/diffusion_pytorch_model.safetensors");
    g_autofree char *bare = changed_file("sd2", only_vae, NULL);
    g_autofree char *kept = in_scratch("bare.safetensors");
    g_assert_cmpint(g_rename(bare, kept), ==, 0);
    const char *const forms[] = { folder, model, file, kept, ldm_file("sd2") };
    g_autoptr(PenModel) before = open_model(own);
    g_autoptr(PenModel) wanted = open_model(model);
    const PenSafetensor *expected = pen_safetensors_lookup(
        wanted->vae_weights, "decoder.up_blocks.3.resnets.1.conv2.weight");
    g_assert_nonnull(expected);
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autofree char *text = with_vae(own, forms[i]);
        g_autoptr(PenModel) opened = open_model(text);
        const PenSafetensor *found =
            pen_safetensors_lookup(opened->vae_weights, expected->name);
        g_assert_nonnull(found);
        g_assert_cmpmem(found->data, found->size, expected->data, expected->size);
        g_assert_cmpuint(opened->vae.layers, ==, 1);
        /* What is learnt does not depend on the VAE. */
        g_assert_cmpstr(opened->identity, ==, before->identity);
    }
    /* A file without one can be helped. */
    g_autofree char *pruned = changed_file("sd1", without, (gpointer) "first_stage_model.");
    g_autofree char *helped = with_vae(pruned, folder);
    g_autoptr(PenModel) whole = open_model(helped);
    g_assert_nonnull(whole->vae_weights);
    g_autofree char *unet = golden_path("sd1", "model/unet");
    g_autofree char *wrong = with_vae(own, unet);
    assert_fails(wrong, "no VAE");
}

/* --- adapters -------------------------------------------------------------------------------- */

typedef struct {
    const char *path; /* PREFIX PATH of src/models/merge.h */
    const char *name; /* in the file, before ".lora_down.weight" */
    gsize rank;
    float alpha; /* 0: not in the file */
} Layer;

/* Of sd1: attention, feed-forward, transformer's convolution, resnets' convolutions, time embedding,
 * text encoder; ranks and alphas differ, most layers are missing. */
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
        pen_safetensors_lookup(text ? model->text_weights : model->unet_weights, name);
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
        pen_weights_new(NULL, text ? model->text_weights : model->unet_weights, PEN_DTYPE_F32);
    pen_weights_set_merge(weights, merge, text ? PEN_MERGE_TEXT : PEN_MERGE_UNET);
    PenParameter *parameter =
        area > 1 ? pen_weights_conv(weights, w->name, (guint32)w->dims[0], (guint32)w->dims[2],
                                    (guint32)w->dims[1])
                 : pen_weights_linear(weights, w->name, (guint32)w->dims[0], (guint32)w->dims[1]);
    g_autofree float *values = pen_weights_values(weights, parameter);
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
    g_autofree char *notice = NULL;
    g_autoptr(PenMerge) merge =
        pen_merge_new(spec, model->unet_weights, model->text_weights, &notice, &error);
    g_assert_no_error(error);
    g_assert_null(notice);
    for (gsize i = 0; i < G_N_ELEMENTS(layers); i++) {
        float *const d[2] = { down[0][i], down[1][i] }, *const u[2] = { up[0][i], up[1][i] };
        check_layer(model, merge, i, d, u, strengths);
    }
    /* A layer that no adapter has stays what it is. */
    g_autofree float *row = g_new0(float, 16);
    pen_merge_add(merge, PEN_MERGE_UNET, "conv_in", 0, 1, 16, row);
    for (guint i = 0; i < 16; i++)
        g_assert_cmpfloat(row[i], ==, 0);

    /* The model with both is another model, but what was made for fewer can draw with it. */
    g_autofree char *text = pen_model_spec_to_text(spec);
    g_autoptr(PenModel) merged = open_model(text);
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
        { "lora_unet_mid_block_resnets_1_conv1.lora_mid.weight", "LoCon" },
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

/* --- specs ----------------------------------------------------------------------------------- */

static void test_spec(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenModelSpec) plain = pen_model_spec_parse("/a/b c%20", &error);
    g_autofree char *same = pen_model_spec_to_text(plain);
    g_assert_cmpstr(same, ==, "/a/b c%20");

    /* File names that are not UTF-8 or look like escapes survive. */
    pen_model_spec_add_lora(plain, "/x/\xff:%41\".safetensors", 0.25);
    plain->vae = g_strdup("/v/é");
    g_autofree char *text = pen_model_spec_to_text(plain);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    g_autoptr(PenModelSpec) back = pen_model_spec_parse(text, &error);
    g_assert_no_error(error);
    const PenModelLora *lora = back->loras->pdata[0];
    g_assert_cmpstr(back->model, ==, "/a/b c%20");
    g_assert_cmpstr(back->vae, ==, "/v/é");
    g_assert_cmpstr(lora->file, ==, "/x/\xff:%41\".safetensors");
    g_assert_cmpfloat(lora->strength, ==, 0.25);
    g_autofree char *again = pen_model_spec_to_text(back);
    g_assert_cmpstr(again, ==, text);

    g_autoptr(PenModelSpec) over = pen_model_spec_parse("{\"vae\": \"/w\"}", &error);
    pen_model_spec_add_lora(over, "/y", 1);
    pen_model_spec_overlay(back, over);
    g_assert_cmpstr(back->model, ==, "/a/b c%20");
    g_assert_cmpstr(back->vae, ==, "/w");
    g_assert_cmpuint(back->loras->len, ==, 2);
    g_assert_null(pen_model_spec_parse("{\"vae\": \"%zz\"}", NULL));
    g_assert_null(pen_model_spec_parse("{\"loras\": [\"a\"], \"strengths\": [1e9]}", NULL));
    g_assert_null(pen_model_spec_parse("{", NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    scratch = g_dir_make_tmp("penchant-test-XXXXXX", NULL);
    g_test_add_func("/checkpoint/infer", test_infer);
    g_test_add_func("/checkpoint/prediction", test_prediction);
    g_test_add_func("/checkpoint/identity", test_identity);
    g_test_add_func("/checkpoint/names", test_names);
    g_test_add_func("/checkpoint/hostile", test_hostile);
    g_test_add_func("/checkpoint/damaged", test_damaged);
    g_test_add_func("/checkpoint/vae", test_vae);
    g_test_add_func("/checkpoint/merge", test_merge);
    g_test_add_func("/checkpoint/merge-refused", test_merge_refused);
    g_test_add_func("/checkpoint/spec", test_spec);
    int result = g_test_run();
    g_autoptr(GDir) dir = g_dir_open(scratch, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = in_scratch(name);
        g_unlink(path);
    }
    g_rmdir(scratch);
    g_free(scratch);
    return result;
}
