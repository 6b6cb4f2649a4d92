// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/extras-view.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "plugin/ui.h"

struct _PenExtrasView {
    GtkBox parent;
    PenApp *app;
    GtkWidget *vae, *prediction, *prediction_field, *notice, *add, *list, *hint;
    char *listed;       /* which adapters the list has: list_key(); NULL: not yet filled */
    guint filling_soon; /* pen_ui_later() */
    gboolean filling;   /* the choosers are being filled: their signals are no choices */
};

G_DEFINE_FINAL_TYPE(PenExtrasView, pen_extras_view, GTK_TYPE_BOX)

static PenModelSpec *extras_of(PenExtrasView *view)
{
    return pen_app_settings(view->app)->extras;
}

/* Asks for a .safetensors file, first where `near` lies, unless that is NULL. */
static void ask_file(PenExtrasView *view, const char *title, const char *near, PenUiFile chosen)
{
    GtkWidget *dialog = pen_ui_new_file_dialog(GTK_WIDGET(view), GTK_FILE_CHOOSER_ACTION_OPEN,
                                               title, NULL, _("_Choose"), chosen, view);
    GtkFileFilter *filter = gtk_file_filter_new();
    gtk_file_filter_set_name(filter, _("Weights (*.safetensors)"));
    gtk_file_filter_add_pattern(filter, "*.safetensors");
    gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(dialog), filter);
    g_autofree char *folder = near ? g_path_get_dirname(near) : NULL;
    if (folder && g_file_test(folder, G_FILE_TEST_IS_DIR))
        gtk_file_chooser_set_current_folder(GTK_FILE_CHOOSER(dialog), folder);
    gtk_window_present(GTK_WINDOW(dialog));
}

static void fill(gpointer data);

/* Not while what is filled is still busy with what was clicked. */
static void fill_soon(PenExtrasView *view)
{
    pen_ui_later(&view->filling_soon, fill, view);
}

/* --- the decoder ----------------------------------------------------------------------------- */

#define ANOTHER "+" /* the entry that asks for a file, which has a path */

static void fill_vae(PenExtrasView *view)
{
    view->filling = TRUE;
    const char *vae = extras_of(view)->vae;
    GtkComboBoxText *combo = GTK_COMBO_BOX_TEXT(view->vae);
    gtk_combo_box_text_remove_all(combo);
    gtk_combo_box_text_append(combo, "", _("The model's own"));
    if (vae) {
        g_autofree char *name = g_filename_display_basename(vae);
        gtk_combo_box_text_append(combo, vae, name);
    }
    gtk_combo_box_text_append(combo, ANOTHER, _("Another file…"));
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(combo), vae ? vae : "");
    view->filling = FALSE;
}

static void on_vae_file(GtkFileChooser *chooser, const char *path, gpointer data)
{
    PenExtrasView *view = data;
    pen_app_set_vae(view->app, path);
}

static void on_vae_changed(GtkComboBox *combo, PenExtrasView *view)
{
    const char *id = gtk_combo_box_get_active_id(combo);
    if (view->filling || !id)
        return;
    if (g_strcmp0(id, ANOTHER)) {
        g_autofree char *file = *id ? g_strdup(id) : NULL; /* filling anew frees the id */
        pen_app_set_vae(view->app, file);
        return;
    }
    fill_soon(view); /* back to the one that is chosen, until there is an answer */
    ask_file(view, _("Choose a Decoder (VAE)"), extras_of(view)->vae, on_vae_file);
}

/* --- what the model's files leave open -------------------------------------------------------- */

static void fill_model(PenExtrasView *view)
{
    const PenModelInfo *model = pen_app_model(view->app);
    if (!model) /* known soon */
        return;
    const char *prediction = extras_of(view)->prediction;
    view->filling = TRUE;
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(view->prediction), prediction ? prediction : "");
    view->filling = FALSE;
    gtk_widget_set_visible(view->prediction_field,
                           model->may_predict && pen_app_style(view->app) == 0);
    gtk_label_set_text(GTK_LABEL(view->notice), model->notice ? model->notice : "");
    gtk_widget_set_visible(view->notice, model->notice != NULL);
}

