// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/start-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/image.h"
#include "plugin/placing-view.h"
#include "plugin/ui.h"

struct _PenStartView {
    GtkBox parent;
    PenApp *app;
    GtkWidget *image, *from, *placing, *strength, *strength_field, *count, *wide, *shape, *size;
    gboolean filling;  /* a chooser is being filled: its signals are no choices */
    guint images_soon; /* pen_ui_later() */
};

G_DEFINE_FINAL_TYPE(PenStartView, pen_start_view, GTK_TYPE_BOX)

static PenSettings *settings_of(PenStartView *view)
{
    return pen_app_settings(view->app);
}

/* --- the size -------------------------------------------------------------------------------- */

/* What the round starts from with the chosen image. */
static PenFrom from_of(PenStartView *view)
{
    return pen_app_image(view->app) ? settings_of(view)->from : PEN_FROM_TEXT;
}

static PenSpotWish wish_of(PenStartView *view)
{
    static const double shapes[] = { [PEN_SHAPE_IMAGE] = 0,
                                     [PEN_SHAPE_SQUARE] = 1,
                                     [PEN_SHAPE_PORTRAIT] = 3.0 / 4,
                                     [PEN_SHAPE_LANDSCAPE] = 4.0 / 3,
                                     [PEN_SHAPE_STYLE] = 0 };
    const PenSettings *settings = settings_of(view);
    /* A layer or a selection has a shape already. */
    gboolean sized = settings->shape == PEN_SHAPE_STYLE && from_of(view) == PEN_FROM_TEXT;
    const PenModelInfo *model = pen_app_model(view->app);
    return (PenSpotWish){ .shape = shapes[settings->shape],
                          .size = model->size,
                          .multiple = model->multiple,
                          .width = sized ? (guint)settings->recipe->width : 0,
                          .height = sized ? (guint)settings->recipe->height : 0,
                          .fit = settings->fit,
                          .grow = settings->grow,
                          .soften = settings->soften };
}

PenSpot *pen_start_view_find(PenStartView *view, guint *width, guint *height, GError **error)
{
    PenSpotWish wish = wish_of(view);
    return pen_spot_find(pen_app_image(view->app), from_of(view), &wish, width, height, error);
}

static void show_size(PenStartView *view)
{
    pen_placing_view_refresh(view->placing);
    gtk_widget_set_visible(view->strength_field, from_of(view) != PEN_FROM_TEXT);
    if (!pen_app_model(view->app)) {
        gtk_label_set_text(GTK_LABEL(view->size), "");
        return;
    }
    PenSpotWish wish = wish_of(view);
    guint width = wish.width ? wish.width : wish.size;
    guint height = wish.height ? wish.height : wish.size;
    pen_spot_free(pen_start_view_find(view, &width, &height, NULL));
    g_autofree char *text = g_strdup_printf(_("%u × %u pixels"), width, height);
    gtk_label_set_text(GTK_LABEL(view->size), text);
}

/* --- the image -------------------------------------------------------------------------------- */

void pen_start_view_refresh_images(PenStartView *view)
{
    view->filling = TRUE;
    GtkComboBoxText *combo = GTK_COMBO_BOX_TEXT(view->image);
    gtk_combo_box_text_remove_all(combo);
    g_autofree GimpImage **images = gimp_get_images();
    GimpImage *chosen = pen_app_image(view->app);
    if (!chosen && !pen_app_wants_new_image(view->app) && images && images[0])
        chosen = images[0];
    for (GimpImage **image = images; image && *image; image++) {
        g_autofree char *id = g_strdup_printf("%d", gimp_image_get_id(*image));
        g_autofree char *label = pen_image_label(*image);
        gtk_combo_box_text_append(combo, id, label);
    }
    gtk_combo_box_text_append(combo, "0", _("A new image"));
    g_autofree char *id = g_strdup_printf("%d", chosen ? gimp_image_get_id(chosen) : 0);
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(combo), id);
    if (chosen)
        pen_app_set_image(view->app, chosen);
    view->filling = FALSE;
    gtk_widget_set_sensitive(view->from, chosen != NULL);
    gtk_combo_box_set_active(GTK_COMBO_BOX(view->from), settings_of(view)->from);
    show_size(view);
}

