// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/json.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "src/formats/file-kind.h"

const PenJsonLimits pen_json_default_limits = { 64u << 20, 64, 4000000 };

struct _PenJson {
    JsonNode *node;
    char *file;  // for messages
    char *where; // "a.b.2.", empty at the top
};

// ------------------------------------------------------------------ the check before the parser

// The length of the JSON string at `text` (which starts with a quote), 0 if it is none. \u0000 and
// lone surrogates are refused too: they have no UTF-8 form that a C string could hold.
static gsize scan_string(const char *text, gsize size)
{
    gboolean high = FALSE;

    for (gsize i = 1; i < size; i++) {
        guchar c = text[i];
        gboolean was_high = high;
        high = FALSE;
        if (c == '\\' && i + 1 < size) {
            c = text[++i];
            if (c == 'u') {
                guint code = 0;
                if (size - i < 5)
                    return 0;
                for (int digit = 0; digit < 4; digit++) {
                    int value = g_ascii_xdigit_value(text[++i]);
                    if (value < 0)
                        return 0;
                    code = code * 16 + value;
                }
                gboolean low = code >= 0xdc00 && code <= 0xdfff;
                if (code == 0 || low != was_high)
                    return 0;
                high = code >= 0xd800 && code <= 0xdbff;
                continue;
            }
            if (c == '\0' || !strchr("\"\\/bfnrt", c))
                return 0;
        } else if (c == '"') {
            return was_high ? 0 : i + 1;
        } else if (c < 0x20) {
            return 0;
        }
        if (was_high)
            return 0;
    }
    return 0;
}

static gsize count_digits(const char *text, gsize size)
{
    gsize n = 0;
    while (n < size && g_ascii_isdigit(text[n]))
        n++;
    return n;
}

// The length of the number or of the word true, false, null at `text`; 0 if it is none.
static gsize scan_word(const char *text, gsize size)
{
    static const char *const words[] = { "true", "false", "null" };
    gsize i = 0;

    for (gsize w = 0; w < G_N_ELEMENTS(words); w++) {
        gsize length = strlen(words[w]);
        if (size >= length && memcmp(text, words[w], length) == 0)
            i = length;
    }
    if (i == 0) {
        if (i < size && text[i] == '-')
            i++;
        gsize digits = count_digits(text + i, size - i);
        if (digits == 0 || (digits > 1 && text[i] == '0'))
            return 0;
        i += digits;
        if (i < size && text[i] == '.') {
            i++;
            digits = count_digits(text + i, size - i);
            if (digits == 0)
                return 0;
            i += digits;
        }
        if (i < size && (text[i] == 'e' || text[i] == 'E')) {
            i++;
            if (i < size && (text[i] == '+' || text[i] == '-'))
                i++;
            digits = count_digits(text + i, size - i);
            if (digits == 0)
                return 0;
            i += digits;
        }
    }
    if (i < size && (g_ascii_isalnum(text[i]) || strchr("+-.\"", text[i])))
        return 0;
    return i;
}

// What may come next in a document.
enum { VALUE = 1, NAME = 2, COLON = 4, COMMA = 8, END = 16 };

// What is wrong with a text, NULL if it is JSON within the limits (of which the depth is at most
// 64). json-glib is stricter or laxer than JSON from release to release, and stops the program on
// some texts that are not JSON; so that none of it matters, it gets to see valid text only.
static const char *scan(const char *text, gsize size, const PenJsonLimits *limits)
{
    guint depth = 0, next = VALUE;
    guint64 n_values = 0, objects = 0; // one bit for each open bracket, the innermost lowest

    if (!g_utf8_validate_len(text, size, NULL))
        return _("it is not UTF-8 text");
    for (gsize i = 0; i < size;) {
        const char c = text[i];
        gsize length = 1;
        guint is;
        if (strchr(" \t\n\r", c)) {
            i++;
            continue;
        }
        if (c == ',') {
            is = COMMA;
        } else if (c == ':') {
            is = COLON;
        } else if (c == '}' || c == ']') {
            is = depth > 0 && (c == '}') == (objects & 1) ? END : 0;
        } else if (c == '"') {
            is = next & NAME ? NAME : VALUE;
            length = scan_string(text + i, size - i);
        } else {
            is = VALUE;
            length = c == '{' || c == '[' ? 1 : scan_word(text + i, size - i);
        }
        if (length == 0 || !(next & is))
            return _("it is not JSON");

        if (is == END) {
            depth--;
            objects >>= 1;
        } else if (c == '{' || c == '[') {
            if (++depth > limits->depth)
                return _("it is nested too deeply");
            objects = objects << 1 | (c == '{');
        }
        if ((is & (NAME | VALUE)) && ++n_values > limits->n_values)
            return _("it holds too many values");

        if (c == '{')
            next = NAME | END;
        else if (c == '[')
            next = VALUE | END;
        else if (is == COMMA)
            next = objects & 1 ? NAME : VALUE;
        else if (is == NAME)
            next = COLON;
        else if (is == COLON)
            next = VALUE;
        else
            next = depth > 0 ? COMMA | END : 0;
        i += length;
    }
    return next == 0 ? NULL : _("it ends too early");
}

