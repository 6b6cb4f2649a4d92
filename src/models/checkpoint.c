// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/checkpoint.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/formats/json.h"
#include "src/models/ldm-names.h"
#include "src/models/model-infer.h"
#include "src/models/other-families.h"

#define CONV_IN PEN_LDM_UNET "input_blocks.0.0.weight"
#define EPSILON "epsilon"
#define V_PREDICTION "v_prediction"
typedef enum { SD1, SD2, SDXL } Family;

#define BASE_STEPS 875000 /* after which 2.0-base was published */

/* --- what kind of file ---------------------------------------------------------------------- */

static gboolean any_name(const PenSafetensors *file, const char *part)
{
    for (guint i = 0; i < pen_safetensors_n_tensors(file); i++)
        if (strstr(pen_safetensors_nth(file, i)->name, part))
            return TRUE;
    return FALSE;
}

static gboolean is_ldm_vae(const PenSafetensors *file, const char *prefix)
{
    g_autofree char *name = g_strconcat(prefix, "encoder.down.0.block.0.conv1.weight", NULL);
    return pen_safetensors_lookup(file, name) != NULL;
}

static gboolean is_diffusers_vae(const PenSafetensors *file)
{
    return pen_safetensors_lookup(file, "encoder.down_blocks.0.resnets.0.conv1.weight") != NULL;
}

static gboolean refuse(const PenSafetensors *file, const char *what, GError **error)
{
    g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                _("%s cannot be used as a model: %s."), pen_safetensors_name(file), what);
    return FALSE;
}

/* FALSE and an error that says what the file is, unless it is a checkpoint of our families. */
static gboolean check_kind(const PenSafetensors *file, GError **error)
{
    if (any_name(file, ".lora_down.") || any_name(file, ".lora_A.") ||
        any_name(file, ".hada_w1_a") || any_name(file, ".lokr_w1"))
        return refuse(
            file, _("it is an adapter (LoRA), which goes on top of a model: give it with --lora"),
            error);
    g_autofree char *other = pen_other_checkpoint(file);
    if (other)
        return refuse(file, other, error);
    if (pen_safetensors_lookup(file, CONV_IN))
        return TRUE;
    if (is_ldm_vae(file, "") || is_diffusers_vae(file))
        return refuse(file, _("it is a VAE, which is a part of a model: give it with --vae"),
                      error);
    if (pen_safetensors_lookup(file, "conv_in.weight") ||
        pen_safetensors_lookup(file, "input_blocks.0.0.weight") ||
        pen_safetensors_lookup(file, "diffusion_model.input_blocks.0.0.weight"))
        return refuse(file,
                      _("it is a UNet alone: name the model's folder or the file that holds all of "
                        "the model"),
                      error);
    return refuse(file, _("Penchant runs Stable Diffusion 1.x, 2.x and SDXL models"), error);
}

/* --- the schedule --------------------------------------------------------------------------- */

/* The value of a tensor that holds one whole number, else 0. */
static gint64 whole_number(const PenSafetensors *file, const char *name)
{
    const PenSafetensor *tensor = pen_safetensors_lookup(file, name);
    gint64 value = 0;
    if (tensor && tensor->n_elements == 1)
        pen_safetensor_to_i64(tensor, &value, NULL);
    return value;
}

/* What kohya's trainers write. */
static gboolean says_true(const PenSafetensors *file, const char *key)
{
    const char *text = pen_safetensors_metadata(file, key);
    return text && g_ascii_strcasecmp(text, "true") == 0;
}

/* What LDM's configuration beside the file, NAME.yaml, says; NULL if there is none. Only the one
 * line counts, and without it LDM's default. */
static const char *beside(const char *path)
{
    static const char *const endings[] = { ".yaml", ".yml" };
    const char *end = g_str_has_suffix(path, ".safetensors") ? strrchr(path, '.') : NULL;
    for (gsize i = 0; end && i < G_N_ELEMENTS(endings); i++) {
        g_autofree char *file = g_strdup_printf("%.*s%s", (int)(end - path), path, endings[i]);
        g_autoptr(GBytes) bytes = pen_file_map(file, 1 << 20, NULL);
        gsize size = 0;
        const char *content = bytes ? g_bytes_get_data(bytes, &size) : NULL;
        g_autofree char *text = content ? g_strndup(content, size) : NULL;
        if (text && g_regex_match_simple("^\\s*parameterization\\s*:\\s*[\"']?v\\b", text,
                                         G_REGEX_MULTILINE, 0))
            return V_PREDICTION;
        if (text &&
            g_regex_match_simple("^\\s*(parameterization\\s*:\\s*[\"']?eps|target\\s*:\\s*ldm\\.)",
                                 text, G_REGEX_MULTILINE, 0))
            return EPSILON;
    }
    return NULL;
}

