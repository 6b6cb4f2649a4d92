// SPDX-License-Identifier: GPL-3.0-or-later
/* Models as files: configurations, folders, weights, adapters, and broken ones of each. No device.
 */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "compute/graph-private.h"
#include "src/formats/json.h"
#include "src/formats/safetensors-writer.h"
#include "src/models/architecture.h"
#include "src/models/clip-text.h"
#include "src/models/model.h"
#include "src/models/unet.h"
#include "src/models/vae.h"
#include "tests/models/golden.h"

static char *scratch; /* a folder of this run */

static char *scratch_file(const char *name, const char *text, gssize size)
{
    g_autoptr(GError) error = NULL;
    char *path = g_build_filename(scratch, name, NULL);
    g_file_set_contents(path, text, size, &error);
    g_assert_no_error(error);
    return path;
}

/* --- configurations ------------------------------------------------------------------------ */

static gboolean load_unet(const char *path, GError **error)
{
    PenUNetConfig config;
    return pen_unet_config_load(&config, path, error);
}

static gboolean load_vae(const char *path, GError **error)
{
    PenVaeConfig config;
    return pen_vae_config_load(&config, path, error);
}

static gboolean load_text(const char *path, GError **error)
{
    PenClipTextConfig config;
    return pen_clip_text_config_load(&config, path, error);
}

static gboolean load_schedule(const char *path, GError **error)
{
    g_autofree char *class_name = NULL;
    g_autoptr(PenSchedule) schedule = pen_schedule_load(path, TRUE, &class_name, error);
    return schedule != NULL;
}

static const struct {
    const char *component;
    gboolean (*load)(const char *path, GError **error);
} loaders[] = {
    { "unet/config.json", load_unet },
    { "vae/config.json", load_vae },
    { "text_encoder/config.json", load_text },
    { "scheduler/scheduler_config.json", load_schedule },
};

static JsonNode *golden_json(const char *component)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *relative = g_build_filename("model", component, NULL);
    g_autofree char *path = golden_path("sd2", relative);
    g_autoptr(JsonParser) parser = json_parser_new();
    json_parser_load_from_file(parser, path, &error);
    g_assert_no_error(error);
    return json_parser_steal_root(parser);
}

/* The golden configuration with one key set to a JSON value. */
static char *changed_config(const char *component, const char *key, const char *value)
{
    g_autoptr(JsonNode) root = golden_json(component);
    JsonNode *node = json_from_string(value, NULL);
    json_object_set_member(json_node_get_object(root), key,
                           node ? node : json_node_new(JSON_NODE_NULL));
    g_autofree char *text = json_to_string(root, FALSE);
    return scratch_file("config.json", text, -1);
}

