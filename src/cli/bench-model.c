// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/cli/bench.h"
#include "src/models/architecture.h"
#include "src/models/model.h"
#include "src/models/unet.h"
#include "src/models/vae-coder.h"
#include "src/selftest/kernel-case.h"

#define TOKENS 77 /* of a prompt, as CLIP pads it */

/* What is measured, and with which weights. */
typedef struct {
    char *name;   /* of the architecture or model */
    PenModel *model; /* NULL: random weights */
    guint32 size; /* pixels it was trained on */
    PenUNetConfig unet;
    PenVaeConfig vae;
    PenWeights *weights;
    PenUNetAdapter *adapter;
    PenPlan *plan;      /* of the UNet */
    PenVaeCoder *coder; /* in place of a plan */
    float *latents, *image;
    char **inputs; /* of the plan that are written before a run, NULL at the end */
    gboolean checkpoint;
} Subject;

static void subject_clear(Subject *s)
{
    g_clear_pointer(&s->plan, pen_plan_free);
    g_clear_pointer(&s->coder, pen_vae_coder_free);
    g_free(s->latents);
    g_free(s->image);
    g_clear_pointer(&s->adapter, pen_unet_adapter_free);
    g_clear_pointer(&s->weights, pen_weights_unref);
    g_strfreev(s->inputs);
    g_free(s->name);
    g_clear_pointer(&s->model, pen_model_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Subject, subject_clear)

static gboolean load_model(const PenBench *bench, Subject *s, GError **error)
{
    g_autofree char *spec = pen_model_find(bench->model, error);
    g_autoptr(PenModel) model = spec ? pen_model_open(spec, error) : NULL;
    if (!model)
        return FALSE;
    s->unet = model->unet;
    s->vae = model->vae;
    s->name = g_strdup(model->name);
    s->size = (s->unet.sample_size ? s->unet.sample_size : 64) * model->factor;
    if (!bench->random)
        s->model = g_steal_pointer(&model);
    return TRUE;
}

static gboolean load_subject(const PenBench *bench, Subject *s, GError **error)
{
    if (bench->model || !bench->arch || g_str_equal(bench->arch, PEN_STARTER_MODEL))
        return load_model(bench, s, error);
    const PenArchitecture *known = pen_architecture_find(bench->arch);
    if (!known) {
        g_autoptr(GString) names = g_string_new(PEN_STARTER_MODEL);
        for (guint i = 0; i < pen_architecture_count(); i++)
            g_string_append_printf(names, ", %s", pen_architecture_nth(i)->name);
        return pen_cli_usage_error(error, _("There is no architecture “%s”. There are: %s."),
                                   bench->arch, names->str);
    }
    if (!bench->random)
        return pen_cli_usage_error(error,
                                   _("Penchant has no weights of %s: give --random, or a folder "
                                     "with --model in place of --arch."),
                                   known->title);
    s->name = g_strdup(known->name);
    s->size = known->size;
    s->unet = known->unet;
    s->vae = known->vae;
    return TRUE;
}

static void open_weights(const PenBench *bench, Subject *s, gboolean vae, PenDtype dtype)
{
    s->weights =
        s->model ? pen_weights_new(bench->device,
                                   vae ? s->model->vae_weights : s->model->unet_weights, dtype)
                 : pen_weights_new_random(bench->plan ? NULL : bench->device, dtype, 1);
}

/* --- plans -------------------------------------------------------------------------------------
 */

/* The gradient of the adapter, as src/engine/denoiser.c takes it. */
static gboolean add_gradient(PenUNet *unet, GError **error)
{
    PenTensor *grad_out =
        pen_graph_late_input(unet->graph, "out_gradient", pen_tensor_shape(unet->out));
    g_autofree PenTensor **gradients = g_new0(PenTensor *, unet->n_adapter);
    if (!pen_graph_gradient(unet->graph, unet->out, grad_out, unet->adapter, unet->n_adapter,
                            gradients))
        return pen_graph_check(unet->graph, error);
    for (guint i = 0; i < unet->n_adapter; i++) {
        g_autofree char *name = g_strdup_printf("gradient.%u", i);
        pen_graph_output(unet->graph, name, gradients[i]);
    }
    return TRUE;
}

static gboolean plan_unet(const PenBench *bench, Subject *s, guint32 height, guint32 width,
                          guint batch, GError **error)
{
    guint32 factor = pen_vae_config_factor(&s->vae);
    PenUNetOptions options = {
        .batch = batch,
        .height = height / factor,
        .width = width / factor,
        .tokens = TOKENS,
        .adapter = s->adapter,
        .checkpoint = s->checkpoint,
    };
    g_clear_pointer(&s->plan, pen_plan_free);
    g_autoptr(PenUNet) unet = pen_unet_new(&s->unet, s->weights, &options, error);
    if (!unet || (s->adapter && !add_gradient(unet, error)))
        return FALSE;
    s->plan = pen_plan_new(bench->device, pen_unet_steal_graph(unet), error);
    return s->plan != NULL;
}

static gboolean plan_train(const PenBench *bench, Subject *s, guint32 height, guint32 width,
                           PenDtype dtype, GError **error)
{
    PenD3poConfig defaults = PEN_D3PO_CONFIG_INIT;
    s->adapter = pen_unet_adapter_new(&s->unet, defaults.adapter_rank, error);
    PenDevice *device = bench->plan ? NULL : bench->device;
    if (!s->adapter || !pen_unet_adapter_allocate(s->adapter, device, dtype, error))
        return FALSE;
    g_autofree float *values = pen_kernel_noise(s->adapter->n_values, 1);
    if ((device && !pen_unet_adapter_upload(s->adapter, values, error)) ||
        !plan_unet(bench, s, height, width, 2 * bench->batch, error))
        return FALSE;
    /* The weights were allocated with the first graph, unless this is but a plan. */
    guint64 weights = bench->plan ? pen_weights_bytes(s->weights) : 0;
    if (pen_plan_bytes(s->plan) + weights <= pen_device_memory_left(bench->device))
        return TRUE;
    s->checkpoint = TRUE;
    return plan_unet(bench, s, height, width, 2 * bench->batch, error);
}

static gboolean plan_vae(const PenBench *bench, Subject *s, guint32 height, guint32 width,
                         GError **error)
{
    guint32 factor = pen_vae_config_factor(&s->vae);
    gsize pixels = (gsize)height * width;
    s->latents = pen_kernel_noise(pixels / factor / factor * s->vae.latent_channels, 1);
    s->image = g_new(float, pixels *s->vae.out_channels);
    s->coder = pen_vae_coder_new(bench->device, &s->vae, s->weights, PEN_VAE_DECODER,
                                 height / factor, width / factor, error);
    return s->coder != NULL;
}

static gboolean make_plan(const PenBench *bench, Subject *s, PenBenchStep what, PenDtype dtype,
                          guint32 height, guint32 width, GError **error)
{
    if (what == PEN_BENCH_VAE) {
        s->inputs = g_new0(char *, 1);
        open_weights(bench, s, TRUE, s->vae.force_upcast ? PEN_DTYPE_F32 : dtype);
        return plan_vae(bench, s, height, width, error);
    }
    gboolean train = what == PEN_BENCH_TRAIN;
    g_autoptr(GStrvBuilder) inputs = g_strv_builder_new();
    g_strv_builder_add_many(inputs, "sample", "timestep_embedding", "context", NULL);
    if (s->unet.in_channels != s->unet.out_channels)
        g_strv_builder_add(inputs, "condition");
    if (s->unet.added_channels)
        g_strv_builder_add(inputs, "added");
    s->inputs = g_strv_builder_end(inputs);
    open_weights(bench, s, FALSE, dtype);
    if (bench->eight_bit)
        pen_weights_set_eight_bits(s->weights);
    return train ? plan_train(bench, s, height, width, dtype, error)
                 : plan_unet(bench, s, height, width, bench->batch, error);
}

/* --- measuring ---------------------------------------------------------------------------------
 */

static void write_noise(PenPlan *plan, const char *input)
{
    g_autofree float *values =
        pen_kernel_noise(pen_shape_elements(pen_plan_input_shape(plan, input)), 1);
    pen_plan_write(plan, input, values);
}

static gboolean take_step(Subject *s, guint batch, double *seconds, GError **error)
{
    gint64 since = g_get_monotonic_time();
    if (s->coder) {
        for (guint i = 0; i < batch; i++) /* as pictures are made, one after the other */
            if (!pen_vae_coder_run(s->coder, s->latents, s->image, NULL, NULL, NULL, error))
                return FALSE;
    } else if (!pen_plan_run(s->plan, NULL, NULL, NULL, error))
        return FALSE;
    if (s->plan && pen_plan_has_late_inputs(s->plan)) {
        write_noise(s->plan, "out_gradient");
        if (!pen_plan_finish(s->plan, NULL, NULL, NULL, error))
            return FALSE;
    }
    *seconds = (double)(g_get_monotonic_time() - since) / G_USEC_PER_SEC;
    return TRUE;
}

static gboolean print_profile(const PenBench *bench, PenPlan *plan, GError **error)
{
    g_autoptr(GPtrArray) rows = pen_plan_profile(plan, error);
    if (!rows)
        return FALSE;
    double total = 0;
    for (guint i = 0; i < rows->len; i++)
        total += ((const PenPlanProfileRow *)rows->pdata[i])->seconds;
    for (guint i = 0; i < rows->len; i++) {
        const PenPlanProfileRow *row = rows->pdata[i];
        pen_cli_print(bench->cli, _("%8.4f s %5.1f %% %4u x %8.1f GFLOPS %7.1f GB/s  %s"),
                      row->seconds, 100 * row->seconds / total, row->count,
                      row->flops / row->seconds * 1e-9, row->bytes / row->seconds * 1e-9,
                      row->label);
        JsonObject *object = pen_cli_object("profile");
        json_object_set_string_member(object, "kernel", row->label);
        json_object_set_int_member(object, "count", row->count);
        pen_cli_set_number(object, "seconds", row->seconds);
        pen_cli_set_number(object, "gflops", row->flops / row->seconds * 1e-9);
        pen_cli_set_number(object, "gbytes_per_second", row->bytes / row->seconds * 1e-9);
        pen_cli_emit(bench->cli, object);
    }
    return TRUE;
}

static const char *const step_names[] = { "unet", "train", "vae" };

static void report(const PenBench *bench, const Subject *s, PenBenchStep what, PenDtype dtype,
                   guint32 height, guint32 width, double first, double step)
{
    const char *precision = dtype == PEN_DTYPE_F16 ? "f16" : "f32";
    double flops = s->coder ? pen_vae_coder_flops(s->coder) * bench->batch
                            : pen_plan_flops(s->plan);
    gboolean bands = s->coder && pen_vae_coder_in_bands(s->coder);
    guint64 peak = pen_device_peak(bench->device);
    g_autofree char *memory = g_format_size_full(peak, G_FORMAT_SIZE_IEC_UNITS);
    pen_cli_print(bench->cli,
                  _("%s %s %ux%u, batch %u, %s: %.4f s a step (%.1f GFLOPS, %.4f TFLOP), first "
                    "step %.2f s, %s of device memory%s"),
                  s->name, step_names[what], width, height, bench->batch, precision, step, flops / step * 1e-9,
                  flops * 1e-12, first, memory, s->checkpoint ? _(", activations recomputed") : bands ? _(", in bands") : "");
    JsonObject *object = pen_cli_object("result");
    json_object_set_string_member(object, "benchmark", step_names[what]);
    json_object_set_string_member(object, "arch", s->name);
    json_object_set_boolean_member(object, "random", !s->model);
    json_object_set_int_member(object, "width", width);
    json_object_set_int_member(object, "height", height);
    json_object_set_int_member(object, "batch", bench->batch);
    json_object_set_string_member(object, "precision", precision);
    json_object_set_int_member(object, "steps", bench->steps);
    pen_cli_set_number(object, "step_seconds", step);
    pen_cli_set_number(object, "first_step_seconds", first);
    pen_cli_set_number(object, "gflops", flops / step * 1e-9);
    pen_cli_set_number(object, "flops", flops);
    json_object_set_int_member(object, "peak_device_bytes", (gint64)peak);
    if (s->plan)
        pen_cli_set_number(object, "longest_submission_seconds",
                           pen_plan_longest_submission(s->plan));
    json_object_set_int_member(object, "parameter_bytes",
                               (gint64)pen_weights_bytes(s->weights));
    json_object_set_boolean_member(object, "checkpoint", s->checkpoint);
    json_object_set_boolean_member(object, "eight_bit", bench->eight_bit);
    json_object_set_boolean_member(object, "bands", bands);
    json_object_set_string_member(object, "device", pen_device_info(bench->device)->name);
    pen_cli_emit(bench->cli, object);
}

static void report_plan(const PenBench *bench, const Subject *s, PenBenchStep what, PenDtype dtype,
                        guint32 height, guint32 width)
{
    const char *precision = dtype == PEN_DTYPE_F16 ? "f16" : "f32";
    guint64 weights = pen_weights_bytes(s->weights);
    guint64 work = pen_plan_bytes(s->plan);
    g_autofree char *weights_text = g_format_size_full(weights, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *work_text = g_format_size_full(work, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *all = g_format_size_full(weights + work, G_FORMAT_SIZE_IEC_UNITS);
    pen_cli_print(bench->cli, _("%s %s %ux%u, batch %u, %s: %s of weights and %s to work in, %s in all%s"),
                  s->name, step_names[what], width, height, bench->batch, precision, weights_text,
                  work_text, all, s->checkpoint ? _(", activations recomputed") : "");
    JsonObject *object = pen_cli_object("plan");
    json_object_set_string_member(object, "benchmark", step_names[what]);
    json_object_set_string_member(object, "arch", s->name);
    json_object_set_int_member(object, "width", width);
    json_object_set_int_member(object, "height", height);
    json_object_set_int_member(object, "batch", bench->batch);
    json_object_set_string_member(object, "precision", precision);
    json_object_set_boolean_member(object, "eight_bit", bench->eight_bit);
    json_object_set_boolean_member(object, "checkpoint", s->checkpoint);
    json_object_set_int_member(object, "parameter_bytes", (gint64)weights);
    json_object_set_int_member(object, "work_bytes", (gint64)work);
    pen_cli_emit(bench->cli, object);
}

gboolean pen_bench_step(PenBench *bench, PenBenchStep what, PenDtype dtype, GError **error)
{
    g_auto(Subject) s = { 0 };
    if (!load_subject(bench, &s, error))
        return FALSE;
    guint32 height = bench->height ? bench->height : s.size;
    guint32 width = bench->width ? bench->width : s.size;
    pen_device_reset_peak(bench->device);
    if (!make_plan(bench, &s, what, dtype, height, width, error))
        return FALSE;
    if (bench->plan) {
        report_plan(bench, &s, what, dtype, height, width);
        return TRUE;
    }
    if (!pen_weights_load(s.weights, NULL, NULL, NULL, error))
        return FALSE;
    for (char **input = s.inputs; *input; input++)
        write_noise(s.plan, *input);
    if (s.adapter)
        pen_plan_write(s.plan, "adapter_scale", &(float){ 1 });
    double first;
    g_autofree double *seconds = g_new(double, bench->steps);
    if (!take_step(&s, bench->batch, &first, error))
        return FALSE;
    for (guint i = 0; i < bench->steps; i++)
        if (!take_step(&s, bench->batch, &seconds[i], error))
            return FALSE;
    report(bench, &s, what, dtype, height, width, first, pen_bench_median(seconds, bench->steps));
    PenPlan *plan = s.coder ? pen_vae_coder_plan(s.coder) : s.plan;
    return !bench->profile || !plan || print_profile(bench, plan, error);
}
