// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/adapter-file.h"
#include "src/formats/safetensors-writer.h"
#include "tests/formats/scratch.h"

#include <math.h>
#include <string.h>

static const char *const paths[] = { "a.0.attn1.to_q", "a.0.attn1.to_k", "a.0.attn1.to_out.0",
                                     NULL };

// Three layers of different ranks and scales.
static PenAdapter *make_adapter(void)
{
    PenAdapter *adapter = pen_adapter_new();
    for (guint i = 0; paths[i]; i++) {
        PenAdapterLayer *layer = pen_adapter_add(adapter, paths[i], i + 1, 4 + i, 3 + i);
        for (gsize k = 0; k < layer->rank * layer->n_in; k++)
            layer->down[k] = 0.25f * (float)k - 1;
        for (gsize k = 0; k < layer->n_out * layer->rank; k++)
            layer->up[k] = 3 - 0.5f * (float)k;
        layer->alpha = i == 1 ? 4 : (float)layer->rank;
    }
    return adapter;
}

static PenAdapterNames *make_names(const char *const *list)
{
    PenAdapterNames *names = pen_adapter_names_new(PEN_FAMILY_SD1);
    for (; *list; list++)
        pen_adapter_names_add(names, *list, NULL);
    return names;
}

static PenAdapter *read_good(const char *path, PenAdapterReport *report)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenAdapterNames) names = make_names(paths);
    PenAdapter *adapter = pen_adapter_read(path, names, report, &error);
    g_assert_no_error(error);
    return adapter;
}

// The same layers, up to how the scale is divided between alpha and up.
static void assert_equal(const PenAdapter *a, const PenAdapter *b)
{
    g_assert_cmpuint(a->layers->len, ==, b->layers->len);
    for (guint i = 0; i < a->layers->len; i++) {
        const PenAdapterLayer *x = a->layers->pdata[i], *y = b->layers->pdata[i];
        g_assert_cmpstr(x->path, ==, y->path);
        g_assert_true(x->rank == y->rank && x->n_in == y->n_in && x->n_out == y->n_out);
        g_assert_cmpmem(x->down, x->rank * x->n_in * 4, y->down, x->rank * x->n_in * 4);
        for (gsize k = 0; k < x->n_out * x->rank; k++)
            g_assert_true(x->alpha * x->up[k] == y->alpha * y->up[k]);
    }
}

static void test_round_trip(void)
{
    static const PenSafetensorType types[] = { PEN_SAFETENSOR_F32, PEN_SAFETENSOR_F16,
                                               PEN_SAFETENSOR_BF16 };
    const char *const more[] = { "penchant.strength", "0.5", NULL };
    const PenAdapterInfo info = { "My style", "From 7 picks", "stable-diffusion-v1", more };
    g_autoptr(Scratch) scratch = scratch_new();
    g_autoptr(PenAdapter) adapter = make_adapter();
    const char *path = scratch_path(scratch, "x.safetensors");

    for (int format = PEN_ADAPTER_KOHYA; format <= PEN_ADAPTER_DIFFUSERS; format++)
        for (gsize t = 0; t < G_N_ELEMENTS(types); t++) {
            g_autoptr(GError) error = NULL;
            g_auto(PenAdapterReport) report = { 0 };
            g_assert_true(pen_adapter_write(adapter, path, format, types[t], &info, &error));
            g_assert_no_error(error);
            g_autoptr(PenAdapter) read = read_good(path, &report);
            g_assert_null(pen_adapter_report_message(&report));
            assert_equal(adapter, read);

            g_autoptr(PenSafetensors) file = pen_safetensors_open(path, NULL);
            g_assert_cmpstr(pen_safetensors_metadata(file, "modelspec.title"), ==, "My style");
            if (format == PEN_ADAPTER_KOHYA) {
                g_assert_cmpstr(pen_safetensors_metadata(file, "ss_network_dim"), ==, "Dynamic");
                g_assert_nonnull(
                    pen_safetensors_lookup(file, "lora_unet_a_0_attn1_to_out_0.lora_down.weight"));
                g_assert_cmpfloat(pen_adapter_lookup(read, "a.0.attn1.to_k")->alpha, ==, 4);
            } else {
                g_assert_nonnull(
                    pen_safetensors_lookup(file, "unet.a.0.attn1.to_out.0.lora_A.weight"));
            }
        }
}

