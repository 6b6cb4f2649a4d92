// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/runtime.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/models/clip-text.h"
#include "src/models/model-layers.h"
#include "src/models/vae-coder.h"

/* One side of the VAE, kept for the next call of the same size. */
typedef struct {
    PenVaeCoder *coder;
    guint32 height, width; /* of the input */
} Side;

/* A text encoder. */
typedef struct {
    PenWeights *weights;
    PenPlan *plan; /* of batch 1, kept for the next texts of as many tokens and layers */
    guint32 tokens, left_out;
} Encoder;

struct _PenRuntime {
    PenModel *model;
    PenDevice *device;
    PenWeights *vae, *unet;
    Encoder encoders[PEN_MODEL_MAX_ENCODERS];
    Side sides[2]; /* by PenVaeSide */
    gboolean keep; /* memory is plentiful: text encoder and VAE stay loaded */
};

PenRuntime *pen_runtime_new(PenModel *model, PenDevice *device, PenDtype dtype, GError **error)
{
    const PenDeviceInfo *info = pen_device_info(device);

    if (dtype == PEN_DTYPE_F16 && !info->float16) {
        g_set_error(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_UNSUPPORTED,
                    _("%s cannot compute in half precision; use single precision (f32)."),
                    info->name);
        return NULL;
    }
    g_autoptr(PenRuntime) runtime = g_new0(PenRuntime, 1);
    runtime->model = pen_model_ref(model);
    runtime->device = pen_device_ref(device);
    runtime->vae = pen_weights_new(device, model->vae_weights,
                                   model->vae.force_upcast ? PEN_DTYPE_F32 : dtype);
    runtime->unet = pen_weights_new(device, model->unet_weights, dtype);
    g_autoptr(PenMerge) merge = pen_merge_new(model, NULL, error);
    if (!merge)
        return NULL;
    pen_weights_set_merge(runtime->unet, merge, PEN_LAYERS_UNET);
    guint64 bytes =
        pen_weights_total_bytes(runtime->vae) + pen_weights_total_bytes(runtime->unet);
    for (guint i = 0; i < model->n_encoders; i++) {
        Encoder *encoder = &runtime->encoders[i];
        encoder->weights = pen_weights_new(device, model->encoders[i].weights, dtype);
        pen_weights_set_merge(encoder->weights, merge, PEN_LAYERS_TEXT(i));
        bytes += pen_weights_total_bytes(encoder->weights);
    }
    runtime->keep = bytes <= pen_device_memory_left(device) / 2;
    return g_steal_pointer(&runtime);
}

void pen_runtime_free(PenRuntime *runtime)
{
    if (!runtime)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(runtime->encoders); i++) {
        pen_plan_free(runtime->encoders[i].plan);
        g_clear_pointer(&runtime->encoders[i].weights, pen_weights_unref);
    }
    for (guint i = 0; i < G_N_ELEMENTS(runtime->sides); i++)
        pen_vae_coder_free(runtime->sides[i].coder);
    pen_weights_unref(runtime->vae);
    pen_weights_unref(runtime->unet);
    pen_device_unref(runtime->device);
    pen_model_unref(runtime->model);
    g_free(runtime);
}

PenDtype pen_runtime_preferred_dtype(const PenDeviceInfo *info)
{
    return info->float16 && info->kind != PEN_DEVICE_SOFTWARE ? PEN_DTYPE_F16 : PEN_DTYPE_F32;
}

PenModel *pen_runtime_model(PenRuntime *runtime)
{
    return runtime->model;
}

PenDevice *pen_runtime_device(PenRuntime *runtime)
{
    return runtime->device;
}

PenDtype pen_runtime_dtype(PenRuntime *runtime)
{
    return pen_weights_dtype(runtime->unet);
}

/* Running out of memory at one of hundreds of weights says little: tell what the whole component
 * takes and what would help, and give back what it got. */
static void after_failure(PenRuntime *runtime, const char *component, PenWeights *weights,
                          GError **error)
{
    if (!error || !g_error_matches(*error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_OUT_OF_MEMORY))
        return;
    const PenDeviceInfo *info = pen_device_info(runtime->device);
    g_autofree char *size =
        g_format_size_full(pen_weights_total_bytes(weights), G_FORMAT_SIZE_IEC_UNITS);
    gboolean small =
        pen_weights_dtype(weights) == PEN_DTYPE_F16 || pen_weights_eight_bits(weights);
    pen_weights_release(weights);
    g_clear_error(error);
    g_set_error(
        error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_OUT_OF_MEMORY,
        !small && info->float16
            ? _("Not enough memory on %s: %s of the model %s takes %s; half precision (f16) "
                "takes half of that.")
            : _("Not enough memory on %s: %s of the model %s takes %s; choose a smaller "
                "model or another device."),
        info->name, component, runtime->model->name, size);
}

