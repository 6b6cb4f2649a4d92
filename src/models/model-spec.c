// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/models/model-spec.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/formats/json.h"
#include "src/models/model-config.h"

static void lora_free(gpointer data)
{
    PenModelLora *lora = data;
    g_free(lora->file);
    g_free(lora);
}

PenModelSpec *pen_model_spec_new(const char *model)
{
    PenModelSpec *spec = g_new0(PenModelSpec, 1);
    spec->model = g_strdup(model);
    spec->loras = g_ptr_array_new_with_free_func(lora_free);
    return spec;
}

void pen_model_spec_free(PenModelSpec *spec)
{
    if (!spec)
        return;
    g_free(spec->model);
    g_free(spec->vae);
    g_free(spec->prediction);
    g_ptr_array_unref(spec->loras);
    g_free(spec);
}

void pen_model_spec_add_lora(PenModelSpec *spec, const char *file, double strength)
{
    PenModelLora *lora = g_new(PenModelLora, 1);
    *lora = (PenModelLora){ g_strdup(file), strength };
    g_ptr_array_add(spec->loras, lora);
}

gboolean pen_model_spec_add_lora_text(PenModelSpec *spec, const char *text, GError **error)
{
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    double strength = colon ? g_ascii_strtod(colon + 1, &end) : 1;
    gboolean numbered = colon && colon[1] && !*end;
    g_autofree char *file = numbered ? g_strndup(text, (gsize)(colon - text)) : g_strdup(text);

    if (!numbered)
        strength = 1;
    if (!(fabs(strength) <= PEN_MODEL_LORA_MAX_STRENGTH)) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                    _("The adapter %s has a strength that is not from %g to %g."), text,
                    -PEN_MODEL_LORA_MAX_STRENGTH, PEN_MODEL_LORA_MAX_STRENGTH);
        return FALSE;
    }
    if (!g_file_test(file, G_FILE_TEST_EXISTS)) {
        g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FOUND,
                    _("There is no adapter file %s."), file);
        return FALSE;
    }
    pen_model_spec_add_lora(spec, file, strength);
    return TRUE;
}

PenModelLora *pen_model_spec_find_lora(const PenModelSpec *spec, const char *file)
{
    for (guint i = 0; i < spec->loras->len; i++) {
        PenModelLora *lora = spec->loras->pdata[i];
        if (g_str_equal(lora->file, file))
            return lora;
    }
    return NULL;
}

/* File names need not be UTF-8, but JSON is. */
static char *escape(const char *file)
{
    return g_uri_escape_string(file, "/ :@!$&'()*+,;=", TRUE);
}

static gboolean broken(GError **error)
{
    g_set_error(error, PEN_MODEL_ERROR, PEN_MODEL_ERROR_INVALID,
                _("A model is described by something that cannot be read; name it again."));
    return FALSE;
}

static gboolean unescape(char **file, GError **error)
{
    char *plain = *file ? g_uri_unescape_string(*file, NULL) : NULL;
    if (*file && !plain)
        return broken(error);
    g_free(*file);
    *file = plain;
    return TRUE;
}

static gboolean parse_loras(PenModelSpec *spec, const PenJson *json, GError **error)
{
    g_auto(GStrv) files = NULL;
    g_autoptr(GArray) strengths = NULL;
    if (!pen_json_get_strings(json, "loras", &files, error) ||
        !pen_json_get_doubles(json, "strengths", &strengths, error))
        return FALSE;
    guint n = files ? g_strv_length(files) : 0;
    if (n != (strengths ? strengths->len : 0))
        return broken(error);
    for (guint i = 0; i < n; i++) {
        double strength = g_array_index(strengths, double, i);
        if (fabs(strength) > PEN_MODEL_LORA_MAX_STRENGTH)
            return broken(error);
        if (!unescape(&files[i], error))
            return FALSE;
        pen_model_spec_add_lora(spec, files[i], strength);
    }
    return TRUE;
}

PenModelSpec *pen_model_spec_parse(const char *text, GError **error)
{
    if (!text || *text != '{')
        return pen_model_spec_new(text);

    g_autoptr(PenModelSpec) spec = pen_model_spec_new(NULL);
    g_autoptr(PenJson) json = pen_json_parse(text, strlen(text), "model", NULL, error);
    if (!json || !pen_json_get_string(json, "model", &spec->model, error) ||
        !pen_json_get_string(json, "vae", &spec->vae, error) ||
        !pen_json_get_string(json, "prediction", &spec->prediction, error) ||
        !unescape(&spec->model, error) || !unescape(&spec->vae, error) ||
        !parse_loras(spec, json, error))
        return NULL;
    return g_steal_pointer(&spec);
}

static void set_file(JsonObject *object, const char *member, const char *file)
{
    g_autofree char *escaped = file ? escape(file) : NULL;
    if (escaped)
        json_object_set_string_member(object, member, escaped);
}

char *pen_model_spec_to_text(const PenModelSpec *spec)
{
    if (!spec->vae && !spec->prediction && spec->loras->len == 0)
        return g_strdup(spec->model);

    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    JsonObject *object = json_object_new();
    json_node_take_object(root, object);
    set_file(object, "model", spec->model);
    set_file(object, "vae", spec->vae);
    if (spec->prediction)
        json_object_set_string_member(object, "prediction", spec->prediction);
    if (spec->loras->len) {
        JsonArray *files = json_array_new(), *strengths = json_array_new();
        for (guint i = 0; i < spec->loras->len; i++) {
            const PenModelLora *lora = spec->loras->pdata[i];
            g_autofree char *file = escape(lora->file);
            json_array_add_string_element(files, file);
            json_array_add_double_element(strengths, lora->strength);
        }
        json_object_set_array_member(object, "loras", files);
        json_object_set_array_member(object, "strengths", strengths);
    }
    return json_to_string(root, FALSE);
}

static void replace(char **to, const char *from)
{
    if (!from)
        return;
    g_free(*to);
    *to = g_strdup(from);
}

void pen_model_spec_overlay(PenModelSpec *spec, const PenModelSpec *over)
{
    replace(&spec->model, over->model);
    replace(&spec->vae, over->vae);
    replace(&spec->prediction, over->prediction);
    for (guint i = 0; i < over->loras->len; i++) {
        const PenModelLora *lora = over->loras->pdata[i];
        if (!pen_model_spec_find_lora(spec, lora->file))
            pen_model_spec_add_lora(spec, lora->file, lora->strength);
    }
}

static void make_absolute(char **file)
{
    char *absolute = *file && **file ? g_canonicalize_filename(*file, NULL) : g_strdup(*file);
    g_free(*file);
    *file = absolute;
}

void pen_model_spec_make_absolute(PenModelSpec *spec)
{
    make_absolute(&spec->vae);
    for (guint i = 0; i < spec->loras->len; i++)
        make_absolute(&((PenModelLora *)spec->loras->pdata[i])->file);
}
