// SPDX-License-Identifier: GPL-3.0-or-later
/* Models as single files, exchanged VAEs, and broken ones of each. No device. */
#include <glib/gstdio.h>
#include <string.h>

#include "src/models/ldm-names.h"
#include "tests/models/checkpoints.h"
#include "tests/models/golden.h"

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

static gboolean rename_tensor(PenSafetensor *tensor, gpointer data)
{
    const char *const *names = data;
    if (g_str_equal(tensor->name, names[0]))
        tensor->name = names[1];
    return TRUE;
}

/* --- what a file is -------------------------------------------------------------------------- */

/* What a file tells is what the folder's configurations say, but for heads and groups. */
static void test_infer(void)
{
    static const char *const shapes[] = { "sd1", "sd2", "sdxl" };
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
            if (b->down_attention[level] || b->up_attention[b->levels - 1 - level])
                g_assert_cmpuint(a->transformer_layers[level], ==, b->transformer_layers[level]);
            g_assert_cmpint(a->down_attention[level], ==, b->down_attention[level]);
            g_assert_cmpint(a->up_attention[level], ==, b->up_attention[level]);
            /* 1.x: eight heads; 2.x: heads of 64 channels. */
            g_assert_cmpuint(a->heads[level], ==, i == 0 ? 8 : MAX(a->channels[level] / 64, 1));
        }
        g_assert_cmpuint(a->sample_size, ==, i == 0 ? 64 : i == 1 ? 96 : 128);
        g_assert_cmpuint(file->vae.levels, ==, folder->vae.levels);
        g_assert_cmpuint(file->vae.layers, ==, folder->vae.layers);
        g_assert_cmpuint(file->vae.channels[1], ==, folder->vae.channels[1]);
        g_assert_cmpuint(file->vae.latent_channels, ==, 4);
        g_assert_true(file->vae.quant_conv && file->vae.post_quant_conv && file->vae.mid_attention);
        g_assert_cmpfloat(file->vae.scaling_factor, ==, folder->vae.scaling_factor);
        g_assert_cmpuint(file->encoders[0].config.layers, ==, folder->encoders[0].config.layers);
        g_assert_cmpuint(file->encoders[0].config.intermediate, ==,
                         folder->encoders[0].config.intermediate);
        g_assert_cmpuint(file->encoders[0].config.vocabulary, ==, 49408);
        g_assert_cmpint(file->encoders[0].config.quick_gelu, ==,
                        folder->encoders[0].config.quick_gelu);
        g_assert_cmpint(pen_schedule_get_prediction(file->schedule), ==,
                        pen_schedule_get_prediction(folder->schedule));
        for (int t = 0; t < 1000; t += 111)
            g_assert_cmpfloat(pen_schedule_get_alpha_cumprod(file->schedule, t), ==,
                              pen_schedule_get_alpha_cumprod(folder->schedule, t));
        guint n = file->n_encoders;
        g_assert_cmpuint(n, ==, folder->n_encoders);
        g_assert_cmpint(pen_tokenizer_pad(file->encoders[n - 1].tokenizer), ==, i == 0 ? 49407 : 0);
        g_assert_cmpint(pen_tokenizer_pad(file->encoders[0].tokenizer), ==, i == 1 ? 0 : 49407);
        g_assert_cmpint(file->zeros_without_text, ==, folder->zeros_without_text);
        g_assert_cmpuint(a->added_channels, ==, b->added_channels);
        g_assert_cmpuint(a->size_channels, ==, b->size_channels);
        g_assert_cmpint(file->vae.force_upcast, ==, i == 2);
        g_assert_cmpuint(file->tokens, ==, 77);
        g_assert_cmpuint(file->factor, ==, 8);
        g_assert_cmpuint(file->condition_channels, ==, 0);
        g_assert_cmpstr(file->name, ==, shapes[i]);
    }
}

