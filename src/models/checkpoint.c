// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/checkpoint.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/models/ldm-names.h"
#include "src/models/model-infer.h"

#define CONV_IN PEN_LDM_UNET "input_blocks.0.0.weight"
#define EPSILON "epsilon"
#define V_PREDICTION "v_prediction"
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

/* FALSE and an error that says what the file is, unless it is a checkpoint of our families. */
static gboolean check_kind(const PenSafetensors *file, GError **error)
{
    const char *what = NULL;

    if (any_name(file, "conditioner.embedders."))
        what = _("it is an SDXL model, which Penchant does not run");
    else if (pen_safetensors_lookup(file, CONV_IN))
        return TRUE;
    else if (any_name(file, ".lora_down.") || any_name(file, ".lora_A.") ||
             any_name(file, ".hada_w1_a") || any_name(file, ".lokr_w1"))
        what = _("it is an adapter (LoRA), which goes on top of a model: give it with --lora");
    else if (is_ldm_vae(file, "") || is_diffusers_vae(file))
        what = _("it is a VAE, which is a part of a model: give it with --vae");
    else if (pen_safetensors_lookup(file, "conv_in.weight"))
        what = _("it is a UNet alone: name the model's folder, not a file in it");
    else
        what = _("Penchant runs Stable Diffusion 1.x and 2.x models");
    g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_UNSUPPORTED,
                _("%s cannot be used as a model: %s."), pen_safetensors_name(file), what);
    return FALSE;
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

static const char *find_prediction(const PenModel *model, const PenSafetensors *file,
                                   gboolean second)
{
    const char *type = pen_safetensors_metadata(file, "modelspec.prediction_type");
    const char *architecture = pen_safetensors_metadata(file, "modelspec.architecture");

    if (model->spec->prediction)
        return model->spec->prediction;
    if (type && g_str_equal(type, "epsilon"))
        return EPSILON;
    if (type && g_str_has_prefix(type, "v"))
        return V_PREDICTION;
    if (architecture && g_str_has_prefix(architecture, "stable-diffusion-v2-768-v"))
        return V_PREDICTION;
    if (architecture && g_str_has_prefix(architecture, "stable-diffusion-v2-512"))
        return EPSILON;
    if (pen_safetensors_lookup(file, "v_pred"))
        return V_PREDICTION;
    if (!second || model->unet.in_channels != model->unet.out_channels ||
        whole_number(file, "global_step") == BASE_STEPS)
        return EPSILON;
    return V_PREDICTION;
}

static gboolean make_schedule(PenModel *model, const PenSafetensors *file, gboolean second,
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
    config.rescale_betas_zero_snr = pen_safetensors_lookup(file, "ztsnr") != NULL;
    if (!pen_prediction_from_name(find_prediction(model, file, second), &config.prediction, error))
        return FALSE;
    model->unet.sample_size = second && config.prediction == PEN_PREDICTION_V ? 96 : 64;
    model->schedule = pen_schedule_new(&config, error);
    return model->schedule != NULL;
}

/* --- loading -------------------------------------------------------------------------------- */

static gboolean missing(const PenSafetensors *file, const char *what, GError **error)
{
    g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
                _("%s is not a whole model: it holds no %s."), pen_safetensors_name(file), what);
    return FALSE;
}

gboolean pen_checkpoint_load(PenModel *model, const PenSafetensors *file, GError **error)
{
    if (!check_kind(file, error))
        return FALSE;
    gboolean second = any_name(file, PEN_LDM_OPEN_CLIP);
    model->unet_weights = pen_ldm_unet(file, error);
    if (!model->unet_weights || !pen_unet_config_infer(&model->unet, model->unet_weights, error))
        return FALSE;

    if (!second && !any_name(file, PEN_LDM_CLIP))
        return missing(file, _("text encoder"), error);
    PenTextEncoder *encoder = &model->encoders[0];
    model->n_encoders = 1;
    encoder->weights = pen_ldm_text(file, error);
    if (!encoder->weights ||
        !pen_clip_text_config_infer(&encoder->config, encoder->weights, !second, error))
        return FALSE;
    encoder->tokenizer = pen_tokenizer_new_clip(second ? "!" : "<|endoftext|>");

    if (is_ldm_vae(file, PEN_LDM_VAE)) {
        model->vae_weights = pen_ldm_vae(file, PEN_LDM_VAE, error);
        if (!model->vae_weights || !pen_vae_config_infer(&model->vae, model->vae_weights, error))
            return FALSE;
    } else if (!model->spec->vae) {
        return missing(file, _("VAE; give one with --vae"), error);
    }
    return make_schedule(model, file, second, error);
}

/* The folder that holds config.json and weights of the VAE at `path`, itself one; or NULL. */
static char *vae_folder(const char *path)
{
    g_autofree char *part = g_build_filename(path, "vae", NULL);
    return g_strdup(g_file_test(part, G_FILE_TEST_IS_DIR) ? part : path);
}

PenSafetensors *pen_checkpoint_open_vae(const char *path, PenVaeConfig *config, GError **error)
{
    gboolean is_folder = g_file_test(path, G_FILE_TEST_IS_DIR);
    g_autofree char *folder = is_folder ? vae_folder(path) : g_path_get_dirname(path);
    g_autofree char *config_file = g_build_filename(folder, "config.json", NULL);
    g_autoptr(PenSafetensors) file = pen_safetensors_open_model(is_folder ? folder : path, error);
    if (!file)
        return NULL;

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
    gboolean ok = g_file_test(config_file, G_FILE_TEST_EXISTS)
                      ? pen_vae_config_load(config, config_file, error)
                      : pen_vae_config_infer(config, file, error);
    return ok ? g_steal_pointer(&file) : NULL;
}