static void test_config_values(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *unet_path = golden_path("sd2", "model/unet/config.json");
    g_autofree char *vae_path = golden_path("sd1", "model/vae/config.json");
    g_autofree char *text_path = golden_path("sd2", "model/text_encoder/config.json");
    PenUNetConfig unet;
    PenVaeConfig vae;
    PenClipTextConfig text;

    pen_unet_config_load(&unet, unet_path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(unet.levels, ==, 4);
    g_assert_cmpuint(unet.channels[0], ==, 16);
    g_assert_cmpuint(unet.channels[3], ==, 32);
    g_assert_cmpuint(unet.heads[0], ==, 2);
    g_assert_cmpuint(unet.heads[3], ==, 8);
    g_assert_cmpuint(unet.layers[2], ==, 1);
    g_assert_cmpuint(unet.context_channels, ==, 64);
    g_assert_cmpuint(unet.norm_groups, ==, 16);
    g_assert_true(unet.down_attention[0] && !unet.down_attention[3]);
    g_assert_true(unet.up_attention[3] && !unet.up_attention[0]);

    pen_vae_config_load(&vae, vae_path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(pen_vae_config_factor(&vae), ==, 8);
    g_assert_cmpfloat_with_epsilon(vae.scaling_factor, 0.18215, 1e-7);

    pen_clip_text_config_load(&text, text_path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(text.hidden, ==, 64);
    g_assert_false(text.quick_gelu);
}

/* An almost empty file means diffusers' defaults. */
static void test_config_defaults(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path =
        scratch_file("config.json", "{\"block_out_channels\": [320, 640, 1280, 1280]}", -1);
    PenUNetConfig unet;

    pen_unet_config_load(&unet, path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(unet.heads[2], ==, 8);
    g_assert_cmpuint(unet.layers[3], ==, 2);
    g_assert_cmpuint(unet.context_channels, ==, 1280);
    g_assert_true(unet.flip_sin_to_cos);
    g_assert_true(unet.down_attention[2] && !unet.down_attention[3]);
    g_assert_true(unet.up_attention[1] && !unet.up_attention[0]);
}

static void test_config_heads(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path =
        changed_config("unet/config.json", "num_attention_heads", "[1, 2, 4, 16]");
    PenUNetConfig unet;

    pen_unet_config_load(&unet, path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(unet.heads[0], ==, 1);
    g_assert_cmpuint(unet.heads[3], ==, 16);
}

/* Settings that would change the result are refused; the message names file, key and value. */
static void test_config_refused(void)
{
    static const struct {
        guint loader;
        const char *key, *value, *said;
    } cases[] = {
        { 0, "class_embed_type", "\"timestep\"", "timestep" },
        { 0, "addition_embed_type", "\"text\"", "text_time" },
        { 0, "addition_embed_type", "\"text_time\"", "projection_class_embeddings_input_dim" },
        { 0, "dual_cross_attention", "true", "true" },
        { 0, "resnet_time_scale_shift", "\"scale_shift\"", "scale_shift" },
        { 0, "act_fn", "\"gelu\"", "gelu" },
        { 0, "only_cross_attention", "[true, true, true, false]", "true" },
        { 0, "mid_block_type", "null", "null" },
        { 0, "resnet_out_scale_factor", "1.5", "1.5" },
        { 0, "conv_in_kernel", "5", "5" },
        { 0, "_class_name", "\"UNet3DConditionModel\"", "UNet3D" },
        { 0, "time_embedding_type", "\"fourier\"", "fourier" },
        { 0, "down_block_types", "[\"DownBlock2D\", \"KDownBlock2D\", \"a\", \"b\"]",
          "KDownBlock2D" },
        { 0, "block_out_channels", "[]", "0" },
        { 0, "block_out_channels", "[16, 32, 17, 32]", "17" },
        { 0, "block_out_channels", "[16, 32, 1600000, 32]", "block_out_channels" },
        { 0, "attention_head_dim", "5", "5" },
        { 0, "attention_head_dim", "[2, 4]", "attention_head_dim" },
        { 0, "attention_head_dim", "0", "attention_head_dim" },
        { 0, "norm_num_groups", "0", "norm_num_groups" },
        { 0, "norm_eps", "-1", "norm_eps" },
        { 0, "cross_attention_dim", "[64, 64, 32, 64]", "cross_attention_dim" },
        { 0, "layers_per_block", "1000000", "layers_per_block" },
        { 1, "act_fn", "\"relu\"", "relu" },
        { 1, "shift_factor", "0.1", "0.1" },
        { 1, "latents_mean", "[0, 0, 0, 0]", "0" },
        { 1, "scaling_factor", "0", "0" },
        { 1, "latent_channels", "-4", "latent_channels" },
        { 1, "up_block_types", "[\"AttnUpDecoderBlock2D\", \"\", \"\", \"\"]", "AttnUp" },
        { 2, "hidden_act", "\"relu\"", "relu" },
        { 2, "num_attention_heads", "7", "7" },
        { 2, "vocab_size", "4e12", "vocab_size" },
        { 2, "max_position_embeddings", "100000000", "max_position" },
        { 3, "thresholding", "true", "true" },
        { 3, "prediction_type", "\"sample\"", "sample" },
        { 3, "beta_schedule", "\"sigmoid\"", "sigmoid" },
        { 3, "timestep_spacing", "\"karras\"", "karras" },
        { 3, "num_train_timesteps", "0", "num_train" },
        { 3, "beta_end", "2", "config.json" },
        { 3, "trained_betas", "[0.1, 0.2]", "config.json" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *path =
            changed_config(loaders[cases[i].loader].component, cases[i].key, cases[i].value);
        gboolean loaded = loaders[cases[i].loader].load(path, &error);
        g_test_message("%s", error ? error->message : "no error");
        if (loaded)
            g_test_fail_printf("%s = %s was accepted", cases[i].key, cases[i].value);
        g_assert_nonnull(error);
        g_assert_nonnull(strstr(error->message, "config.json"));
        g_assert_nonnull(strstr(error->message, cases[i].said));
        g_assert_null(strchr(error->message, '\n'));
    }
}

/* What a builder makes of a configuration that was accepted: a graph or an error. */
static void try_builders(const char *path)
{
    g_autofree char *unet_folder = golden_path("sd2", "model/unet");
    g_autofree char *vae_folder = golden_path("sd2", "model/vae");
    g_autofree char *text_folder = golden_path("sd2", "model/text_encoder");
    PenUNetConfig unet;
    PenVaeConfig vae;
    PenClipTextConfig text;

    if (pen_unet_config_load(&unet, path, NULL)) {
        g_autoptr(PenWeights) weights = golden_weights(unet_folder);
        g_autoptr(PenUNetAdapter) adapter = pen_unet_adapter_new(&unet, 4, NULL);
        g_assert_true(pen_unet_adapter_allocate(adapter, NULL, PEN_DTYPE_F32, NULL));
        PenUNetOptions options = {
            .batch = 1, .height = 8, .width = 8, .tokens = 77, .adapter = adapter, .checkpoint = TRUE
        };
        g_autoptr(GError) error = NULL;
        g_autoptr(PenUNet) built = pen_unet_new(&unet, weights, &options, &error);
        g_assert_true(!built == !!error);
    }
    if (pen_vae_config_load(&vae, path, NULL)) {
        g_autoptr(PenWeights) weights = golden_weights(vae_folder);
        g_autoptr(GError) error = NULL;
        g_autoptr(PenGraph) decoder = pen_vae_decoder_new(&vae, weights, 1, 4, 4, &error);
        g_assert_true(!decoder == !!error);
        g_clear_error(&error);
        g_autoptr(PenGraph) encoder = pen_vae_encoder_new(&vae, weights, 1, 8, 8, &error);
        g_assert_true(!encoder == !!error);
    }
    if (pen_clip_text_config_load(&text, path, NULL)) {
        g_autoptr(PenWeights) weights = golden_weights(text_folder);
        g_autoptr(GError) error = NULL;
        g_autoptr(PenGraph) graph = pen_clip_text_new(&text, weights, 1, 16, &error);
        g_assert_true(!graph == !!error);
    }
}

static void load_hostile(guint loader, const char *path)
{
    g_autoptr(GError) error = NULL;
    gboolean loaded = loaders[loader].load(path, &error);

    g_assert_true(loaded == !error);
    if (loaded)
        try_builders(path);
}

/* Every key of every configuration with every kind of wrong value. */
static void test_hostile_values(void)
{
    static const char *const values[] = {
        "null",
        "true",
        "-1",
        "0",
        "1",
        "2147483648",
        "1e308",
        "-0.5",
        "\"\"",
        "\"x\"",
        "[]",
        "[[[]]]",
        "[0,0,0,0]",
        "[1,1,1,1]",
        "{}",
        "[1,\"a\",null]",
        "16384",
        "64",
        "[16384,16384,16384,16384,16384,16384,16384,16384]",
    };

    for (guint i = 0; i < G_N_ELEMENTS(loaders); i++) {
        g_autoptr(JsonNode) root = golden_json(loaders[i].component);
        g_autoptr(GList) keys = json_object_get_members(json_node_get_object(root));
        for (GList *key = keys; key; key = key->next)
            for (gsize k = 0; k < G_N_ELEMENTS(values); k++) {
                g_autofree char *path = changed_config(loaders[i].component, key->data, values[k]);
                load_hostile(i, path);
            }
    }
}

/* Files cut short, and files with random bytes changed. */
static void test_hostile_bytes(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);

    for (guint i = 0; i < G_N_ELEMENTS(loaders); i++) {
        g_autoptr(JsonNode) root = golden_json(loaders[i].component);
        g_autofree char *text = json_to_string(root, TRUE);
        gsize length = strlen(text);
        for (gsize size = 0; size < length; size += 7) {
            g_autofree char *path = scratch_file("config.json", text, (gssize)size);
            load_hostile(i, path);
        }
        for (guint k = 0; k < 300; k++) {
            g_autofree char *damaged = g_memdup2(text, length);
            for (guint changes = 1 + k % 4; changes > 0; changes--)
                damaged[g_rand_int_range(random, 0, (gint32)length)] =
                    (char)g_rand_int_range(random, 0, 256);
            g_autofree char *path = scratch_file("config.json", damaged, (gssize)length);
            load_hostile(i, path);
        }
    }
}

/* --- folders ------------------------------------------------------------------------------- */

static void copy_tree(const char *from, const char *to)
{
    g_autoptr(GDir) dir = g_dir_open(from, 0, NULL);

    g_assert_cmpint(g_mkdir_with_parents(to, 0700), ==, 0);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *source = g_build_filename(from, name, NULL);
        g_autofree char *target = g_build_filename(to, name, NULL);
        if (g_file_test(source, G_FILE_TEST_IS_DIR)) {
            copy_tree(source, target);
            continue;
        }
        g_autofree char *data = NULL;
        gsize size;
        g_assert_true(g_file_get_contents(source, &data, &size, NULL));
        g_assert_true(g_file_set_contents(target, data, (gssize)size, NULL));
    }
}

static void remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        remove_tree(child);
    }
    g_remove(path);
}

static void test_model_starter(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = pen_model_find(NULL, &error);
    g_assert_no_error(error);
    g_autoptr(PenModel) model = pen_model_open(folder, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(model->name, ==, "starter");
    g_assert_cmpuint(model->tokens, ==, 16);
    g_assert_cmpuint(model->factor, ==, 4);
    g_assert_cmpuint(strlen(model->identity), ==, 64);
    g_assert_cmpint(pen_schedule_get_num_train_timesteps(model->schedule), ==, 1000);
}

static char *identity_of(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenModel) model = pen_model_open(path, &error);
    g_assert_no_error(error);
    return g_strdup(model->identity);
}

/* The identity follows the content alone. */
static void test_model_identity(void)
{
    g_autofree char *original = golden_path("sd1", "model");
    g_autofree char *copy = g_build_filename(scratch, "another-name", NULL);
    g_autofree char *weights =
        g_build_filename(copy, "unet", "diffusion_pytorch_model.safetensors", NULL);
    copy_tree(original, copy);

    g_autofree char *first = identity_of(original);
    g_autofree char *second = identity_of(copy);
    g_assert_cmpstr(first, ==, second);

    g_autofree char *data = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(weights, &data, &size, NULL));
    data[size - 2] ^= 1;
    g_assert_true(g_file_set_contents(weights, data, (gssize)size, NULL));
    g_autofree char *third = identity_of(copy);
    g_assert_cmpstr(first, !=, third);
    remove_tree(copy);
}

/* Takes "text_model." out of the names in a file of weights; spaces keep the header's length. */
static void take_level_out(const char *path)
{
    g_autofree char *data = NULL;
    gsize size;
    guint64 length;

    g_assert_true(g_file_get_contents(path, &data, &size, NULL));
    memcpy(&length, data, sizeof length);
    length = GUINT64_FROM_LE(length);
    g_autoptr(GString) header = g_string_new_len(data + 8, (gssize)length);
    g_assert_cmpuint(g_string_replace(header, "\"text_model.", "\"", 0), >, 10);
    while (header->len < length)
        g_string_append_c(header, ' ');
    memcpy(data + 8, header->str, length);
    g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
}

/* transformers 5 writes the text encoder's names with a level less. */
static void test_model_level(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *original = golden_path("sd1", "model");
    g_autofree char *copy = g_build_filename(scratch, "level", NULL);
    g_autofree char *weights = g_build_filename(copy, "text_encoder", "model.safetensors", NULL);
    copy_tree(original, copy);
    take_level_out(weights);

    g_autoptr(PenModel) with = pen_model_open(original, &error);
    g_assert_no_error(error);
    g_autoptr(PenModel) without = pen_model_open(copy, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < pen_safetensors_n_tensors(with->encoders[0].weights); i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(with->encoders[0].weights, i);
        const PenSafetensor *same = pen_safetensors_lookup(without->encoders[0].weights, tensor->name);
        g_assert_nonnull(same);
        g_assert_cmpmem(tensor->data, tensor->size, same->data, same->size);
    }
    remove_tree(copy);
}

static void assert_open_fails(const char *folder, const char *said)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenModel) model = pen_model_open(folder, &error);
    g_assert_null(model);
    g_assert_nonnull(error);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, said));
    g_assert_null(strchr(error->message, '\n'));
}