/* SD-Turbo and SDXL-Turbo, which draw 512 pixels and predict epsilon; not what others made of them.
 */
static gboolean is_turbo(const PenModel *model, const PenSafetensors *file)
{
    PenFewSteps few;
    g_autofree char *name = g_path_get_basename(model->spec->model);
    return pen_few_steps_of_model(model->spec->model, file, &few) &&
           g_str_equal(few.name, "Turbo") &&
           g_regex_match_simple("^sd(_?xl)?[-_]turbo", name, G_REGEX_CASELESS, 0);
}

/* A mark of v that was lost in a mix stays in names. */
static gboolean is_called_v(const PenModel *model)
{
    g_autofree char *name = g_path_get_basename(model->spec->model);
    return g_regex_match_simple("v[-_ ]?pred", name, G_REGEX_CASELESS, 0);
}

/* `*assumed`: nothing told, or the name tells otherwise. */
static const char *find_prediction(const PenModel *model, const PenSafetensors *file, Family family,
                                   gboolean *assumed)
{
    const char *said = beside(model->spec->model);
    const char *type = pen_safetensors_metadata(file, "modelspec.prediction_type");
    const char *architecture = pen_safetensors_metadata(file, "modelspec.architecture");

    *assumed = FALSE;
    if (model->spec->prediction)
        return model->spec->prediction;
    if (said)
        return said;
    if (type && g_str_equal(type, "epsilon"))
        return EPSILON;
    if (type && g_str_has_prefix(type, "v"))
        return V_PREDICTION;
    if (architecture && g_str_has_prefix(architecture, "stable-diffusion-v2-768-v"))
        return V_PREDICTION;
    if (architecture && g_str_has_prefix(architecture, "stable-diffusion-v2-512"))
        return EPSILON;
    if (pen_safetensors_lookup(file, "v_pred") || pen_safetensors_lookup(file, "ztsnr") ||
        says_true(file, "ss_v_parameterization"))
        return V_PREDICTION;
    if (family == SD2 && is_turbo(model, file))
        return EPSILON;
    gboolean v = family == SD2 && model->unet.in_channels == model->unet.out_channels &&
                 whole_number(file, "global_step") != BASE_STEPS;
    *assumed = v || is_called_v(model);
    return v ? V_PREDICTION : EPSILON;
}

/* The side in pixels that the file says it was trained for ("1024x1024"), or 0. */
static guint64 said_size(const PenSafetensors *file)
{
    const char *text = pen_safetensors_metadata(file, "modelspec.resolution");
    guint64 size = text ? g_ascii_strtoull(text, NULL, 10) : 0;
    return size >= 256 && size <= 2048 ? size : 0;
}

static gboolean make_schedule(PenModel *model, const PenSafetensors *file, Family family,
                              GError **error)
{
    PenScheduleConfig config = PEN_SCHEDULE_CONFIG_INIT;
    config.num_train_timesteps = 1000;
    config.beta_start = 0.00085;
    config.beta_end = 0.012;
    config.beta_schedule = PEN_BETA_SCALED_LINEAR;
    config.set_alpha_to_one = FALSE;
    config.steps_offset = 1;
    config.spacing = PEN_SPACING_LEADING;
    config.rescale_betas_zero_snr =
        pen_safetensors_lookup(file, "ztsnr") != NULL || says_true(file, "ss_zero_terminal_snr");
    if (config.rescale_betas_zero_snr)
        config.spacing = PEN_SPACING_TRAILING; /* which begins at the noise */
    gboolean assumed;
    model->may_predict = TRUE;
    const char *prediction = find_prediction(model, file, family, &assumed);
    if (!pen_prediction_from_name(prediction, &config.prediction, error))
        return FALSE;
    if (assumed && config.prediction == PEN_PREDICTION_EPSILON)
        pen_model_add_notice(model,
                             _("%s is called a model that predicts “v”, but nothing in it says so: "
                               "“epsilon” is assumed. If its pictures are noise, choose “v” "
                               "(--prediction v)."),
                             model->name);
    else if (assumed)
        pen_model_add_notice(model,
                             _("Nothing in %s says what this Stable Diffusion 2.x model predicts: "
                               "“v” is assumed, as of those for 768 pixels. If its pictures are "
                               "noise, choose “epsilon” (--prediction epsilon)."),
                             model->name);
    if (config.rescale_betas_zero_snr && config.prediction == PEN_PREDICTION_EPSILON) {
        g_set_error(
            error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
            _("%s is marked for a schedule that ends in pure noise (ztsnr), which goes with "
              "“v”, but not as predicting that: choose “v” (--prediction v)."),
            pen_safetensors_name(file));
        return FALSE;
    }
    guint64 said = said_size(file);
    model->unet.sample_size = said                                                     ? said / 8
                              : is_turbo(model, file)                                  ? 64
                              : family == SDXL                                         ? 128
                              : family == SD2 && config.prediction == PEN_PREDICTION_V ? 96
                                                                                       : 64;
    model->schedule = pen_schedule_new(&config, error);
    return model->schedule != NULL;
}

