// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/adapter-file.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/formats/adapter-family.h"
#include "src/formats/adapter-scale.h"
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
    if (report->n_unused == 0)
        return NULL;
    return g_strdup_printf(
        g_dngettext(
            GETTEXT_PACKAGE,
            "%u of this adapter's %u layers is not used (“%s”): its effect may differ from "
            "other programs'.",
            "%u of this adapter's %u layers are not used (for example “%s”): its effect may "
            "differ from other programs'.",
            report->n_unused),
        report->n_unused, report->n_layers, report->example);
}

void pen_adapter_report_clear(PenAdapterReport *report)
{
    g_clear_pointer(&report->example, g_free);
    report->n_layers = report->n_unused = 0;
}

void pen_adapter_report_add_unused(PenAdapterReport *report, const char *layer)
{
    report->n_unused++;
    if (!report->example)
        report->example = g_strdup(layer);
}

// ------------------------------------------------------------------ reading

// The tensors of one layer, by PenAdapterRole.
typedef struct {
    char *named; // the layer in the file
    const PenSafetensor *parts[PEN_ADAPTER_ALPHA + 1];
} Found;

static void found_clear(gpointer data)
{
    g_free(((Found *)data)->named);
}

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

// LoCon's three parts as two: down[b, in] by a 1x1 convolution, mid[a, b, kh, kw], up[out, a] come
// to up and down'[a, in, kh, kw], the sum over b of mid and down.
static gboolean fold_mid(PenAdapterLayer *layer, const PenSafetensor *mid,
                         const PenSafetensor *down, GError **error)
{
    gsize rank = down->dims[0], in = columns(down), area = mid->dims[2] * mid->dims[3];
    g_autofree float *m = g_new(float, mid->n_elements), *d = g_new(float, down->n_elements);
    if (!pen_safetensor_to_f32(mid, m, error) || !pen_safetensor_to_f32(down, d, error))
        return FALSE;
    for (gsize a = 0; a < layer->rank; a++)
        for (gsize b = 0; b < rank; b++)
            for (gsize i = 0; i < in; i++)
                for (gsize p = 0; p < area; p++)
                    layer->down[(a * in + i) * area + p] +=
                        m[(a * rank + b) * area + p] * d[b * in + i];
    return TRUE;
}

// Whole numbers and what has fewer bits stand for others, by scales that no reader here knows.
static gboolean check_types(const PenSafetensors *tensors, const PenSafetensor *const *parts,
                            GError **error)
{
    static const PenAdapterRole matrices[] = { PEN_ADAPTER_DOWN, PEN_ADAPTER_UP, PEN_ADAPTER_MID };
    for (gsize i = 0; i < G_N_ELEMENTS(matrices); i++) {
        const PenSafetensor *part = parts[matrices[i]];
        if (!part || part->type == PEN_SAFETENSOR_F16 || part->type == PEN_SAFETENSOR_BF16 ||
            part->type == PEN_SAFETENSOR_F32 || part->type == PEN_SAFETENSOR_F64)
            continue;
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED,
                    _("“%s” keeps its layers in the type %s, which Penchant does not read: choose "
                      "the version of the adapter in 16 or 32 bits."),
                    pen_safetensors_name(tensors), pen_safetensor_type_name(part->type));
        return FALSE;
    }
    return TRUE;
}

