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

static PenAdapter *read_good(const char *path, PenAdapterReport *report)
{
    g_autoptr(GError) error = NULL;
    PenAdapter *adapter = pen_adapter_read(path, paths, report, &error);
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
    const PenAdapterInfo info = { "My style", "From 7 picks", "stable-diffusion-v1" };
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
    g_autoptr(PenAdapter) adapter =
        pen_adapter_read(PEN_TEST_DATA "/golden/sd1/lora.safetensors",
                         (const char *const *)modules->pdata, NULL, NULL);
    g_assert_true(
        pen_adapter_write(adapter, kohya, PEN_ADAPTER_KOHYA, PEN_SAFETENSOR_F32, NULL, NULL));
    g_autoptr(PenAdapter) again =
        pen_adapter_read(kohya, (const char *const *)modules->pdata, NULL, NULL);
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

static void test_namings(void)
{
    static const struct {
        Part parts[3];
        const char *settings;
        const char *path;
        float alpha;
    } cases[] = {
        { { { "lora_unet_a_0_attn1_to_q.lora_down.weight", 2, { 2, 4 } },
            { "lora_unet_a_0_attn1_to_q.lora_up.weight", 2, { 3, 2 } },
            { "lora_unet_a_0_attn1_to_q.alpha", 0, { 0 } } },
          NULL,
          "a.0.attn1.to_q",
          1 },
        { { { "lora_unet_a_0_attn1_to_q.lora_down.weight", 4, { 2, 4, 1, 1 } },
            { "lora_unet_a_0_attn1_to_q.lora_up.weight", 4, { 3, 2, 1, 1 } },
            { "lora_unet_a_0_attn1_to_q.alpha", 1, { 1 } } },
          NULL,
          "a.0.attn1.to_q",
          1 },
        { { { "unet.a.0.attn1.to_q.lora.down.weight", 2, { 2, 4 } },
            { "unet.a.0.attn1.to_q.lora.up.weight", 2, { 3, 2 } } },
          NULL,
          "a.0.attn1.to_q",
          2 },
        { { { "unet.a.0.attn1.processor.to_out_lora.down.weight", 2, { 2, 4 } },
            { "unet.a.0.attn1.processor.to_out_lora.up.weight", 2, { 3, 2 } } },
          NULL,
          "a.0.attn1.to_out.0",
          2 },
        { { { "a.0.attn1.processor.to_k_lora.down.weight", 2, { 2, 4 } },
            { "a.0.attn1.processor.to_k_lora.up.weight", 2, { 3, 2 } } },
          NULL,
          "a.0.attn1.to_k",
          2 },
        { { { "base_model.model.a.0.attn1.to_out.0.lora_A.weight", 2, { 2, 4 } },
            { "base_model.model.a.0.attn1.to_out.0.lora_B.weight", 2, { 3, 2 } } },
          NULL,
          "a.0.attn1.to_out.0",
          2 },
        { { { "unet.a.0.attn1.to_q.lora_A.weight", 2, { 2, 4 } },
            { "unet.a.0.attn1.to_q.lora_B.weight", 2, { 3, 2 } } },
          "{\"unet.r\": 2, \"unet.lora_alpha\": 16}",
          "a.0.attn1.to_q",
          16 },
        { { { "unet.a.0.attn1.to_q.lora_A.weight", 2, { 2, 4 } },
            { "unet.a.0.attn1.to_q.lora_B.weight", 2, { 3, 2 } } },
          "{\"unet.lora_alpha\": 16, \"unet.alpha_pattern\": {\"a.0.attn1.to_q\": 8}}",
          "a.0.attn1.to_q",
          8 },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *path = write_parts(scratch, cases[i].parts, 3, cases[i].settings);
        g_auto(PenAdapterReport) report = { 0 };
        g_autoptr(PenAdapter) adapter = read_good(path, &report);
        const PenAdapterLayer *layer = pen_adapter_lookup(adapter, cases[i].path);
        g_assert_cmpuint(adapter->layers->len, ==, 1);
        g_assert_true(layer->rank == 2 && layer->n_in == 4 && layer->n_out == 3);
        g_assert_cmpfloat(layer->alpha, ==, cases[i].alpha);
        g_assert_true(layer->down[7] == 8 && layer->up[5] == 6);
        g_assert_null(pen_adapter_report_message(&report));
    }
}

#define GOOD                                                                                       \
    { "lora_unet_a_0_attn1_to_q.lora_down.weight", 2, { 2, 4 } },                                  \
    {                                                                                              \
        "lora_unet_a_0_attn1_to_q.lora_up.weight", 2, { 3, 2 }                                     \
    }

static void test_report(void)
{
    static const Part parts[] = {
        GOOD,
        { "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight", 2, { 2, 4 } },
        { "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_up.weight", 2, { 3, 2 } },
        { "text_encoder.text_model.encoder.layers.1.q_proj.lora_A.weight", 2, { 2, 4 } },
        { "lora_unet_a_0_resnets_0_conv1.lora_down.weight", 4, { 1, 1, 3, 3 } },
        { "lora_unet_a_0_resnets_0_conv1.lora_up.weight", 4, { 1, 1, 1, 1 } },
        { "lora_unet_a_0_resnets_0_conv1.alpha", 0, { 0 } },
        { "something", 1, { 1 } },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    g_auto(PenAdapterReport) report = { 0 };
    g_autoptr(PenAdapter) adapter =
        read_good(write_parts(scratch, parts, G_N_ELEMENTS(parts), NULL), &report);
    g_assert_cmpuint(adapter->layers->len, ==, 1);
    g_assert_cmpuint(report.n_text_encoder, ==, 2);
    g_assert_cmpuint(report.n_other, ==, 2);
    g_autofree char *message = pen_adapter_report_message(&report);
    g_assert_nonnull(strstr(message, report.example));
    g_autoptr(PenAdapter) unreported =
        read_good(write_parts(scratch, parts, G_N_ELEMENTS(parts), NULL), NULL);
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
        { { { "lora_unet_a_0_attn1_to_q.lora_down.weight", 1, { 2 } },
            { "lora_unet_a_0_attn1_to_q.lora_up.weight", 2, { 3, 2 } } },
          NULL },
        { { GOOD, { "lora_unet_a_0_attn1_to_q.alpha", 1, { 2 } } }, NULL },
        { { GOOD, { "lora_unet_a_0_attn1_to_q.dora_scale", 1, { 2 } } }, NULL },
        { { GOOD, { "unet.a.0.attn1.to_q.lora_A.weight", 2, { 2, 4 } } }, NULL },
        { { GOOD }, "{\"unet.lora_alpha\": \"x\"}" },
    };
    g_autoptr(Scratch) scratch = scratch_new();
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        const char *path = write_parts(scratch, bad[i].parts, 4, bad[i].settings);
        g_assert_null(pen_adapter_read(path, paths, NULL, &error));
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
    g_assert_null(pen_adapter_read(path, paths, NULL, &error));
    g_assert_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/adapter-file/round-trip", test_round_trip);
    g_test_add_func("/adapter-file/golden", test_golden);
    g_test_add_func("/adapter-file/namings", test_namings);
    g_test_add_func("/adapter-file/report", test_report);
    g_test_add_func("/adapter-file/convolution", test_convolution);
    g_test_add_func("/adapter-file/refused", test_refused);
    g_test_add_func("/adapter-file/not-finite", test_not_finite);
    return g_test_run();
}
