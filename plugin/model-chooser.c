// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/model-chooser.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "plugin/ui.h"
#include "src/models/model-elsewhere.h"
#include "src/models/model.h"

/* Entries that are no models; no model is called so. */
#define ANOTHER "+"
#define FOLDER "."

struct _PenModelChooser {
    GtkComboBoxText parent;
    PenApp *app;
    GPtrArray *elsewhere; /* PenModelElsewhere */
    gboolean filling;     /* the signals are no choices */
    guint filling_soon;   /* pen_ui_later() */
};

G_DEFINE_FINAL_TYPE(PenModelChooser, pen_model_chooser, GTK_TYPE_COMBO_BOX_TEXT)

/* --- filling --------------------------------------------------------------------------------- */

/* What the settings say, or the style, as the id of an entry. */
static const char *find_id(PenModelChooser *chooser, const PenStyle *style, char **names)
{
    const char *model = pen_app_settings(chooser->app)->model;
    g_autofree char *now = model ? g_path_get_basename(model) : NULL;
    if (!style || !names || !g_strcmp0(now, style->model_name))
        return model ? model : "";
    return g_strcmp0(style->model_name, names[0]) ? style->model_name : "";
}

/* What the chosen one needs. */
static void show_needs(PenModelChooser *chooser)
{
    const PenModelInfo *model = pen_app_model(chooser->app);
    g_autofree char *size = model ? g_format_size(model->bytes) : NULL;
    g_autofree char *needs =
        model
            ? g_strdup_printf(_("“%s” draws pictures of about %u × %u pixels. Its weights take %s "
                                "of the graphics card's memory, or half of that where memory is "
                                "short."),
                              model->name, model->size, model->size, size)
            : g_strdup("");
    g_autofree char *text = g_strdup_printf(
        "%s\n\n%s", needs,
        _("The starter model is small and knows few words: it is there to try Penchant with. A "
          "model's file or folder can be dropped on the window."));
    gtk_widget_set_tooltip_text(GTK_WIDGET(chooser), g_strstrip(text));
}

static void fill(gpointer data)
{
    PenModelChooser *chooser = data;
    GtkComboBoxText *combo = GTK_COMBO_BOX_TEXT(chooser);
    PenStudio *studio = pen_app_studio(chooser->app);
    const char *model = pen_app_settings(chooser->app)->model;
    gboolean listed = FALSE;
    chooser->filling = TRUE;
    gtk_combo_box_text_remove_all(combo);
    gtk_combo_box_text_append(combo, "", _("Starter model"));
    g_auto(GStrv) names = studio ? pen_studio_model_names(studio) : NULL;
    for (guint i = 1; names && names[i]; i++)
        gtk_combo_box_text_append(combo, names[i], names[i]);
    for (guint i = 0; i < chooser->elsewhere->len; i++) {
        const PenModelElsewhere *other = chooser->elsewhere->pdata[i];
        g_autofree char *size = other->bytes ? g_format_size(other->bytes) : NULL;
        g_autofree char *text =
            size ? g_strdup_printf("%s (%s, %s)", other->name, other->program, size)
                 : g_strdup_printf("%s (%s)", other->name, other->program);
        gtk_combo_box_text_append(combo, other->path, text);
        listed = listed || !g_strcmp0(model, other->path);
    }
    if (model && strchr(model, G_DIR_SEPARATOR) && !listed) {
        g_autofree char *name = g_path_get_basename(model);
        gtk_combo_box_text_append(combo, model, name);
    }
    gtk_combo_box_text_append(combo, ANOTHER, _("Choose a model…"));
    gtk_combo_box_text_append(combo, FOLDER, _("Open the models folder"));
    g_autoptr(PenStyle) style = pen_app_load_style(chooser->app);
    if (!gtk_combo_box_set_active_id(GTK_COMBO_BOX(combo), find_id(chooser, style, names))) {
        gtk_combo_box_set_active_id(GTK_COMBO_BOX(combo), "");
        if (studio && !style) /* it was taken away since */
            pen_app_set_model(chooser->app, NULL);
    }
    /* A style belongs to a model. */
    gtk_widget_set_sensitive(GTK_WIDGET(chooser), pen_app_style(chooser->app) == 0);
    chooser->filling = FALSE;
    show_needs(chooser);
}