static gboolean read_layer(PenAdapter *adapter, const PenSafetensors *tensors, const char *path,
                           const Found *found, PenAdapterScale *scale, GError **error)
{
    const PenSafetensor *down = found->parts[PEN_ADAPTER_DOWN], *up = found->parts[PEN_ADAPTER_UP];
    const PenSafetensor *mid = found->parts[PEN_ADAPTER_MID];
    const PenSafetensor *alpha = found->parts[PEN_ADAPTER_ALPHA];

    if (!down || !up)
        return invalid(error, tensors, path, _("half of a layer is missing"));
    if (!is_matrix(down) || !is_matrix(up) ||
        (mid && (mid->n_dims != 4 || mid->n_elements == 0 || mid->dims[1] != down->dims[0])) ||
        (mid ? mid : down)->dims[0] != columns(up))
        return invalid(error, tensors, path, _("its matrices do not fit each other"));
    if (!check_types(tensors, found->parts, error))
        return FALSE;
    if (alpha && alpha->n_elements != 1)
        return invalid(error, tensors, path, _("its alpha is not one number"));

    gsize area = mid ? mid->dims[2] * mid->dims[3] : 1;
    PenAdapterLayer *layer =
        pen_adapter_add(adapter, path, columns(up), columns(down) * area, up->dims[0]);
    if (!(mid ? fold_mid(layer, mid, down, error)
              : pen_safetensor_to_f32(down, layer->down, error)) ||
        !pen_safetensor_to_f32(up, layer->up, error) ||
        (alpha && !pen_safetensor_to_f32(alpha, &layer->alpha, error)))
        return FALSE;
    // An alpha of 0 is none: the trainers that write it (kohya's) draw with the rank.
    if ((!alpha || layer->alpha == 0) &&
        !pen_adapter_scale_get(scale, path, found->named, layer->rank, &layer->alpha, error))
        return FALSE;
    if (!all_finite(layer->down, layer->rank * layer->n_in) ||
        !all_finite(layer->up, up->n_elements) || !isfinite(layer->alpha))
        return invalid(error, tensors, path, _("it holds numbers that are not finite"));
    return TRUE;
}

// What LyCORIS' algorithm "full" and ComfyUI write in place of two matrices. Beside LoRA layers
// ComfyUI writes those of norms and biases so, which hardly matter.
static gboolean is_difference(const PenSafetensor *tensor)
{
    return tensor->n_dims > 1 && g_str_has_suffix(tensor->name, ".diff");
}

// Sorts the file's tensors into found[by place]; counts the layers, and those that are none of the
// model's.
static gboolean sort_tensors(const PenSafetensors *tensors, const PenAdapterNames *names,
                             GArray *found, PenAdapterReport *report, GError **error)
{
    g_autoptr(GHashTable) unused = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < pen_safetensors_n_tensors(tensors); i++) {
        const PenSafetensor *tensor = pen_safetensors_nth(tensors, i);
        g_auto(PenAdapterName) name = pen_adapter_names_read(names, tensor->name);
        if (name.role == PEN_ADAPTER_OTHER && is_difference(tensor)) {
            name.role = PEN_ADAPTER_FOREIGN;
            name.kind = _("whole differences");
        }
        if (name.role == PEN_ADAPTER_FOREIGN) {
            g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED,
                        _("“%s” is an adapter of the kind %s, which Penchant cannot use: choose a "
                          "LoRA (layer “%s”)."),
                        pen_safetensors_name(tensors), name.kind, name.layer);
            return FALSE;
        }
        if (name.place < 0 || name.role == PEN_ADAPTER_OTHER) {
            if (g_hash_table_contains(unused, name.layer))
                continue;
            report->n_layers++;
            pen_adapter_report_add_unused(report, name.layer);
            g_hash_table_add(unused, g_steal_pointer(&name.layer));
            continue;
        }
        Found *layer = &g_array_index(found, Found, name.place);
        if (layer->parts[name.role])
            return invalid(error, tensors, name.layer,
                           _("it holds a layer twice; a file with several adapters has to be "
                             "split"));
        layer->parts[name.role] = tensor;
        if (!layer->named) {
            layer->named = g_steal_pointer(&name.layer);
            report->n_layers++;
        }
    }
    return TRUE;
}

static gboolean holds_adapter(const PenSafetensors *tensors, const PenAdapterNames *names)
{
    for (guint i = 0; i < pen_safetensors_n_tensors(tensors); i++) {
        g_auto(PenAdapterName) name =
            pen_adapter_names_read(names, pen_safetensors_nth(tensors, i)->name);
        if (name.role != PEN_ADAPTER_OTHER)
            return TRUE;
    }
    return FALSE;
}