static void test_model_broken(void)
{
    static const char *const parts[] = { "unet", "vae", "text_encoder", "tokenizer", "scheduler" };
    g_autofree char *original = golden_path("sd1", "model");
    g_autofree char *copy = g_build_filename(scratch, "broken", NULL);
    g_autofree char *index = g_build_filename(copy, "model_index.json", NULL);

    assert_open_fails("/does/not/exist", "does not exist");
    g_autofree char *file = scratch_file("model.safetensors", "x", -1);
    assert_open_fails(file, "safetensors");
    assert_open_fails(scratch, "model.safetensors"); /* which is what is the matter with the folder */

    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        copy_tree(original, copy);
        g_autofree char *part = g_build_filename(copy, parts[i], NULL);
        remove_tree(part);
        assert_open_fails(copy, parts[i]);
        g_assert_cmpint(g_mkdir(part, 0700), ==, 0);
        assert_open_fails(copy, parts[i]);
    }
    copy_tree(original, copy);
    g_assert_true(
        g_file_set_contents(index, "{\"_class_name\": \"StableDiffusionXLPipeline\"}", -1, NULL));
    assert_open_fails(copy, "StableDiffusionXLPipeline");
    g_assert_true(g_file_set_contents(index, "[]", -1, NULL));
    assert_open_fails(copy, "model_index.json");

    /* SDXL has two of some parts. */
    g_autofree char *sdxl = golden_path("sdxl", "model");
    static const char *const second[] = { "text_encoder_2", "tokenizer_2" };
    for (gsize i = 0; i < G_N_ELEMENTS(second); i++) {
        copy_tree(sdxl, copy);
        g_autofree char *part = g_build_filename(copy, second[i], NULL);
        remove_tree(part);
        assert_open_fails(copy, second[i]);
    }
    remove_tree(copy);
    copy_tree(original, copy);

    /* Parts of two models. */
    g_autofree char *text = golden_path("sd2", "model/text_encoder");
    g_autofree char *other = g_build_filename(copy, "text_encoder", NULL);
    g_remove(index);
    copy_tree(text, other);
    assert_open_fails(copy, "different models");
    remove_tree(copy);
}

