// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <string.h>

#include "src/cli/probe.h"
#include "src/engine/denoiser.h"
#include "src/formats/json.h"

/* --- tokens ------------------------------------------------------------------------------------
 */

static void add_ids(JsonObject *object, const PenTokenizer *tokenizer, const char *text)
{
    g_autoptr(GArray) ids = pen_tokenizer_encode(tokenizer, text, 0, NULL);
    JsonArray *array = json_array_sized_new(ids->len);
    for (guint i = 0; i < ids->len; i++)
        json_array_add_int_element(array, g_array_index(ids, gint32, i));
    json_object_set_array_member(object, "ids", array);
}

/* Of a tokenizer's folder, or of a model. */
static PenTokenizer *open_tokenizer(const char *model, GError **error)
{
    g_autofree char *inner = g_build_filename(model, "tokenizer", NULL);
    if (g_file_test(inner, G_FILE_TEST_IS_DIR))
        return pen_tokenizer_new(inner, error);
    if (g_file_test(model, G_FILE_TEST_IS_DIR))
        return pen_tokenizer_new(model, error);
    g_autoptr(PenModel) opened = pen_model_open(model, error);
    return opened ? g_steal_pointer(&opened->encoders[0].tokenizer) : NULL;
}

gboolean pen_probe_tokens(const char *model, const char *in, const char *out, GError **error)
{
    g_autoptr(PenTokenizer) tokenizer = open_tokenizer(model, error);
    g_autoptr(PenJson) json = tokenizer ? pen_json_load(in, error) : NULL;
    if (!json)
        return FALSE;
    if (!pen_json_is_array(json))
        return pen_cli_usage_error(error, _("%s must be a JSON list of objects with “text”."), in);
    g_autoptr(JsonNode) result = json_node_new(JSON_NODE_ARRAY);
    JsonArray *list = json_array_new();
    json_node_take_array(result, list);
    for (guint i = 0; i < pen_json_n_elements(json); i++) {
        g_autoptr(PenJson) element = pen_json_element(json, i);
        g_autofree char *text = NULL;
        if (!pen_json_require(element, error, "text", NULL) ||
            !pen_json_get_string(element, "text", &text, error))
            return FALSE;
        JsonObject *object = json_object_new(),
                   *from = json_node_get_object(pen_json_node(element));
        JsonObjectIter iter;
        const char *member;
        JsonNode *value;
        json_object_iter_init(&iter, from);
        while (json_object_iter_next(&iter, &member, &value))
            json_object_set_member(object, member, json_node_copy(value));
        add_ids(object, tokenizer, text);
        json_array_add_object_element(list, object);
    }
    g_autofree char *written = json_to_string(result, TRUE);
    g_autoptr(PenFileWriter) writer = pen_file_writer_new(out, error);
    return writer && pen_file_writer_write(writer, written, strlen(written), error) &&
           pen_file_writer_write(writer, "\n", 1, error) && pen_file_writer_commit(writer, error);
}

/* --- text encoder and VAE ----------------------------------------------------------------------
 */

/* [batch, tokens] of a text encoder; NULL with an error. */
static gint32 *read_ids(PenProbe *probe, const char *name, const PenTextEncoder *encoder,
                        gsize *dims, GError **error)
{
    g_autofree gint64 *wide = pen_probe_read_integers(probe, name, 2, dims, error);
    if (!wide)
        return NULL;
    if (dims[1] > encoder->config.positions) {
        pen_cli_usage_error(error, _("The model reads at most %u tokens."),
                            encoder->config.positions);
        return NULL;
    }
    gsize n = dims[0] * dims[1];
    g_autofree gint32 *ids = g_new(gint32, n);
    for (gsize i = 0; i < n; i++) {
        if (wide[i] < 0 || wide[i] >= encoder->config.vocabulary) {
            pen_cli_usage_error(error,
                                _("%" PRId64 " is not a token of this model, which has %u."),
                                wide[i], encoder->config.vocabulary);
            return NULL;
        }
        ids[i] = (gint32)wide[i];
    }
    return g_steal_pointer(&ids);
}

/* As PREFIXhidden and, of a model that has it, PREFIXpooled. */
static void write_conditionings(PenProbe *probe, const char *prefix,
                                PenConditioning *const *conditionings, gsize n)
{
    const PenConditioning *first = conditionings[0];
    gsize dims[3] = { n, first->tokens, first->channels }, size = dims[1] * dims[2];
    gsize pooled_dims[2] = { n, first->pooled_channels };
    g_autofree float *hidden = g_new(float, n *size);
    g_autofree float *pooled = g_new(float, n *pooled_dims[1]);
    g_autofree char *hidden_name = g_strconcat(prefix, "hidden", NULL);
    g_autofree char *pooled_name = g_strconcat(prefix, "pooled", NULL);

    for (gsize i = 0; i < n; i++) {
        memcpy(hidden + i * size, conditionings[i]->hidden, size * sizeof *hidden);
        if (pooled)
            memcpy(pooled + i * pooled_dims[1], conditionings[i]->pooled,
                   pooled_dims[1] * sizeof *pooled);
    }
    pen_probe_write(probe, hidden_name, 3, dims, hidden);
    if (pooled)
        pen_probe_write(probe, pooled_name, 2, pooled_dims, pooled);
}

