// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/styles-view.h"

#include <glib/gi18n-lib.h>

#include "plugin/picture.h"
#include "plugin/style-details.h"
#include "plugin/style-files.h"
#include "plugin/style-rows.h"
#include "plugin/ui.h"

#define THUMB 56

struct _PenStylesView {
    GtkBox parent;
    PenApp *app;
    GtkWidget *list, *details, *card, *nothing, *stack;
    GPtrArray *thumbs; /* GtkImage of the rows whose pictures are being read */
    GCancellable *load;
    gint64 shown;       /* the style that is looked at; 0: none */
    gint64 used;        /* the style that was in use when the view was filled */
    guint filling_soon; /* pen_ui_later() */
    gboolean filling;
};

G_DEFINE_FINAL_TYPE(PenStylesView, pen_styles_view, GTK_TYPE_BOX)

/* --- showing --------------------------------------------------------------------------------- */

static void show_details(PenStylesView *view)
{
    PenStore *store = pen_app_store(view->app);
    g_autoptr(PenStyle) style =
        store && view->shown ? pen_store_get_style(store, view->shown, NULL) : NULL;
    if (style && style->deleted)
        g_clear_pointer(&style, pen_style_free);
    gtk_stack_set_visible_child(GTK_STACK(view->stack), style ? view->card : view->nothing);
    if (style)
        pen_style_details_show(PEN_STYLE_DETAILS(view->details), style);
}

static void on_thumbs(GPtrArray *pictures, gpointer data)
{
    PenStylesView *view = data;
    int factor = gtk_widget_get_scale_factor(GTK_WIDGET(view));
    for (guint i = 0; i < pictures->len; i++) {
        if (!pictures->pdata[i])
            continue;
        cairo_surface_t *surface =
            gdk_cairo_surface_create_from_pixbuf(pictures->pdata[i], factor, NULL);
        gtk_image_set_from_surface(view->thumbs->pdata[i], surface);
        cairo_surface_destroy(surface);
    }
}

/* What a style is like: the best of its latest pick. */
static void load_thumbs(PenStylesView *view, GPtrArray *styles)
{
    PenStore *store = pen_app_store(view->app);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < styles->len; i++) {
        g_autofree char *file =
            pen_store_find_style_picture(store, ((PenStyle *)styles->pdata[i])->id);
        g_ptr_array_add(paths, file ? pen_store_path(store, file) : NULL);
    }
    view->load = g_cancellable_new();
    pen_pictures_load(paths, THUMB * gtk_widget_get_scale_factor(GTK_WIDGET(view)), view->load,
                      on_thumbs, view, NULL);
}

static char *describe(PenStylesView *view, const PenStyle *style)
{
    g_autofree char *version = NULL;
    if (style->current_number) {
        version = g_strdup_printf(_("Version %d"), style->current_number);
    } else {
        g_autoptr(GPtrArray) versions =
            pen_store_list_style_versions(pen_app_store(view->app), style->id, NULL);
        version =
            g_strdup(versions && versions->len ? _("Before any teaching") : _("Not taught yet"));
    }
    return style->id == pen_app_style(view->app) ? g_strdup_printf(_("in use · %s"), version)
                                                 : g_steal_pointer(&version);
}

static gboolean is_among(GPtrArray *styles, gint64 id)
{
    for (guint i = 0; i < styles->len; i++) {
        if (((PenStyle *)styles->pdata[i])->id == id)
            return TRUE;
    }
    return FALSE;
}

static void fill(gpointer data)
{
    PenStylesView *view = data;
    PenStore *store = pen_app_store(view->app);
    g_autoptr(GPtrArray) styles = store ? pen_store_list_styles(store, FALSE, NULL) : NULL;
    if (!styles)
        return;
    /* The artist looks at what is used, until he looks at something else. */
    gint64 used = pen_app_style(view->app);
    if (used != view->used || !is_among(styles, view->shown))
        view->shown = used;
    view->used = used;
    view->filling = TRUE;
    g_cancellable_cancel(view->load);
    g_clear_object(&view->load);
    g_ptr_array_set_size(view->thumbs, 0);
    pen_style_rows_begin(view->list);
    for (guint i = 0; i < styles->len; i++) {
        PenStyle *style = styles->pdata[i];
        GtkWidget *thumb = gtk_image_new();
        gtk_widget_set_size_request(thumb, THUMB, THUMB);
        g_ptr_array_add(view->thumbs, g_object_ref(thumb));
        g_autofree char *text = describe(view, style);
        pen_style_rows_add(view->list, style->id, style->name, text, thumb);
    }
    pen_style_rows_end(view->list, view->shown);
    load_thumbs(view, styles);
    show_details(view);
    view->filling = FALSE;
}

static void fill_soon(PenStylesView *view)
{
    pen_ui_later(&view->filling_soon, fill, view);
}

