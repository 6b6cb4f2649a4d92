// SPDX-License-Identifier: GPL-3.0-or-later
/* The models on Vulkan against the golden tensors, in float32 and with float16 storage. Tolerances
 * are those of tests/data/golden/README.md. */
#include <string.h>

#include "src/models/runtime.h"
#include "tests/models/golden.h"

typedef struct {
    const char *shape;
    PenDtype dtype;
    gboolean single; /* the model as one file, with the original names */
} Case;

static PenDevice *device;

/* Outputs: float32 by the largest error, float16 by the relative L2 error. */
static void assert_output(const Case *c, const char *what, const float *values,
                          const Golden *expected)
{
    if (c->dtype == PEN_DTYPE_F32)
        golden_assert_max(what, values, expected->values, expected->n, 2e-4);
    else
        golden_assert_l2(what, values, expected->values, expected->n, 2e-2);
}

/* The small models have numbers of heads, groups and tokens that no single file can have: these come
 * from the folder, everything else from the file. */
static void set_small(PenModel *model, PenModel *folder)
{
    memcpy(model->unet.heads, folder->unet.heads, sizeof model->unet.heads);
    model->unet.norm_groups = folder->unet.norm_groups;
    model->vae.norm_groups = folder->vae.norm_groups;
    for (guint i = 0; i < model->n_encoders; i++) {
        PenTokenizer *own = model->encoders[i].tokenizer; /* of another vocabulary */
        model->encoders[i].config.heads = folder->encoders[i].config.heads;
        model->encoders[i].tokenizer = folder->encoders[i].tokenizer;
        folder->encoders[i].tokenizer = own;
    }
}

static PenModel *open_model(const Case *c)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = golden_path(c->shape, "model");
    PenModel *folder = pen_model_open(path, &error);
    g_assert_no_error(error);
    if (!c->single)
        return folder;
    g_autofree char *file = g_strdup_printf(PEN_TEST_LDM "/%s.safetensors", c->shape);
    PenModel *model = pen_model_open(file, &error);
    g_assert_no_error(error);
    set_small(model, folder);
    pen_model_unref(folder);
    return model;
}

/* NULL, and the test skipped, where the device cannot do float16. */
static PenRuntime *open_runtime(const Case *c)
{
    g_autoptr(GError) error = NULL;
    if (c->dtype == PEN_DTYPE_F16 && !pen_device_info(device)->float16) {
        g_test_skip("the device has no float16");
        return NULL;
    }
    g_autoptr(PenModel) model = open_model(c);
    PenRuntime *runtime = pen_runtime_new(model, device, c->dtype, &error);
    g_assert_no_error(error);
    return runtime;
}

static void test_text(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRuntime) runtime = open_runtime(c);
    if (!runtime)
        return;
    g_autoptr(PenSafetensors) file = golden_open(c->shape, "text.safetensors");
    g_autoptr(Golden) hidden = golden_new(file, "hidden");
    guint batch = (guint)hidden->dims[0];
    guint32 tokens = (guint32)hidden->dims[1];
    gboolean two = pen_runtime_model(runtime)->n_encoders == 2;
    g_autofree gint32 *first = golden_ids(file, "input_ids");
    g_autofree gint32 *second = two ? golden_ids(file, "input_ids_2") : NULL;
    g_autofree PenConditioning **conditionings = g_new(PenConditioning *, batch);
    g_autoptr(Golden) pooled = two ? golden_new(file, "pooled") : NULL;
    g_autofree float *out = g_new(float, hidden->n);
    g_autofree float *pooled_out = g_new0(float, two ? pooled->n : 0);
    pen_runtime_encode_tokens(runtime, (const gint32 *const[]){ first, second }, batch, tokens,
                              NULL, conditionings, NULL, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < batch; i++) {
        gsize size = hidden->n / batch, pooled_size = two ? pooled->n / batch : 0;
        memcpy(out + i * size, conditionings[i]->hidden, size * sizeof *out);
        if (two)
            memcpy(pooled_out + i * pooled_size, conditionings[i]->pooled,
                   pooled_size * sizeof *out);
        pen_conditioning_free(conditionings[i]);
    }
    assert_output(c, "hidden", out, hidden);
    if (two)
        assert_output(c, "pooled", pooled_out, pooled);
}

static void test_vae_decode(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRuntime) runtime = open_runtime(c);
    if (!runtime)
        return;
    g_autoptr(PenSafetensors) file = golden_open(c->shape, "vae-decode.safetensors");
    g_autoptr(Golden) latents = golden_new(file, "latents");
    g_autoptr(Golden) image = golden_new(file, "image");
    g_autofree float *out = g_new(float, image->n);
    pen_runtime_vae_decode(runtime, latents->values, (guint)latents->dims[0],
                           (guint32)latents->dims[2], (guint32)latents->dims[3], out, NULL, NULL,
                           NULL, &error);
    g_assert_no_error(error);
    assert_output(c, "image", out, image);
}