static void on_prediction_changed(GtkComboBox *combo, PenExtrasView *view)
{
    const char *id = gtk_combo_box_get_active_id(combo);
    if (view->filling || !id)
        return;
    PenModelSpec *extras = extras_of(view);
    g_free(extras->prediction);
    extras->prediction = *id ? g_strdup(id) : NULL;
    pen_app_extras_changed(view->app);
}

static GtkWidget *build_prediction(PenExtrasView *view)
{
    GtkComboBoxText *combo = GTK_COMBO_BOX_TEXT(gtk_combo_box_text_new());
    gtk_combo_box_text_append(combo, "", _("As its file says"));
    gtk_combo_box_text_append(combo, "epsilon", _("Noise (epsilon)"));
    gtk_combo_box_text_append(combo, "v_prediction", _("Velocity (v)"));
    view->prediction = pen_ui_ellipsize(GTK_WIDGET(combo));
    gtk_widget_set_tooltip_text(view->prediction,
                                _("What the model was trained to predict. Its file may not say so: "
                                  "where all pictures are noise or nearly grey, try the other."));
    g_signal_connect(view->prediction, "changed", G_CALLBACK(on_prediction_changed), view);
    return pen_ui_field(_("The model predicts"), view->prediction);
}

/* --- the adapters ---------------------------------------------------------------------------- */

/* A row's file, as its widgets know it. */
#define FILE_KEY "penchant-file"

/* The adapters of the model as it is drawn with now, the style's first; without a style, or before
 * the model is known, none of them is the style's. */
static PenModelSpec *all_adapters(PenExtrasView *view, guint *of_style)
{
    const PenModelInfo *model = pen_app_model(view->app);
    g_autoptr(PenModelSpec) shown = model ? pen_model_spec_parse(model->spec, NULL) : NULL;
    PenModelSpec *all = pen_model_spec_new(NULL);
    *of_style = shown ? model->style_loras : 0;
    for (guint i = 0; i < *of_style; i++) {
        const PenModelLora *lora = shown->loras->pdata[i];
        pen_model_spec_add_lora(all, lora->file, lora->strength);
    }
    pen_model_spec_overlay(all, extras_of(view));
    return all;
}

static void on_strength(GtkSpinButton *spin, PenExtrasView *view)
{
    PenModelLora *lora =
        pen_model_spec_find_lora(extras_of(view), g_object_get_data(G_OBJECT(spin), FILE_KEY));
    /* To the hundredth that is shown: the strength is part of what a style is taught on. */
    double strength = round(gtk_spin_button_get_value(spin) * 100) / 100;
    if (!lora || lora->strength == strength)
        return;
    lora->strength = strength;
    pen_app_extras_changed(view->app);
}

static void on_remove(GtkWidget *button, PenExtrasView *view)
{
    gtk_widget_grab_focus(view->add); /* the button goes with its row */
    pen_app_leave_out(view->app, g_object_get_data(G_OBJECT(button), FILE_KEY));
}