static void test_model_guidance(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *original = golden_path("sd1", "model");
    g_autofree char *copy = g_build_filename(scratch, "own", NULL);
    g_autofree char *own = g_build_filename(copy, "penchant.json", NULL);
    copy_tree(original, copy);

    g_autoptr(PenModel) plain = pen_model_open(copy, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(plain->guidance, ==, PEN_MODEL_GUIDANCE);
    g_assert_null(plain->words);
    g_assert_true(g_file_set_contents(own, "{\"guidance_scale\": 2.5, \"words\": [\"cat\"]}", -1, NULL));
    g_autoptr(PenModel) told = pen_model_open(copy, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(told->guidance, ==, 2.5);
    g_assert_cmpstrv(told->words, ((const char *[]){ "cat", NULL }));
    g_assert_cmpstr(told->identity, ==, plain->identity);

    static const char *const bad[] = { "{\"guidance_scale\": 0}", "{\"guidance_scale\": 101}",
                                       "{\"guidance_scale\": \"5\"}", "{\"words\": \"cat\"}", "[]", "{" };
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_true(g_file_set_contents(own, bad[i], -1, NULL));
        assert_open_fails(copy, "penchant.json");
    }
    remove_tree(copy);
}

static void test_model_find(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *original = golden_path("sd1", "model");
    g_autofree char *mine = g_build_filename(scratch, "data", "models", "mine", NULL);
    g_autofree char *data = g_build_filename(scratch, "data", NULL);
    copy_tree(original, mine);
    g_setenv("PENCHANT_DATA", data, TRUE);

    g_autofree char *found = pen_model_find("mine", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(found, ==, mine);
    g_autofree char *starter = pen_model_find("starter", &error);
    g_assert_no_error(error);
    g_assert_true(g_str_has_suffix(starter, "/starter"));
    g_autofree char *path = pen_model_find("./here", &error);
    g_autofree char *here = g_canonicalize_filename("here", NULL);
    g_assert_cmpstr(path, ==, here);
    g_auto(GStrv) names = pen_model_names();
    g_assert_true(g_strv_contains((const char *const *)names, "mine"));
    g_assert_true(g_strv_contains((const char *const *)names, "starter"));
    g_assert_null(pen_model_find("nothing", &error));
    g_assert_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, "mine, starter"));
    g_clear_error(&error);

    g_setenv("PENCHANT_MODELS", scratch, TRUE);
    g_assert_null(pen_model_find(NULL, &error));
    g_assert_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND);
    g_unsetenv("PENCHANT_MODELS");
    g_unsetenv("PENCHANT_DATA");
    remove_tree(data);
}