// What a file is for if it names another family than the model's, or hardly has the model's layers.
static gboolean check_family(const PenSafetensors *tensors, const PenAdapterNames *names,
                             const PenAdapterReport *report, GError **error)
{
    PenModelFamily model = pen_adapter_names_family(names);
    PenModelFamily family = pen_adapter_family(tensors);
    gboolean other = family && model && family != model;
    if (!other && report->n_layers > 0 && 2 * report->n_unused <= report->n_layers)
        return TRUE;
    const char *example = report->example ? report->example : "";
    if (other)
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                    _("“%s” is an adapter for %s, and this model is %s: choose a model of the "
                      "adapter's kind, or another adapter."),
                    pen_safetensors_name(tensors), pen_model_family_label(family),
                    pen_model_family_label(model));
    else if (!report->n_layers)
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                    _("“%s” holds nothing at all: download it again."),
                    pen_safetensors_name(tensors));
    else if (!holds_adapter(tensors, names))
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED,
                    _("“%s” is no adapter: if it is a model or a VAE, choose it as such; an "
                      "embedding belongs in the models folder, and its name in the prompt."),
                    pen_safetensors_name(tensors));
    else
        g_set_error(
            error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
            _("“%s” holds no adapter for this kind of model: %u of its %u layers are none of "
              "the model's (for example “%s”, named in the manner of %s)."),
            pen_safetensors_name(tensors), report->n_unused, report->n_layers, example,
            pen_adapter_naming(example));
    return FALSE;
}

char *pen_adapter_settings_file(const char *file, const PenSafetensors *tensors)
{
    g_autofree char *folder =
        g_file_test(file, G_FILE_TEST_IS_DIR) ? g_strdup(file) : g_path_get_dirname(file);
    g_autofree char *path = g_build_filename(folder, "adapter_config.json", NULL);
    gboolean peft = FALSE; // an adapter in another naming only happens to lie there
    for (guint i = 0; !peft && i < pen_safetensors_n_tensors(tensors); i++)
        peft = strstr(pen_safetensors_nth(tensors, i)->name, ".lora_A") != NULL;
    return peft && !pen_safetensors_metadata(tensors, PEN_ADAPTER_METADATA) &&
                   g_file_test(path, G_FILE_TEST_EXISTS)
               ? g_steal_pointer(&path)
               : NULL;
}

PenAdapter *pen_adapter_read(const char *file, const PenAdapterNames *names,
                             PenAdapterReport *report, GError **error)
{
    g_autoptr(PenSafetensors) tensors = pen_safetensors_open_model(file, error);
    if (!tensors)
        return NULL;
    guint n = pen_adapter_names_count(names);
    g_autoptr(GArray) found = g_array_sized_new(FALSE, TRUE, sizeof(Found), n);
    g_array_set_clear_func(found, found_clear);
    g_array_set_size(found, n);
    g_auto(PenAdapterReport) own_report = { 0 };
    if (!sort_tensors(tensors, names, found, &own_report, error) ||
        !check_family(tensors, names, &own_report, error))
        return NULL;

    g_autofree char *settings = pen_adapter_settings_file(file, tensors);
    g_autoptr(PenAdapterScale) scale = pen_adapter_scale_new(tensors, settings, error);
    g_autoptr(PenAdapter) adapter = pen_adapter_new();
    for (guint i = 0; scale && i < n; i++) {
        const Found *layer = &g_array_index(found, Found, i);
        if (layer->named &&
            !read_layer(adapter, tensors, pen_adapter_names_path(names, i), layer, scale, error))
            return NULL;
    }
    if (!scale || !pen_safetensors_check(tensors, error))
        return NULL;
    if (report) {
        *report = own_report;
        own_report.example = NULL;
    }
    return g_steal_pointer(&adapter);
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
    for (const char *const *pair = info->more; pair && *pair; pair += 2)
        pen_safetensors_writer_set_metadata(writer, pair[0], pair[1]);
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

        g_autofree char *flat = g_strdelimit(g_strdup(layer->path), ".", '_');
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
