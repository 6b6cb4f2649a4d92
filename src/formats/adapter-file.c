// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/adapter-file.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/formats/json.h"
#include "src/formats/safetensors-writer.h"

// What rounds to infinity in half precision and in bfloat16.
#define MAX_HALF 65520.0f
#define MAX_BF16 0x1.ffp127f

static void layer_free(gpointer data)
{
    PenAdapterLayer *layer = data;
    g_free(layer->path);
    g_free(layer->down);
    g_free(layer->up);
    g_free(layer);
}

PenAdapter *pen_adapter_new(void)
{
    PenAdapter *adapter = g_new0(PenAdapter, 1);
    adapter->layers = g_ptr_array_new_with_free_func(layer_free);
    return adapter;
}

void pen_adapter_free(PenAdapter *adapter)
{
    if (!adapter)
        return;
    g_ptr_array_unref(adapter->layers);
    g_free(adapter);
}

PenAdapterLayer *pen_adapter_add(PenAdapter *adapter, const char *path, gsize rank, gsize n_in,
                                 gsize n_out)
{
    PenAdapterLayer *layer = g_new0(PenAdapterLayer, 1);
    layer->path = g_strdup(path);
    layer->rank = rank;
    layer->n_in = n_in;
    layer->n_out = n_out;
    layer->down = g_new0(float, rank *n_in);
    layer->up = g_new0(float, n_out *rank);
    layer->alpha = (float)rank;
    g_ptr_array_add(adapter->layers, layer);
    return layer;
}

PenAdapterLayer *pen_adapter_lookup(const PenAdapter *adapter, const char *path)
{
    for (guint i = 0; i < adapter->layers->len; i++) {
        PenAdapterLayer *layer = adapter->layers->pdata[i];
        if (strcmp(layer->path, path) == 0)
            return layer;
    }
    return NULL;
}

char *pen_adapter_report_message(const PenAdapterReport *report)
{
    if (report->n_text_encoder == 0 && report->n_other == 0)
        return NULL;
    return g_strdup_printf(
        _("Parts of this adapter are not used: %u layers of the text encoder and %u "
          "others (for example “%s”). Its effect may differ from other programs'."),
        report->n_text_encoder, report->n_other, report->example);
}

void pen_adapter_report_clear(PenAdapterReport *report)
{
    g_clear_pointer(&report->example, g_free);
    report->n_text_encoder = report->n_other = 0;
}

// ------------------------------------------------------------------ names

typedef enum { DOWN, UP, ALPHA, FOREIGN, UNKNOWN } Role;

static const struct {
    const char *ending;
    Role role;
} roles[] = {
    { ".lora_down.weight", DOWN },
    { ".lora_up.weight", UP },
    { ".lora_A.weight", DOWN },
    { ".lora_B.weight", UP },
    { ".lora_A.default.weight", DOWN },
    { ".lora_B.default.weight", UP },
    { ".lora.down.weight", DOWN },
    { ".lora.up.weight", UP },
    { "_lora.down.weight", DOWN },
    { "_lora.up.weight", UP },
    { ".alpha", ALPHA },
    { ".lora_mid.weight", FOREIGN },
    { ".dora_scale", FOREIGN },
    { ".lora_magnitude_vector", FOREIGN },
    { ".lora_magnitude_vector.weight", FOREIGN },
    { ".hada_w1_a", FOREIGN },
    { ".lokr_w1", FOREIGN },
    { ".lokr_w1_a", FOREIGN },
};

// Splits a tensor's name into the layer's (new string) and what it is there.
static char *split_name(const char *name, Role *role)
{
    for (gsize i = 0; i < G_N_ELEMENTS(roles); i++)
        if (g_str_has_suffix(name, roles[i].ending)) {
            *role = roles[i].role;
            return g_strndup(name, strlen(name) - strlen(roles[i].ending));
        }
    *role = UNKNOWN;
    return g_strdup(name);
}

// All namings agree once dots are underscores, so that is the form in which names are compared.
static char *flatten(const char *path)
{
    return g_strdelimit(g_strdup(path), ".", '_');
}