/* --- the list -------------------------------------------------------------------------------- */

static void on_row_selected(GtkListBox *list, GtkListBoxRow *row, PenStylesView *view)
{
    if (view->filling || !row)
        return;
    view->shown = pen_style_rows_get(view->list);
    show_details(view);
}

static void on_row_activated(GtkListBox *list, GtkListBoxRow *row, PenStylesView *view)
{
    pen_app_set_style(view->app, pen_style_rows_get(view->list));
}

static void on_named(const char *name, gpointer data)
{
    PenStylesView *view = data;
    g_autoptr(GError) error = NULL;
    /* For what is drawn with now, a style's model included. */
    const PenModelInfo *model = pen_app_model(view->app);
    gint64 style =
        pen_studio_create_style(pen_app_studio(view->app), name,
                                model ? model->spec : pen_app_settings(view->app)->model, &error);
    if (style)
        pen_app_set_style(view->app, style);
    else
        pen_app_report(view->app, error);
}

static void on_new(GtkButton *button, PenStylesView *view)
{
    if (pen_app_studio(view->app))
        pen_ui_ask(GTK_WIDGET(view), _("A New Style"), _("_Name of the style"), _("My style"),
                   _("C_reate"), on_named, view);
}

static void on_import(GtkButton *button, PenStylesView *view)
{
    pen_style_import(view->app, GTK_WIDGET(view));
}

/* --- building -------------------------------------------------------------------------------- */

static GtkWidget *new_button(const char *mnemonic, GCallback callback, PenStylesView *view)
{
    GtkWidget *button = gtk_button_new_with_mnemonic(mnemonic);
    g_signal_connect(button, "clicked", callback, view);
    return button;
}

static void build(PenStylesView *view)
{
    GtkWidget *left = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
    gtk_widget_set_size_request(left, 240, -1);
    gtk_box_pack_start(GTK_BOX(left), pen_style_rows_new(_("Styles"), &view->list), TRUE, TRUE, 0);
    g_signal_connect(view->list, "row-selected", G_CALLBACK(on_row_selected), view);
    g_signal_connect(view->list, "row-activated", G_CALLBACK(on_row_activated), view);
    GtkWidget *buttons = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_box_set_homogeneous(GTK_BOX(buttons), TRUE);
    gtk_box_pack_start(GTK_BOX(buttons), new_button(_("Ne_w…"), G_CALLBACK(on_new), view), TRUE,
                       TRUE, 0);
    gtk_box_pack_start(GTK_BOX(buttons), new_button(_("I_mport…"), G_CALLBACK(on_import), view),
                       TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(left), buttons, FALSE, FALSE, 0);

    view->details = pen_style_details_new(view->app);
    gtk_widget_set_margin_end(view->details, 12); /* from the scroll bar */
    view->card = pen_ui_scrolled(view->details);
    view->nothing =
        pen_ui_placeholder(_("No style is chosen"),
                           _("A style is what Penchant has learnt of your taste. Make one here, or "
                             "just vote for candidates and press Teach."));
    view->stack = gtk_stack_new();
    gtk_container_add(GTK_CONTAINER(view->stack), view->nothing);
    gtk_container_add(GTK_CONTAINER(view->stack), view->card);

    gtk_box_pack_start(GTK_BOX(view), left, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(view), view->stack, TRUE, TRUE, 0);
    gtk_widget_show_all(GTK_WIDGET(view));
}

static void pen_styles_view_dispose(GObject *object)
{
    PenStylesView *view = PEN_STYLES_VIEW(object);
    g_clear_handle_id(&view->filling_soon, g_source_remove);
    g_cancellable_cancel(view->load);
    g_clear_object(&view->load);
    g_clear_pointer(&view->thumbs, g_ptr_array_unref);
    G_OBJECT_CLASS(pen_styles_view_parent_class)->dispose(object);
}

static void pen_styles_view_class_init(PenStylesViewClass *class)
{
    G_OBJECT_CLASS(class)->dispose = pen_styles_view_dispose;
}

static void pen_styles_view_init(PenStylesView *view)
{
    view->thumbs = g_ptr_array_new_with_free_func(g_object_unref);
    gtk_box_set_spacing(GTK_BOX(view), 18);
    gtk_style_context_add_class(gtk_widget_get_style_context(GTK_WIDGET(view)), "pen-panel");
}

GtkWidget *pen_styles_view_new(PenApp *app)
{
    PenStylesView *view = g_object_new(PEN_TYPE_STYLES_VIEW, NULL);
    view->app = app;
    build(view);
    g_signal_connect_object(app, "opened", G_CALLBACK(fill_soon), view, G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "styles-changed", G_CALLBACK(fill_soon), view, G_CONNECT_SWAPPED);
    return GTK_WIDGET(view);
}