static void test_vae_encode(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRuntime) runtime = open_runtime(c);
    if (!runtime)
        return;
    g_autoptr(PenSafetensors) file = golden_open(c->shape, "vae-encode.safetensors");
    g_autoptr(Golden) image = golden_new(file, "image");
    g_autoptr(Golden) mean = golden_new(file, "mean");
    g_autoptr(Golden) logvar = golden_new(file, "logvar");
    g_autofree float *out_mean = g_new(float, mean->n);
    g_autofree float *out_logvar = g_new(float, logvar->n);
    pen_runtime_vae_encode(runtime, image->values, (guint)image->dims[0], (guint32)image->dims[2],
                           (guint32)image->dims[3], out_mean, out_logvar, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    assert_output(c, "mean", out_mean, mean);
    assert_output(c, "logvar", out_logvar, logvar);
}

/* The inputs that every UNet file has. */
static void write_inputs(PenRuntime *runtime, PenPlan *plan, PenSafetensors *file)
{
    const PenUNetConfig *config = &pen_runtime_model(runtime)->unet;
    g_autoptr(Golden) sample = golden_new(file, "sample");
    g_autoptr(Golden) timestep = golden_new(file, "timestep");
    g_autoptr(Golden) context = golden_new(file, "context");
    g_autofree double *timesteps = g_new(double, timestep->n);
    g_autofree float *embedding = g_new(float, timestep->n * config->channels[0]);

    for (gsize i = 0; i < timestep->n; i++)
        timesteps[i] = timestep->values[i];
    pen_unet_timestep_embedding(config, timesteps, timestep->n, embedding);
    pen_plan_write(plan, "sample", sample->values);
    pen_plan_write(plan, "timestep_embedding", embedding);
    pen_plan_write(plan, "context", context->values);
    if (config->added_channels) {
        g_autofree float *added = golden_added(file, config, timestep->n);
        pen_plan_write(plan, "added", added);
    }
}

static PenUNet *build_unet(PenRuntime *runtime, PenSafetensors *file, PenUNetAdapter *adapter,
                           gboolean checkpoint)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Golden) sample = golden_new(file, "sample");
    PenUNetOptions options = {
        .batch = (guint32)sample->dims[0],
        .height = (guint32)sample->dims[2],
        .width = (guint32)sample->dims[3],
        .adapter = adapter,
        .checkpoint = checkpoint,
    };
    PenUNet *unet = pen_runtime_unet(runtime, &options, &error);
    g_assert_no_error(error);
    return unet;
}

static PenPlan *plan_unet(PenRuntime *runtime, PenUNet *unet)
{
    g_autoptr(GError) error = NULL;
    pen_runtime_load_unet(runtime, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    PenPlan *plan = pen_plan_new(device, pen_unet_steal_graph(unet), &error);
    g_assert_no_error(error);
    return plan;
}

static void test_unet(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRuntime) runtime = open_runtime(c);
    if (!runtime)
        return;
    g_autoptr(PenSafetensors) file = golden_open(c->shape, "unet.safetensors");
    g_autoptr(PenUNet) unet = build_unet(runtime, file, NULL, FALSE);
    g_autoptr(PenPlan) plan = plan_unet(runtime, unet);
    write_inputs(runtime, plan, file);
    pen_plan_run(plan, NULL, NULL, NULL, &error);
    g_assert_no_error(error);

    g_autoptr(Golden) expected = golden_new(file, "out");
    g_autofree float *out = g_new(float, expected->n);
    pen_plan_read(plan, "out", out);
    assert_output(c, "out", out, expected);
}

static void add_gradient(PenUNet *unet)
{
    g_autoptr(GError) error = NULL;
    g_autofree PenTensor **targets = g_new(PenTensor *, unet->n_adapter + 1);
    g_autofree PenTensor **gradients = g_new(PenTensor *, unet->n_adapter + 1);
    PenTensor *seed = pen_graph_input(unet->graph, "grad_out", pen_tensor_shape(unet->out));

    memcpy(targets, unet->adapter, unet->n_adapter * sizeof(PenTensor *));
    targets[unet->n_adapter] = unet->sample;
    pen_graph_gradient(unet->graph, unet->out, seed, targets, unet->n_adapter + 1, gradients);
    for (guint i = 0; i < unet->n_adapter; i++) {
        g_autofree char *name = g_strdup_printf("grad.%u", i);
        pen_graph_output(unet->graph, name, gradients[i]);
    }
    pen_graph_output(unet->graph, "grad_sample", gradients[unet->n_adapter]);
    pen_graph_check(unet->graph, &error);
    g_assert_no_error(error);
}

/* The gradients of the last run as an adapter's flat array. */
static float *read_gradients(PenPlan *plan, const PenUNetAdapter *adapter)
{
    float *values = g_new(float, adapter->n_values);

    for (guint i = 0; i < 2 * adapter->n_modules; i++) {
        const PenUNetAdapterModule *m = &adapter->modules[i / 2];
        g_autofree char *name = g_strdup_printf("grad.%u", i);
        pen_plan_read(plan, name, values + (i % 2 ? m->b : m->a));
    }
    return values;
}