// The module paths that the golden adapter names, in the order in which it has them.
static void test_golden(void)
{
    g_autoptr(PenSafetensors) file =
        pen_safetensors_open(PEN_TEST_DATA "/golden/sd1/lora.safetensors", NULL);
    g_autoptr(GPtrArray) modules = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++) {
        const char *name = pen_safetensors_nth(file, i)->name;
        const char *end = strstr(name, ".lora_A.weight");
        if (end)
            g_ptr_array_add(modules,
                            g_strndup(name + strlen("unet."), end - name - strlen("unet.")));
    }
    g_ptr_array_add(modules, NULL);
    g_assert_cmpuint(modules->len, ==, 129);

    g_autoptr(Scratch) scratch = scratch_new();
    const char *kohya = scratch_path(scratch, "kohya.safetensors");
    g_autoptr(PenAdapterNames) names = make_names((const char *const *)modules->pdata);
    g_autoptr(PenAdapter) adapter =
        pen_adapter_read(PEN_TEST_DATA "/golden/sd1/lora.safetensors", names, NULL, NULL);
    g_assert_true(
        pen_adapter_write(adapter, kohya, PEN_ADAPTER_KOHYA, PEN_SAFETENSOR_F32, NULL, NULL));
    g_autoptr(PenAdapter) again = pen_adapter_read(kohya, names, NULL, NULL);
    g_assert_cmpuint(adapter->layers->len, ==, 128);
    assert_equal(adapter, again);

    const PenAdapterLayer *layer = adapter->layers->pdata[0];
    g_autofree char *name = g_strdup_printf("unet.%s.lora_B.weight", layer->path);
    const PenSafetensor *up = pen_safetensors_lookup(file, name);
    g_assert_cmpmem(layer->up, layer->n_out * layer->rank * 4, up->data, up->size);
    g_autoptr(PenSafetensors) written = pen_safetensors_open(kohya, NULL);
    g_assert_cmpstr(pen_safetensors_metadata(written, "ss_network_dim"), ==, "4");
    g_assert_cmpstr(pen_safetensors_metadata(written, "ss_network_alpha"), ==, "4");
}

typedef struct {
    const char *name;
    guint n_dims;
    gsize dims[4];
} Part;

static const char *write_parts(Scratch *scratch, const Part *parts, gsize n, const char *settings)
{
    static const float values[64] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    const char *path = scratch_path(scratch, "parts.safetensors");

    for (gsize i = 0; i < n && parts[i].name; i++)
        pen_safetensors_writer_add(writer, parts[i].name, PEN_SAFETENSOR_F32, parts[i].n_dims,
                                   parts[i].dims, values);
    if (settings)
        pen_safetensors_writer_set_metadata(writer, "lora_adapter_metadata", settings);
    g_assert_true(pen_safetensors_writer_save(writer, path, NULL));
    return path;
}

#define GOOD                                                                                       \
    { "lora_unet_a_0_attn1_to_q.lora_down.weight", 2, { 2, 4 } },                                  \
    {                                                                                              \
        "lora_unet_a_0_attn1_to_q.lora_up.weight", 2, { 3, 2 }                                     \
    }

