// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/model.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/formats/adapter-file.h"
#include "src/formats/json.h"
#include "src/models/checkpoint.h"
#include "src/models/ldm-names.h"
#include "src/models/merge.h"
#include "src/models/model-private.h"
#include "src/models/unet.h"

#define ZERO_SNR 1e-6 /* the last alpha_cumprod of a schedule that ends in noise is less */

/* --- opening ------------------------------------------------------------------------------- */

/* Whether it is there. */
static gboolean add_missing(GString *missing, const char *folder, const char *component)
{
    g_autofree char *path = g_build_filename(folder, component, NULL);
    gboolean there = g_file_test(path, G_FILE_TEST_IS_DIR);
    if (!there)
        g_string_append_printf(missing, "%s%s", missing->len ? ", " : "", component);
    return there;
}

/* A folder without any part of a model: says what is the matter with the weights in it. */
static gboolean refuse_folder(const char *folder, const char *name, GError **error)
{
    g_autoptr(GError) inner = NULL;
    g_autoptr(PenSafetensors) weights = pen_safetensors_open_model(folder, &inner);
    if (weights)
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
                    _("%s is no model folder in the diffusers layout: choose one of the "
                      ".safetensors files in it."),
                    name);
    else
        g_propagate_error(error, g_steal_pointer(&inner));
    return FALSE;
}

/* That the folder has all the parts of a model with so many text encoders. */
static gboolean check_folder(const char *folder, guint n_encoders, GError **error)
{
    g_autofree char *name = g_filename_display_name(folder);

    g_autoptr(GString) missing = g_string_new(NULL);
    gboolean any = add_missing(missing, folder, "unet");
    any |= add_missing(missing, folder, "vae");
    for (guint i = 0; i < n_encoders; i++)
        any |= add_missing(missing, folder, pen_model_encoder_folders[i]);
    for (guint i = 0; i < n_encoders; i++)
        any |= add_missing(missing, folder, pen_model_tokenizer_folders[i]);
    any |= add_missing(missing, folder, "scheduler");
    if (!any)
        return refuse_folder(folder, name, error);
    if (missing->len) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
                    _("%s is not a complete model folder in the diffusers layout: it has no %s."),
                    name, missing->str);
        return FALSE;
    }
    return TRUE;
}

/* An object that a folder may do without: *json stays NULL then. */
static gboolean load_optional(const char *folder, const char *name, PenJson **json, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);

    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    *json = pen_json_load_object(path, error);
    return *json != NULL;
}

static gboolean refuse_pipeline(const char *folder, const char *pipeline, GError **error)
{
    g_autofree char *name = g_filename_display_name(folder);
    g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                _("%s is a model for %.60s; Penchant runs Stable Diffusion 1.x, 2.x and SDXL "
                  "models."),
                name, pipeline);
    return FALSE;
}

/* What pipeline a folder says it is for (*pipeline, else NULL). Many have the parts of ours, so
 * only one whose denoiser is no UNet is refused by its name; the parts' own configurations tell the
 * rest. */
static gboolean load_index(PenModel *model, const char *folder, char **pipeline, GError **error)
{
    g_autofree char *unet = g_build_filename(folder, "unet", NULL);
    g_autoptr(PenJson) json = NULL;

    model->zeros_without_text = TRUE; /* what SDXL's pipeline does where nothing is said */
    if (!load_optional(folder, "model_index.json", &json, error))
        return FALSE;
    if (!json)
        return TRUE;
    gboolean refiner = FALSE;
    if (!pen_json_get_string(json, "_class_name", pipeline, error) ||
        !pen_json_get_bool(json, "requires_aesthetics_score", &refiner, error) ||
        !pen_json_get_bool(json, "force_zeros_for_empty_prompt", &model->zeros_without_text, error))
        return FALSE;
    if (refiner)
        return refuse_pipeline(folder, _("the SDXL refiner"), error);
    return !*pipeline || strstr(*pipeline, "StableDiffusionPipeline") ||
           g_file_test(unet, G_FILE_TEST_IS_DIR) || refuse_pipeline(folder, *pipeline, error);
}