// ------------------------------------------------------------------ parsing

typedef struct {
    GHashTable *n_members; // JsonObject -> members seen so far
    char *twice;
} Duplicates;

static void on_member(G_GNUC_UNUSED JsonParser *parser, JsonObject *object, const char *name,
                      gpointer data)
{
    Duplicates *duplicates = data;
    guint n = GPOINTER_TO_UINT(g_hash_table_lookup(duplicates->n_members, object)) + 1;

    g_hash_table_insert(duplicates->n_members, object, GUINT_TO_POINTER(n));
    if (json_object_get_size(object) < n && !duplicates->twice)
        duplicates->twice = g_strdup(name);
}

static void on_object_end(G_GNUC_UNUSED JsonParser *parser, JsonObject *object, gpointer data)
{
    g_hash_table_remove(((Duplicates *)data)->n_members, object);
}

PenJson *pen_json_parse(const char *text, gsize size, const char *name, const PenJsonLimits *limits,
                        GError **error)
{
    limits = limits ? limits : &pen_json_default_limits;
    if (size > limits->size) {
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                    _("“%s” cannot be read: its JSON text is too large."), name);
        return NULL;
    }
    const char *reason = scan(text, size, limits);
    if (reason) {
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                    _("“%s” cannot be read: %s."), name, reason);
        return NULL;
    }

    Duplicates duplicates = { g_hash_table_new(NULL, NULL), NULL };
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) parse_error = NULL;
    g_signal_connect(parser, "object-member", G_CALLBACK(on_member), &duplicates);
    g_signal_connect(parser, "object-end", G_CALLBACK(on_object_end), &duplicates);
    gboolean parsed = json_parser_load_from_data(parser, text, size, &parse_error);
    g_hash_table_unref(duplicates.n_members);
    g_autofree char *twice = duplicates.twice;

    if (!parsed || !json_parser_get_root(parser)) {
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                    _("“%s” cannot be read: %s."), name,
                    parse_error ? parse_error->message : _("it is empty"));
        return NULL;
    }
    if (twice) {
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                    _("“%s” cannot be read: the name “%s” appears twice."), name, twice);
        return NULL;
    }
    PenJson *json = g_new0(PenJson, 1);
    json->node = json_parser_steal_root(parser);
    json->file = g_strdup(name);
    json->where = g_strdup("");
    return json;
}

// Whether errors of the grammar help more than what else the file could be.
static gboolean looks_like_json(const char *text, gsize size)
{
    while (size && g_ascii_isspace(*text)) {
        text++;
        size--;
    }
    return size && strchr("{[\"-0123456789tfn", *text);
}

PenJson *pen_json_load(const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = pen_file_map(path, pen_json_default_limits.size, error);
    if (!bytes)
        return NULL;
    gsize size;
    const char *text = g_bytes_get_data(bytes, &size);
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { // UTF-8's mark, which editors write
        text += 3;
        size -= 3;
    }
    g_autofree char *name = g_filename_display_name(path);
    if (!looks_like_json(text, size) && pen_file_kind_explain(name, text, size, error))
        return NULL;
    return pen_json_parse(text ? text : "", size, name, NULL, error);
}

PenJson *pen_json_load_object(const char *path, GError **error)
{
    g_autoptr(PenJson) json = pen_json_load(path, error);
    if (json && !pen_json_is_object(json)) {
        pen_json_set_error(json, NULL, error, _("expected an object."));
        return NULL;
    }
    return g_steal_pointer(&json);
}