// Every way in which a layer has been called, by the names of its two matrices.
static void test_namings(void)
{
    static const char *const unet =
                                 "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0",
                             *const text =
                                 "text_encoder.text_model.encoder.layers.0.self_attn.q_proj",
                             *const out =
                                 "text_encoder.text_model.encoder.layers.0.self_attn.out_proj";
    static const struct {
        const char *down, *up, *path;
    } cases[] = {
#define DIFFUSERS "down_blocks.0.attentions.0.transformer_blocks.0.attn1."
#define ORIGINAL "input_blocks.1.1.transformer_blocks.0.attn1.to_out.0"
#define KOHYA(layer, path) { layer ".lora_down.weight", layer ".lora_up.weight", path }
#define PEFT_NAMED(layer, path) { layer ".lora_A.weight", layer ".lora_B.weight", path }
        KOHYA("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0", unet),
        KOHYA("lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_out_0", unet),
        KOHYA("lycoris_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0", unet),
        KOHYA("diffusion_model." ORIGINAL, unet),
        KOHYA("unet." ORIGINAL, unet),
        KOHYA("clip_l.text_model.encoder.layers.0.self_attn.q_proj", text),
        KOHYA("lora_te_text_model_encoder_layers_0_self_attn_q_proj", text),
        KOHYA("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", text),
        PEFT_NAMED("unet." DIFFUSERS "to_out.0", unet),
        PEFT_NAMED(DIFFUSERS "to_out.0", unet),
        PEFT_NAMED("base_model.model." DIFFUSERS "to_out.0", unet),
        PEFT_NAMED("unet.base_model.model." DIFFUSERS "to_out.0", unet),
        PEFT_NAMED("diffusion_model." ORIGINAL, unet),
        PEFT_NAMED("model.diffusion_model." ORIGINAL, unet),
        PEFT_NAMED(ORIGINAL, unet),
        PEFT_NAMED("base_model.model." ORIGINAL, unet),
        PEFT_NAMED("text_encoder.text_model.encoder.layers.0.self_attn.q_proj", text),
        PEFT_NAMED("text_encoder.encoder.layers.0.self_attn.q_proj", text),
        PEFT_NAMED("base_model.model.text_model.encoder.layers.0.self_attn.q_proj", text),
        PEFT_NAMED("base_model.model.encoder.layers.0.self_attn.q_proj", text),
        PEFT_NAMED("text_encoders.clip_l.transformer.text_model.encoder.layers.0.self_attn.q_proj",
                   text),
        PEFT_NAMED("cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.q_proj",
                   text),
        { "base_model.model." DIFFUSERS "to_out.0.lora_A.default.weight",
          "base_model.model." DIFFUSERS "to_out.0.lora_B.default.weight", unet },
        { "unet." DIFFUSERS "to_out.0.lora_A.my_style.weight",
          "unet." DIFFUSERS "to_out.0.lora_B.my_style.weight", unet },
        { "unet." DIFFUSERS "to_out.0.lora_A", "unet." DIFFUSERS "to_out.0.lora_B", unet },
        { "unet." DIFFUSERS "to_out.0.lora.down.weight",
          "unet." DIFFUSERS "to_out.0.lora.up.weight", unet },
        { "unet." DIFFUSERS "to_out.lora.down.weight", "unet." DIFFUSERS "to_out.lora.up.weight",
          unet },
        { "unet." DIFFUSERS "processor.to_out_lora.down.weight",
          "unet." DIFFUSERS "processor.to_out_lora.up.weight", unet },
        { DIFFUSERS "processor.to_out_lora.down.weight",
          DIFFUSERS "processor.to_out_lora.up.weight", unet },
        { DIFFUSERS "to_out.lora_linear_layer.down.weight",
          DIFFUSERS "to_out.lora_linear_layer.up.weight", unet },
        { "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.down.weight",
          "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.up.weight",
          text },
        { "text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.down.weight",
          "text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.up.weight", text },
        { "text_encoder.text_model.encoder.layers.0.self_attn.to_out_lora.down.weight",
          "text_encoder.text_model.encoder.layers.0.self_attn.to_out_lora.up.weight", out },
    };
    g_autoptr(PenAdapterNames) names = pen_adapter_names_new(PEN_FAMILY_SD1);
    pen_adapter_names_add(names, unet, ORIGINAL);
    pen_adapter_names_add(names, text, NULL);
    pen_adapter_names_add(names, out, NULL);
    g_autoptr(Scratch) scratch = scratch_new();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Part parts[] = { { cases[i].down, 2, { 2, 4 } }, { cases[i].up, 2, { 3, 2 } } };
        g_auto(PenAdapterReport) report = { 0 };
        g_autoptr(GError) error = NULL;
        g_autoptr(PenAdapter) adapter =
            pen_adapter_read(write_parts(scratch, parts, 2, NULL), names, &report, &error);
        g_assert_no_error(error);
        const PenAdapterLayer *layer = pen_adapter_lookup(adapter, cases[i].path);
        g_assert_nonnull(layer);
        g_assert_cmpuint(adapter->layers->len, ==, 1);
        g_assert_true(layer->rank == 2 && layer->n_in == 4 && layer->n_out == 3);
        g_assert_cmpfloat(layer->alpha, ==, 2);
        g_assert_true(layer->down[7] == 8 && layer->up[5] == 6);
        g_assert_null(pen_adapter_report_message(&report));
    }
}

