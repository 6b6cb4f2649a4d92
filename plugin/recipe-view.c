// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/recipe-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/recipe-use.h"
#include "plugin/sampler-fields.h"
#include "plugin/text-undo.h"
#include "plugin/ui.h"

/* Typing is kept bout by bout. */
#define SAVE_MS 150

struct _PenRecipeView {
    GtkBox parent;
    PenApp *app;
    GtkWidget *words; /* what the recipe is, also while it is folded */
    GtkWidget *template, *negative, *sampler, *schedule, *steps, *guidance, *width, *height,
        *trouble;
    gint64 style;   /* that is shown; 0: none yet */
    char *kept;     /* its recipe, as it is shown or was kept from here */
    gboolean sized; /* that recipe has a size */
    guint saving;   /* what was changed is still to be kept */
    gboolean filling;
};

G_DEFINE_FINAL_TYPE(PenRecipeView, pen_recipe_view, GTK_TYPE_BOX)

/* --- showing --------------------------------------------------------------------------------- */

static void set_text(GtkWidget *entry, const char *text)
{
    gtk_entry_set_text(GTK_ENTRY(entry), text ? text : "");
}

static void set_number(GtkWidget *spin, double value)
{
    gtk_spin_button_set_value(GTK_SPIN_BUTTON(spin), value);
}

static void fill(PenRecipeView *view, const PenRecipe *recipe)
{
    view->filling = TRUE;
    set_text(view->template, recipe->prompt);
    set_text(view->negative, recipe->negative_prompt);
    pen_sampler_fields_set(view->sampler, recipe->sampler);
    pen_sampler_fields_set(view->schedule, recipe->schedule);
    set_number(view->steps, recipe->steps);
    set_number(view->guidance, recipe->guidance);
    set_number(view->width, recipe->width);
    set_number(view->height, recipe->height);
    view->filling = FALSE;
}

static void show_words(PenRecipeView *view, const PenRecipe *recipe)
{
    g_autofree char *words = pen_recipe_describe(recipe);
    gtk_label_set_text(GTK_LABEL(view->words),
                       words ? words : _("None: it draws with the settings of Create."));
}

/* --- keeping --------------------------------------------------------------------------------- */

static char *get_id(GtkWidget *combo)
{
    return g_strdup(gtk_combo_box_get_active_id(GTK_COMBO_BOX(combo)));
}

static int get_number(GtkWidget *spin)
{
    return gtk_spin_button_get_value_as_int(GTK_SPIN_BUTTON(spin));
}

static int get_side(GtkWidget *spin)
{
    return get_number(spin) / 8 * 8;
}

static PenRecipe *read_recipe(PenRecipeView *view)
{
    PenRecipe *recipe = pen_recipe_new();
    recipe->prompt = g_strdup(gtk_entry_get_text(GTK_ENTRY(view->template)));
    recipe->negative_prompt = g_strdup(gtk_entry_get_text(GTK_ENTRY(view->negative)));
    recipe->sampler = get_id(view->sampler);
    recipe->schedule = get_id(view->schedule);
    recipe->steps = get_number(view->steps);
    recipe->guidance = gtk_spin_button_get_value(GTK_SPIN_BUTTON(view->guidance));
    recipe->width = get_side(view->width);
    recipe->height = get_side(view->height);
    return recipe;
}

/* A size is both or neither. While a number is typed it passes through others: only what has come
 * to rest counts. */
static void settle_size(PenRecipeView *view)
{
    gboolean width = get_side(view->width) != 0, height = get_side(view->height) != 0;
    if (width == height)
        return;
    GtkWidget *set = width ? view->width : view->height, *open = width ? view->height : view->width;
    view->filling = TRUE;
    if (view->sized)
        set_number(set, 0);
    else
        set_number(open, get_side(set));
    view->filling = FALSE;
}

/* What cannot be is said beside the fields and not kept. */
static void save(PenRecipeView *view)
{
    g_autoptr(GError) error = NULL;
    g_clear_handle_id(&view->saving, g_source_remove);
    settle_size(view);
    g_autoptr(PenRecipe) recipe = read_recipe(view);
    gboolean good = pen_recipe_normalize(recipe, &error);
    g_autofree char *text = good ? pen_recipe_to_text(recipe) : NULL;
    gtk_label_set_text(GTK_LABEL(view->trouble), good ? "" : error->message);
    gtk_widget_set_visible(view->trouble, !good);
    if (!good || g_strcmp0(text, view->kept) == 0)
        return;
    if (!pen_studio_set_recipe(pen_app_studio(view->app), view->style, recipe, &error)) {
        pen_app_report(view->app, error);
        return;
    }
    g_free(view->kept);
    view->kept = g_steal_pointer(&text);
    view->sized = recipe->width != 0;
    show_words(view, recipe);
    pen_app_styles_changed(view->app);
}

static gboolean on_saving(gpointer data)
{
    PenRecipeView *view = data;
    view->saving = 0;
    save(view);
    return G_SOURCE_REMOVE;
}

static void on_edited(PenRecipeView *view)
{
    if (view->filling)
        return;
    g_clear_handle_id(&view->saving, g_source_remove);
    view->saving = g_timeout_add(SAVE_MS, on_saving, view);
}

static void on_take(PenRecipeView *view)
{
    g_autoptr(PenRecipe) recipe = read_recipe(view);
    pen_recipe_read_settings(recipe, pen_app_settings(view->app));
    fill(view, recipe);
    save(view);
}