/* --- weights ------------------------------------------------------------------------------- */

static PenWeights *small_weights(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();
    g_autofree char *path = g_build_filename(scratch, "small.safetensors", NULL);
    float values[36];
    const gsize conv[] = { 2, 2, 3, 3 }, one[] = { 2, 3, 1, 1 }, linear[] = { 2, 3 },
                table[] = { 4, 2 };
    const gsize vector[] = { 3 };
    const gint64 numbers[3] = { 0 };

    for (guint i = 0; i < 36; i++)
        values[i] = (float)i;
    pen_safetensors_writer_add_floats(writer, "c.weight", PEN_SAFETENSOR_F16, 4, conv, values);
    pen_safetensors_writer_add_floats(writer, "a.query.weight", PEN_SAFETENSOR_BF16, 4, one,
                                      values);
    pen_safetensors_writer_add_floats(writer, "l.weight", PEN_SAFETENSOR_F32, 2, linear, values);
    pen_safetensors_writer_add_floats(writer, "table", PEN_SAFETENSOR_F16, 2, table, values);
    pen_safetensors_writer_add(writer, "int", PEN_SAFETENSOR_I64, 1, vector, numbers);
    pen_safetensors_writer_save(writer, path, &error);
    g_assert_no_error(error);
    return golden_weights(path);
}