// The place + 1 of a layer in the model's list, 0 if it is none of them.
static guint find_layer(GHashTable *places, const char *layer)
{
    // A text encoder's paths start with "text_encoder"; newer transformers leave "text_model" out.
    static const struct {
        const char *prefix, *stands_for;
    } prefixes[] = {
        { "lora_unet_", "" },
        { "unet_", "" },
        { "base_model_model_", "" },
        { "base_model_model_unet_", "" },
        { "", "" },
        { "lora_te_", "text_encoder_" },
        { "lora_te1_", "text_encoder_" },
        { "text_encoder_", "text_encoder_text_model_" },
    };
    g_autofree char *flat = flatten(layer);

    // Older files hang the matrices on the attention's processor, and leave out the 0 of to_out.0.
    char *processor = strstr(flat, "_processor_to_");
    if (processor) {
        const char *rest = processor + strlen("_processor");
        memmove(processor, rest, strlen(rest) + 1);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        if (!g_str_has_prefix(flat, prefixes[i].prefix))
            continue;
        g_autofree char *rest =
            g_strconcat(prefixes[i].stands_for, flat + strlen(prefixes[i].prefix), NULL);
        gpointer place = g_hash_table_lookup(places, rest);
        if (!place && g_str_has_suffix(rest, "_to_out")) {
            g_autofree char *longer = g_strconcat(rest, "_0", NULL);
            place = g_hash_table_lookup(places, longer);
        }
        if (place)
            return GPOINTER_TO_UINT(place);
    }
    return 0;
}

static gboolean is_text_encoder(const char *layer)
{
    static const char *const prefixes[] = { "lora_te", "text_encoder",
                                            "base_model.model.text_model", "text_model" };
    for (gsize i = 0; i < G_N_ELEMENTS(prefixes); i++)
        if (g_str_has_prefix(layer, prefixes[i]))
            return TRUE;
    return FALSE;
}

// ------------------------------------------------------------------ reading

// The tensors of one layer: down, up, alpha.
typedef struct {
    const PenSafetensor *parts[3];
} Found;

static gboolean invalid(GError **error, const PenSafetensors *tensors, const char *layer,
                        const char *reason)
{
    g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                _("“%s” cannot be read as an adapter: %s (layer “%s”)."),
                pen_safetensors_name(tensors), reason, layer);
    return FALSE;
}

// A matrix, or a convolution's kernel [out, in, kh, kw], which is one of in kh kw columns.
static gboolean is_matrix(const PenSafetensor *tensor)
{
    return tensor->n_elements > 0 && (tensor->n_dims == 2 || tensor->n_dims == 4);
}

static gsize columns(const PenSafetensor *matrix)
{
    return matrix->n_elements / matrix->dims[0];
}

static gboolean all_finite(const float *values, gsize n)
{
    float sum = 0;
    for (gsize i = 0; i < n; i++)
        sum += values[i] * 0.0f; // NaN as soon as one value is not finite; vectorises
    return sum == 0.0f;
}

static gboolean read_layer(PenAdapter *adapter, const PenSafetensors *tensors, const char *path,
                           const Found *found, float default_alpha, GError **error)
{
    const PenSafetensor *down = found->parts[DOWN], *up = found->parts[UP];
    const PenSafetensor *alpha = found->parts[ALPHA];

    if (!down || !up)
        return invalid(error, tensors, path, _("half of a layer is missing"));
    if (!is_matrix(down) || !is_matrix(up) || down->dims[0] != columns(up))
        return invalid(error, tensors, path, _("its two matrices do not fit each other"));
    if (alpha && alpha->n_elements != 1)
        return invalid(error, tensors, path, _("its alpha is not one number"));

    PenAdapterLayer *layer =
        pen_adapter_add(adapter, path, down->dims[0], columns(down), up->dims[0]);
    if (default_alpha > 0)
        layer->alpha = default_alpha;
    if (!pen_safetensor_to_f32(down, layer->down, error) ||
        !pen_safetensor_to_f32(up, layer->up, error) ||
        (alpha && !pen_safetensor_to_f32(alpha, &layer->alpha, error)))
        return FALSE;
    if (!all_finite(layer->down, down->n_elements) || !all_finite(layer->up, up->n_elements) ||
        !isfinite(layer->alpha))
        return invalid(error, tensors, path, _("it holds numbers that are not finite"));
    return TRUE;
}

// The settings that newer diffusers files carry, NULL if there are none. Alpha is there, if
// anywhere.
static PenJson *read_settings(const PenSafetensors *tensors)
{
    const char *text = pen_safetensors_metadata(tensors, "lora_adapter_metadata");
    g_autoptr(PenJson) settings =
        text ? pen_json_parse(text, strlen(text), pen_safetensors_name(tensors), NULL, NULL) : NULL;
    return settings && pen_json_is_object(settings) ? g_steal_pointer(&settings) : NULL;
}

