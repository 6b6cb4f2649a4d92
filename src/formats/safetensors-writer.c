// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/safetensors-writer.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "compute/half.h"

typedef struct {
    char *name;
    PenSafetensorType type;
    guint n_dims;
    gsize dims[PEN_SAFETENSOR_MAX_DIMS];
    GBytes *data;
    gsize offset; // in the data block
} Entry;

struct _PenSafetensorsWriter {
    GPtrArray *entries;   // Entry
    GPtrArray *keys;      // of the metadata, in order
    GHashTable *metadata; // key -> value; owns both
};

static void entry_free(gpointer data)
{
    Entry *entry = data;
    g_free(entry->name);
    g_bytes_unref(entry->data);
    g_free(entry);
}

PenSafetensorsWriter *pen_safetensors_writer_new(void)
{
    PenSafetensorsWriter *writer = g_new0(PenSafetensorsWriter, 1);
    writer->entries = g_ptr_array_new_with_free_func(entry_free);
    writer->keys = g_ptr_array_new();
    writer->metadata = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return writer;
}

void pen_safetensors_writer_free(PenSafetensorsWriter *writer)
{
    if (!writer)
        return;
    g_ptr_array_unref(writer->entries);
    g_ptr_array_unref(writer->keys);
    g_hash_table_unref(writer->metadata);
    g_free(writer);
}

static gsize count_elements(guint n_dims, const gsize *dims)
{
    gsize n = 1;
    for (guint i = 0; i < n_dims; i++)
        n *= dims[i];
    return n;
}

void pen_safetensors_writer_add_bytes(PenSafetensorsWriter *writer, const char *name,
                                      PenSafetensorType type, guint n_dims, const gsize *dims,
                                      GBytes *data)
{
    g_return_if_fail(n_dims <= PEN_SAFETENSOR_MAX_DIMS);
    g_return_if_fail(g_bytes_get_size(data) ==
                     count_elements(n_dims, dims) * pen_safetensor_type_size(type));

    Entry *entry = g_new0(Entry, 1);
    entry->name = g_strdup(name);
    entry->type = type;
    entry->n_dims = n_dims;
    for (guint i = 0; i < n_dims; i++)
        entry->dims[i] = dims[i];
    entry->data = g_bytes_ref(data);
    g_ptr_array_add(writer->entries, entry);
}

void pen_safetensors_writer_add(PenSafetensorsWriter *writer, const char *name,
                                PenSafetensorType type, guint n_dims, const gsize *dims,
                                const void *data)
{
    gsize size = count_elements(n_dims, dims) * pen_safetensor_type_size(type);
    g_autoptr(GBytes) bytes = g_bytes_new_static(data, size);
    pen_safetensors_writer_add_bytes(writer, name, type, n_dims, dims, bytes);
}

void pen_safetensors_writer_add_floats(PenSafetensorsWriter *writer, const char *name,
                                       PenSafetensorType type, guint n_dims, const gsize *dims,
                                       const float *values)
{
    gsize n = count_elements(n_dims, dims);
    gsize size = n * pen_safetensor_type_size(type);
    void *data = g_malloc(size);

    switch (type) {
    case PEN_SAFETENSOR_F32:
        memcpy(data, values, size);
        break;
    case PEN_SAFETENSOR_F16:
        pen_half_from_floats(data, values, n);
        break;
    case PEN_SAFETENSOR_BF16:
        pen_bf16_from_floats(data, values, n);
        break;
    default:
        g_free(data);
        g_return_if_reached();
    }
    g_autoptr(GBytes) bytes = g_bytes_new_take(data, size);
    pen_safetensors_writer_add_bytes(writer, name, type, n_dims, dims, bytes);
}

void pen_safetensors_writer_set_metadata(PenSafetensorsWriter *writer, const char *key,
                                         const char *value)
{
    char *own = g_strdup(key);
    // A key that is there keeps its place, and insert() then frees the new copy of it.
    if (!g_hash_table_contains(writer->metadata, key))
        g_ptr_array_add(writer->keys, own);
    g_hash_table_insert(writer->metadata, own, g_strdup(value));
}