/* --- loading -------------------------------------------------------------------------------- */

static gboolean missing(const PenSafetensors *file, const char *what, GError **error)
{
    g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
                _("%s is not a whole model: it holds no %s. Choose the file that holds all parts."),
                pen_safetensors_name(file), what);
    return FALSE;
}

/* Whether a text encoder's layers start so, under whichever names. */
static gboolean has_encoder(const PenSafetensors *file, const char *prefix)
{
    static const char *const layers[] = { "transformer.resblocks.", "text_model.encoder.",
                                          "encoder.layers." };
    for (gsize i = 0; i < G_N_ELEMENTS(layers); i++) {
        g_autofree char *name = g_strconcat(prefix, layers[i], NULL);
        if (any_name(file, name))
            return TRUE;
    }
    return FALSE;
}

/* Text encoder i, of CLIP's kind or OpenCLIP's, whose weights start with `prefix`. */
static gboolean load_encoder(PenModel *model, const PenSafetensors *file, guint i,
                             const char *prefix, gboolean open_clip, GError **error)
{
    PenTextEncoder *encoder = &model->encoders[i];
    if (!has_encoder(file, prefix))
        return missing(file, i ? _("second text encoder") : _("text encoder"), error);
    encoder->weights =
        open_clip ? pen_ldm_open_clip(file, prefix, error) : pen_ldm_clip(file, prefix, error);
    encoder->tokenizer = pen_tokenizer_new_clip(open_clip ? "!" : "<|endoftext|>");
    return encoder->weights &&
           pen_clip_text_config_infer(&encoder->config, encoder->weights, !open_clip, error);
}

static gboolean load_encoders(PenModel *model, const PenSafetensors *file, Family family,
                              GError **error)
{
    model->n_encoders = family == SDXL ? 2 : 1;
    model->zeros_without_text = family == SDXL;
    if (family != SDXL) {
        gboolean renamed = !has_encoder(file, PEN_LDM_OPEN_CLIP);
        gboolean ok = load_encoder(model, file, 0, renamed ? PEN_LDM_CLIP : PEN_LDM_OPEN_CLIP,
                                   family == SD2, error);
        model->encoders[0].config.projection = 0;
        return ok;
    }
    gboolean renamed = !has_encoder(file, PEN_LDM_SDXL_OPEN_CLIP);
    const char *second = renamed ? PEN_LDM_SDXL_SECOND_CLIP : PEN_LDM_SDXL_OPEN_CLIP;
    if (!load_encoder(model, file, 0, PEN_LDM_SDXL_CLIP, FALSE, error) ||
        !load_encoder(model, file, 1, second, TRUE, error))
        return FALSE;
    model->encoders[0].config.projection = 0;
    for (guint i = 0; i < model->n_encoders; i++)
        pen_clip_text_config_set_sdxl(&model->encoders[i].config);
    /* Beside the pooled text, the UNet's further input are the sizes. */
    guint32 pooled = model->encoders[1].config.projection;
    if (pooled && model->unet.added_channels > pooled)
        model->unet.size_channels = (model->unet.added_channels - pooled) / PEN_CONDITIONING_SIZES;
    return TRUE;
}

