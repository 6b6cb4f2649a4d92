// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/safetensors.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <string.h>

#include "compute/half.h"
#include "src/formats/file-kind.h"
#include "src/formats/json.h"

#if G_BYTE_ORDER != G_LITTLE_ENDIAN
#error "safetensors files are little-endian, and their data is used in place"
#endif

// The format's own limit on the header, a bound on what a real one holds (three levels; about ten
// values a tensor), and one on a dimension so that no sane product of a few can overflow unseen.
static const PenJsonLimits header_limits = { 100000000, 4, 2000000 };
#define MAX_DIM ((gint64)1 << 40)

static const struct {
    const char *name;
    gsize size;
} types[] = {
    [PEN_SAFETENSOR_BOOL] = { "BOOL", 1 },       [PEN_SAFETENSOR_U8] = { "U8", 1 },
    [PEN_SAFETENSOR_I8] = { "I8", 1 },           [PEN_SAFETENSOR_F8_E5M2] = { "F8_E5M2", 1 },
    [PEN_SAFETENSOR_F8_E4M3] = { "F8_E4M3", 1 }, [PEN_SAFETENSOR_I16] = { "I16", 2 },
    [PEN_SAFETENSOR_U16] = { "U16", 2 },         [PEN_SAFETENSOR_F16] = { "F16", 2 },
    [PEN_SAFETENSOR_BF16] = { "BF16", 2 },       [PEN_SAFETENSOR_I32] = { "I32", 4 },
    [PEN_SAFETENSOR_U32] = { "U32", 4 },         [PEN_SAFETENSOR_F32] = { "F32", 4 },
    [PEN_SAFETENSOR_F64] = { "F64", 8 },         [PEN_SAFETENSOR_I64] = { "I64", 8 },
    [PEN_SAFETENSOR_U64] = { "U64", 8 },
};

struct _PenSafetensors {
    gatomicrefcount ref_count;
    char *name;
    GPtrArray *files; // GBytes, the mappings
    GStringChunk *strings;
    GArray *tensors;      // PenSafetensor
    GHashTable *indices;  // name -> index + 1
    GHashTable *metadata; // strings
};

const char *pen_safetensor_type_name(PenSafetensorType type)
{
    return types[type].name;
}

gsize pen_safetensor_type_size(PenSafetensorType type)
{
    return types[type].size;
}

static gboolean invalid(GError **error, const char *file, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static gboolean invalid(GError **error, const char *file, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                _("“%s” is damaged or not a safetensors file: %s."), file, message);
    return FALSE;
}

// ------------------------------------------------------------------ the header

static gboolean get_whole(JsonNode *node, gint64 *value)
{
    if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64)
        return FALSE;
    *value = json_node_get_int(node);
    return *value >= 0;
}