static void free_conditionings(PenConditioning **conditionings, gsize n)
{
    for (gsize i = 0; i < n; i++)
        pen_conditioning_free(conditionings[i]);
    g_free(conditionings);
}

gboolean pen_probe_text(PenProbe *probe, GError **error)
{
    static const char *const names[] = { "input_ids", "input_ids_2" };
    const PenModel *model = probe->model;
    gint32 *ids[PEN_MODEL_MAX_ENCODERS] = { NULL };
    gsize dims[2] = { 0, 0 };
    gboolean ok = TRUE;

    for (guint e = 0; ok && e < model->n_encoders; e++)
        ok = (ids[e] = read_ids(probe, names[e], &model->encoders[e], dims, error)) != NULL;
    if (ok) {
        PenConditioning **conditionings = g_new0(PenConditioning *, dims[0]);
        ok = pen_runtime_encode_tokens(probe->runtime, (const gint32 *const *)ids, (guint)dims[0],
                                       (guint32)dims[1], NULL, conditionings, NULL, error);
        if (ok)
            write_conditionings(probe, "", conditionings, dims[0]);
        free_conditionings(conditionings, dims[0]);
    }
    for (guint e = 0; e < model->n_encoders; e++)
        g_free(ids[e]);
    return ok;
}

gboolean pen_probe_prompt(PenProbe *probe, GError **error)
{
    g_autoptr(PenPrompt) prompt = pen_prompt_new(probe->prompt, probe->reading);
    g_autoptr(PenPrompt) negative =
        probe->negative_prompt ? pen_prompt_new(probe->negative_prompt, probe->reading) : NULL;
    PenPrompt *prompts[2] = { prompt, negative };
    PenConditioning *conditionings[2];

    if (!probe->prompt)
        return pen_cli_usage_error(error, _("prompt needs a text: give --prompt TEXT."));
    if (!pen_runtime_encode_prompts(probe->runtime, prompts, 2, probe->clip_skip, conditionings,
                                    NULL, NULL, error))
        return FALSE;
    write_conditionings(probe, "", conditionings, 1);
    write_conditionings(probe, "negative_", conditionings + 1, 1);
    pen_conditioning_free(conditionings[0]);
    pen_conditioning_free(conditionings[1]);
    return TRUE;
}

gboolean pen_probe_vae_decode(PenProbe *probe, GError **error)
{
    const PenModel *model = probe->model;
    gsize dims[4] = { 0, model->vae.latent_channels, 0, 0 };
    g_autofree float *latents = pen_probe_read_pictures(probe, "latents", 4, dims, error);
    if (!latents)
        return FALSE;
    gsize out[4] = { dims[0], model->vae.out_channels, dims[2] * model->factor,
                     dims[3] * model->factor };
    g_autofree float *image = g_new(float, out[0] * out[1] * out[2] * out[3]);
    if (!pen_runtime_vae_decode(probe->runtime, latents, (guint)dims[0], (guint32)dims[2],
                                (guint32)dims[3], image, NULL, NULL, NULL, error))
        return FALSE;
    pen_probe_write_pictures(probe, "image", 4, out, image);
    return TRUE;
}

gboolean pen_probe_vae_encode(PenProbe *probe, GError **error)
{
    const PenModel *model = probe->model;
    gsize dims[4] = { 0, model->vae.in_channels, 0, 0 };
    g_autofree float *image = pen_probe_read_pictures(probe, "image", 4, dims, error);
    if (!image)
        return FALSE;
    if (dims[2] % model->factor || dims[3] % model->factor)
        return pen_cli_usage_error(
            error, _("The picture's height and width must be multiples of %u."), model->factor);
    gsize out[4] = { dims[0], model->vae.latent_channels, dims[2] / model->factor,
                     dims[3] / model->factor };
    gsize n = out[0] * out[1] * out[2] * out[3];
    g_autofree float *mean = g_new(float, n), *logvar = g_new(float, n);
    if (!pen_runtime_vae_encode(probe->runtime, image, (guint)dims[0], (guint32)dims[2],
                                (guint32)dims[3], mean, logvar, NULL, NULL, NULL, error))
        return FALSE;
    pen_probe_write_pictures(probe, "mean", 4, out, mean);
    pen_probe_write_pictures(probe, "logvar", 4, out, logvar);
    return TRUE;
}

/* --- UNet --------------------------------------------------------------------------------------
 */

typedef struct {
    gsize dims[4];    /* of the latents */
    float *sample;    /* the latents; in the file an inpainting model's further channels follow */
    float *condition; /* these; NULL if there are none */
    PenConditioning **conditionings; /* [dims[0]] */
    double *timesteps;
} UNetInput;

static void unet_input_clear(UNetInput *input)
{
    g_free(input->sample);
    g_free(input->condition);
    free_conditionings(input->conditionings, input->conditionings ? input->dims[0] : 0);
    g_free(input->timesteps);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UNetInput, unet_input_clear)