/* After a failure for want of memory the UNet's weights can be made smaller, once. TRUE: that was done,
 * and another try is worth it. */
static gboolean make_room(PenRuntime *runtime, GError **failure)
{
    if (pen_runtime_eight_bits(runtime) ||
        !g_error_matches(*failure, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_OUT_OF_MEMORY))
        return FALSE;
    g_clear_error(failure);
    pen_runtime_set_eight_bits(runtime);
    return TRUE;
}

/* What a part gave must be numbers: in float16 large ones are not. */
static gboolean check_finite(PenRuntime *runtime, const char *part, const float *values, gsize n,
                             GError **error)
{
    for (gsize i = 0; i < n; i++) {
        if (isfinite(values[i]))
            continue;
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FINITE,
                    _("The %s of the model %s computed something that is no number, so there is no "
                      "picture. Its file is damaged, or an adapter on it is too strong: get the "
                      "file again, or leave the adapter out."),
                    part, runtime->model->name);
        return FALSE;
    }
    return TRUE;
}

/* After check_finite() failed in float16: float32 from now on. TRUE: another try is worth it, of plans
 * made anew. */
static gboolean widen(PenWeights *weights, GError **failure)
{
    if (!g_error_matches(*failure, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FINITE) ||
        pen_weights_dtype(weights) == PEN_DTYPE_F32)
        return FALSE;
    g_clear_error(failure);
    pen_weights_set_dtype(weights, PEN_DTYPE_F32);
    return TRUE;
}

static void drop_encoder(Encoder *encoder)
{
    g_clear_pointer(&encoder->plan, pen_plan_free);
    pen_weights_release(encoder->weights);
}

static void drop_vae(PenRuntime *runtime)
{
    for (guint i = 0; i < G_N_ELEMENTS(runtime->sides); i++)
        g_clear_pointer(&runtime->sides[i].coder, pen_vae_coder_free);
    pen_weights_release(runtime->vae);
}

void pen_runtime_trim(PenRuntime *runtime)
{
    for (guint i = 0; i < runtime->model->n_encoders; i++)
        drop_encoder(&runtime->encoders[i]);
    drop_vae(runtime);
}

/* Progress of picture i of n as a share of all n. */
typedef struct {
    PenPlanProgress progress;
    gpointer user_data;
    guint i, n;
} Share;

static void share_progress(double fraction, gpointer user_data)
{
    const Share *share = user_data;
    if (share->progress)
        share->progress((share->i + fraction) / share->n, share->user_data);
}

/* --- text ---------------------------------------------------------------------------------- */

/* A text encoder's plan for as many tokens, its weights loaded. */
static PenPlan *encoder_plan(PenRuntime *runtime, guint i, const PenClipTextConfig *config,
                             guint32 tokens, GCancellable *cancellable, GError **error)
{
    Encoder *encoder = &runtime->encoders[i];
    if (!encoder->plan || encoder->tokens != tokens ||
        encoder->left_out != config->layers_left_out) {
        g_clear_pointer(&encoder->plan, pen_plan_free);
        PenGraph *graph = pen_clip_text_new(config, encoder->weights, 1, tokens, error);
        if (!graph) {
            after_failure(runtime, i ? "text_encoder_2" : "text_encoder", encoder->weights, error);
            return NULL;
        }
        encoder->plan = pen_plan_new(runtime->device, graph, error);
        if (!encoder->plan)
            return NULL;
        encoder->tokens = tokens;
        encoder->left_out = config->layers_left_out;
    }
    return pen_weights_load(encoder->weights, NULL, NULL, cancellable, error) ? encoder->plan
                                                                              : NULL;
}