/* The way from diffusers' names to the original ones is the way back. */
static void test_modules(void)
{
    static const char *const shapes[] = { "sd1", "sd2", "sdxl" };
    for (gsize i = 0; i < G_N_ELEMENTS(shapes); i++) {
        g_autoptr(PenModel) model = open_model(ldm_file(shapes[i]));
        g_autoptr(PenSafetensors) file = pen_safetensors_open(ldm_file(shapes[i]), NULL);
        guint n = pen_safetensors_n_tensors(model->unet_weights), at = 0;
        for (guint k = 0; k < pen_safetensors_n_tensors(file); k++) {
            const char *name = pen_safetensors_nth(file, k)->name;
            if (!g_str_has_prefix(name, PEN_LDM_UNET))
                continue;
            const char *view = pen_safetensors_nth(model->unet_weights, at++)->name;
            g_autofree char *module = g_strndup(view, (gsize)(strrchr(view, '.') - view));
            g_autofree char *original = pen_ldm_unet_module(&model->unet, module);
            const char *expected = name + strlen(PEN_LDM_UNET);
            g_assert_cmpmem(original, strlen(original), expected,
                            (gsize)(strrchr(expected, '.') - expected));
        }
        g_assert_cmpuint(at, ==, n);
        g_assert_null(pen_ldm_unet_module(&model->unet, "down_blocks.99.resnets.0.conv1"));
        g_assert_null(pen_ldm_unet_module(&model->unet, "mid_block"));
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

static gboolean without_any(PenSafetensor *tensor, gpointer parts)
{
    for (const char *const *part = parts; *part; part++)
        if (strstr(tensor->name, *part))
            return FALSE;
    return TRUE;
}

/* A file of a family that Penchant does not run is refused by its name, whatever else is in it. */
static void test_families(void)
{
    static const struct {
        const char *shape, *tensor, *said;
    } cases[] = {
        { "sdxl", "edm_vpred.sigma_max", "CosXL" },
        { "sdxl", "edm_mean", "Playground" },
        { "sdxl", "conditioner.embedders.0.model.ln_final.weight", "refiner" },
        { "sd1", "model.diffusion_model.joint_blocks.0.x", "Stable Diffusion 3" },
        { "sd1", "model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "Flux" },
        { "sd1", "transformer_blocks.0.img_mod.1.weight", "Qwen" },
        { "sd1", "model.diffusion_model.cap_pad_token", "Z-Image" },
        { "sd1", "control_model.zero_convs.0.0.weight", "ControlNet" },
        { "sdxl", "model.diffusion_model.time_embed.cond_proj.weight", "latent consistency" },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *names[] = { "betas", cases[i].tensor };
        g_autofree char *path = changed_file(cases[i].shape, rename_tensor, names);
        assert_fails(path, cases[i].said);
    }
    /* What no UNet of ours has would be left out, and the picture be wrong. */
    const char *scaled[] = { "betas", "model.diffusion_model.out.2.scale_weight" };
    g_autofree char *more = changed_file("sd1", rename_tensor, scaled);
    assert_fails(more, "conv_out.scale_weight");
    g_autofree char *shallow = changed_file(
        "sdxl", without, (gpointer) "input_blocks.5.1.transformer_blocks.1.");
    assert_fails(shallow, "down_blocks.1.attentions.1.transformer_blocks.1");
    g_autofree char *deep = changed_file(
        "sdxl", without, (gpointer) "input_blocks.4.1.transformer_blocks.1.");
    assert_fails(deep, "transformer_blocks.1");
    g_autofree char *small = changed_file("sdxl", without, (gpointer) "middle_block.1.");
    assert_fails(small, "SSD-1B");
    static const char *const vega[] = { "middle_block.1.", ".transformer_blocks.2.", NULL };
    g_autofree char *smaller = changed_file("sdxl", without_any, (gpointer)vega);
    assert_fails(smaller, "Segmind-Vega");
    static const char *const koala[] = { "middle_block.1.", "input_blocks.5.", NULL };
    g_autofree char *smallest = changed_file("sdxl", without_any, (gpointer)koala);
    assert_fails(smallest, "KOALA");
    g_autofree char *first = changed_file("sdxl", without, (gpointer) "conditioner.embedders.1.");
    assert_fails(first, "no second text encoder");
    g_autofree char *none = changed_file("sdxl", without, (gpointer) "conditioner.");
    assert_fails(none, "no text encoder");
}

/* SDXL with a marker. */
static PenModel *sdxl_with(const char *tensor, const char *key, const char *text)
{
    g_autoptr(PenSafetensors) file = pen_safetensors_open(ldm_file("sdxl"), NULL);
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    static const float zero = 0;
    add_all(writer, file, NULL, NULL);
    if (tensor)
        pen_safetensors_writer_add(writer, tensor, PEN_SAFETENSOR_F32, 0, NULL, &zero);
    if (key)
        pen_safetensors_writer_set_metadata(writer, key, text);
    g_autofree char *path = save(writer, "sdxl.safetensors");
    return open_model(path);
}

/* What their names alone tell of SD-Turbo and SDXL-Turbo, and not of what others call Turbo. */
static void test_turbo(void)
{
    static const struct {
        const char *shape, *name;
        PenPrediction prediction;
        guint32 size;
    } cases[] = {
        { "sd2", "sd_turbo.safetensors", PEN_PREDICTION_EPSILON, 64 },
        { "sdxl", "sd_xl_turbo_1.0_fp16.safetensors", PEN_PREDICTION_EPSILON, 64 },
        { "sd2", "painterTurbo.safetensors", PEN_PREDICTION_V, 96 },
        { "sdxl", "painterTurbo.safetensors", PEN_PREDICTION_EPSILON, 128 },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *folder = g_dir_make_tmp("penchant-XXXXXX", &error);
        g_autofree char *path = g_build_filename(folder, cases[i].name, NULL);
        g_autoptr(GFile) file = g_file_new_for_path(path);
        g_file_make_symbolic_link(file, ldm_file(cases[i].shape), NULL, &error);
        g_assert_no_error(error);
        g_autoptr(PenModel) model = open_model(path);
        g_assert_cmpstr(model->few_steps.name, ==, "Turbo");
        g_assert_cmpint(pen_schedule_get_prediction(model->schedule), ==, cases[i].prediction);
        g_assert_cmpuint(model->unet.sample_size, ==, cases[i].size);
        g_assert_nonnull(strstr(model->notice, "Turbo"));
        g_file_delete(file, NULL, NULL);
        g_rmdir(folder);
    }
}

static void test_sdxl_markers(void)
{
    static const struct {
        const char *tensor, *key, *text;
        gboolean v, zero_snr;
        guint32 size;
    } cases[] = {
        { NULL, NULL, NULL, FALSE, FALSE, 128 },
        { "v_pred", NULL, NULL, TRUE, FALSE, 128 },
        { "ztsnr", NULL, NULL, TRUE, TRUE, 128 },
        { NULL, "ss_v_parameterization", "True", TRUE, FALSE, 128 },
        { "v_pred", "ss_zero_terminal_snr", "True", TRUE, TRUE, 128 },
        { NULL, "modelspec.resolution", "512x512", FALSE, FALSE, 64 },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PenModel) model = sdxl_with(cases[i].tensor, cases[i].key, cases[i].text);
        g_assert_cmpint(pen_schedule_get_prediction(model->schedule) == PEN_PREDICTION_V, ==,
                        cases[i].v);
        g_assert_cmpint(pen_schedule_get_alpha_cumprod(model->schedule, 999) < 1e-6, ==,
                        cases[i].zero_snr);
        g_assert_cmpuint(model->unet.sample_size, ==, cases[i].size);
        g_assert_cmpfloat(model->guidance_rescale, ==, cases[i].zero_snr ? 0.7 : 0);
    }
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
    assert_fails(xl, "label_emb");
    const char *classes[] = { "betas", "model.diffusion_model.label_emb.weight" };
    g_autofree char *upscaler = changed_file("sd1", rename_tensor, classes);
    assert_fails(upscaler, "classes");
    /* A weight under its old and its new name: the one that is complete counts. */
    const char *twice[] = { "betas",
                            "cond_stage_model.transformer.embeddings.token_embedding.weight" };
    g_autofree char *two = changed_file("sd1", rename_tensor, twice);
    g_autoptr(PenModel) opened = open_model(two);
    g_assert_nonnull(opened);

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
    const PenSafetensor *expected =
        pen_safetensors_lookup(wanted->vae_weights, "decoder.up_blocks.3.resnets.1.conv2.weight");
    g_assert_nonnull(expected);
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autofree char *text = with_vae(own, forms[i]);
        g_autoptr(PenModel) opened = open_model(text);
        const PenSafetensor *found = pen_safetensors_lookup(opened->vae_weights, expected->name);
        g_assert_nonnull(found);
        g_assert_cmpmem(found->data, found->size, expected->data, expected->size);
        g_assert_cmpuint(opened->vae.layers, ==, 1);
        /* What is learnt does not depend on the VAE. */
        g_assert_cmpstr(opened->identity, ==, before->identity);
    }
    /* SDXL's latents are scaled otherwise: it draws, and says that the colours will be wrong. */
    g_autofree char *foreign = golden_path("sdxl", "model/vae");
    const char *mixed[] = { foreign, ldm_file("sdxl") };
    for (gsize i = 0; i < G_N_ELEMENTS(mixed); i++) {
        g_autofree char *text = with_vae(own, mixed[i]);
        g_autoptr(PenModel) opened = open_model(text);
        g_assert_nonnull(strstr(opened->notice, "another family"));
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

    /* An adapter is there once, as it was there first. */
    g_autoptr(PenModelSpec) same_file = pen_model_spec_parse("{\"vae\": \"\"}", &error);
    pen_model_spec_add_lora(same_file, "/y", 0.5);
    pen_model_spec_overlay(back, same_file);
    g_assert_cmpuint(back->loras->len, ==, 2);
    g_assert_cmpfloat(pen_model_spec_find_lora(back, "/y")->strength, ==, 1);
    g_assert_null(pen_model_spec_find_lora(back, "/z"));
    /* An empty VAE is the model's own, until a person's words are found to be a model. */
    g_assert_cmpstr(back->vae, ==, "");
    g_autofree char *own = pen_model_spec_to_text(back);
    g_assert_nonnull(strstr(own, "\"vae\":\"\""));
    g_autofree char *found = pen_model_find(own, &error);
    g_assert_no_error(error);
    g_assert_null(strstr(found, "vae"));
    g_assert_null(pen_model_spec_parse("{\"vae\": \"%zz\"}", NULL));
    g_assert_null(pen_model_spec_parse("{\"loras\": [\"a\"], \"strengths\": [1e9]}", NULL));
    g_assert_null(pen_model_spec_parse("{", NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/checkpoint/infer", test_infer);
    g_test_add_func("/checkpoint/modules", test_modules);
    g_test_add_func("/checkpoint/families", test_families);
    g_test_add_func("/checkpoint/sdxl-markers", test_sdxl_markers);
    g_test_add_func("/checkpoint/turbo", test_turbo);
    g_test_add_func("/checkpoint/prediction", test_prediction);
    g_test_add_func("/checkpoint/identity", test_identity);
    g_test_add_func("/checkpoint/names", test_names);
    g_test_add_func("/checkpoint/hostile", test_hostile);
    g_test_add_func("/checkpoint/damaged", test_damaged);
    g_test_add_func("/checkpoint/vae", test_vae);
    g_test_add_func("/checkpoint/spec", test_spec);
    return run_in_scratch();
}