static gboolean load_own_settings(PenModel *model, const char *folder, GError **error)
{
    g_autoptr(PenJson) json = NULL;
    const char *key = "guidance_scale";

    if (!load_optional(folder, "penchant.json", &json, error))
        return FALSE;
    if (!json)
        return TRUE;
    if (!pen_json_get_double(json, key, &model->guidance, error) ||
        !pen_json_get_strings(json, "words", &model->words, error))
        return FALSE;
    if (!(model->guidance > 0 && model->guidance <= PEN_MODEL_MAX_GUIDANCE)) {
        pen_json_set_error(json, key, error, _("must be more than 0 and at most %g."),
                           PEN_MODEL_MAX_GUIDANCE);
        return FALSE;
    }
    return TRUE;
}

static PenSafetensors *open_weights(const char *path, GError **error)
{
    g_autoptr(PenSafetensors) file = pen_safetensors_open_model(path, error);
    return file && pen_safetensors_check_end(file, error) ? g_steal_pointer(&file) : NULL;
}

static PenSafetensors *open_component(const char *folder, const char *component, GError **error)
{
    g_autofree char *path = g_build_filename(folder, component, NULL);
    return open_weights(path, error);
}

static gboolean load_encoder(PenModel *model, const char *folder, guint i, GError **error)
{
    PenTextEncoder *encoder = &model->encoders[i];
    g_autofree char *config = pen_model_config_file(folder, pen_model_encoder_folders[i]);
    g_autofree char *tokenizer = g_build_filename(folder, pen_model_tokenizer_folders[i], NULL);

    if (!pen_clip_text_config_load(&encoder->config, config, error))
        return FALSE;
    if (model->n_encoders > 1)
        pen_clip_text_config_set_sdxl(&encoder->config);
    if (model->n_encoders == 1 || i == 0)
        encoder->config.projection = 0; /* nobody reads it */
    encoder->tokenizer = pen_tokenizer_new(tokenizer, error);
    g_autoptr(PenSafetensors) clip =
        encoder->tokenizer ? open_component(folder, pen_model_encoder_folders[i], error) : NULL;
    encoder->weights = clip ? pen_ldm_clip(clip, "", error) : NULL;
    return encoder->weights != NULL;
}

/* Its schedule, and whether it is one for few steps; a name tells more of that than a scheduler. */
static PenSchedule *load_scheduler(PenModel *model, const char *path, gboolean first_families,
                                   GError **error)
{
    g_autofree char *class_name = NULL;
    PenSchedule *schedule = pen_schedule_load(path, first_families, &class_name, error);
    if (schedule && !pen_few_steps_of_model(model->spec->model, NULL, &model->few_steps))
        pen_few_steps_of_scheduler(class_name, pen_schedule_get_spacing(schedule),
                                   &model->few_steps);
    return schedule;
}

static gboolean load_folder(PenModel *model, GError **error)
{
    const char *folder = model->spec->model;
    g_autofree char *unet = pen_model_config_file(folder, "unet");
    g_autofree char *vae = pen_model_config_file(folder, "vae");
    g_autofree char *scheduler = pen_model_config_file(folder, "scheduler");

    g_autofree char *pipeline = NULL;

    if (!load_index(model, folder, &pipeline, error) || !check_folder(folder, 1, error) ||
        !load_own_settings(model, folder, error) ||
        !pen_unet_config_load(&model->unet, unet, error))
        return FALSE;
    gboolean sdxl = model->unet.added_channels > 0;
    if (pipeline && !sdxl && strstr(pipeline, "XL"))
        return refuse_pipeline(folder, pipeline, error);
    model->n_encoders = sdxl ? 2 : 1;
    model->zeros_without_text = sdxl && model->zeros_without_text;
    model->schedule = load_scheduler(model, scheduler, !sdxl, error); /* tells families apart */
    if (!model->schedule || !check_folder(folder, model->n_encoders, error) ||
        !pen_vae_config_load(&model->vae, vae, error))
        return FALSE;
    for (guint i = 0; i < model->n_encoders; i++)
        if (!load_encoder(model, folder, i, error))
            return FALSE;
    model->unet_weights = open_component(folder, "unet", error);
    model->vae_weights = model->unet_weights ? open_component(folder, "vae", error) : NULL;
    return model->vae_weights && pen_model_identify_folder(model, error);
}