static void test_weights_values(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenWeights) weights = small_weights();
    PenParameter *conv = pen_weights_conv(weights, "c.weight", 2, 3, 2);
    PenParameter *query = pen_weights_linear(weights, "a.to_q.weight", 2, 3);
    PenParameter *linear = pen_weights_linear(weights, "l.weight", 2, 3);
    pen_weights_check(weights, &error);
    g_assert_no_error(error);
    g_assert_true(linear == pen_weights_linear(weights, "l.weight", 2, 3));

    /* [out, in, h, w] -> [out, h, w, in] */
    g_autofree float *c = pen_weights_values(weights, conv, NULL);
    for (guint o = 0; o < 2; o++)
        for (guint i = 0; i < 2; i++)
            for (guint p = 0; p < 9; p++)
                g_assert_cmpfloat(c[(o * 9 + p) * 2 + i], ==, (o * 2 + i) * 9 + p);
    g_autofree float *q = pen_weights_values(weights, query, NULL);
    for (guint i = 0; i < 6; i++)
        g_assert_cmpfloat(q[i], ==, i);

    const gint32 rows[] = { 3, 0, 3 };
    float gathered[6];
    pen_weights_gather(weights, "table", 4, 2, rows, 3, gathered, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(gathered[0], ==, 6);
    g_assert_cmpfloat(gathered[2], ==, 0);
    g_assert_cmpfloat(gathered[5], ==, 7);
    const gint32 outside[] = { 4 };
    g_assert_false(pen_weights_gather(weights, "table", 4, 2, outside, 1, gathered, &error));
    g_assert_nonnull(error);
}

static void assert_refused(PenWeights *weights, PenParameter *parameter, const char *said)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(parameter);
    g_assert_null(pen_weights_linear(weights, "l.weight", 2, 3)); /* the first mistake stays */
    g_assert_false(pen_weights_check(weights, &error));
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, said));
    g_assert_true(pen_weights_check(weights, NULL));
}

static void test_weights_wrong(void)
{
    g_autoptr(PenWeights) weights = small_weights();

    assert_refused(weights, pen_weights_linear(weights, "none.weight", 2, 3), "none.weight");
    assert_refused(weights, pen_weights_linear(weights, "l.weight", 3, 2), "[2, 3]");
    assert_refused(weights, pen_weights_linear(weights, "c.weight", 2, 2), "[2, 2, 3, 3]");
    assert_refused(weights, pen_weights_conv(weights, "l.weight", 2, 3, 3), "[2, 3, 3, 3]");
    assert_refused(weights, pen_weights_vector(weights, "l.weight", 2), "[2]");
    assert_refused(weights, pen_weights_vector(weights, "int", 3), "I64");
}

/* --- adapters ------------------------------------------------------------------------------ */

static PenUNetConfig golden_unet_config(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = golden_path("sd1", "model/unet/config.json");
    PenUNetConfig config;
    pen_unet_config_load(&config, path, &error);
    g_assert_no_error(error);
    return config;
}

