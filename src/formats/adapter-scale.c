// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/adapter-scale.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "src/formats/adapter-names.h"
#include "src/formats/json.h"

// PEFT's settings of one component.
typedef struct {
    const char *component; // what our paths have in front; matched in this order
    const char *prefix;    // of its keys
    double alpha;          // 0: not said
    gboolean rslora;
    GPtrArray *patterns; // GRegex, with alphas
    GArray *alphas;      // double
} Settings;

struct _PenAdapterScale {
    char *name;
    Settings settings[3];
};

void pen_adapter_scale_free(PenAdapterScale *scale)
{
    if (!scale)
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(scale->settings); i++) {
        g_ptr_array_unref(scale->settings[i].patterns);
        g_array_unref(scale->settings[i].alphas);
    }
    g_free(scale->name);
    g_free(scale);
}

// Each pattern is matched as the end of a layer's name.
static gboolean read_patterns(Settings *settings, const PenJson *patterns, GError **error)
{
    JsonObjectIter iter;
    const char *pattern;
    JsonNode *node;
    json_object_iter_init_ordered(&iter, json_node_get_object(pen_json_node(patterns)));
    while (json_object_iter_next_ordered(&iter, &pattern, &node)) {
        g_autofree char *end = g_strdup_printf("^(?:.*\\.)?(?:%s)$", pattern);
        g_autoptr(GError) inner = NULL;
        double alpha = 0;
        GRegex *regex = g_regex_new(end, G_REGEX_OPTIMIZE, 0, &inner);
        if (!regex) {
            pen_json_set_error(patterns, pattern, error, _("no pattern: %s."), inner->message);
            return FALSE;
        }
        g_ptr_array_add(settings->patterns, regex);
        if (!pen_json_get_double(patterns, pattern, &alpha, error))
            return FALSE;
        g_array_append_val(settings->alphas, alpha);
    }
    return TRUE;
}

// The text at PREFIX KEY; NULL where there is none, or another value.
static const char *text_at(const PenJson *json, const char *prefix, const char *key)
{
    g_autofree char *whole = g_strconcat(prefix, key, NULL);
    JsonNode *node = json_object_get_member(json_node_get_object(pen_json_node(json)), whole);
    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
               ? json_node_get_string(node)
               : NULL;
}

// Other kinds of adapters than LoRA, and LoRAs that begin by taking themselves away from the
// weights of the model, whose file alone is therefore not what was trained.
static gboolean check_kind(const PenJson *json, const char *prefix, GError **error)
{
    static const char *const changing[] = { "pissa", "olora", "corda", "loftq", "lora_ga" };
    const char *type = text_at(json, prefix, "peft_type");
    const char *begun = text_at(json, prefix, "init_lora_weights");
    if (type && g_ascii_strcasecmp(type, "LORA") != 0) {
        pen_json_set_error(json, "peft_type", error,
                           _("this adapter is of the kind %s, which Penchant cannot use; choose a "
                             "LoRA."),
                           type);
        return FALSE;
    }
    for (gsize i = 0; begun && i < G_N_ELEMENTS(changing); i++)
        if (g_str_has_prefix(begun, changing[i])) {
            pen_json_set_error(json, "init_lora_weights", error,
                               _("this adapter (%s) also changes the model's own weights, which "
                                 "are not in its file; convert it to a plain LoRA with PEFT."),
                               begun);
            return FALSE;
        }
    return TRUE;
}