static gboolean load_file(PenModel *model, GError **error)
{
    g_autoptr(PenSafetensors) file = open_weights(model->spec->model, error);
    if (!file)
        return FALSE;
    pen_few_steps_of_model(model->spec->model, file, &model->few_steps);
    return pen_checkpoint_load(model, file, error) && pen_model_identify_file(model, error);
}

static gboolean load(PenModel *model, GError **error)
{
    const char *path = model->spec->model;
    g_autofree char *shown = g_filename_display_name(path);

    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
                    _("The model %s does not exist."), shown);
        return FALSE;
    }
    if (!g_file_test(path, G_FILE_TEST_IS_DIR))
        return load_file(model, error);
    if (model->spec->prediction) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("What %s predicts is said in its scheduler_config.json; only a single file "
                      "needs to be told."),
                    shown);
        return FALSE;
    }
    return load_folder(model, error);
}

/* The UNet must be the one that its configuration or its names describe, to the last weight: one
 * that holds more, or otherwise, would draw wrong pictures. */
static gboolean check_unet(const PenModel *model, GError **error)
{
    PenUNetOptions options = { .batch = 1, .height = 8, .width = 8, .tokens = 1 };
    g_autoptr(PenWeights) weights = pen_weights_new(NULL, model->unet_weights, PEN_DTYPE_F32);
    g_autoptr(PenUNet) unet = pen_unet_new(&model->unet, weights, &options, error);
    const char *unused = unet ? pen_weights_find_unused(weights) : NULL;
    if (unused)
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                    _("%s is a special model that Penchant does not run: its UNet has the weight "
                      "“%s”."),
                    model->name, unused);
    return unet && !unused;
}

void pen_model_add_notice(PenModel *model, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    char *both = model->notice ? g_strconcat(model->notice, " ", text, NULL) : g_strdup(text);
    g_free(model->notice);
    model->notice = both;
}

/* The VAEs of Stable Diffusion and of SDXL have the same shapes: only the scaling factor, the
 * file's metadata, or its name tells them apart. */
static gboolean is_other_vae(const PenModel *model, float own)
{
    const char *said = pen_safetensors_metadata(model->vae_weights, "modelspec.architecture");
    g_autofree char *base = g_path_get_basename(model->spec->vae);
    g_autofree char *name = g_ascii_strdown(base, -1);
    gboolean xl = strstr(name, "sdxl") || strstr(name, "xl_vae") || strstr(name, "xl-vae") ||
                  (said && strstr(said, "stable-diffusion-xl"));
    return fabsf(model->vae.scaling_factor - own) > 0.01f * own ||
           (xl && !model->unet.added_channels);
}

/* After the identity, which is that of the model's own VAE. */
static gboolean exchange_vae(PenModel *model, GError **error)
{
    guint32 channels = model->unet.out_channels;
    float own = model->vae.scaling_factor;
    if (!model->spec->vae)
        return TRUE;
    g_clear_pointer(&model->vae_weights, pen_safetensors_unref);
    model->vae_weights = pen_checkpoint_open_vae(model->spec->vae, &model->vae, error);
    if (model->vae_weights && is_other_vae(model, own))
        pen_model_add_notice(model,
                             _("The VAE %s belongs to another family of models: colours and detail "
                               "come out wrong with this one."),
                             pen_safetensors_name(model->vae_weights));
    if (model->vae_weights && model->vae.latent_channels != channels) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                    _("The VAE %s belongs to another kind of model: its latents have %u channels, "
                      "the model's %u."),
                    pen_safetensors_name(model->vae_weights), model->vae.latent_channels, channels);
        return FALSE;
    }
    return model->vae_weights != NULL;
}