// What kinds of adapters are called, and that they are never taken for a plain one.
static void test_foreign(void)
{
    static const struct {
        const char *tensor, *kind;
    } cases[] = {
        { "lora_unet_a_0_attn1_to_q.dora_scale", "DoRA" },
        { "base_model.model.a.0.attn1.to_q.lora_magnitude_vector", "DoRA" },
        { "base_model.model.a.0.attn1.to_q.lora_magnitude_vector.weight", "DoRA" },
        { "base_model.model.a.0.attn1.to_q.lora_magnitude_vector.default.weight", "DoRA" },
        { "unet.a.0.attn1.to_q.lora.lora_magnitude_vector", "DoRA" },
        { "lora_unet_b.hada_w1_a", "LoHa" },
        { "lora_unet_b.lokr_w1", "LoKr" },
        { "lora_unet_b.oft_blocks", "OFT" },
        { "base_model.model.b.fourierft_spectrum", "FourierFT" },
        { "base_model.model.b.hra_u", "HRA" },
        { "base_model.model.b.miss_block", "MiSS" },
        { "base_model.model.b.lora_B.bias", "biases" },
        { "base_model.model.b.lora_B.default.bias", "biases" },
        { "lora_unet_b.diff", "differences" },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    g_autoptr(PenAdapterNames) names = make_names(paths);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Part parts[] = { GOOD, { cases[i].tensor, 2, { 3, 1 } } };
        g_autoptr(GError) error = NULL;
        g_assert_null(pen_adapter_read(write_parts(scratch, parts, 3, NULL), names, NULL, &error));
        g_assert_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED);
        g_assert_nonnull(strstr(error->message, cases[i].kind));
    }
}

// A file for another family of models is refused by its name, though some of it fits.
static void test_families(void)
{
    static const struct {
        const char *tensor, *key, *value, *family;
    } cases[] = {
        { "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", NULL, NULL, "SDXL" },
        { "text_encoder_2.text_model.encoder.layers.0.mlp.fc1.lora_A.weight", NULL, NULL, "SDXL" },
        { "lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q.lora_up.weight", NULL, NULL,
          "SDXL" },
        { "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight", NULL, NULL, "Flux" },
        { NULL, "ss_base_model_version", "sdxl_base_v1-0", "SDXL" },
        { NULL, "ss_base_model_version", "sd_v2", "Stable Diffusion 2.x" },
        { NULL, "modelspec.architecture", "stable-diffusion-xl-v1-base/lora", "SDXL" },
        { NULL, "modelspec.architecture", "Flux.1-dev/lora", "Flux" },
        { NULL, "modelspec.architecture", "stable-diffusion-v1/lora", NULL },
        { NULL, "ss_base_model_version", "my own", NULL },
    };
    static const float values[8] = { 1 };
    g_autoptr(Scratch) scratch = scratch_new();
    g_autoptr(PenAdapterNames) names = make_names(paths);
    const char *path = scratch_path(scratch, "family.safetensors");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Part parts[] = { GOOD, { cases[i].tensor, 2, { 3, 1 } } };
        g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
        for (gsize k = 0; k < G_N_ELEMENTS(parts) && parts[k].name; k++)
            pen_safetensors_writer_add(writer, parts[k].name, PEN_SAFETENSOR_F32, parts[k].n_dims,
                                       parts[k].dims, values);
        if (cases[i].key)
            pen_safetensors_writer_set_metadata(writer, cases[i].key, cases[i].value);
        g_assert_true(pen_safetensors_writer_save(writer, path, NULL));
        g_autoptr(GError) error = NULL;
        g_autoptr(PenAdapter) adapter = pen_adapter_read(path, names, NULL, &error);
        g_assert_true((adapter == NULL) == (cases[i].family != NULL));
        if (!adapter)
            g_assert_nonnull(strstr(error->message, cases[i].family));
    }
}