void pen_json_free(PenJson *json)
{
    if (!json)
        return;
    json_node_unref(json->node);
    g_free(json->file);
    g_free(json->where);
    g_free(json);
}

// ------------------------------------------------------------------ getters

JsonNode *pen_json_node(const PenJson *json)
{
    return json->node;
}

gboolean pen_json_is_object(const PenJson *json)
{
    return JSON_NODE_HOLDS_OBJECT(json->node);
}

gboolean pen_json_is_array(const PenJson *json)
{
    return JSON_NODE_HOLDS_ARRAY(json->node);
}

static JsonNode *member(const PenJson *json, const char *key)
{
    if (!pen_json_is_object(json))
        return NULL;
    JsonNode *node = json_object_get_member(json_node_get_object(json->node), key);
    return node && !JSON_NODE_HOLDS_NULL(node) ? node : NULL;
}

gboolean pen_json_has(const PenJson *json, const char *key)
{
    return member(json, key) != NULL;
}

void pen_json_set_error(const PenJson *json, const char *key, GError **error, const char *format,
                        ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    if (key)
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID, "%s: %s%s: %s", json->file,
                    json->where, key, message);
    else
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID, "%s: %s%s", json->file,
                    json->where, message);
}

gboolean pen_json_require(const PenJson *json, GError **error, ...)
{
    const char *missing;
    va_list args;

    va_start(args, error);
    do {
        missing = va_arg(args, const char *);
    } while (missing && pen_json_has(json, missing));
    va_end(args);
    if (missing)
        pen_json_set_error(json, missing, error, _("this setting is missing."));
    return missing == NULL;
}

// Whole numbers may be written 4 or 4.0. json-glib reads one beyond 64 bits as -1, not as itself.
static gboolean read_int(const PenJson *json, const char *key, JsonNode *node, gint64 min,
                         gint64 max, int *value, GError **error)
{
    min = MAX(min, G_MININT);
    max = MIN(max, G_MAXINT);
    if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64) {
        gint64 number = json_node_get_int(node);
        if (number >= min && number <= max) {
            *value = (int)number;
            return TRUE;
        }
    } else if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_DOUBLE) {
        double number = json_node_get_double(node);
        if (number >= (double)min && number <= (double)max && number == floor(number)) {
            *value = (int)number;
            return TRUE;
        }
    }
    pen_json_set_error(json, key, error,
                       _("a whole number from %" PRId64 " to %" PRId64 " is expected here."), min,
                       max);
    return FALSE;
}

static gboolean read_double(const PenJson *json, const char *key, JsonNode *node, double *value,
                            GError **error)
{
    if (JSON_NODE_HOLDS_VALUE(node) && (json_node_get_value_type(node) == G_TYPE_INT64 ||
                                        json_node_get_value_type(node) == G_TYPE_DOUBLE)) {
        double number = json_node_get_double(node);
        if (isfinite(number)) {
            *value = number;
            return TRUE;
        }
    }
    pen_json_set_error(json, key, error, _("a number is expected here."));
    return FALSE;
}

static const char *read_string(const PenJson *json, const char *key, JsonNode *node, GError **error)
{
    if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING)
        return json_node_get_string(node);
    pen_json_set_error(json, key, error, _("a string is expected here."));
    return NULL;
}

static JsonArray *read_array(const PenJson *json, const char *key, JsonNode *node, GError **error)
{
    if (JSON_NODE_HOLDS_ARRAY(node))
        return json_node_get_array(node);
    pen_json_set_error(json, key, error, _("a list is expected here."));
    return NULL;
}

gboolean pen_json_get_int(const PenJson *json, const char *key, gint64 min, gint64 max, int *value,
                          GError **error)
{
    JsonNode *node = member(json, key);
    return !node || read_int(json, key, node, min, max, value, error);
}