static void append_string(GString *json, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    g_string_append_c(json, '"');
    for (const char *c = valid; *c; c++) {
        if (*c == '"' || *c == '\\')
            g_string_append_c(json, '\\');
        if ((guchar)*c < 0x20)
            g_string_append_printf(json, "\\u%04x", *c);
        else
            g_string_append_c(json, *c);
    }
    g_string_append_c(json, '"');
}

static int compare_width(gconstpointer a, gconstpointer b)
{
    const Entry *x = *(Entry *const *)a, *y = *(Entry *const *)b;
    return (int)pen_safetensor_type_size(y->type) - (int)pen_safetensor_type_size(x->type);
}

static GString *make_header(const PenSafetensorsWriter *writer)
{
    GString *json = g_string_new("{");

    if (writer->keys->len > 0) {
        g_string_append(json, "\"__metadata__\":{");
        for (guint i = 0; i < writer->keys->len; i++) {
            const char *key = writer->keys->pdata[i];
            g_string_append(json, i ? "," : "");
            append_string(json, key);
            g_string_append_c(json, ':');
            append_string(json, g_hash_table_lookup(writer->metadata, key));
        }
        g_string_append_c(json, '}');
    }
    for (guint i = 0; i < writer->entries->len; i++) {
        const Entry *entry = writer->entries->pdata[i];
        g_string_append(json, json->len > 1 ? "," : "");
        append_string(json, entry->name);
        g_string_append_printf(json, ":{\"dtype\":\"%s\",\"shape\":[",
                               pen_safetensor_type_name(entry->type));
        for (guint d = 0; d < entry->n_dims; d++)
            g_string_append_printf(json, "%s%" G_GSIZE_FORMAT, d ? "," : "", entry->dims[d]);
        g_string_append_printf(json,
                               "],\"data_offsets\":[%" G_GSIZE_FORMAT ",%" G_GSIZE_FORMAT "]}",
                               entry->offset, entry->offset + g_bytes_get_size(entry->data));
    }
    g_string_append_c(json, '}');
    while (json->len % 8 != 0)
        g_string_append_c(json, ' ');
    return json;
}

// Writes all into `file`; `name` is the file's for messages.
static gboolean write_all(PenSafetensorsWriter *writer, PenFileWriter *file, const char *name,
                          GError **error)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) order = g_ptr_array_new();
    for (guint i = 0; i < writer->entries->len; i++) {
        Entry *entry = writer->entries->pdata[i];
        if (!g_hash_table_add(names, entry->name) || strcmp(entry->name, "__metadata__") == 0) {
            g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                        _("“%s” cannot be written: the tensor name “%s” cannot be used twice."),
                        name, entry->name);
            return FALSE;
        }
        g_ptr_array_add(order, entry);
    }

    gsize offset = 0;
    g_ptr_array_sort(order, compare_width); // stable
    for (guint i = 0; i < order->len; i++) {
        Entry *entry = order->pdata[i];
        entry->offset = offset;
        offset += g_bytes_get_size(entry->data);
    }

    g_autoptr(GString) header = make_header(writer);
    guint64 header_size = GUINT64_TO_LE(header->len);
    if (!pen_file_writer_write(file, &header_size, sizeof header_size, error) ||
        !pen_file_writer_write(file, header->str, header->len, error))
        return FALSE;
    for (guint i = 0; i < order->len; i++) {
        gsize size;
        const Entry *entry = order->pdata[i];
        const void *data = g_bytes_get_data(entry->data, &size);
        if (!pen_file_writer_write(file, data, size, error))
            return FALSE;
    }
    return TRUE;
}

gboolean pen_safetensors_writer_save(PenSafetensorsWriter *writer, const char *path, GError **error)
{
    g_autoptr(PenFileWriter) file = pen_file_writer_new(path, error);
    g_autofree char *name = g_filename_display_name(path);
    return file && write_all(writer, file, name, error) && pen_file_writer_commit(file, error);
}

GBytes *pen_safetensors_writer_to_bytes(PenSafetensorsWriter *writer, GError **error)
{
    g_autoptr(PenFileWriter) file = pen_file_writer_new_in_memory();
    return write_all(writer, file, "safetensors", error) ? pen_file_writer_steal(file) : NULL;
}