static void split_sample(UNetInput *input, gsize further)
{
    gsize all = input->dims[1], latent = all - further;
    gsize pixels = input->dims[0] * input->dims[2] * input->dims[3];
    g_autofree float *both = input->sample;

    input->dims[1] = latent;
    input->sample = g_new(float, pixels *latent);
    input->condition = g_new(float, pixels *further);
    for (gsize i = 0; i < pixels; i++) {
        memcpy(input->sample + i * latent, both + i * all, latent * sizeof *both);
        memcpy(input->condition + i * further, both + i * all + latent, further * sizeof *both);
    }
}

static gboolean read_unet_input(PenProbe *probe, UNetInput *input, GError **error)
{
    const PenModel *model = probe->model;
    input->dims[1] = model->unet.in_channels;
    input->sample = pen_probe_read_pictures(probe, "sample", 4, input->dims, error);
    if (!input->sample)
        return FALSE;
    if (model->condition_channels)
        split_sample(input, model->condition_channels);
    gsize n = input->dims[0];
    input->conditionings = pen_probe_read_conditionings(probe, "", n, error);
    if (!input->conditionings)
        return FALSE;
    g_autofree float *timesteps = pen_probe_read(probe, "timestep", 1, (gsize[]){ n }, error);
    if (!timesteps)
        return FALSE;
    input->timesteps = g_new(double, n);
    for (gsize i = 0; i < n; i++)
        input->timesteps[i] = timesteps[i];
    return TRUE;
}

static PenDenoiser *make_denoiser(PenProbe *probe, const UNetInput *input, gboolean gradient,
                                  GError **error)
{
    const PenProbeAdapter *adapter = probe->adapters->len ? probe->adapters->pdata[0] : NULL;
    PenDenoiserOptions options = {
        .height = (guint32)input->dims[2],
        .width = (guint32)input->dims[3],
        .pictures = (guint)input->dims[0],
        .tokens = input->conditionings[0]->tokens,
        .adapter = adapter ? adapter->adapter : NULL,
        .gradient = gradient,
        .sample_gradient = gradient,
        .shrinks = TRUE,
    };
    return pen_denoiser_new(probe->runtime, &options, error);
}

static gboolean run_unet(PenProbe *probe, PenDenoiser *denoiser, const UNetInput *input,
                         GError **error)
{
    gsize dims[4] = { input->dims[0], probe->model->unet.out_channels, input->dims[2],
                      input->dims[3] };
    g_autofree float *out = g_new(float, dims[0] * dims[1] * dims[2] * dims[3]);
    gsize condition = dims[2] * dims[3] * probe->model->condition_channels;
    for (guint i = 0; condition && i < dims[0]; i++)
        pen_denoiser_set_condition(denoiser, i, input->condition + i * condition);
    for (guint i = 0; i < dims[0]; i++)
        pen_denoiser_set_evaluation_conditioning(denoiser, i, input->conditionings[i]);
    if (!pen_denoiser_run_batch(denoiser, input->sample, input->timesteps, 1, out, NULL, error))
        return FALSE;
    pen_probe_write_pictures(probe, "out", 4, dims, out);
    return TRUE;
}

gboolean pen_probe_unet(PenProbe *probe, GError **error)
{
    g_auto(UNetInput) input = { 0 };
    if (!read_unet_input(probe, &input, error))
        return FALSE;
    g_autoptr(PenDenoiser) denoiser = make_denoiser(probe, &input, FALSE, error);
    return denoiser && run_unet(probe, denoiser, &input, error);
}

gboolean pen_probe_unet_grad(PenProbe *probe, GError **error)
{
    g_auto(UNetInput) input = { 0 };
    if (!probe->adapters->len)
        return pen_cli_usage_error(error, _("unet-grad needs an adapter: give --lora FILE."));
    const PenProbeAdapter *adapter = probe->adapters->pdata[0];
    if (!read_unet_input(probe, &input, error))
        return FALSE;
    gsize out[4] = { input.dims[0], probe->model->unet.out_channels, input.dims[2], input.dims[3] };
    g_autofree float *grad_out = pen_probe_read_pictures(probe, "grad_out", 4, out, error);
    g_autoptr(PenDenoiser) denoiser = grad_out ? make_denoiser(probe, &input, TRUE, error) : NULL;
    if (!denoiser || !run_unet(probe, denoiser, &input, error))
        return FALSE;
    g_autofree float *gradient = g_new(float, adapter->adapter->n_values);
    g_autofree float *sample =
        g_new(float, input.dims[0] * input.dims[1] * input.dims[2] * input.dims[3]);
    if (!pen_denoiser_backward_batch(denoiser, grad_out, gradient, NULL, error))
        return FALSE;
    pen_denoiser_sample_gradient(denoiser, sample);
    pen_probe_write_pictures(probe, "grad_sample", 4, input.dims, sample);
    pen_probe_write_gradient(probe, adapter, gradient);
    return TRUE;
}