static gboolean read_default_alpha(const PenJson *settings, const PenJson *pattern,
                                   const char *path, float *alpha, GError **error)
{
    double value = 0;
    if (settings && (!pen_json_get_double(settings, "unet.lora_alpha", &value, error) ||
                     (pattern && !pen_json_get_double(pattern, path, &value, error))))
        return FALSE;
    *alpha = (float)value;
    return TRUE;
}

static PenAdapter *read_layers(const PenSafetensors *tensors, const char *const *paths,
                               const Found *found, GError **error)
{
    g_autoptr(PenAdapter) adapter = pen_adapter_new();
    g_autoptr(PenJson) settings = read_settings(tensors);
    g_autoptr(PenJson) pattern = NULL;
    if (settings && !pen_json_get_object(settings, "unet.alpha_pattern", &pattern, error))
        return NULL;
    for (guint i = 0; paths[i]; i++) {
        float alpha;
        if (!found[i].parts[DOWN] && !found[i].parts[UP])
            continue;
        if (!read_default_alpha(settings, pattern, paths[i], &alpha, error) ||
            !read_layer(adapter, tensors, paths[i], &found[i], alpha, error))
            return NULL;
    }
    if (adapter->layers->len == 0) {
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                    _("“%s” holds no adapter for this kind of model."),
                    pen_safetensors_name(tensors));
        return NULL;
    }
    return g_steal_pointer(&adapter);
}

PenAdapter *pen_adapter_read(const char *file, const char *const *paths, PenAdapterReport *report,
                             GError **error)
{
    g_autoptr(PenSafetensors) tensors = pen_safetensors_open(file, error);
    if (!tensors)
        return NULL;

    g_autoptr(GHashTable) places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    guint n_paths = 0;
    for (; paths[n_paths]; n_paths++)
        g_hash_table_insert(places, flatten(paths[n_paths]), GUINT_TO_POINTER(n_paths + 1));

    g_autofree Found *found = g_new0(Found, n_paths + 1);
    g_autoptr(GHashTable) unused = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(PenAdapterReport) own_report = { 0 };
    for (guint i = 0; i < pen_safetensors_n_tensors(tensors); i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(tensors, i);
        Role role;
        g_autofree char *layer = split_name(tensor->name, &role);
        guint place = find_layer(places, layer);
        if (place && role == FOREIGN) {
            invalid(error, tensors, layer,
                    _("it is of a kind (LoHa, LoKr, DoRA, or LoCon with a third matrix) that is not "
                      "supported"));
            return NULL;
        }
        if (place && role != UNKNOWN) {
            const PenSafetensor **part = &found[place - 1].parts[role];
            if (*part) {
                invalid(error, tensors, layer, _("it holds a layer twice"));
                return NULL;
            }
            *part = tensor;
        } else if (!g_hash_table_contains(unused, layer)) {
            *(is_text_encoder(layer) ? &own_report.n_text_encoder : &own_report.n_other) += 1;
            if (!own_report.example)
                own_report.example = g_strdup(layer);
            g_hash_table_add(unused, g_steal_pointer(&layer));
        }
    }

    PenAdapter *adapter = read_layers(tensors, paths, found, error);
    if (adapter && report) {
        *report = own_report;
        own_report.example = NULL;
    }
    return adapter;
}

// ------------------------------------------------------------------ writing

static gboolean fits(const float *values, gsize n, PenSafetensorType type)
{
    float limit = type == PEN_SAFETENSOR_F16    ? MAX_HALF
                  : type == PEN_SAFETENSOR_BF16 ? MAX_BF16
                                                : INFINITY;
    for (gsize i = 0; i < n; i++)
        if (!(fabsf(values[i]) < limit)) // not a number: false too
            return FALSE;
    return TRUE;
}

static void set_info(PenSafetensorsWriter *writer, const PenAdapterInfo *info)
{
    if (!info)
        return;
    if (info->architecture) {
        g_autofree char *architecture = g_strconcat(info->architecture, "/lora", NULL);
        pen_safetensors_writer_set_metadata(writer, "modelspec.sai_model_spec", "1.0.0");
        pen_safetensors_writer_set_metadata(writer, "modelspec.architecture", architecture);
    }
    if (info->title)
        pen_safetensors_writer_set_metadata(writer, "modelspec.title", info->title);
    if (info->description)
        pen_safetensors_writer_set_metadata(writer, "modelspec.description", info->description);
}