void pen_recipe_view_show(PenRecipeView *view, const PenStyle *style)
{
    if (view->saving && style->id != view->style)
        save(view);
    if (style->id == view->style && (view->saving || g_strcmp0(style->recipe, view->kept) == 0))
        return;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRecipe) recipe = pen_recipe_parse(style->recipe, &error);
    if (!recipe) {
        pen_app_report(view->app, error);
        recipe = pen_recipe_new();
    }
    gboolean another = style->id != view->style;
    view->style = style->id;
    g_free(view->kept);
    view->kept = g_strdup(style->recipe);
    view->sized = recipe->width != 0;
    gtk_widget_hide(view->trouble);
    fill(view, recipe);
    show_words(view, recipe);
    if (another) {
        pen_text_undo_restart(view->template);
        pen_text_undo_restart(view->negative);
    }
}

/* --- building -------------------------------------------------------------------------------- */

static GtkWidget *new_entry(PenRecipeView *view, const char *placeholder)
{
    GtkWidget *entry = gtk_entry_new();
    gtk_entry_set_placeholder_text(GTK_ENTRY(entry), placeholder);
    gtk_entry_set_width_chars(GTK_ENTRY(entry), 10);
    pen_text_undo_add(entry);
    g_signal_connect_swapped(entry, "changed", G_CALLBACK(on_edited), view);
    return entry;
}

static GtkWidget *new_spin(double high, double step)
{
    GtkWidget *spin = pen_ui_spin(0, high, step, 0);
    pen_ui_spin_name_lowest(spin, _("Auto"));
    return spin;
}

static GtkWidget *build(PenRecipeView *view)
{
    GtkBox *box = GTK_BOX(gtk_box_new(GTK_ORIENTATION_VERTICAL, 9));
    gtk_widget_set_margin_top(GTK_WIDGET(box), 6);
    view->template = new_entry(view, _("{prompt}, ink wash"));
    gtk_widget_set_tooltip_text(view->template,
                                _("Your words stand where it says {prompt}; without "
                                  "that, in front"));
    gtk_box_pack_start(box, pen_ui_field(_("Added to prompts"), view->template), FALSE, FALSE, 0);
    view->negative = new_entry(view, _("What should not be in it"));
    gtk_box_pack_start(box, pen_ui_field(_("Avoids"), view->negative), FALSE, FALSE, 0);
    gtk_box_pack_start(box, pen_sampler_fields_new(&view->sampler, &view->schedule), FALSE, FALSE,
                       0);
    view->steps = new_spin(PEN_RECIPE_MAX_STEPS, 1);
    view->guidance = new_spin(PEN_RECIPE_MAX_GUIDANCE, 0.5);
    gtk_box_pack_start(box,
                       pen_ui_pair(pen_ui_field(_("Steps"), view->steps),
                                   pen_ui_field(_("Guidance"), view->guidance)),
                       FALSE, FALSE, 0);
    view->width = new_spin(2048, 8);
    view->height = new_spin(2048, 8);
    gtk_box_pack_start(
        box,
        pen_ui_pair(pen_ui_field(_("Width"), view->width), pen_ui_field(_("Height"), view->height)),
        FALSE, FALSE, 0);
    view->trouble = pen_ui_label(NULL, NULL);
    gtk_widget_set_no_show_all(view->trouble, TRUE);
    gtk_box_pack_start(box, view->trouble, FALSE, FALSE, 0);
    GtkWidget *take = gtk_button_new_with_mnemonic(_("_Take from Create"));
    gtk_widget_set_tooltip_text(take,
                                _("What Avoid, Sampler, Schedule, Steps and Guidance are there "
                                  "now"));
    gtk_widget_set_halign(take, GTK_ALIGN_START);
    g_signal_connect_swapped(take, "clicked", G_CALLBACK(on_take), view);
    gtk_box_pack_start(box, take, FALSE, FALSE, 0);
    GtkWidget *choices[] = { view->sampler, view->schedule };
    for (guint i = 0; i < G_N_ELEMENTS(choices); i++)
        g_signal_connect_swapped(choices[i], "changed", G_CALLBACK(on_edited), view);
    GtkWidget *numbers[] = { view->steps, view->guidance, view->width, view->height };
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        g_signal_connect_swapped(numbers[i], "value-changed", G_CALLBACK(on_edited), view);
    return GTK_WIDGET(box);
}

/* The window closes: what was typed last is kept, too. */
static void on_unmap(PenRecipeView *view)
{
    if (view->saving)
        save(view);
}

static void pen_recipe_view_finalize(GObject *object)
{
    PenRecipeView *view = PEN_RECIPE_VIEW(object);
    g_clear_handle_id(&view->saving, g_source_remove);
    g_free(view->kept);
    G_OBJECT_CLASS(pen_recipe_view_parent_class)->finalize(object);
}

static void pen_recipe_view_class_init(PenRecipeViewClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_recipe_view_finalize;
}

static void pen_recipe_view_init(PenRecipeView *view)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(view), GTK_ORIENTATION_VERTICAL);
    gtk_box_set_spacing(GTK_BOX(view), 3);
}

GtkWidget *pen_recipe_view_new(PenApp *app)
{
    PenRecipeView *view = g_object_new(PEN_TYPE_RECIPE_VIEW, NULL);
    view->app = app;
    GtkWidget *expander = gtk_expander_new_with_mnemonic(_("_Recipe"));
    gtk_style_context_add_class(gtk_widget_get_style_context(expander), "pen-more");
    gtk_container_add(GTK_CONTAINER(expander), build(view));
    view->words = pen_ui_label(NULL, "pen-hint");
    gtk_label_set_line_wrap_mode(GTK_LABEL(view->words), PANGO_WRAP_WORD_CHAR);
    gtk_box_pack_start(GTK_BOX(view), expander, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), view->words, FALSE, FALSE, 0);
    g_signal_connect(view, "unmap", G_CALLBACK(on_unmap), NULL);
    return GTK_WIDGET(view);
}