/* The row of the first end token. */
static void take_pooled(const PenTextEncoder *encoder, const gint32 *ids, guint32 tokens,
                        PenPlan *plan, float *pooled)
{
    gsize channels = encoder->config.projection;
    g_autofree float *rows = g_new(float, tokens *channels);
    guint32 end = 0;
    while (end + 1 < tokens && ids[end] != pen_tokenizer_end(encoder->tokenizer))
        end++;
    pen_plan_read(plan, "pooled", rows);
    memcpy(pooled, rows + end * channels, channels * sizeof *pooled);
}

/* Text encoder i of the model: its columns, from `column` on, of the conditionings' hidden states,
 * and the pooled text if it gives one. */
static gboolean run_encoder(PenRuntime *runtime, guint i, const gint32 *ids, guint n,
                            guint32 tokens, const PenTextOptions *options, gsize column,
                            PenConditioning **conditionings, GCancellable *cancellable,
                            GError **error)
{
    const PenTextEncoder *encoder = &runtime->model->encoders[i];
    PenClipTextConfig config = encoder->config;
    const GArray *rows = options->embeddings ? options->embeddings->tables[i] : NULL;
    gsize channels = encoder->config.hidden, size = tokens * channels;
    g_autofree float *embeddings = g_new(float, n *size);
    g_autofree float *hidden = g_new(float, size);

    if (options->clip_skip > 1 && runtime->model->n_encoders == 1)
        config.layers_left_out =
            MIN(config.layers_left_out + options->clip_skip - 1, config.layers - 1);
    if (!pen_clip_text_embed(&config, runtime->encoders[i].weights, ids, n, tokens,
                             rows ? (const float *)(gpointer)rows->data : NULL,
                             rows ? rows->len / config.hidden : 0, embeddings, error))
        return FALSE;
    PenPlan *plan = encoder_plan(runtime, i, &config, tokens, cancellable, error);
    gboolean done = plan != NULL;
    for (guint k = 0; done && k < n; k++) {
        PenConditioning *to = conditionings[k];
        pen_plan_write(plan, "embeddings", embeddings + k * size);
        done = pen_plan_run(plan, NULL, NULL, cancellable, error);
        if (!done)
            break;
        pen_plan_read(plan, "hidden", hidden);
        done = check_finite(runtime, _("text encoder"), hidden, size, error);
        for (guint32 t = 0; t < tokens; t++)
            memcpy(to->hidden + (gsize)t * to->channels + column, hidden + t * channels,
                   channels * sizeof *hidden);
        if (done && encoder->config.projection) {
            take_pooled(encoder, ids + (gsize)k * tokens, tokens, plan, to->pooled);
            done = check_finite(runtime, _("text encoder"), to->pooled, encoder->config.projection,
                                error);
        }
    }
    if (!runtime->keep)
        drop_encoder(&runtime->encoders[i]);
    return done;
}

static gboolean run_encoders(PenRuntime *runtime, const gint32 *const *ids, guint n,
                             guint32 tokens, const PenTextOptions *options,
                             PenConditioning **conditionings, GCancellable *cancellable,
                             GError **error)
{
    gsize column = 0;
    for (guint i = 0; i < runtime->model->n_encoders; i++) {
        GError *failure = NULL;
        gboolean done = run_encoder(runtime, i, ids[i], n, tokens, options, column,
                                    conditionings, cancellable, &failure);
        if (!done && widen(runtime->encoders[i].weights, &failure)) {
            drop_encoder(&runtime->encoders[i]);
            done = run_encoder(runtime, i, ids[i], n, tokens, options, column, conditionings,
                               cancellable, &failure);
        }
        if (!done) {
            g_propagate_error(error, failure);
            return FALSE;
        }
        column += runtime->model->encoders[i].config.hidden;
    }
    return TRUE;
}

gboolean pen_runtime_encode_tokens(PenRuntime *runtime, const gint32 *const *ids, guint n,
                                   guint32 tokens, const PenTextOptions *options,
                                   PenConditioning **conditionings, GCancellable *cancellable,
                                   GError **error)
{
    const PenTextOptions plain = { 0 };
    if (!options)
        options = &plain;
    GError *failure = NULL;
    for (guint k = 0; k < n; k++)
        conditionings[k] = pen_model_new_conditioning(runtime->model, tokens);
    gboolean ok = run_encoders(runtime, ids, n, tokens, options, conditionings, cancellable, &failure);
    if (!ok && make_room(runtime, &failure))
        ok = run_encoders(runtime, ids, n, tokens, options, conditionings, cancellable, &failure);
    for (guint k = 0; !ok && k < n; k++)
        g_clear_pointer(&conditionings[k], pen_conditioning_free);
    if (!ok)
        g_propagate_error(error, failure);
    return ok;
}