// The header's settings are those of each component.
static void test_settings(void)
{
    static const Part parts[] = {
        { "unet.a.0.attn1.to_q.lora_A.weight", 2, { 2, 4 } },
        { "unet.a.0.attn1.to_q.lora_B.weight", 2, { 3, 2 } },
        { "unet.a.0.attn1.to_k.lora_A.weight", 2, { 2, 4 } },
        { "unet.a.0.attn1.to_k.lora_B.weight", 2, { 3, 2 } },
        { "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight", 2, { 2, 4 } },
        { "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_B.weight", 2, { 3, 2 } },
    };
    static const struct {
        const char *settings;
        double to_q, to_k, text;
    } cases[] = {
        { "{\"unet.r\": 2, \"unet.lora_alpha\": 16}", 16, 16, 2 },
        { "{\"unet.lora_alpha\": 16, \"text_encoder.lora_alpha\": 4}", 16, 16, 4 },
        { "{\"unet.lora_alpha\": 16, \"unet.alpha_pattern\": {\"a.0.attn1.to_q\": 8}}", 8, 16, 2 },
        { "{\"unet.lora_alpha\": 16, \"unet.alpha_pattern\": {\"to_q\": 8, \"to_.\": 4}}", 8, 4,
          2 },
        { "{\"unet.lora_alpha\": 4, \"unet.use_rslora\": true}", 5.656854, 5.656854, 2 },
        { "{\"text_encoder.use_rslora\": true, \"text_encoder.lora_alpha\": 4}", 2, 2, 5.656854 },
        { "{}", 2, 2, 2 },
    };
    static const char *const layers[] = { "a.0.attn1.to_q", "a.0.attn1.to_k",
                                          "text_encoder.text_model.encoder.layers.0.mlp.fc1",
                                          NULL };
    g_autoptr(Scratch) scratch = scratch_new();
    g_autoptr(PenAdapterNames) names = make_names(layers);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *path = write_parts(scratch, parts, G_N_ELEMENTS(parts), cases[i].settings);
        g_autoptr(GError) error = NULL;
        g_autoptr(PenAdapter) adapter = pen_adapter_read(path, names, NULL, &error);
        g_assert_no_error(error);
        const double expected[] = { cases[i].to_q, cases[i].to_k, cases[i].text };
        for (gsize k = 0; k < G_N_ELEMENTS(expected); k++)
            g_assert_cmpfloat_with_epsilon(pen_adapter_lookup(adapter, layers[k])->alpha,
                                           expected[k], 1e-5);
    }
}

// Other kinds by their names, and LoRAs whose file is only a part of what was trained.
static void test_refused_settings(void)
{
    static const char *const cases[][2] = {
        { "{\"unet.peft_type\": \"LOHA\"}", "LOHA" },
        { "{\"unet.use_dora\": true}", "DoRA" },
        { "{\"unet.init_lora_weights\": \"pissa_niter_4\"}", "pissa_niter_4" },
        { "{\"unet.init_lora_weights\": \"olora\"}", "olora" },
        { "{\"unet.init_lora_weights\": \"gaussian\", \"unet.peft_type\": \"LORA\"}", NULL },
        { "{\"unet.init_lora_weights\": true}", NULL },
    };
    static const Part parts[] = { GOOD };
    g_autoptr(Scratch) scratch = scratch_new();
    g_autoptr(PenAdapterNames) names = make_names(paths);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(PenAdapter) adapter =
            pen_adapter_read(write_parts(scratch, parts, 2, cases[i][0]), names, NULL, &error);
        g_assert_true(!cases[i][1] == !!adapter);
        g_assert_true(adapter || strstr(error->message, cases[i][1]));
    }
}