static void test_adapter_layout(void)
{
    PenUNetConfig config = golden_unet_config();
    g_autoptr(PenUNetAdapter) adapter = pen_unet_adapter_new(&config, 4, NULL);
    g_assert_cmpuint(adapter->n_modules, ==,
                     16 * 8); /* 6 down, 1 middle, 9 up; 8 projections each */
    gsize next = 0;
    for (guint i = 0; i < adapter->n_modules; i++) {
        const PenUNetAdapterModule *m = &adapter->modules[i];
        g_assert_true(pen_unet_adapter_find(adapter, m->path) == m);
        g_assert_cmpuint(m->a, ==, next);
        g_assert_cmpuint(m->b, ==, next + 4 * m->in);
        next = m->b + 4 * m->out;
    }
    g_assert_cmpuint(adapter->n_values, ==, next);
    g_assert_null(pen_unet_adapter_find(adapter, "conv_in"));
    g_assert_null(pen_unet_adapter_new(&config, 0, NULL));
    g_assert_null(pen_unet_adapter_new(&config, 100000, NULL));
}

static void test_adapter_files(void)
{
    g_autoptr(GError) error = NULL;
    PenUNetConfig config = golden_unet_config();
    g_autoptr(PenUNetAdapter) adapter = pen_unet_adapter_new(&config, 4, NULL);
    g_autofree float *values = g_new(float, adapter->n_values);
    for (gsize i = 0; i < adapter->n_values; i++)
        values[i] = (float)(i % 1000);

    /* Out and in again. */
    g_autoptr(PenAdapter) file = pen_unet_adapter_export(adapter, values);
    g_assert_cmpuint(pen_unet_adapter_file_rank(&config, file), ==, 4);
    g_autofree float *back = g_new0(float, adapter->n_values);
    pen_unet_adapter_import(adapter, file, back, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(values, adapter->n_values * sizeof(float), back,
                    adapter->n_values * sizeof(float));

    /* A file of smaller rank with an alpha leaves the other rows, and other modules, alone. */
    const PenUNetAdapterModule *m = &adapter->modules[7];
    g_autoptr(PenAdapter) small = pen_adapter_new();
    PenAdapterLayer *layer = pen_adapter_add(small, m->path, 2, m->in, m->out);
    layer->alpha = 6;
    for (gsize i = 0; i < 2 * m->in; i++)
        layer->down[i] = 1;
    for (gsize i = 0; i < 2 * m->out; i++)
        layer->up[i] = 5;
    for (gsize i = 0; i < adapter->n_values; i++)
        back[i] = -1;
    pen_unet_adapter_import(adapter, small, back, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(back[m->a + 2 * m->in - 1], ==, 1);
    g_assert_cmpfloat(back[m->a + 2 * m->in], ==, -1);
    g_assert_cmpfloat(back[m->b + 1], ==, 15);
    g_assert_cmpfloat(back[m->b + 2], ==, -1);
    g_assert_cmpfloat(back[m->b + 4], ==, 15);
    g_assert_cmpfloat(back[m->a - 1], ==, -1);

    /* Too large a rank, and layers of another model. */
    g_autoptr(PenAdapter) large = pen_adapter_new();
    pen_adapter_add(large, m->path, 5, m->in, m->out);
    g_assert_false(pen_unet_adapter_import(adapter, large, back, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    g_autoptr(PenAdapter) other = pen_adapter_new();
    pen_adapter_add(other, m->path, 4, m->in + 1, m->out);
    g_assert_false(pen_unet_adapter_import(adapter, other, back, &error));
    g_assert_nonnull(strstr(error->message, "another model"));
}

/* --- timesteps ----------------------------------------------------------------------------- */

static void test_timestep_embedding(void)
{
    PenUNetConfig config = { .channels = { 5 }, .flip_sin_to_cos = TRUE };
    const double timesteps[] = { 0, 100 };
    float out[10];

    pen_unet_timestep_embedding(&config, timesteps, 2, out);
    const float flipped[] = { 1, 1, 0, 0, 0, cosf(100), cosf(1), sinf(100), sinf(1), 0 };
    for (guint i = 0; i < 10; i++)
        g_assert_cmpfloat_with_epsilon(out[i], flipped[i], 1e-5);

    config.flip_sin_to_cos = FALSE;
    config.freq_shift = 1; /* the second frequency is 1/10000 */
    pen_unet_timestep_embedding(&config, timesteps, 2, out);
    const float plain[] = { 0, 0, 1, 1, 0, sinf(100), sinf(0.01f), cosf(100), cosf(0.01f), 0 };
    for (guint i = 0; i < 10; i++)
        g_assert_cmpfloat_with_epsilon(out[i], plain[i], 1e-5);
}

/* --- published shapes ---------------------------------------------------------------------- */

static guint64 parameters(const PenGraph *graph)
{
    guint64 n = 0;

    for (guint i = 0; i < graph->tensors->len; i++) {
        const PenTensor *tensor = graph->tensors->pdata[i];
        if (tensor->kind == PEN_TENSOR_PARAMETER)
            n += pen_shape_elements(pen_tensor_shape(tensor));
    }
    return n;
}

/* Of the whole encoder, with the layer that SDXL does not look at. */
static guint64 text_parameters(const PenClipTextConfig *config)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenWeights) weights = pen_weights_new_random(NULL, PEN_DTYPE_F32, 1);
    PenClipTextConfig whole = *config;
    whole.layers_left_out = 0;
    whole.final_norm = TRUE;
    g_autoptr(PenGraph) graph = pen_clip_text_new(&whole, weights, 1, 77, &error);
    g_assert_no_error(error);
    return parameters(graph) + (guint64)(config->vocabulary + config->positions) * config->hidden;
}

/* The builders at full size ask for exactly the published numbers of parameters. (The text
 * encoder's tables of tokens and positions are not in its graph.) */
static void test_architectures(void)
{
    static const struct {
        const char *name;
        guint64 unet, vae, text[PEN_MODEL_MAX_ENCODERS], adapter;
    } published[] = {
        { "sd15", 859520964, 83653863, { 123060480 }, 797184 },
        { "sd21", 865910724, 83653863, { 340387840 }, 829952 },
        { "sdxl", 2567463684, 83653863, { 123060480, 694659840 }, 5806080 },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(published); i++) {
        g_autoptr(GError) error = NULL;
        const PenArchitecture *a = pen_architecture_find(published[i].name);
        g_autoptr(PenWeights) unet_weights = pen_weights_new_random(NULL, PEN_DTYPE_F32, 1);
        g_autoptr(PenWeights) vae_weights = pen_weights_new_random(NULL, PEN_DTYPE_F32, 1);
        PenUNetOptions options = { .batch = 1, .height = 64, .width = 64, .tokens = 77 };
        g_autoptr(PenUNet) unet = pen_unet_new(&a->unet, unet_weights, &options, &error);
        g_assert_no_error(error);
        g_autoptr(PenGraph) decoder = pen_vae_decoder_new(&a->vae, vae_weights, 1, 64, 64, &error);
        g_assert_no_error(error);
        g_autoptr(PenGraph) encoder =
            pen_vae_encoder_new(&a->vae, vae_weights, 1, 512, 512, &error);
        g_assert_no_error(error);
        for (guint e = 0; e < a->n_encoders; e++)
            g_assert_cmpuint(text_parameters(&a->encoders[e]), ==, published[i].text[e]);
        g_test_message("%s: unet %" G_GUINT64_FORMAT ", vae %" G_GUINT64_FORMAT, a->title,
                       parameters(unet->graph), parameters(decoder) + parameters(encoder));
        g_assert_cmpuint(parameters(unet->graph), ==, published[i].unet);
        g_assert_cmpuint(parameters(decoder) + parameters(encoder), ==, published[i].vae);
        g_autoptr(PenUNetAdapter) adapter = pen_unet_adapter_new(&a->unet, 4, &error);
        g_assert_cmpuint(adapter->n_values, ==, published[i].adapter);
    }
    g_assert_null(pen_architecture_find("sd99"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    scratch = g_dir_make_tmp("penchant-models-XXXXXX", NULL);
    g_assert_nonnull(scratch);
    g_test_add_func("/config/values", test_config_values);
    g_test_add_func("/config/defaults", test_config_defaults);
    g_test_add_func("/config/heads", test_config_heads);
    g_test_add_func("/config/refused", test_config_refused);
    g_test_add_func("/config/hostile-values", test_hostile_values);
    g_test_add_func("/config/hostile-bytes", test_hostile_bytes);
    g_test_add_func("/model/starter", test_model_starter);
    g_test_add_func("/model/identity", test_model_identity);
    g_test_add_func("/model/level", test_model_level);
    g_test_add_func("/model/broken", test_model_broken);
    g_test_add_func("/model/guidance", test_model_guidance);
    g_test_add_func("/model/find", test_model_find);
    g_test_add_func("/weights/values", test_weights_values);
    g_test_add_func("/weights/wrong", test_weights_wrong);
    g_test_add_func("/adapter/layout", test_adapter_layout);
    g_test_add_func("/adapter/files", test_adapter_files);
    g_test_add_func("/unet/timestep-embedding", test_timestep_embedding);
    g_test_add_func("/architectures", test_architectures);
    int result = g_test_run();
    remove_tree(scratch);
    g_free(scratch);
    return result;
}