/* --- pictures ------------------------------------------------------------------------------ */

static PenVaeCoder *vae_coder(PenRuntime *runtime, PenVaeSide kind, guint32 height, guint32 width,
                              GError **error)
{
    Side *side = &runtime->sides[kind];
    if (side->coder && side->height == height && side->width == width)
        return side->coder;
    g_clear_pointer(&side->coder, pen_vae_coder_free);
    side->coder = pen_vae_coder_new(runtime->device, &runtime->model->vae, runtime->vae, kind,
                                    height, width, error);
    if (!side->coder)
        after_failure(runtime, "vae", runtime->vae, error);
    side->height = height;
    side->width = width;
    return side->coder;
}

/* run_vae() in the dtype that the VAE has now. */
static gboolean try_vae(PenRuntime *runtime, PenVaeSide kind, guint32 height, guint32 width,
                        const float *in, gsize in_size, float *out, gsize out_size, guint n,
                        PenPlanProgress progress, gpointer user_data, GCancellable *cancellable,
                        GError **error)
{
    Share share = { .progress = progress, .user_data = user_data, .n = n };
    PenVaeCoder *coder = vae_coder(runtime, kind, height, width, error);
    gboolean done = coder != NULL;

    for (; done && share.i < n; share.i++)
        done = pen_vae_coder_run(coder, in + share.i * in_size, out + share.i * out_size,
                                 share_progress, &share, cancellable, error) &&
               check_finite(runtime, _("VAE"), out + share.i * out_size, out_size, error);
    if (!runtime->keep)
        drop_vae(runtime);
    return done;
}

/* Runs one side of the VAE for each of n inputs of in_size floats; outputs have out_size floats. */
static gboolean run_vae(PenRuntime *runtime, PenVaeSide kind, guint32 height, guint32 width,
                        const float *in, gsize in_size, float *out, gsize out_size, guint n,
                        PenPlanProgress progress, gpointer user_data, GCancellable *cancellable,
                        GError **error)
{
    GError *failure = NULL;
    gboolean done = try_vae(runtime, kind, height, width, in, in_size, out, out_size, n, progress,
                            user_data, cancellable, &failure);
    if (!done && widen(runtime->vae, &failure)) {
        drop_vae(runtime);
        done = try_vae(runtime, kind, height, width, in, in_size, out, out_size, n, progress,
                       user_data, cancellable, &failure);
    }
    if (!done)
        g_propagate_error(error, failure);
    return done;
}

gboolean pen_runtime_vae_decode(PenRuntime *runtime, const float *latents, guint n, guint32 height,
                                guint32 width, float *image, PenPlanProgress progress,
                                gpointer user_data, GCancellable *cancellable, GError **error)
{
    const PenModel *model = runtime->model;
    gsize positions = (gsize)height * width;

    return run_vae(runtime, PEN_VAE_DECODER, height, width, latents,
                   positions * model->vae.latent_channels, image,
                   positions * model->factor * model->factor * model->vae.out_channels, n, progress,
                   user_data, cancellable, error);
}

gboolean pen_runtime_vae_encode(PenRuntime *runtime, const float *image, guint n, guint32 height,
                                guint32 width, float *mean, float *log_variance,
                                PenPlanProgress progress, gpointer user_data,
                                GCancellable *cancellable, GError **error)
{
    const PenModel *model = runtime->model;
    guint32 factor = model->factor;

    if (height % factor || width % factor) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("A picture of %u×%u does not fit the model: both sizes must be multiples of "
                      "%u."),
                    width, height, factor);
        return FALSE;
    }
    gsize rows = (gsize)(height / factor) * (width / factor);
    gsize size = rows * 2 * model->vae.latent_channels;
    g_autofree float *moments = g_new(float, n *size);
    if (!run_vae(runtime, PEN_VAE_ENCODER, height, width, image,
                 (gsize)height * width * model->vae.in_channels, moments, size, n, progress,
                 user_data, cancellable, error))
        return FALSE;
    pen_vae_split_moments(&model->vae, moments, n * rows, mean, log_variance);
    return TRUE;
}