gboolean pen_json_get_ints(const PenJson *json, const char *key, gint64 min, gint64 max, gsize n,
                           int *values, GError **error)
{
    JsonNode *node = member(json, key);
    if (!node)
        return TRUE;
    JsonArray *array = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    if (array && json_array_get_length(array) != n) {
        pen_json_set_error(json, key, error, _("a list of %zu numbers is expected here."), n);
        return FALSE;
    }
    for (gsize i = 0; i < n; i++)
        if (!read_int(json, key, array ? json_array_get_element(array, i) : node, min, max,
                      &values[i], error))
            return FALSE;
    return TRUE;
}

gboolean pen_json_get_double(const PenJson *json, const char *key, double *value, GError **error)
{
    JsonNode *node = member(json, key);
    return !node || read_double(json, key, node, value, error);
}

gboolean pen_json_get_doubles(const PenJson *json, const char *key, GArray **values, GError **error)
{
    JsonNode *node = member(json, key);
    if (!node)
        return TRUE;
    JsonArray *array = read_array(json, key, node, error);
    if (!array)
        return FALSE;
    guint n = json_array_get_length(array);
    g_autoptr(GArray) read = g_array_sized_new(FALSE, FALSE, sizeof(double), n);
    for (guint i = 0; i < n; i++) {
        double value;
        if (!read_double(json, key, json_array_get_element(array, i), &value, error))
            return FALSE;
        g_array_append_val(read, value);
    }
    g_clear_pointer(values, g_array_unref);
    *values = g_steal_pointer(&read);
    return TRUE;
}

gboolean pen_json_get_bool(const PenJson *json, const char *key, gboolean *value, GError **error)
{
    JsonNode *node = member(json, key);
    if (!node)
        return TRUE;
    if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_BOOLEAN) {
        pen_json_set_error(json, key, error, _("true or false is expected here."));
        return FALSE;
    }
    *value = json_node_get_boolean(node);
    return TRUE;
}

gboolean pen_json_get_string(const PenJson *json, const char *key, char **value, GError **error)
{
    JsonNode *node = member(json, key);
    if (!node)
        return TRUE;
    const char *string = read_string(json, key, node, error);
    if (!string)
        return FALSE;
    g_free(*value);
    *value = g_strdup(string);
    return TRUE;
}

gboolean pen_json_get_strings(const PenJson *json, const char *key, char ***values, GError **error)
{
    JsonNode *node = member(json, key);
    if (!node)
        return TRUE;
    JsonArray *array = read_array(json, key, node, error);
    if (!array)
        return FALSE;
    g_autoptr(GStrvBuilder) read = g_strv_builder_new();
    for (guint i = 0; i < json_array_get_length(array); i++) {
        const char *string = read_string(json, key, json_array_get_element(array, i), error);
        if (!string)
            return FALSE;
        g_strv_builder_add(read, string);
    }
    g_strfreev(*values);
    *values = g_strv_builder_end(read);
    return TRUE;
}

static PenJson *view(const PenJson *json, JsonNode *node, char *where)
{
    PenJson *child = g_new0(PenJson, 1);
    child->node = json_node_ref(node);
    child->file = g_strdup(json->file);
    child->where = where;
    return child;
}

gboolean pen_json_get_object(const PenJson *json, const char *key, PenJson **value, GError **error)
{
    JsonNode *node = member(json, key);
    if (!node)
        return TRUE;
    if (!JSON_NODE_HOLDS_OBJECT(node)) {
        pen_json_set_error(json, key, error, _("an object is expected here."));
        return FALSE;
    }
    pen_json_free(*value);
    *value = view(json, node, g_strdup_printf("%s%s.", json->where, key));
    return TRUE;
}

gboolean pen_json_get_array(const PenJson *json, const char *key, PenJson **value, GError **error)
{
    JsonNode *node = member(json, key);
    if (!node)
        return TRUE;
    if (!read_array(json, key, node, error))
        return FALSE;
    pen_json_free(*value);
    *value = view(json, node, g_strdup_printf("%s%s.", json->where, key));
    return TRUE;
}

guint pen_json_n_elements(const PenJson *json)
{
    return pen_json_is_array(json) ? json_array_get_length(json_node_get_array(json->node)) : 0;
}

PenJson *pen_json_element(const PenJson *json, guint index)
{
    g_return_val_if_fail(index < pen_json_n_elements(json), NULL);
    JsonNode *node = json_array_get_element(json_node_get_array(json->node), index);
    return view(json, node, g_strdup_printf("%s%u.", json->where, index));
}
