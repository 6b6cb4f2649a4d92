// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/formats/adapter-file.h"
#include "src/models/model-layers.h"
#include "src/studio/job.h"
#include "src/studio/recipe.h"

/* What a style's file says beside its weights, as strings of its metadata. Its name is the title.
 */
#define KEY_TITLE "modelspec.title"
#define KEY_MODEL "penchant.model"
#define KEY_MODEL_HASH PEN_STYLE_FILE_KEY
#define KEY_STRENGTH "penchant.strength"
#define KEY_RECIPE "penchant.recipe"

/* How far a style's strength can be turned. */
#define MAX_STRENGTH 1.5

/* --- writing --------------------------------------------------------------------------------- */

/* A version's file, which names its layers itself (pen_studio_save_adapter()). */
static PenAdapter *read_own_adapter(PenStudio *studio, gint64 version, GError **error)
{
    static const char start[] = "unet.", end[] = ".lora_A.weight";
    g_autoptr(PenStyleVersion) row = pen_store_get_style_version(studio->store, version, error);
    g_autofree char *path = row ? pen_store_path(studio->store, row->adapter_file) : NULL;
    g_autoptr(PenSafetensors) file = path ? pen_safetensors_open(path, error) : NULL;
    g_autoptr(PenAdapterNames) names = pen_adapter_names_new(PEN_FAMILY_UNKNOWN);
    for (guint i = 0; file && i < pen_safetensors_n_tensors(file); i++) {
        const char *name = pen_safetensors_nth(file, i)->name;
        if (!g_str_has_prefix(name, start) || !g_str_has_suffix(name, end))
            continue;
        g_autofree char *layer =
            g_strndup(name + strlen(start), strlen(name) - strlen(start) - strlen(end));
        pen_adapter_names_add(names, layer, NULL);
    }
    return file ? pen_adapter_read(path, names, NULL, error) : NULL;
}

gboolean pen_studio_export_style(PenStudio *studio, gint64 style, const char *file,
                                 PenExportFormat format, GError **error)
{
    g_autoptr(PenStyle) row = pen_store_get_style(studio->store, style, error);
    if (!row)
        return FALSE;
    if (!row->current_version) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_NOTHING,
                    _("“%s” has not learnt anything yet. Teach it first."), row->name);
        return FALSE;
    }
    g_autoptr(PenAdapter) content = read_own_adapter(studio, row->current_version, error);
    if (!content)
        return FALSE;
    g_autofree char *description =
        g_strdup_printf("Taught with Penchant (D3PO) on the model %s", row->model_name);
    char strength[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_dtostr(strength, sizeof strength, row->strength);
    const char *more[] = { KEY_MODEL,
                           row->model_name,
                           KEY_MODEL_HASH,
                           row->model_hash,
                           KEY_STRENGTH,
                           strength,
                           row->recipe ? KEY_RECIPE : NULL,
                           row->recipe,
                           NULL };
    PenAdapterInfo info = { .title = row->name, .description = description, .more = more };
    return pen_adapter_write(content, file,
                             format == PEN_EXPORT_KOHYA ? PEN_ADAPTER_KOHYA : PEN_ADAPTER_DIFFUSERS,
                             PEN_SAFETENSOR_F32, &info, error);
}

/* --- reading --------------------------------------------------------------------------------- */

/* "/a/b/My Style.safetensors" -> "My Style". */
static char *name_of_file(const char *file)
{
    g_autofree char *base = g_path_get_basename(file);
    g_autofree char *name = g_filename_display_name(base);
    char *end = g_strrstr(name, ".safetensors");
    if (end && end != name)
        *end = '\0';
    return g_steal_pointer(&name);
}

static void add_notice(GString *notice, const char *text)
{
    if (notice->len)
        g_string_append_c(notice, ' ');
    g_string_append(notice, text);
}

/* What of the file the style does not hold: layers of other models, and those a style cannot have.
 */
static void tell_unused(GString *notice, const PenUNetAdapter *adapter, const PenAdapter *content,
                        PenAdapterReport *report)
{
    guint foreign = report->n_unused;
    for (guint i = 0; i < content->layers->len; i++) {
        const PenAdapterLayer *layer = content->layers->pdata[i];
        if (!pen_unet_adapter_find(adapter, layer->path))
            pen_adapter_report_add_unused(report, layer->path);
    }
    g_autofree char *message = pen_adapter_report_message(report);
    if (message)
        add_notice(notice, message);
    if (report->n_unused != foreign)
        add_notice(notice, _("A style holds the attention of the UNet alone; as an adapter of the "
                             "model the file is used whole."));
}

/* What the file says, as far as it can be: name (NULL: nothing), model_name, model_hash, strength
 * and recipe. */