static JsonArray *get_array(JsonObject *object, const char *key)
{
    JsonNode *node = json_object_get_member(object, key);
    return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

static const char *get_string(JsonNode *node)
{
    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
               ? json_node_get_string(node)
               : NULL;
}

// Fills in everything but `data`, for which `*offset` gets the place in the data block.
static gboolean parse_tensor(PenSafetensor *tensor, JsonNode *node, gsize data_size, gsize *offset,
                             const char *file, GError **error)
{
    const char *name = tensor->name;
    if (!JSON_NODE_HOLDS_OBJECT(node))
        return invalid(error, file, _("the entry of tensor “%s” is not an object"), name);
    JsonObject *object = json_node_get_object(node);

    const char *type = get_string(json_object_get_member(object, "dtype"));
    guint t = 0;
    while (type && t < G_N_ELEMENTS(types) && strcmp(type, types[t].name) != 0)
        t++;
    if (!type || t == G_N_ELEMENTS(types))
        return invalid(error, file, _("tensor “%s” has the unknown type “%s”"), name,
                       type ? type : "");
    tensor->type = t;

    JsonArray *shape = get_array(object, "shape");
    if (!shape || json_array_get_length(shape) > PEN_SAFETENSOR_MAX_DIMS)
        return invalid(error, file, _("tensor “%s” has no usable shape"), name);
    tensor->n_dims = json_array_get_length(shape);
    // Dimensions are multiplied without the zeros, so that a zero cannot hide an overflow.
    gsize elements = 1, empty = 1;
    for (guint i = 0; i < tensor->n_dims; i++) {
        gint64 dim;
        if (!get_whole(json_array_get_element(shape, i), &dim) || dim > MAX_DIM ||
            !g_size_checked_mul(&elements, elements, MAX((gsize)dim, 1)))
            return invalid(error, file, _("tensor “%s” has an impossible shape"), name);
        tensor->dims[i] = (gsize)dim;
        empty *= dim > 0;
    }
    if (!g_size_checked_mul(&tensor->size, elements, types[t].size))
        return invalid(error, file, _("tensor “%s” has an impossible shape"), name);
    tensor->size *= empty;
    tensor->n_elements = elements * empty;

    JsonArray *offsets = get_array(object, "data_offsets");
    gint64 begin, end;
    if (!offsets || json_array_get_length(offsets) != 2 ||
        !get_whole(json_array_get_element(offsets, 0), &begin) ||
        !get_whole(json_array_get_element(offsets, 1), &end) || begin > end ||
        (guint64)end > data_size)
        return invalid(error, file,
                       _("the data of tensor “%s” lies outside the file; if that was cut off, "
                         "download it again"),
                       name);
    if ((guint64)(end - begin) != tensor->size)
        return invalid(error, file, _("tensor “%s” needs %zu bytes, but has %" PRId64), name,
                       tensor->size, end - begin);
    *offset = (gsize)begin;
    return TRUE;
}

static gboolean parse_metadata(PenSafetensors *self, JsonNode *node, const char *file,
                               GError **error)
{
    if (!JSON_NODE_HOLDS_OBJECT(node))
        return invalid(error, file, _("its metadata is not an object"));
    JsonObjectIter iter;
    const char *key;
    JsonNode *value;
    json_object_iter_init(&iter, json_node_get_object(node));
    while (json_object_iter_next(&iter, &key, &value)) {
        const char *string = get_string(value);
        if (!string)
            return invalid(error, file, _("its metadata holds more than strings"));
        if (!g_hash_table_contains(self->metadata, key))
            g_hash_table_insert(self->metadata, g_strdup(key), g_strdup(string));
    }
    return TRUE;
}

static int compare_places(gconstpointer a, gconstpointer b)
{
    const PenSafetensor *x = a, *y = b;
    const char *x_end = (const char *)x->data + x->size, *y_end = (const char *)y->data + y->size;
    if (x->data != y->data)
        return (const char *)x->data < (const char *)y->data ? -1 : 1;
    return x_end < y_end ? -1 : x_end > y_end;
}

// Reads one file's header, checks it, and appends its tensors.
static gboolean add_file(PenSafetensors *self, const char *path, GError **error)
{
    g_autofree char *file = g_filename_display_name(path);
    GBytes *bytes = pen_file_map(path, G_MAXINT64, error);
    if (!bytes)
        return FALSE;
    g_ptr_array_add(self->files, bytes);

    gsize size;
    const char *content = g_bytes_get_data(bytes, &size);
    guint64 header_size = 0;
    if (size >= sizeof header_size)
        memcpy(&header_size, content, sizeof header_size);
    if (size < sizeof header_size + 2 || header_size < 2 || header_size > header_limits.size ||
        content[sizeof header_size] != '{')
        return !pen_file_kind_explain(file, content, size, error) &&
               invalid(error, file, _("it does not begin with a header"));
    if (header_size > size - sizeof header_size)
        return invalid(error, file, _("its header is cut off; download it again"));
    const char *header = content + sizeof header_size;
    const char *data = header + header_size;
    gsize data_size = size - sizeof header_size - header_size;

    g_autoptr(PenJson) json = NULL;
    json = pen_json_parse(header, header_size, file, &header_limits, error);
    if (!json)
        return FALSE;

    g_autoptr(GArray) tensors = g_array_new(FALSE, TRUE, sizeof(PenSafetensor));
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;
    json_object_iter_init(&iter, json_node_get_object(pen_json_node(json)));
    while (json_object_iter_next(&iter, &name, &node)) {
        if (strcmp(name, "__metadata__") == 0) {
            if (!parse_metadata(self, node, file, error))
                return FALSE;
            continue;
        }
        PenSafetensor tensor = { .name = g_string_chunk_insert(self->strings, name) };
        gsize offset = 0;
        if (!parse_tensor(&tensor, node, data_size, &offset, file, error))
            return FALSE;
        tensor.data = data + offset;
        g_array_append_val(tensors, tensor);
    }

    g_array_sort(tensors, compare_places);
    const char *end = data;
    for (guint i = 0; i < tensors->len; i++) {
        const PenSafetensor *tensor = &g_array_index(tensors, PenSafetensor, i);
        if ((const char *)tensor->data != end)
            return invalid(error, file,
                           _("the data of tensor “%s” does not follow its neighbour's"),
                           tensor->name);
        end += tensor->size;
        if (g_hash_table_contains(self->indices, tensor->name))
            return invalid(error, file, _("tensor “%s” is in another file of the model too"),
                           tensor->name);
        g_array_append_vals(self->tensors, tensor, 1);
        g_hash_table_insert(self->indices, (gpointer)tensor->name,
                            GUINT_TO_POINTER(self->tensors->len));
    }
    if (end != data + data_size)
        return invalid(error, file, _("there are bytes after the last tensor"));
    return TRUE;
}

static PenSafetensors *new_empty(const char *path)
{
    PenSafetensors *self = g_new0(PenSafetensors, 1);
    g_atomic_ref_count_init(&self->ref_count);
    self->name = g_filename_display_name(path);
    self->files = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    self->strings = g_string_chunk_new(4096);
    self->tensors = g_array_new(FALSE, TRUE, sizeof(PenSafetensor));
    self->indices = g_hash_table_new(g_str_hash, g_str_equal);
    self->metadata = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return self;
}

PenSafetensors *pen_safetensors_open(const char *path, GError **error)
{
    g_autoptr(PenSafetensors) self = new_empty(path);
    return add_file(self, path, error) ? g_steal_pointer(&self) : NULL;
}

// ------------------------------------------------------------------ shards

// A shard's name must be a plain one, so that an index cannot reach outside its folder.
static gboolean is_plain_name(const char *name)
{
    return g_str_has_suffix(name, ".safetensors") && name[0] != '.' && !strpbrk(name, "/\\");
}

static int compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// All of them must be there; one by one, a person would fetch them one by one.
static gboolean check_shards(const char *index, const char *folder, GPtrArray *shards,
                             GError **error)
{
    const char *first = NULL;
    guint missing = 0;
    for (guint i = 0; i < shards->len; i++) {
        g_autofree char *path = g_build_filename(folder, shards->pdata[i], NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS))
            continue;
        first = missing++ ? first : shards->pdata[i];
    }
    if (missing)
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                    _("“%s” only lists the files that hold the weights, of which %u of %u are "
                      "missing (“%s”): download them into the same folder."),
                    index, missing, shards->len, first);
    return !missing;
}