static void on_image_changed(GtkComboBox *combo, PenStartView *view)
{
    const char *id = gtk_combo_box_get_active_id(combo);
    if (view->filling || !id)
        return;
    gint32 image = (gint32)g_ascii_strtoll(id, NULL, 10);
    view->filling = TRUE;
    if (image)
        pen_app_set_image(view->app, gimp_image_get_by_id(image));
    else
        pen_app_set_new_image(view->app);
    view->filling = FALSE;
    gtk_widget_set_sensitive(view->from, image != 0);
    show_size(view);
}

static void refresh_images(gpointer data)
{
    pen_start_view_refresh_images(data);
}

/* By another view, e.g. because a picture became an image. */
static void on_image_set(PenStartView *view)
{
    if (!view->filling)
        pen_ui_later(&view->images_soon, refresh_images, view);
}

/* --- start, shape and number ----------------------------------------------------------------- */

static void on_from_changed(GtkComboBox *combo, PenStartView *view)
{
    settings_of(view)->from = gtk_combo_box_get_active(combo);
    pen_app_settings_changed(view->app);
    show_size(view);
}

static void on_shape_changed(GtkComboBox *combo, PenStartView *view)
{
    if (view->filling)
        return;
    settings_of(view)->shape = gtk_combo_box_get_active(combo);
    pen_app_settings_changed(view->app);
    show_size(view);
}

/* The chooser has an entry of the style's size while its recipe has one. */
static void fill_shape(PenStartView *view)
{
    const PenRecipe *recipe = settings_of(view)->recipe;
    GtkComboBoxText *combo = GTK_COMBO_BOX_TEXT(view->shape);
    GtkTreeModel *entries = gtk_combo_box_get_model(GTK_COMBO_BOX(combo));
    view->filling = TRUE;
    if (gtk_tree_model_iter_n_children(entries, NULL) > PEN_SHAPE_STYLE)
        gtk_combo_box_text_remove(combo, PEN_SHAPE_STYLE);
    if (recipe->width)
        gtk_combo_box_text_append_text(combo, _("As in the style"));
    gtk_combo_box_set_active(GTK_COMBO_BOX(combo), settings_of(view)->shape);
    view->filling = FALSE;
}

void pen_start_view_reuse_size(PenStartView *view, int width, int height)
{
    const PenRecipe *recipe = settings_of(view)->recipe;
    gboolean styled = width == recipe->width && height == recipe->height;
    gtk_combo_box_set_active(GTK_COMBO_BOX(view->shape), styled            ? PEN_SHAPE_STYLE
                                                         : width == height ? PEN_SHAPE_SQUARE
                                                         : width < height  ? PEN_SHAPE_PORTRAIT
                                                                           : PEN_SHAPE_LANDSCAPE);
}

static void on_recipe_used(PenStartView *view)
{
    fill_shape(view);
    show_size(view);
}

static void show_wide(PenStartView *view)
{
    int count = settings_of(view)->count;
    g_autofree char *text =
        g_strdup_printf(_("Look further: begin %d, show %d"), PEN_WIDE * count, count);
    gtk_button_set_label(GTK_BUTTON(view->wide), text);
}

static void on_edited(PenStartView *view)
{
    PenSettings *settings = settings_of(view);
    settings->start_strength = gtk_range_get_value(GTK_RANGE(view->strength));
    settings->count = gtk_spin_button_get_value_as_int(GTK_SPIN_BUTTON(view->count));
    settings->wide = gtk_toggle_button_get_active(GTK_TOGGLE_BUTTON(view->wide));
    show_wide(view);
    pen_app_settings_changed(view->app);
}

/* --- building -------------------------------------------------------------------------------- */

static GtkWidget *new_combo(const char *first, ...) G_GNUC_NULL_TERMINATED;
static GtkWidget *new_combo(const char *first, ...)
{
    GtkWidget *combo = gtk_combo_box_text_new();
    va_list args;
    va_start(args, first);
    for (const char *text = first; text; text = va_arg(args, const char *))
        gtk_combo_box_text_append_text(GTK_COMBO_BOX_TEXT(combo), text);
    va_end(args);
    return combo;
}