// kohya's tools show one rank and one alpha for the file, and know "Dynamic" where layers differ.
static void set_kohya_metadata(PenSafetensorsWriter *writer, const PenAdapter *adapter)
{
    const PenAdapterLayer *first = adapter->layers->pdata[0];
    gboolean same_rank = TRUE, same_alpha = TRUE;
    char alpha[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *rank = g_strdup_printf("%" G_GSIZE_FORMAT, first->rank);

    g_ascii_formatd(alpha, sizeof alpha, "%.9g", first->alpha);
    for (guint i = 1; i < adapter->layers->len; i++) {
        const PenAdapterLayer *layer = adapter->layers->pdata[i];
        same_rank = same_rank && layer->rank == first->rank;
        same_alpha = same_alpha && layer->alpha == first->alpha;
    }
    pen_safetensors_writer_set_metadata(writer, "ss_network_module", "networks.lora");
    pen_safetensors_writer_set_metadata(writer, "ss_network_dim", same_rank ? rank : "Dynamic");
    pen_safetensors_writer_set_metadata(writer, "ss_network_alpha", same_alpha ? alpha : "Dynamic");
}

// The file's tensors and metadata; `name` is the file's for messages.
static PenSafetensorsWriter *make_writer(const PenAdapter *adapter, const char *name,
                                         PenAdapterFormat format, PenSafetensorType type,
                                         const PenAdapterInfo *info, GError **error)
{
    g_return_val_if_fail(adapter->layers->len > 0, NULL);
    gboolean kohya = format == PEN_ADAPTER_KOHYA;
    g_autoptr(PenSafetensorsWriter) writer = pen_safetensors_writer_new();

    pen_safetensors_writer_set_metadata(writer, "format", "pt");
    if (kohya)
        set_kohya_metadata(writer, adapter);
    set_info(writer, info);

    for (guint i = 0; i < adapter->layers->len; i++) {
        const PenAdapterLayer *layer = adapter->layers->pdata[i];
        const gsize down_dims[] = { layer->rank, layer->n_in };
        const gsize up_dims[] = { layer->n_out, layer->rank };
        gsize n_up = layer->n_out * layer->rank;
        g_autofree float *up = g_memdup2(layer->up, n_up * sizeof *up);
        float scale = kohya ? 1.0f : layer->alpha / (float)layer->rank;
        for (gsize k = 0; k < n_up; k++)
            up[k] *= scale;
        if (!fits(layer->down, layer->rank * layer->n_in, type) || !fits(up, n_up, type) ||
            !isfinite(layer->alpha)) {
            g_set_error(
                error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                _("“%s” cannot be written: layer “%s” holds numbers that are not finite or too "
                  "large for %s."),
                name, layer->path, pen_safetensor_type_name(type));
            return NULL;
        }

        g_autofree char *flat = flatten(layer->path);
        g_autofree char *base =
            kohya ? g_strconcat("lora_unet_", flat, NULL) : g_strconcat("unet.", layer->path, NULL);
        g_autofree char *down_name =
            g_strconcat(base, kohya ? ".lora_down.weight" : ".lora_A.weight", NULL);
        g_autofree char *up_name =
            g_strconcat(base, kohya ? ".lora_up.weight" : ".lora_B.weight", NULL);
        pen_safetensors_writer_add_floats(writer, down_name, type, 2, down_dims, layer->down);
        pen_safetensors_writer_add_floats(writer, up_name, type, 2, up_dims, up);
        if (kohya) {
            g_autofree char *alpha_name = g_strconcat(base, ".alpha", NULL);
            pen_safetensors_writer_add_floats(writer, alpha_name, PEN_SAFETENSOR_F32, 0, NULL,
                                              &layer->alpha);
        }
    }
    return g_steal_pointer(&writer);
}

gboolean pen_adapter_write(const PenAdapter *adapter, const char *file, PenAdapterFormat format,
                           PenSafetensorType type, const PenAdapterInfo *info, GError **error)
{
    g_autofree char *name = g_filename_display_name(file);
    g_autoptr(PenSafetensorsWriter) writer = make_writer(adapter, name, format, type, info, error);
    return writer && pen_safetensors_writer_save(writer, file, error);
}

GBytes *pen_adapter_to_bytes(const PenAdapter *adapter, PenAdapterFormat format,
                             PenSafetensorType type, const PenAdapterInfo *info, GError **error)
{
    g_autoptr(PenSafetensorsWriter) writer =
        make_writer(adapter, "safetensors", format, type, info, error);
    return writer ? pen_safetensors_writer_to_bytes(writer, error) : NULL;
}