PenSafetensors *pen_safetensors_open_sharded(const char *index_path, GError **error)
{
    g_autoptr(PenSafetensors) self = new_empty(index_path);
    g_autoptr(PenJson) index = pen_json_load(index_path, error);
    g_autoptr(PenJson) map = NULL;
    if (!index)
        return NULL;
    if (!pen_json_has(index, "weight_map")) {
        g_set_error(
            error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED,
            _("“%s” holds no weights and no list of files that do: choose the folder that it "
              "lies in, or a .safetensors file."),
            self->name);
        return NULL;
    }
    if (!pen_json_get_object(index, "weight_map", &map, error))
        return NULL;

    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) shards = g_ptr_array_new();
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;
    json_object_iter_init(&iter, json_node_get_object(pen_json_node(map)));
    while (json_object_iter_next(&iter, &name, &node)) {
        const char *shard = get_string(node);
        if (!shard || !is_plain_name(shard)) {
            pen_json_set_error(
                map, name, error,
                _("the name of a .safetensors file in the same folder is expected."));
            return NULL;
        }
        if (g_hash_table_add(seen, (gpointer)shard))
            g_ptr_array_add(shards, (gpointer)shard);
    }
    g_ptr_array_sort(shards, compare_strings);

    g_autofree char *folder = g_path_get_dirname(index_path);
    if (!check_shards(self->name, folder, shards, error))
        return NULL;

    // The tensors of shard i are ends[i - 1] <= index < ends[i].
    g_autofree guint *ends = g_new0(guint, shards->len + 1);
    g_autoptr(GHashTable) numbers = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < shards->len; i++) {
        g_autofree char *path = g_build_filename(folder, shards->pdata[i], NULL);
        if (!add_file(self, path, error))
            return NULL;
        ends[i] = self->tensors->len;
        g_hash_table_insert(numbers, shards->pdata[i], GUINT_TO_POINTER(i));
    }

    json_object_iter_init(&iter, json_node_get_object(pen_json_node(map)));
    while (json_object_iter_next(&iter, &name, &node)) {
        const char *shard = get_string(node);
        guint number = GPOINTER_TO_UINT(g_hash_table_lookup(numbers, shard));
        guint place = GPOINTER_TO_UINT(g_hash_table_lookup(self->indices, name));
        if (place > ends[number] || place <= (number ? ends[number - 1] : 0)) {
            pen_json_set_error(map, name, error, _("“%s” does not hold this tensor."), shard);
            return NULL;
        }
    }
    return g_steal_pointer(&self);
}