static void check_gradient(const Case *c, gboolean checkpoint)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRuntime) runtime = open_runtime(c);
    if (!runtime)
        return;
    g_autoptr(PenSafetensors) file = golden_open(c->shape, "unet-lora-grad.safetensors");
    g_autoptr(PenSafetensors) lora = golden_open(c->shape, "lora.safetensors");
    guint32 rank = (guint32)pen_safetensors_nth(lora, 0)->dims[0];
    g_autoptr(PenUNetAdapter) adapter =
        pen_unet_adapter_new(&pen_runtime_model(runtime)->unet, rank, &error);
    g_assert_no_error(error);
    g_autofree float *values = golden_adapter(lora, "", adapter);
    g_autofree float *expected = golden_adapter(file, "grad.", adapter);

    g_autoptr(PenUNet) unet = build_unet(runtime, file, adapter, checkpoint);
    add_gradient(unet);
    g_autoptr(PenPlan) plan = plan_unet(runtime, unet);
    pen_unet_adapter_upload(adapter, values, &error);
    g_assert_no_error(error);
    write_inputs(runtime, plan, file);
    g_autoptr(Golden) grad_out = golden_new(file, "grad_out");
    const float scale = 1;
    pen_plan_write(plan, "grad_out", grad_out->values);
    pen_plan_write(plan, "adapter_scale", &scale);
    pen_plan_run(plan, NULL, NULL, NULL, &error);
    g_assert_no_error(error);

    g_autoptr(Golden) out = golden_new(file, "out");
    g_autofree float *actual = g_new(float, out->n);
    pen_plan_read(plan, "out", actual);
    assert_output(c, "out", actual, out);
    /* SDXL's transformers are up to three blocks deep: so many more roundings to a half. */
    double half = g_str_equal(c->shape, "sdxl") ? 4e-2 : 2e-2;
    double tolerance = c->dtype == PEN_DTYPE_F32 ? 1e-3 : half;
    g_autoptr(Golden) grad_sample = golden_new(file, "grad_sample");
    pen_plan_read(plan, "grad_sample", actual);
    golden_assert_l2("grad_sample", actual, grad_sample->values, grad_sample->n, tolerance);
    g_autofree float *gradients = read_gradients(plan, adapter);
    golden_assert_adapter(adapter, gradients, expected, tolerance);

    /* The adapter switched off is the base model. */
    const float off = 0;
    pen_plan_write(plan, "adapter_scale", &off);
    pen_plan_run(plan, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    pen_plan_read(plan, "out", actual);
    g_autoptr(PenUNet) base = build_unet(runtime, file, NULL, FALSE);
    g_autoptr(PenPlan) base_plan = plan_unet(runtime, base);
    write_inputs(runtime, base_plan, file);
    pen_plan_run(base_plan, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    g_autofree float *base_out = g_new(float, out->n);
    pen_plan_read(base_plan, "out", base_out);
    golden_assert_max("base", actual, base_out, out->n, c->dtype == PEN_DTYPE_F32 ? 1e-5 : 1e-2);
}

static void test_gradient(gconstpointer data)
{
    check_gradient(data, FALSE);
}

static void test_gradient_checkpoint(gconstpointer data)
{
    check_gradient(data, TRUE);
}

int main(int argc, char **argv)
{
    static const Case cases[] = {
        { "sd1", PEN_DTYPE_F32, FALSE },
        { "sd2", PEN_DTYPE_F32, FALSE },
        { "sdxl", PEN_DTYPE_F32, FALSE },
        { "sd1", PEN_DTYPE_F16, FALSE },
        { "sd2", PEN_DTYPE_F16, FALSE },
        { "sdxl", PEN_DTYPE_F16, FALSE },
        { "sd1", PEN_DTYPE_F32, TRUE },
        { "sd2", PEN_DTYPE_F32, TRUE },
        { "sdxl", PEN_DTYPE_F32, TRUE },
    };
    const struct {
        const char *name;
        GTestDataFunc function;
        gboolean gradient; /* of the UNet, the same for a single file */
    } tests[] = {
        { "text", test_text, FALSE },
        { "vae-decode", test_vae_decode, FALSE },
        { "vae-encode", test_vae_encode, FALSE },
        { "unet", test_unet, FALSE },
        { "unet-lora-grad", test_gradient, TRUE },
        { "unet-lora-grad-checkpoint", test_gradient_checkpoint, TRUE },
    };
    g_autoptr(GError) error = NULL;

    g_test_init(&argc, &argv, NULL);
    device = pen_device_open(NULL, &error);
    g_assert_no_error(error);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        for (gsize k = 0; k < G_N_ELEMENTS(tests); k++) {
            const char *precision = cases[i].dtype == PEN_DTYPE_F32 ? "f32" : "f16";
            if (cases[i].single && tests[k].gradient)
                continue;
            g_autofree char *path =
                g_strdup_printf("/golden/%s/%s/%s%s", cases[i].shape, precision, tests[k].name,
                                cases[i].single ? "/single-file" : "");
            g_test_add_data_func(path, &cases[i], tests[k].function);
        }
    int result = g_test_run();
    pen_device_unref(device);
    return result;
}