/* Adapters that do not fit are found out here; the runtime reads them again when it merges them,
 * so that their matrices do not stay in memory with every model that was opened. */
static gboolean check_adapters(PenModel *model, GError **error)
{
    g_autofree char *notice = NULL;
    g_autoptr(PenMerge) merge = pen_merge_new(model, &notice, error);
    if (notice)
        pen_model_add_notice(model, "%s", notice);
    return merge != NULL;
}

/* An adapter for few steps has the last word: it was added to that end. */
static void find_few_steps(PenModel *model)
{
    for (guint i = 0; i < model->spec->loras->len; i++) {
        const PenModelLora *lora = model->spec->loras->pdata[i];
        g_autoptr(PenSafetensors) adapter =
            lora->strength > 0 ? pen_safetensors_open_model(lora->file, NULL) : NULL;
        if (adapter)
            pen_few_steps_of_adapter(lora->file, adapter, &model->few_steps);
    }
    if (!model->few_steps.name)
        return;
    g_autofree char *how = pen_few_steps_describe(&model->few_steps);
    pen_model_add_notice(model,
                         _("“%s” is taken for a model that draws in few steps, as its files are "
                           "called (%s)."),
                         model->name, how);
}

static gboolean check_tokenizers(const PenModel *model, GError **error)
{
    for (guint i = 0; i < model->n_encoders; i++) {
        const PenTextEncoder *encoder = &model->encoders[i];
        int length = pen_tokenizer_max_length(encoder->tokenizer);
        int n_tokens = pen_tokenizer_n_tokens(encoder->tokenizer);
        if ((guint32)length <= encoder->config.positions &&
            (guint32)n_tokens <= encoder->config.vocabulary &&
            length == pen_tokenizer_max_length(model->encoders[0].tokenizer))
            continue;
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("%s: its tokenizer makes %d tokens out of %d, its text encoder takes %u out "
                      "of %u: they belong to different models."),
                    model->name, length, n_tokens, encoder->config.positions,
                    encoder->config.vocabulary);
        return FALSE;
    }
    return TRUE;
}

/* Parts of different models cannot work together. */
static gboolean check_parts(const PenModel *model, GError **error)
{
    const PenUNetConfig *unet = &model->unet;
    const char *path = model->name;
    guint32 latent = model->vae.latent_channels, hidden = 0;
    for (guint i = 0; i < model->n_encoders; i++)
        hidden += model->encoders[i].config.hidden;
    guint32 pooled = model->encoders[model->n_encoders - 1].config.projection;
    guint32 wanted = pen_unet_config_pooled_channels(unet);

    /* An inpainting model's takes a mask and a picture's latents, too. */
    if (unet->out_channels != latent ||
        (unet->in_channels != latent && unet->in_channels != 2 * latent + 1))
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                    _("%s: its UNet takes %u channels and gives %u, its VAE has %u; special models "
                      "other than those for inpainting are not supported."),
                    path, unet->in_channels, unet->out_channels, latent);
    else if (model->vae.in_channels != 3 || model->vae.out_channels != 3)
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                    _("%s: its VAE makes pictures of %u channels, not of red, green and blue."),
                    path, model->vae.out_channels);
    else if (unet->context_channels != hidden)
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("%s: its UNet reads texts of %u channels, its text encoder writes %u: they "
                      "belong to different models."),
                    path, unet->context_channels, hidden);
    else if (wanted && wanted != pooled)
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("%s: its UNet reads a pooled text of %u channels, its second text encoder "
                      "writes %u: they belong to different models."),
                    path, wanted, pooled);
    else
        return check_tokenizers(model, error);
    return FALSE;
}