static gboolean read_settings(Settings *settings, const PenJson *json, const char *prefix,
                              GError **error)
{
    g_autofree char *alpha = g_strconcat(prefix, "lora_alpha", NULL);
    g_autofree char *pattern = g_strconcat(prefix, "alpha_pattern", NULL);
    g_autofree char *rslora = g_strconcat(prefix, "use_rslora", NULL);
    g_autofree char *dora = g_strconcat(prefix, "use_dora", NULL);
    g_autoptr(PenJson) patterns = NULL;
    gboolean is_dora = FALSE;

    if (!check_kind(json, prefix, error) ||
        !pen_json_get_double(json, alpha, &settings->alpha, error) ||
        !pen_json_get_bool(json, rslora, &settings->rslora, error) ||
        !pen_json_get_bool(json, dora, &is_dora, error) ||
        !pen_json_get_object(json, pattern, &patterns, error) ||
        (patterns && !read_patterns(settings, patterns, error)))
        return FALSE;
    if (is_dora)
        pen_json_set_error(json, dora, error,
                           _("this adapter is a DoRA, which Penchant cannot use; choose a LoRA."));
    return !is_dora;
}

// What the header says; else what lies beside; NULL without an error if neither does.
static PenJson *find_config(const PenSafetensors *file, const char *beside, gboolean *by_component,
                            GError **error)
{
    const char *text = pen_safetensors_metadata(file, PEN_ADAPTER_METADATA);
    *by_component = text != NULL;
    if (text) {
        g_autoptr(PenJson) json =
            pen_json_parse(text, strlen(text), pen_safetensors_name(file), NULL, error);
        if (json && !pen_json_is_object(json)) {
            pen_json_set_error(json, PEN_ADAPTER_METADATA, error, _("expected an object."));
            return NULL;
        }
        // A UNet that was saved by itself does not name its component.
        *by_component = json && !pen_json_has(json, "lora_alpha");
        return g_steal_pointer(&json);
    }
    return beside ? pen_json_load_object(beside, error) : NULL;
}

PenAdapterScale *pen_adapter_scale_new(const PenSafetensors *file, const char *beside,
                                       GError **error)
{
    static const char *const components[][2] = {
        { PEN_ADAPTER_TEXT_2, "text_encoder_2." },
        { PEN_ADAPTER_TEXT, "text_encoder." },
        { "", "unet." },
    };
    g_autoptr(PenAdapterScale) scale = g_new0(PenAdapterScale, 1);
    scale->name = g_strdup(pen_safetensors_name(file));
    for (gsize i = 0; i < G_N_ELEMENTS(scale->settings); i++)
        scale->settings[i] = (Settings){
            .component = components[i][0],
            .prefix = components[i][1],
            .patterns = g_ptr_array_new_with_free_func((GDestroyNotify)g_regex_unref),
            .alphas = g_array_new(FALSE, FALSE, sizeof(double)),
        };

    gboolean by_component;
    g_autoptr(GError) inner = NULL;
    g_autoptr(PenJson) json = find_config(file, beside, &by_component, &inner);
    if (inner) {
        g_propagate_error(error, g_steal_pointer(&inner));
        return NULL;
    }
    for (gsize i = 0; json && i < G_N_ELEMENTS(scale->settings); i++) {
        Settings *settings = &scale->settings[i];
        if (!read_settings(settings, json, by_component ? settings->prefix : "", error))
            return NULL;
    }
    return g_steal_pointer(&scale);
}

gboolean pen_adapter_scale_get(PenAdapterScale *scale, const char *path, const char *named,
                               gsize rank, float *alpha, GError **error)
{
    const Settings *settings = scale->settings;
    while (!g_str_has_prefix(path, settings->component))
        settings++;
    const char *module = path + strlen(settings->component);
    double value = settings->alpha;
    for (guint i = 0; i < settings->patterns->len; i++)
        if (g_regex_match(settings->patterns->pdata[i], module, 0, NULL) ||
            g_regex_match(settings->patterns->pdata[i], named, 0, NULL)) {
            value = g_array_index(settings->alphas, double, i);
            break;
        }
    if (value == 0) // nothing says it
        value = (double)rank;
    if (!(value > 0)) {
        g_set_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID,
                    _("“%s” gives layer “%s” the alpha %g, where more than 0 is expected."),
                    scale->name, path, value);
        return FALSE;
    }
    *alpha = (float)(settings->rslora ? value * sqrt((double)rank) : value);
    return TRUE;
}