gboolean pen_safetensors_check(const PenSafetensors *tensors, GError **error)
{
    for (guint i = 0; i < tensors->files->len; i++)
        if (!pen_file_map_check(tensors->files->pdata[i], error))
            return FALSE;
    return TRUE;
}

gboolean pen_safetensors_is_current(const PenSafetensors *tensors)
{
    for (guint i = 0; i < tensors->files->len; i++)
        if (!pen_file_map_is_current(tensors->files->pdata[i]))
            return FALSE;
    return TRUE;
}

// More than the end of any real model has of zeros.
#define ZEROS 65536

gboolean pen_safetensors_check_end(const PenSafetensors *tensors, GError **error)
{
    for (guint i = 0; i < tensors->files->len; i++) {
        gsize size, zeros = 0;
        const char *end = g_bytes_get_data(tensors->files->pdata[i], &size);
        end += size;
        while (zeros < MIN(size, ZEROS) && *--end == 0)
            zeros++;
        if (zeros == ZEROS) {
            g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                        _("“%s” ends in nothing but zeros: its download did not finish; download "
                          "it again."),
                        tensors->name);
            return FALSE;
        }
    }
    return TRUE;
}

// ------------------------------------------------------------------ views

PenSafetensors *pen_safetensors_new_view(const PenSafetensors *of)
{
    PenSafetensors *self = new_empty(of->name);
    for (guint i = 0; i < of->files->len; i++)
        g_ptr_array_add(self->files, g_bytes_ref(of->files->pdata[i]));
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, of->metadata);
    while (g_hash_table_iter_next(&iter, &key, &value))
        g_hash_table_insert(self->metadata, g_strdup(key), g_strdup(value));
    return self;
}

gboolean pen_safetensors_view_add(PenSafetensors *view, const char *name,
                                  const PenSafetensor *tensor, GError **error)
{
    if (g_hash_table_contains(view->indices, name))
        return invalid(error, view->name, _("it holds tensor “%s” under two names"), name);
    PenSafetensor renamed = *tensor;
    renamed.name = g_string_chunk_insert(view->strings, name);
    g_array_append_val(view->tensors, renamed);
    g_hash_table_insert(view->indices, (gpointer)renamed.name,
                        GUINT_TO_POINTER(view->tensors->len));
    return TRUE;
}

PenSafetensor pen_safetensor_rows(const PenSafetensor *tensor, gsize first, gsize count)
{
    PenSafetensor rows = *tensor;
    g_assert(tensor->n_dims > 0 && first <= tensor->dims[0] && count <= tensor->dims[0] - first);
    gsize n = tensor->dims[0];
    rows.dims[0] = count;
    rows.n_elements = n ? tensor->n_elements / n * count : 0;
    rows.size = n ? tensor->size / n * count : 0;
    rows.data = (const char *)tensor->data + (n ? tensor->size / n * first : 0);
    return rows;
}

// ------------------------------------------------------------------ access

PenSafetensors *pen_safetensors_ref(PenSafetensors *self)
{
    g_atomic_ref_count_inc(&self->ref_count);
    return self;
}

void pen_safetensors_unref(PenSafetensors *self)
{
    if (!self || !g_atomic_ref_count_dec(&self->ref_count))
        return;
    g_free(self->name);
    g_ptr_array_unref(self->files);
    g_hash_table_unref(self->indices);
    g_hash_table_unref(self->metadata);
    g_array_unref(self->tensors);
    g_string_chunk_free(self->strings);
    g_free(self);
}

const char *pen_safetensors_name(const PenSafetensors *self)
{
    return self->name;
}

guint pen_safetensors_n_tensors(const PenSafetensors *self)
{
    return self->tensors->len;
}

const PenSafetensor *pen_safetensors_nth(const PenSafetensors *self, guint index)
{
    g_return_val_if_fail(index < self->tensors->len, NULL);
    return &g_array_index(self->tensors, PenSafetensor, index);
}

const PenSafetensor *pen_safetensors_lookup(const PenSafetensors *self, const char *name)
{
    guint place = GPOINTER_TO_UINT(g_hash_table_lookup(self->indices, name));
    return place ? pen_safetensors_nth(self, place - 1) : NULL;
}

const PenSafetensor *pen_safetensors_require(const PenSafetensors *self, const char *name,
                                             GError **error)
{
    const PenSafetensor *tensor = pen_safetensors_lookup(self, name);
    if (!tensor)
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_NOT_FOUND,
                    _("“%s” holds no tensor “%s”."), self->name, name);
    return tensor;
}