static void fill_soon(PenModelChooser *chooser)
{
    pen_ui_later(&chooser->filling_soon, fill, chooser);
}

/* --- choosing -------------------------------------------------------------------------------- */

static void choose(PenModelChooser *chooser, const char *model)
{
    pen_app_clear_message(chooser->app);
    pen_app_set_model(chooser->app, model);
    fill_soon(chooser);
}

char *pen_model_chooser_name(PenApp *app, const char *path)
{
    g_auto(GStrv) names = pen_studio_model_names(pen_app_studio(app));
    g_autofree char *starter = pen_model_find(NULL, NULL);
    if (!path || !g_strcmp0(path, starter) || !g_strcmp0(path, PEN_STARTER_MODEL))
        return NULL;
    for (guint i = 1; names[i]; i++) {
        g_autofree char *found = pen_model_find(names[i], NULL);
        if (!g_strcmp0(found, path))
            return g_strdup(names[i]);
    }
    return g_strdup(path);
}

static void on_path(GtkFileChooser *dialog, const char *path, gpointer data)
{
    PenModelChooser *chooser = data;
    g_autofree char *model = pen_model_chooser_name(chooser->app, path);
    choose(chooser, model);
}

static void open_folder(PenModelChooser *chooser)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = pen_model_user_folder();
    g_autofree char *uri = g_filename_to_uri(folder, NULL, NULL);
    g_mkdir_with_parents(folder, 0700);
    GtkWindow *window = GTK_WINDOW(gtk_widget_get_toplevel(GTK_WIDGET(chooser)));
    if (!uri || !gtk_show_uri_on_window(window, uri, gtk_get_current_event_time(), &error)) {
        g_autofree char *text = g_strdup_printf(_("Put models into the folder %s."), folder);
        pen_app_notify(chooser->app, GTK_MESSAGE_INFO, text);
    }
}

static void on_changed(PenModelChooser *chooser)
{
    const char *id = gtk_combo_box_get_active_id(GTK_COMBO_BOX(chooser));
    if (chooser->filling || !id)
        return;
    if (g_strcmp0(id, ANOTHER) && g_strcmp0(id, FOLDER)) {
        g_autofree char *model = *id ? g_strdup(id) : NULL;
        choose(chooser, model);
        return;
    }
    gboolean another = g_strcmp0(id, ANOTHER) == 0;
    fill_soon(chooser); /* back to the one that is chosen, until there is an answer */
    if (!another) {
        open_folder(chooser);
        return;
    }
    GtkWidget *dialog = pen_ui_new_path_dialog(
        GTK_WIDGET(chooser), _("Choose a Model"), _("_Choose"),
        _("Models (a folder, or *.safetensors)"), "*.safetensors", on_path, chooser);
    gtk_window_present(GTK_WINDOW(dialog));
}

/* --- life ------------------------------------------------------------------------------------ */

static void pen_model_chooser_dispose(GObject *object)
{
    PenModelChooser *chooser = PEN_MODEL_CHOOSER(object);
    g_clear_handle_id(&chooser->filling_soon, g_source_remove);
    g_clear_pointer(&chooser->elsewhere, g_ptr_array_unref);
    G_OBJECT_CLASS(pen_model_chooser_parent_class)->dispose(object);
}

static void pen_model_chooser_class_init(PenModelChooserClass *class)
{
    G_OBJECT_CLASS(class)->dispose = pen_model_chooser_dispose;
}

static void pen_model_chooser_init(PenModelChooser *chooser)
{
    chooser->elsewhere = pen_models_elsewhere(g_get_home_dir());
    g_signal_connect(chooser, "changed", G_CALLBACK(on_changed), NULL);
}

GtkWidget *pen_model_chooser_new(PenApp *app)
{
    PenModelChooser *chooser = g_object_new(PEN_TYPE_MODEL_CHOOSER, NULL);
    chooser->app = app;
    fill(chooser);
    static const char *const causes[] = { "opened", "model-changed", "styles-changed" };
    for (guint i = 0; i < G_N_ELEMENTS(causes); i++)
        g_signal_connect_object(app, causes[i], G_CALLBACK(fill_soon), chooser, G_CONNECT_SWAPPED);
    return GTK_WIDGET(chooser);
}