static GtkWidget *new_row(PenExtrasView *view, const PenModelLora *lora, gboolean of_style)
{
    g_autofree char *name = g_filename_display_basename(lora->file);
    g_autofree char *path = g_filename_display_name(lora->file);
    char *end = g_strrstr(name, ".safetensors");
    if (end && end != name)
        *end = '\0';
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    atk_object_set_role(gtk_widget_get_accessible(row), ATK_ROLE_LIST_ITEM);
    pen_ui_name(row, name);
    GtkWidget *label = gtk_label_new(name);
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    /* Versions of an adapter differ at the end of their names. */
    gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_MIDDLE);
    gtk_widget_set_tooltip_text(label, path);
    gtk_box_pack_start(GTK_BOX(row), label, TRUE, TRUE, 0);
    if (of_style) {
        g_autofree char *strength = g_strdup_printf("%.2f", lora->strength);
        GtkWidget *fixed = gtk_label_new(strength);
        GtkWidget *lock =
            gtk_image_new_from_icon_name("changes-prevent-symbolic", GTK_ICON_SIZE_BUTTON);
        gtk_style_context_add_class(gtk_widget_get_style_context(row), "pen-fixed");
        gtk_widget_set_tooltip_text(
            row, _("The style was taught on top of this adapter and always uses it"));
        gtk_box_pack_start(GTK_BOX(row), fixed, FALSE, FALSE, 0);
        gtk_box_pack_start(GTK_BOX(row), lock, FALSE, FALSE, 0);
        return row;
    }
    GtkWidget *spin = pen_ui_spin(0, 2, 0.05, lora->strength);
    g_autofree char *strength_name = g_strdup_printf(_("Strength of %s"), name);
    g_autofree char *remove_name = g_strdup_printf(_("Do without %s"), name);
    GtkWidget *remove = pen_ui_icon_button("window-close-symbolic", remove_name);
    gtk_style_context_add_class(gtk_widget_get_style_context(remove), "pen-small");
    GtkWidget *both[] = { spin, remove };
    for (guint i = 0; i < G_N_ELEMENTS(both); i++) {
        g_object_set_data_full(G_OBJECT(both[i]), FILE_KEY, g_strdup(lora->file), g_free);
        gtk_box_pack_start(GTK_BOX(row), both[i], FALSE, FALSE, 0);
    }
    gtk_widget_set_valign(spin, GTK_ALIGN_CENTER);
    pen_ui_name(spin, strength_name);
    gtk_widget_set_tooltip_text(
        spin, _("How strongly the adapter shows: 0 not at all, 1 as its maker meant it"));
    g_signal_connect(spin, "value-changed", G_CALLBACK(on_strength), view);
    g_signal_connect(remove, "clicked", G_CALLBACK(on_remove), view);
    return row;
}

/* What decides whether rows have to be made anew; not the strengths, which are turned in them. */
static char *list_key(const PenModelSpec *all, guint of_style)
{
    g_autoptr(GString) key = g_string_new(NULL);
    for (guint i = 0; i < all->loras->len; i++) {
        const PenModelLora *lora = all->loras->pdata[i];
        g_string_append_printf(key, "%d %s\n", i < of_style, lora->file);
    }
    return g_string_free(g_steal_pointer(&key), FALSE);
}

static void show_hint(PenExtrasView *view, gboolean added)
{
    g_autoptr(PenStyle) style = added ? pen_app_load_style(view->app) : NULL;
    gtk_widget_set_visible(view->hint, style != NULL);
    if (!style)
        return;
    g_autofree char *text = g_strdup_printf(
        _("Picks made with added adapters do not teach “%s”: it was made without them."),
        style->name);
    gtk_label_set_text(GTK_LABEL(view->hint), text);
}

static void fill_list(PenExtrasView *view)
{
    guint of_style;
    if (pen_app_is_reading_model(view->app)) /* which adapters are the style's is known soon */
        return;
    g_autoptr(PenModelSpec) all = all_adapters(view, &of_style);
    show_hint(view, all->loras->len > of_style);
    g_autofree char *key = list_key(all, of_style);
    if (!g_strcmp0(view->listed, key))
        return;
    g_free(view->listed);
    view->listed = g_steal_pointer(&key);
    pen_ui_clear(view->list);
    for (guint i = 0; i < all->loras->len; i++) {
        GtkWidget *row = new_row(view, all->loras->pdata[i], i < of_style);
        gtk_container_add(GTK_CONTAINER(view->list), row);
        gtk_widget_show_all(row);
    }
    gtk_widget_set_visible(view->list, all->loras->len > 0);
}

static void fill(gpointer data)
{
    fill_vae(data);
    fill_model(data);
    fill_list(data);
}

/* To the last adapter, once it has its place. */
static gboolean go_to_last(gpointer data)
{
    PenExtrasView *view = data;
    g_autoptr(GList) rows = gtk_widget_get_mapped(GTK_WIDGET(view))
                                ? gtk_container_get_children(GTK_CONTAINER(view->list))
                                : NULL;
    if (rows)
        gtk_widget_child_focus(g_list_last(rows)->data, GTK_DIR_TAB_FORWARD);
    g_object_unref(view);
    return G_SOURCE_REMOVE;
}