// What PEFT itself adds to the weights, with the settings that lie beside its files.
static void test_peft(void)
{
    static const char *const folders[] = { "plain", "rslora", "patterns", "rslora-patterns" };
#define BLOCK "down_blocks.0.attentions.0.transformer_blocks.0."
    static const char *const layers[] = { BLOCK "attn1.to_q", BLOCK "attn1.to_k",
                                          BLOCK "attn1.to_out.0", BLOCK "attn2.to_q", NULL };
    g_autoptr(PenAdapterNames) names = make_names(layers);
    for (gsize f = 0; f < G_N_ELEMENTS(folders); f++) {
        g_autofree char *folder = g_build_filename(PEN_TEST_DATA, "adapters", folders[f], NULL);
        g_autofree char *file = g_build_filename(folder, "expected.safetensors", NULL);
        g_autoptr(PenSafetensors) expected = pen_safetensors_open(file, NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(PenAdapter) adapter = pen_adapter_read(folder, names, NULL, &error);
        g_assert_no_error(error);
        for (gsize i = 0; layers[i]; i++) {
            const PenAdapterLayer *layer = pen_adapter_lookup(adapter, layers[i]);
            const PenSafetensor *delta = pen_safetensors_lookup(expected, layers[i]);
            g_autofree float *values = g_new(float, delta->n_elements);
            pen_safetensor_to_f32(delta, values, NULL);
            for (gsize o = 0; o < layer->n_out; o++)
                for (gsize c = 0; c < layer->n_in; c++) {
                    double sum = 0;
                    for (gsize r = 0; r < layer->rank; r++)
                        sum += (double)layer->up[o * layer->rank + r] *
                               layer->down[r * layer->n_in + c];
                    g_assert_cmpfloat_with_epsilon(sum * layer->alpha / (double)layer->rank,
                                                   values[o * layer->n_in + c], 1e-5);
                }
        }
    }
}

#define PEFT                                                                                       \
    { "unet.a.0.attn1.to_q.lora_A.weight", 2, { 2, 4 } },                                          \
    {                                                                                              \
        "unet.a.0.attn1.to_q.lora_B.weight", 2, { 3, 2 }                                           \
    }

#define ALSO(layer)                                                                                \
    { layer ".lora_down.weight", 2, { 2, 4 } },                                                    \
    {                                                                                              \
        layer ".lora_up.weight", 2, { 3, 2 }                                                       \
    }

// What is not used is counted in layers, not in tensors.
static void test_report(void)
{
    static const Part parts[] = {
        GOOD,
        ALSO("lora_unet_a_0_attn1_to_k"),
        ALSO("lora_unet_a_0_attn1_to_out_0"),
        { "lora_unet_a_0_resnets_0_conv1.lora_down.weight", 4, { 1, 1, 3, 3 } },
        { "lora_unet_a_0_resnets_0_conv1.lora_up.weight", 4, { 1, 1, 1, 1 } },
        { "lora_unet_a_0_resnets_0_conv1.alpha", 0, { 0 } },
        { "something", 1, { 1 } },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    g_auto(PenAdapterReport) report = { 0 };
    g_autoptr(PenAdapter) adapter =
        read_good(write_parts(scratch, parts, G_N_ELEMENTS(parts), NULL), &report);
    g_assert_cmpuint(adapter->layers->len, ==, 3);
    g_assert_cmpuint(report.n_layers, ==, 5);
    g_assert_cmpuint(report.n_unused, ==, 2);
    g_autofree char *message = pen_adapter_report_message(&report);
    g_assert_nonnull(strstr(message, report.example));
    g_autoptr(PenAdapter) unreported =
        read_good(write_parts(scratch, parts, G_N_ELEMENTS(parts), NULL), NULL);
}

// LoCon's convolution in three parts: down[b, i], mid[a, b, kh, kw].
static void test_three_parts(void)
{
    static const Part parts[] = {
        { "lora_unet_a_0_attn1_to_q.lora_down.weight", 4, { 2, 4, 1, 1 } },
        { "lora_unet_a_0_attn1_to_q.lora_mid.weight", 4, { 1, 2, 1, 3 } },
        { "lora_unet_a_0_attn1_to_q.lora_up.weight", 4, { 3, 1, 1, 1 } },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    g_autoptr(PenAdapter) adapter =
        read_good(write_parts(scratch, parts, G_N_ELEMENTS(parts), NULL), NULL);
    const PenAdapterLayer *layer = adapter->layers->pdata[0];
    g_assert_true(layer->rank == 1 && layer->n_in == 4 * 3 && layer->n_out == 3);
    /* write_parts() numbers the elements from 1. */
    for (gsize i = 0; i < 4; i++)
        for (gsize p = 0; p < 3; p++)
            g_assert_cmpfloat(layer->down[i * 3 + p], ==,
                              (float)((p + 1) * (i + 1) + (p + 4 <= 8 ? p + 4 : 0) * (i + 5)));
}

// A convolution's kernel is a matrix of in kh kw columns.
static void test_convolution(void)
{
    static const Part parts[] = {
        { "lora_unet_a_0_attn1_to_q.lora_down.weight", 4, { 2, 1, 3, 3 } },
        { "lora_unet_a_0_attn1_to_q.lora_up.weight", 4, { 3, 2, 1, 1 } },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    g_autoptr(PenAdapter) adapter =
        read_good(write_parts(scratch, parts, G_N_ELEMENTS(parts), NULL), NULL);
    const PenAdapterLayer *layer = adapter->layers->pdata[0];
    g_assert_cmpuint(layer->rank, ==, 2);
    g_assert_cmpuint(layer->n_in, ==, 9);
    g_assert_cmpuint(layer->n_out, ==, 3);
}

static void test_refused(void)
{
    static const struct {
        Part parts[4];
        const char *settings;
    } bad[] = {
        { { { "something", 1, { 1 } } }, NULL },
        { { { "lora_unet_a_0_attn1_to_q.alpha", 0, { 0 } } }, NULL },
        { { { "lora_unet_a_0_attn1_to_q.lora_up.weight", 2, { 3, 2 } } }, NULL },
        { { { "lora_unet_a_0_attn1_to_q.lora_down.weight", 2, { 2, 4 } } }, NULL },
        { { { "lora_unet_a_0_attn1_to_q.lora_down.weight", 2, { 2, 4 } },
            { "lora_unet_a_0_attn1_to_q.lora_up.weight", 2, { 3, 3 } } },
          NULL },
        { { { "lora_unet_a_0_attn1_to_q.lora_down.weight", 2, { 0, 4 } },
            { "lora_unet_a_0_attn1_to_q.lora_up.weight", 2, { 3, 0 } } },
          NULL },
        { { { "lora_unet_a_0_attn1_to_q.lora_down.weight", 4, { 2, 4, 1, 1 } },
            { "lora_unet_a_0_attn1_to_q.lora_up.weight", 4, { 1, 2, 3, 3 } } },
          NULL },
        { { GOOD, { "lora_unet_a_0_attn1_to_q.lora_mid.weight", 2, { 2, 2 } } }, NULL },
        { { GOOD, { "lora_unet_a_0_attn1_to_q.lora_mid.weight", 4, { 2, 3, 3, 3 } } }, NULL },
        { { { "lora_unet_a_0_attn1_to_q.lora_down.weight", 1, { 2 } },
            { "lora_unet_a_0_attn1_to_q.lora_up.weight", 2, { 3, 2 } } },
          NULL },
        { { GOOD, { "lora_unet_a_0_attn1_to_q.alpha", 1, { 2 } } }, NULL },
        { { GOOD, { "lora_unet_a_0_attn1_to_q.dora_scale", 1, { 2 } } }, NULL },
        { { GOOD, { "unet.a.0.attn1.to_q.lora_A.weight", 2, { 2, 4 } } }, NULL },
        { { { "unet.a.0.attn1.to_q.lora_A.one.weight", 2, { 2, 4 } },
            { "unet.a.0.attn1.to_q.lora_B.one.weight", 2, { 3, 2 } },
            { "unet.a.0.attn1.to_q.lora_A.two.weight", 2, { 2, 4 } },
            { "unet.a.0.attn1.to_q.lora_B.two.weight", 2, { 3, 2 } } },
          NULL },
        { { PEFT }, "{\"unet.lora_alpha\": \"x\"}" },
        { { PEFT }, "{\"unet.lora_alpha\": -1}" },
        { { PEFT }, "{\"unet.use_dora\": true}" },
        { { PEFT }, "{\"unet.alpha_pattern\": {\"(\": 4}}" },
        { { PEFT }, "[]" },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    g_autoptr(PenAdapterNames) names = make_names(paths);
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        const char *path = write_parts(scratch, bad[i].parts, 4, bad[i].settings);
        g_assert_null(pen_adapter_read(path, names, NULL, &error));
        g_assert_true(error->domain == PEN_FORMAT_ERROR);
        g_test_message("%s", error->message);
    }
}

static void test_not_finite(void)
{
    static const struct {
        float value;
        PenSafetensorType type;
        gboolean good;
    } cases[] = {
        { NAN, PEN_SAFETENSOR_F32, FALSE },      { INFINITY, PEN_SAFETENSOR_F16, FALSE },
        { 65519.9f, PEN_SAFETENSOR_F16, TRUE },  { 65520, PEN_SAFETENSOR_F16, FALSE },
        { -65520, PEN_SAFETENSOR_F16, FALSE },   { 1e30f, PEN_SAFETENSOR_F32, TRUE },
        { 3.4e38f, PEN_SAFETENSOR_BF16, FALSE }, { 1e30f, PEN_SAFETENSOR_BF16, TRUE },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    const char *path = scratch_path(scratch, "x.safetensors");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PenAdapter) adapter = make_adapter();
        PenAdapterLayer *layer = adapter->layers->pdata[2];
        layer->up[1] = cases[i].value;
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(
            pen_adapter_write(adapter, path, PEN_ADAPTER_KOHYA, cases[i].type, NULL, &error), ==,
            cases[i].good);
        g_assert_cmpint(error == NULL, ==, cases[i].good);
    }

    // A file that holds such numbers is refused.
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    const gsize dims[] = { 1, 1 };
    const float one = 1, nan = NAN;
    g_autoptr(GError) error = NULL;
    pen_safetensors_writer_add(writer, "unet.a.0.attn1.to_q.lora_A.weight", PEN_SAFETENSOR_F32, 2,
                               dims, &one);
    pen_safetensors_writer_add(writer, "unet.a.0.attn1.to_q.lora_B.weight", PEN_SAFETENSOR_F32, 2,
                               dims, &nan);
    g_assert_true(pen_safetensors_writer_save(writer, path, NULL));
    g_autoptr(PenAdapterNames) names = make_names(paths);
    g_assert_null(pen_adapter_read(path, names, NULL, &error));
    g_assert_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/adapter-file/round-trip", test_round_trip);
    g_test_add_func("/adapter-file/golden", test_golden);
    g_test_add_func("/adapter-file/namings", test_namings);
    g_test_add_func("/adapter-file/foreign", test_foreign);
    g_test_add_func("/adapter-file/refused-settings", test_refused_settings);
    g_test_add_func("/adapter-file/families", test_families);
    g_test_add_func("/adapter-file/settings", test_settings);
    g_test_add_func("/adapter-file/peft", test_peft);
    g_test_add_func("/adapter-file/three-parts", test_three_parts);
    g_test_add_func("/adapter-file/report", test_report);
    g_test_add_func("/adapter-file/convolution", test_convolution);
    g_test_add_func("/adapter-file/refused", test_refused);
    g_test_add_func("/adapter-file/not-finite", test_not_finite);
    return g_test_run();
}