gboolean pen_runtime_latents_to_rgb(PenRuntime *runtime, const float *latents, guint n,
                                    guint32 height, guint32 width, guint8 *rgb,
                                    PenPlanProgress progress, gpointer user_data,
                                    GCancellable *cancellable, GError **error)
{
    const PenModel *model = runtime->model;
    gsize n_latents = (gsize)n * height * width * model->vae.latent_channels;
    gsize n_values = (gsize)n * height * width * model->factor * model->factor * 3;
    g_autofree float *unscaled = g_new(float, n_latents);
    g_autofree float *image = g_new(float, n_values);

    for (gsize i = 0; i < n_latents; i++)
        unscaled[i] = latents[i] / model->vae.scaling_factor;
    if (!pen_runtime_vae_decode(runtime, unscaled, n, height, width, image, progress, user_data,
                                cancellable, error))
        return FALSE;
    for (gsize i = 0; i < n_values; i++) {
        float value = CLAMP(image[i] * 0.5f + 0.5f, 0.0f, 1.0f);
        rgb[i] = (guint8)lrintf(value * 255);
    }
    return TRUE;
}

gboolean pen_runtime_rgb_to_latents(PenRuntime *runtime, const guint8 *rgb, guint n, guint32 height,
                                    guint32 width, float *latents, PenPlanProgress progress,
                                    gpointer user_data, GCancellable *cancellable, GError **error)
{
    const PenModel *model = runtime->model;
    gsize n_values = (gsize)n * height * width * 3;
    g_autofree float *image = g_new(float, n_values);

    for (gsize i = 0; i < n_values; i++)
        image[i] = rgb[i] / 127.5f - 1;
    if (!pen_runtime_vae_encode(runtime, image, n, height, width, latents, NULL, progress,
                                user_data, cancellable, error))
        return FALSE;
    gsize n_latents =
        (gsize)n * (height / model->factor) * (width / model->factor) * model->vae.latent_channels;
    for (gsize i = 0; i < n_latents; i++)
        latents[i] *= model->vae.scaling_factor;
    return TRUE;
}

/* --- UNet ---------------------------------------------------------------------------------- */

PenUNet *pen_runtime_unet(PenRuntime *runtime, const PenUNetOptions *options, GError **error)
{
    PenUNetOptions o = *options;

    if (o.tokens == 0)
        o.tokens = runtime->model->tokens;
    if (o.adapter && !pen_unet_adapter_allocate(o.adapter, runtime->device,
                                                pen_runtime_dtype(runtime), error))
        return NULL;
    GError *failure = NULL;
    PenUNet *unet = pen_unet_new(&runtime->model->unet, runtime->unet, &o, &failure);
    if (!unet && make_room(runtime, &failure))
        unet = pen_unet_new(&runtime->model->unet, runtime->unet, &o, &failure);
    if (!unet) {
        after_failure(runtime, "unet", runtime->unet, &failure);
        g_propagate_error(error, failure);
    }
    return unet;
}

gboolean pen_runtime_load_unet(PenRuntime *runtime, PenPlanProgress progress, gpointer user_data,
                               GCancellable *cancellable, GError **error)
{
    return pen_weights_load(runtime->unet, progress, user_data, cancellable, error);
}

float *pen_runtime_unet_matrix(PenRuntime *runtime, const char *path, guint32 out, guint32 in,
                               GError **error)
{
    g_autofree char *name = g_strconcat(path, ".weight", NULL);
    PenParameter *parameter = pen_weights_linear(runtime->unet, name, out, in);
    if (!pen_weights_check(runtime->unet, error))
        return NULL;
    return pen_weights_values(runtime->unet, parameter, error);
}

gboolean pen_runtime_check_unet(PenRuntime *runtime, const float *values, gsize n, GError **error)
{
    GError *failure = NULL;
    if (check_finite(runtime, _("UNet"), values, n, &failure))
        return TRUE;
    if (widen(runtime->unet, &failure))
        g_set_error(&failure, PEN_MODEL_ERROR, PEN_MODEL_ERROR_TOO_NARROW,
                    _("Half precision is too narrow for the UNet of the model %s. From now on it runs "
                      "in single precision: try again."),
                    runtime->model->name);
    g_propagate_error(error, failure);
    return FALSE;
}

void pen_runtime_set_eight_bits(PenRuntime *runtime)
{
    pen_weights_set_eight_bits(runtime->unet);
}

gboolean pen_runtime_eight_bits(const PenRuntime *runtime)
{
    return pen_weights_eight_bits(runtime->unet);
}