static void build(PenStartView *view)
{
    const PenSettings *settings = settings_of(view);
    GtkBox *box = GTK_BOX(view);

    view->image = pen_ui_ellipsize(gtk_combo_box_text_new());
    g_signal_connect(view->image, "changed", G_CALLBACK(on_image_changed), view);
    view->from = pen_ui_ellipsize(
        new_combo(_("Text alone"), _("The active layer"), _("The selection"), NULL));
    gtk_widget_set_tooltip_text(view->from, _("With the selection, only what is selected changes"));
    gtk_box_pack_start(box,
                       pen_ui_pair(pen_ui_field(_("_Image"), view->image),
                                   pen_ui_field(_("Start _from"), view->from)),
                       FALSE, FALSE, 0);
    view->placing = pen_placing_view_new(view->app);
    gtk_box_pack_start(box, view->placing, FALSE, FALSE, 0);
    view->strength = pen_ui_percent_scale(_("Change"), 0.05, 1);
    gtk_range_set_value(GTK_RANGE(view->strength), settings->start_strength);
    view->strength_field = pen_ui_field(_("C_hange"), view->strength);
    gtk_widget_show_all(view->strength_field);
    gtk_widget_set_no_show_all(view->strength_field, TRUE);
    gtk_box_pack_start(box, view->strength_field, FALSE, FALSE, 0);

    view->count = pen_ui_spin(2, 9, 1, settings->count);
    view->shape = pen_ui_ellipsize(
        new_combo(_("Like the image"), _("Square"), _("Portrait"), _("Landscape"), NULL));
    view->size = pen_ui_label(NULL, "pen-hint");
    gtk_label_set_line_wrap(GTK_LABEL(view->size), FALSE);
    GtkWidget *shape = pen_ui_field(_("Si_ze"), view->shape);
    gtk_box_pack_start(GTK_BOX(shape), view->size, FALSE, FALSE, 0);
    /* The number needs little room, the words need much. */
    GtkWidget *numbers = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    gtk_box_pack_start(GTK_BOX(numbers), pen_ui_field(_("_Candidates"), view->count), FALSE, FALSE,
                       0);
    gtk_box_pack_start(GTK_BOX(numbers), shape, TRUE, TRUE, 0);
    gtk_entry_set_width_chars(GTK_ENTRY(view->count), 2);
    gtk_box_pack_start(box, numbers, FALSE, FALSE, 0);

    view->wide = pen_ui_check("");
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(view->wide), settings->wide);
    gtk_widget_set_tooltip_text(view->wide,
                                _("Finishes those that your votes so far speak for, and one or two "
                                  "that are unlike them. It takes about twice the time"));
    gtk_box_pack_start(box, view->wide, FALSE, FALSE, 0);
    show_wide(view);

    gtk_widget_show_all(GTK_WIDGET(view));
    gtk_combo_box_set_active(GTK_COMBO_BOX(view->from), settings->from);
    fill_shape(view);
    g_signal_connect(view->from, "changed", G_CALLBACK(on_from_changed), view);
    g_signal_connect(view->shape, "changed", G_CALLBACK(on_shape_changed), view);
    g_signal_connect_swapped(view->strength, "value-changed", G_CALLBACK(on_edited), view);
    g_signal_connect_swapped(view->count, "value-changed", G_CALLBACK(on_edited), view);
    g_signal_connect_swapped(view->wide, "toggled", G_CALLBACK(on_edited), view);
    pen_start_view_refresh_images(view);
}

static void pen_start_view_dispose(GObject *object)
{
    g_clear_handle_id(&PEN_START_VIEW(object)->images_soon, g_source_remove);
    G_OBJECT_CLASS(pen_start_view_parent_class)->dispose(object);
}

static void pen_start_view_class_init(PenStartViewClass *class)
{
    G_OBJECT_CLASS(class)->dispose = pen_start_view_dispose;
}

static void pen_start_view_init(PenStartView *view)
{
    gtk_orientable_set_orientation(GTK_ORIENTABLE(view), GTK_ORIENTATION_VERTICAL);
    gtk_box_set_spacing(GTK_BOX(view), 9);
}

GtkWidget *pen_start_view_new(PenApp *app)
{
    PenStartView *view = g_object_new(PEN_TYPE_START_VIEW, NULL);
    view->app = app;
    build(view);
    g_signal_connect_object(app, "model-changed", G_CALLBACK(show_size), view, G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "image-changed", G_CALLBACK(on_image_set), view,
                            G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "recipe-used", G_CALLBACK(on_recipe_used), view,
                            G_CONNECT_SWAPPED);
    return GTK_WIDGET(view);
}