static PenStyle *read_said(const char *file, GString *notice)
{
    PenStyle *said = g_new0(PenStyle, 1);
    said->strength = 1;
    /* What is wrong with the file, who reads its weights says. */
    g_autoptr(PenSafetensors) tensors = pen_safetensors_open_model(file, NULL);
    const char *hash = tensors ? pen_safetensors_metadata(tensors, KEY_MODEL_HASH) : NULL;
    if (!hash)
        return said;
    said->model_hash = g_strdup(hash);
    const char *model = pen_safetensors_metadata(tensors, KEY_MODEL);
    gboolean can_be =
        model && g_utf8_validate(model, -1, NULL) && g_utf8_strlen(model, -1) <= PEN_STYLE_NAME_MAX;
    said->model_name = g_strdup(can_be ? model : "?");
    said->name = g_strdup(pen_safetensors_metadata(tensors, KEY_TITLE));
    const char *strength = pen_safetensors_metadata(tensors, KEY_STRENGTH);
    double number = strength ? g_ascii_strtod(strength, NULL) : 1;
    if (number >= 0 && number <= MAX_STRENGTH)
        said->strength = number;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRecipe) recipe =
        pen_recipe_parse(pen_safetensors_metadata(tensors, KEY_RECIPE), &error);
    if (recipe) {
        said->recipe = pen_recipe_to_text(recipe);
    } else {
        g_autofree char *text =
            g_strdup_printf(_("The file's recipe was left out: %s"), error->message);
        add_notice(notice, text);
    }
    return said;
}

/* The model that the style is to be for; NULL: the starter. `*ok` is FALSE with an error. */
static char *choose_model(PenStudio *studio, const PenStyle *said, const char *model,
                          const char *otherwise, gboolean *ok, GError **error)
{
    *ok = TRUE;
    if (model || !said->model_hash)
        return g_strdup(model ? model : otherwise);
    g_autofree char *found = pen_studio_search_model(studio, said);
    if (found || otherwise)
        return found ? g_steal_pointer(&found) : g_strdup(otherwise);
    g_set_error(
        error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
        _("The style was made for the model “%s”, which is not here: put it into the models "
          "folder, or choose a model that it is to be tried with."),
        said->model_name);
    *ok = FALSE;
    return NULL;
}

/* A new style like `style`, called `name`, or "name 2", … where that is taken. */
static gint64 add_style(PenStudio *studio, PenStyle *style, const char *name, GError **error)
{
    for (int number = 1;; number++) {
        GError *inner = NULL;
        g_autofree char *varied =
            number == 1 ? g_strdup(name) : g_strdup_printf("%s %d", name, number);
        style->name = varied;
        gint64 id = pen_store_add_style(studio->store, style, &inner);
        if (id)
            return id;
        if (!g_error_matches(inner, PEN_STORE_ERROR, PEN_STORE_ERROR_NAME_TAKEN)) {
            g_propagate_error(error, inner);
            return 0;
        }
        g_error_free(inner);
    }
}

/* Under the name that the file says, if it can be one, else under the file's own. */
static gint64 add_named_by_file(PenStudio *studio, PenStyle *style, const char *said,
                                const char *file, GError **error)
{
    gint64 id = said ? add_style(studio, style, said, NULL) : 0;
    g_autofree char *name = name_of_file(file);
    return id ? id : add_style(studio, style, name, error);
}

gint64 pen_studio_import_style(PenStudio *studio, const char *file, const char *name,
                               const char *model, const char *otherwise, char **notice,
                               GError **error)
{
    gboolean ok;
    g_autoptr(GString) told = g_string_new(NULL);
    g_autoptr(PenStyle) said = read_said(file, told);
    g_autofree char *wanted = choose_model(studio, said, model, otherwise, &ok, error);
    g_autoptr(PenModelInfo) info = ok ? pen_studio_model_info(studio, wanted, 0, error) : NULL;
    g_autoptr(PenModel) opened = info ? pen_studio_open_model(studio, info->spec, error) : NULL;
    if (!opened)
        return 0;
    g_auto(PenAdapterReport) report = { 0 };
    g_autoptr(PenAdapter) content = pen_studio_read_adapter(opened, file, &report, error);
    g_autofree float *values = NULL;
    g_autoptr(PenUNetAdapter) adapter =
        content ? pen_studio_import_values(opened, content, &values, error) : NULL;
    g_autoptr(GBytes) bytes = adapter ? pen_studio_save_adapter(adapter, values, error) : NULL;
    if (!bytes)
        return 0;
    if (said->model_hash && !pen_model_includes(opened, said->model_hash)) {
        g_autofree char *text = g_strdup_printf(
            _("The style was made for the model “%s”, and may draw otherwise with “%s”."),
            said->model_name, info->name);
        add_notice(told, text);
    }
    PenStyle like = { .model_hash = info->hash,
                      .model_name = info->name,
                      .model_path = info->spec,
                      .rank = (int)adapter->rank,
                      .strength = said->strength,
                      .recipe = said->recipe,
                      .name = (char *)name };
    gint64 style = name ? pen_store_add_style(studio->store, &like, error)
                        : add_named_by_file(studio, &like, said->name, file, error);
    if (!style)
        return 0;
    if (!pen_store_add_style_version(studio->store, style, bytes, error)) {
        pen_store_delete_style(studio->store, style, NULL);
        return 0;
    }
    tell_unused(told, adapter, content, &report);
    if (notice)
        *notice = told->len ? g_string_free(g_steal_pointer(&told), FALSE) : NULL;
    return style;
}