static void on_adapter_file(GtkFileChooser *chooser, const char *path, gpointer data)
{
    PenExtrasView *view = data;
    if (pen_app_add_adapter(view->app, path))
        g_idle_add_full(G_PRIORITY_LOW, go_to_last, g_object_ref(view), NULL);
}

static void on_add(GtkButton *button, PenExtrasView *view)
{
    const GPtrArray *loras = extras_of(view)->loras;
    const PenModelLora *last = loras->len ? loras->pdata[loras->len - 1] : NULL;
    ask_file(view, _("Add an Adapter (LoRA)"), last ? last->file : NULL, on_adapter_file);
}

/* --- building -------------------------------------------------------------------------------- */

static void pen_extras_view_finalize(GObject *object)
{
    g_clear_handle_id(&PEN_EXTRAS_VIEW(object)->filling_soon, g_source_remove);
    g_free(PEN_EXTRAS_VIEW(object)->listed);
    G_OBJECT_CLASS(pen_extras_view_parent_class)->finalize(object);
}

static void pen_extras_view_class_init(PenExtrasViewClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_extras_view_finalize;
}

static void pen_extras_view_init(PenExtrasView *view)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(view), GTK_ORIENTATION_VERTICAL);
    gtk_box_set_spacing(GTK_BOX(view), 9);

    view->vae = pen_ui_ellipsize(gtk_combo_box_text_new());
    gtk_widget_set_tooltip_text(view->vae,
                                _("Turns the model's work into pixels. Another one changes colours "
                                  "and fine detail."));
    g_signal_connect(view->vae, "changed", G_CALLBACK(on_vae_changed), view);
    gtk_box_pack_start(GTK_BOX(view), pen_ui_field(_("Decoder (_VAE)"), view->vae), FALSE, FALSE,
                       0);

    view->prediction_field = build_prediction(view);
    view->notice = pen_ui_label(NULL, "pen-hint");
    pen_ui_name(view->notice, _("About the model's files"));
    gtk_box_pack_start(GTK_BOX(view), view->prediction_field, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), view->notice, FALSE, FALSE, 0);

    view->add = gtk_button_new_with_label(_("Add…"));
    gtk_widget_set_tooltip_text(view->add, _("Add a file that someone trained for this kind of "
                                             "model: a subject, a manner of drawing. Styles are "
                                             "taught on top of the adapters in the list."));
    pen_ui_name(view->add, _("Add an Adapter (LoRA)"));
    g_signal_connect(view->add, "clicked", G_CALLBACK(on_add), view);
    view->list = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
    atk_object_set_role(gtk_widget_get_accessible(view->list), ATK_ROLE_LIST);
    pen_ui_name(view->list, _("Adapters"));
    view->hint = pen_ui_label(NULL, "pen-hint");
    GtkWidget *field = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
    gtk_box_pack_start(GTK_BOX(field), pen_ui_heading(_("Adapters (_LoRA)"), view->add), FALSE,
                       FALSE, 0);
    /* Above the list, where it is seen when something is added at the list's end. */
    gtk_box_pack_start(GTK_BOX(field), view->hint, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(field), view->list, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), field, FALSE, FALSE, 0);
    gtk_widget_show_all(GTK_WIDGET(view));
    GtkWidget *sometimes[] = { view->prediction_field, view->notice };
    for (guint i = 0; i < G_N_ELEMENTS(sometimes); i++) {
        gtk_widget_set_no_show_all(sometimes[i], TRUE);
        gtk_widget_hide(sometimes[i]);
    }
    gtk_widget_set_no_show_all(view->list, TRUE);
    gtk_widget_set_no_show_all(view->hint, TRUE);
}

GtkWidget *pen_extras_view_new(PenApp *app)
{
    PenExtrasView *view = g_object_new(PEN_TYPE_EXTRAS_VIEW, NULL);
    view->app = app;
    fill(view);
    g_signal_connect_object(app, "extras-changed", G_CALLBACK(fill_soon), view, G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "model-changed", G_CALLBACK(fill_soon), view, G_CONNECT_SWAPPED);
    return GTK_WIDGET(view);
}