const char *pen_safetensors_metadata(const PenSafetensors *self, const char *key)
{
    return g_hash_table_lookup(self->metadata, key);
}

char *pen_safetensor_shape(const PenSafetensor *tensor)
{
    GString *text = g_string_new("[");
    for (guint i = 0; i < tensor->n_dims; i++)
        g_string_append_printf(text, "%s%" G_GSIZE_FORMAT, i ? ", " : "", tensor->dims[i]);
    g_string_append_c(text, ']');
    return g_string_free(text, FALSE);
}

#define CONVERT(type)                                                                              \
    for (gsize i = 0; i < tensor->n_elements; i++) {                                               \
        type value;                                                                                \
        memcpy(&value, (const char *)tensor->data + i * sizeof value, sizeof value);               \
        out[i] = value;                                                                            \
    }                                                                                              \
    return TRUE

PenSafetensor pen_safetensor_transposed(const PenSafetensor *matrix)
{
    PenSafetensor other = *matrix;
    g_return_val_if_fail(matrix->n_dims == 2, other);
    other.dims[0] = matrix->dims[1];
    other.dims[1] = matrix->dims[0];
    other.transposed = !matrix->transposed;
    return other;
}

static gboolean transpose_to_f32(const PenSafetensor *tensor, float *out, GError **error)
{
    PenSafetensor stored = pen_safetensor_transposed(tensor);
    gsize rows = stored.dims[0], columns = stored.dims[1];
    g_autofree float *values = g_new(float, stored.n_elements);
    if (!pen_safetensor_to_f32(&stored, values, error))
        return FALSE;
    for (gsize r = 0; r < rows; r++)
        for (gsize c = 0; c < columns; c++)
            out[c * rows + r] = values[r * columns + c];
    return TRUE;
}

gboolean pen_safetensor_to_f32(const PenSafetensor *tensor, float *out, GError **error)
{
    if (tensor->n_elements == 0)
        return TRUE;
    if (tensor->transposed)
        return transpose_to_f32(tensor, out, error);
    switch (tensor->type) {
    case PEN_SAFETENSOR_F32:
        memcpy(out, tensor->data, tensor->size);
        return TRUE;
    case PEN_SAFETENSOR_F16:
        pen_half_to_floats(out, tensor->data, tensor->n_elements);
        return TRUE;
    case PEN_SAFETENSOR_BF16:
        pen_bf16_to_floats(out, tensor->data, tensor->n_elements);
        return TRUE;
    case PEN_SAFETENSOR_F64:
        CONVERT(double);
    case PEN_SAFETENSOR_U8:
        CONVERT(guint8);
    case PEN_SAFETENSOR_I8:
        CONVERT(gint8);
    case PEN_SAFETENSOR_I16:
        CONVERT(gint16);
    case PEN_SAFETENSOR_U16:
        CONVERT(guint16);
    case PEN_SAFETENSOR_I32:
        CONVERT(gint32);
    case PEN_SAFETENSOR_U32:
        CONVERT(guint32);
    case PEN_SAFETENSOR_I64:
        CONVERT(gint64);
    case PEN_SAFETENSOR_U64:
        CONVERT(guint64);
    default:
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED,
                    _("Tensor “%s” is of type %s, where numbers of 16 bits or more are expected."),
                    tensor->name, pen_safetensor_type_name(tensor->type));
        return FALSE;
    }
}

gboolean pen_safetensor_to_i64(const PenSafetensor *tensor, gint64 *out, GError **error)
{
    switch (tensor->type) {
    case PEN_SAFETENSOR_BOOL:
    case PEN_SAFETENSOR_U8:
        CONVERT(guint8);
    case PEN_SAFETENSOR_I8:
        CONVERT(gint8);
    case PEN_SAFETENSOR_I16:
        CONVERT(gint16);
    case PEN_SAFETENSOR_U16:
        CONVERT(guint16);
    case PEN_SAFETENSOR_I32:
        CONVERT(gint32);
    case PEN_SAFETENSOR_U32:
        CONVERT(guint32);
    case PEN_SAFETENSOR_I64:
        CONVERT(gint64);
    case PEN_SAFETENSOR_U64:
        CONVERT(guint64);
    default:
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_UNSUPPORTED,
                    _("Tensor “%s” is of type %s, where whole numbers are expected."), tensor->name,
                    pen_safetensor_type_name(tensor->type));
        return FALSE;
    }
}