static gboolean load_vae(PenModel *model, const PenSafetensors *file, Family family, GError **error)
{
    model->vae.scaling_factor = family == SDXL ? PEN_VAE_SCALING_SDXL : PEN_VAE_SCALING;
    model->vae.force_upcast = family == SDXL;
    if (!is_ldm_vae(file, PEN_LDM_VAE))
        return model->spec->vae || missing(file, _("VAE (--vae gives one)"), error);
    model->vae_weights = pen_ldm_vae(file, PEN_LDM_VAE, error);
    return model->vae_weights && pen_vae_config_infer(&model->vae, model->vae_weights, error);
}

/* `model` has its UNet's configuration. */
static gboolean find_family(const PenModel *model, const PenSafetensors *file, Family *family,
                            GError **error)
{
    gboolean sdxl = any_name(file, PEN_LDM_SDXL);
    if (!sdxl && model->unet.added_channels)
        return any_name(file, "cond_stage_model.")
                   ? refuse(file, _("it is a model with classes or one that reads pictures"), error)
                   : missing(file, _("text encoder"), error);
    if (sdxl && !model->unet.added_channels)
        return missing(file, "label_emb", error);
    /* 2.x by its UNet, too: some programs write its text encoder under the names of 1.x's. */
    const PenSafetensor *proj_in =
        pen_safetensors_lookup(model->unet_weights, "mid_block.attentions.0.proj_in.weight");
    gboolean second = any_name(file, PEN_LDM_OPEN_CLIP) || (proj_in && proj_in->n_dims == 2);
    *family = sdxl ? SDXL : second ? SD2 : SD1;
    return TRUE;
}

gboolean pen_checkpoint_load(PenModel *model, const PenSafetensors *file, GError **error)
{
    Family family;

    if (!check_kind(file, error))
        return FALSE;
    model->unet_weights = pen_ldm_unet(file, error);
    return model->unet_weights && pen_unet_config_infer(&model->unet, model->unet_weights, error) &&
           find_family(model, file, &family, error) && load_encoders(model, file, family, error) &&
           load_vae(model, file, family, error) && make_schedule(model, file, family, error);
}

/* The folder that holds config.json and weights of the VAE at `path`, itself one; or NULL. */
static char *vae_folder(const char *path)
{
    g_autofree char *part = g_build_filename(path, "vae", NULL);
    return g_strdup(g_file_test(part, G_FILE_TEST_IS_DIR) ? part : path);
}

/* A file may lie beside the configuration of another component. */
static gboolean is_vae_config(const char *path)
{
    g_autoptr(PenJson) json =
        g_file_test(path, G_FILE_TEST_EXISTS) ? pen_json_load_object(path, NULL) : NULL;
    g_autofree char *class = NULL;
    if (!json || !pen_json_get_string(json, "_class_name", &class, NULL))
        return FALSE;
    return class ? g_str_equal(class, "AutoencoderKL") : pen_json_has(json, "latent_channels");
}

PenSafetensors *pen_checkpoint_open_vae(const char *path, PenVaeConfig *config, GError **error)
{
    gboolean is_folder = g_file_test(path, G_FILE_TEST_IS_DIR);
    g_autofree char *folder = is_folder ? vae_folder(path) : g_path_get_dirname(path);
    g_autofree char *config_file = g_build_filename(folder, "config.json", NULL);
    g_autoptr(PenSafetensors) file = pen_safetensors_open_model(is_folder ? folder : path, error);
    if (!file || !pen_safetensors_check_end(file, error))
        return NULL;

    if (any_name(file, PEN_LDM_SDXL))
        config->scaling_factor = PEN_VAE_SCALING_SDXL;
    else if (any_name(file, "cond_stage_model."))
        config->scaling_factor = PEN_VAE_SCALING;
    const char *prefix = is_ldm_vae(file, PEN_LDM_VAE) ? PEN_LDM_VAE
                         : is_ldm_vae(file, "")        ? ""
                                                       : NULL;
    if (prefix) {
        g_autoptr(PenSafetensors) weights = pen_ldm_vae(file, prefix, error);
        return weights && pen_vae_config_infer(config, weights, error) ? g_steal_pointer(&weights)
                                                                       : NULL;
    }
    if (!is_diffusers_vae(file)) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                    _("%s holds no VAE that Penchant knows."), pen_safetensors_name(file));
        return NULL;
    }
    gboolean ok = is_vae_config(config_file) ? pen_vae_config_load(config, config_file, error)
                                             : pen_vae_config_infer(config, file, error);
    return ok ? g_steal_pointer(&file) : NULL;
}
