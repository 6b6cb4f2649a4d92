// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON of unknown origin, on top of json-glib: configuration files, tokenizer vocabularies, headers
// of weight files.
//
// Text is checked before json-glib sees it: UTF-8, the grammar, nesting depth and number of values
// (a parser that recurses, or a document of millions of brackets, would otherwise bring the program
// down). A name that appears twice in one object is an error.
//
// A PenJson is one value of a document together with where it stands, so that every error says
// which file and which key is meant. Getters leave `*value` alone and succeed where the key is
// missing or null: the caller puts the default there first.
#pragma once

#include <json-glib/json-glib.h>

#include "src/formats/file.h"

G_BEGIN_DECLS

typedef struct {
    gsize size;       // bytes of text
    guint depth;      // nested arrays and objects, at most 64
    guint64 n_values; // names and values in the whole document
} PenJsonLimits;

// Good for configuration and vocabulary files: 64 MiB, 64 levels, 4 million values.
extern const PenJsonLimits pen_json_default_limits;

typedef struct _PenJson PenJson;

// Reads a file, with the default limits.
PenJson *pen_json_load(const char *path, GError **error);

// The same, and an error unless the file holds an object.
PenJson *pen_json_load_object(const char *path, GError **error);

// Parses `size` bytes of text; `name` stands for the file in messages. NULL limits are the default.
PenJson *pen_json_parse(const char *text, gsize size, const char *name, const PenJsonLimits *limits,
                        GError **error);

void pen_json_free(PenJson *json);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenJson, pen_json_free)

// The value itself, for a caller that walks it on its own. Owned by `json`.
JsonNode *pen_json_node(const PenJson *json);

gboolean pen_json_is_object(const PenJson *json);
gboolean pen_json_is_array(const PenJson *json);

// Whether the object has the key, with a value other than null.
gboolean pen_json_has(const PenJson *json, const char *key);

// An error unless the object has every one of the keys; ends with NULL.
gboolean pen_json_require(const PenJson *json, GError **error, ...) G_GNUC_NULL_TERMINATED;

// An error of the form “file: key: MESSAGE”. `key` may be NULL.
void pen_json_set_error(const PenJson *json, const char *key, GError **error, const char *format,
                        ...) G_GNUC_PRINTF(4, 5);

// A whole number from `min` to `max`.
gboolean pen_json_get_int(const PenJson *json, const char *key, gint64 min, gint64 max, int *value,
                          GError **error);

// `n` whole numbers: an array of exactly n, or one number that stands for all (diffusers writes
// `attention_head_dim` either way).
gboolean pen_json_get_ints(const PenJson *json, const char *key, gint64 min, gint64 max, gsize n,
                           int *values, GError **error);

// A finite number.
gboolean pen_json_get_double(const PenJson *json, const char *key, double *value, GError **error);

// An array of finite numbers. `*values` is replaced by a new array (GArray of double).
gboolean pen_json_get_doubles(const PenJson *json, const char *key, GArray **values,
                              GError **error);

gboolean pen_json_get_bool(const PenJson *json, const char *key, gboolean *value, GError **error);

// `*value` is freed and replaced by a new string.
gboolean pen_json_get_string(const PenJson *json, const char *key, char **value, GError **error);

// An array of strings. `*values` is freed and replaced by a new GStrv.
gboolean pen_json_get_strings(const PenJson *json, const char *key, char ***values, GError **error);

// An object in the object. `*value` is freed and replaced by a new view.
gboolean pen_json_get_object(const PenJson *json, const char *key, PenJson **value, GError **error);

// An array in the object. `*value` is freed and replaced by a new view.
gboolean pen_json_get_array(const PenJson *json, const char *key, PenJson **value, GError **error);

// Arrays: how many elements, and a new view on one of them.
guint pen_json_n_elements(const PenJson *json);
PenJson *pen_json_element(const PenJson *json, guint index);

G_END_DECLS