/* "/a/b/Model.safetensors" -> "Model". */
static char *model_name(const char *path)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *base = g_path_get_basename(absolute);
    char *end = g_strrstr(base, ".safetensors");
    if (end && end != base && g_file_test(path, G_FILE_TEST_IS_REGULAR))
        *end = '\0';
    return g_filename_display_name(base);
}

enum { N_WEIGHTED = 2 + PEN_MODEL_MAX_ENCODERS };

/* The weights of all components; returns how many. */
static guint list_weights(const PenModel *model, const PenSafetensors **weights)
{
    guint n = 0;
    weights[n++] = model->unet_weights;
    weights[n++] = model->vae_weights;
    for (guint i = 0; i < model->n_encoders; i++)
        weights[n++] = model->encoders[i].weights;
    return n;
}

/* A file that was written anew while it was read is no model. */
static gboolean check_files(const PenModel *model, GError **error)
{
    const PenSafetensors *weights[N_WEIGHTED];
    guint n = list_weights(model, weights);
    for (guint i = 0; i < n; i++)
        if (!pen_safetensors_check(weights[i], error))
            return FALSE;
    return TRUE;
}

PenModel *pen_model_open(const char *text, GError **error)
{
    g_autoptr(PenModel) model = g_new0(PenModel, 1);
    model->refs = 1;
    model->guidance = PEN_MODEL_GUIDANCE;
    model->spec = pen_model_spec_parse(text, error);
    if (!model->spec)
        return NULL;
    if (!model->spec->model) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID, _("Which model? Name one."));
        return NULL;
    }
    model->name = model_name(model->spec->model);
    if (!load(model, error) || !exchange_vae(model, error) || !check_parts(model, error) ||
        !check_unet(model, error) || !check_adapters(model, error) || !check_files(model, error))
        return NULL;
    find_few_steps(model);
    model->tokens = (guint32)pen_tokenizer_max_length(model->encoders[0].tokenizer);
    model->factor = pen_vae_config_factor(&model->vae);
    int last = pen_schedule_get_num_train_timesteps(model->schedule) - 1;
    if (pen_schedule_get_prediction(model->schedule) == PEN_PREDICTION_V &&
        pen_schedule_get_alpha_cumprod(model->schedule, last) < ZERO_SNR)
        model->guidance_rescale = PEN_MODEL_GUIDANCE_RESCALE_ZERO_SNR;
    model->condition_channels = model->unet.in_channels - model->unet.out_channels;
    return g_steal_pointer(&model);
}

gboolean pen_model_is_current(const PenModel *model)
{
    const PenSafetensors *weights[N_WEIGHTED];
    guint n = list_weights(model, weights);
    for (guint i = 0; i < n; i++)
        if (!pen_safetensors_is_current(weights[i]))
            return FALSE;
    return TRUE;
}

PenConditioning *pen_model_new_conditioning(const PenModel *model, guint32 tokens)
{
    return pen_conditioning_new(tokens, model->unet.context_channels,
                                pen_unet_config_pooled_channels(&model->unet));
}

PenModel *pen_model_ref(PenModel *model)
{
    g_atomic_int_inc(&model->refs);
    return model;
}

void pen_model_unref(PenModel *model)
{
    if (!model || !g_atomic_int_dec_and_test(&model->refs))
        return;
    for (guint i = 0; i < model->n_encoders; i++) {
        pen_tokenizer_free(model->encoders[i].tokenizer);
        pen_safetensors_unref(model->encoders[i].weights);
    }
    g_clear_pointer(&model->schedule, pen_schedule_free);
    g_clear_pointer(&model->unet_weights, pen_safetensors_unref);
    g_clear_pointer(&model->vae_weights, pen_safetensors_unref);
    g_clear_pointer(&model->spec, pen_model_spec_free);
    g_strfreev(model->identities);
    g_strfreev(model->words);
    g_free(model->name);
    g_free(model->notice);
    g_free(model->identity);
    g_free(model);
}
